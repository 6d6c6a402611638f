# SPDX-License-Identifier: Apache-2.0
"""The tables of programs, quotas, requests and batches."""

from sqlalchemy import Column, Integer, MetaData, String, Table

_METADATA = MetaData()
PROGRAMS = Table(
    "programs",
    _METADATA,
    Column("client", String(120), primary_key=True),
    Column("organisation", String(64)),
    Column("doings", String(64)),
    Column("per_minute", Integer),
    Column("per_day", Integer),
    Column("until", String(10)),
    Column("reason", String(400)),
)
USES = Table(
    "uses",
    _METADATA,
    Column("organisation", String(64), primary_key=True),
    # Seconds that it lasts, and when it began.
    Column("window", Integer, primary_key=True),
    Column("begins", Integer),
    Column("count", Integer),
)
REQUESTS = Table(
    "requests",
    _METADATA,
    Column("owner", String(160), primary_key=True),
    Column("key", String(64), primary_key=True),
    Column("digest", String(64)),
    Column("claim", String(32)),
    Column("began", Integer),
    # Until when whoever carries it out is taken for alive.
    Column("held_until", Integer),
    # On the shelf; empty while there is none.
    Column("result", String(32)),
)
RESULTS = Table(
    "results",
    _METADATA,
    Column("decision", String(64), primary_key=True),
    Column("shelved", String(32)),
    Column("at", Integer),
)
BATCHES = Table(
    "batches",
    _METADATA,
    Column("id", String(32), primary_key=True),
    Column("owner", String(160)),
    Column("organisation", String(64)),
    Column("assurance", Integer),
    Column("zone", String(16)),
    Column("state", String(16)),
    Column("digest", String(64)),
    Column("made_at", String(40)),
    Column("started_at", String(40)),
    Column("ended_at", String(40)),
    Column("stopped_by", String(64)),
)
ITEMS = Table(
    "items",
    _METADATA,
    Column("batch", String(32), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("name", String(200)),
    Column("sha256", String(64)),
    Column("source", String(32)),
    Column("result", String(32)),
    Column("state", String(16)),
    Column("code", String(64)),
)
