# SPDX-License-Identifier: Apache-2.0
"""Incidents, and the certificates of each, as they were fixed at its preview."""

from sqlalchemy import BigInteger, Column, Integer, MetaData, String, Table, Text

_metadata = MetaData()
incidents = Table(
    "incidents",
    _metadata,
    Column("position", Integer, primary_key=True, autoincrement=True),
    Column("id", String(32)),
    Column("stage", String(16)),
    # Selector, act, reason, texts; JSON.
    Column("plan", Text),
    # What the preview counted; JSON.
    Column("summary", Text),
    Column("opener", String(128)),
    Column("created", BigInteger),
    Column("expires", BigInteger),
    Column("size", Integer),
    Column("digest", String(64)),
    Column("horizon", BigInteger),
    Column("approver", String(128)),
    Column("approved", BigInteger),
    # When what is left is revoked; no value if nothing is.
    Column("deadline", BigInteger),
    Column("phase", Integer),
    Column("closed_by", String(128)),
    Column("why", String(200)),
    Column("ended", BigInteger),
    # Which process works on it, and until when others leave it alone.
    Column("holder", String(32)),
    Column("held_until", BigInteger),
)
items = Table(
    "incident_items",
    _metadata,
    Column("incident", String(32), primary_key=True),
    # Of the certificate: a list keeps the order of issuance.
    Column("position", Integer, primary_key=True),
    Column("serial", String(40)),
    Column("state", String(16)),
)
