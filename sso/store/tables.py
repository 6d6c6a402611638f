# SPDX-License-Identifier: Apache-2.0
"""The tables and their indices. Every kind of one-time value has a table of its own, so none passes for another."""

import hashlib

from sqlalchemy import Boolean, Column, Index, Integer, MetaData, String, Table, Text

from core.db import Outbox

METADATA = MetaData()
OUTBOX = Outbox(METADATA)

CLIENTS = Table(
    "clients",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("name_zh", String(200), nullable=False),
    Column("redirect_uris", Text, nullable=False),
    Column("post_logout_uris", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("grants", Text, nullable=False),
    Column("audience", Text, nullable=False),
    Column("trusted", Boolean, nullable=False),
    Column("public", Boolean, nullable=False),
    Column("secret_hash", String(64), nullable=False),
)

SESSIONS = Table(
    "sessions",
    METADATA,
    Column("sid", String(64), primary_key=True),
    # Of the cookie's value; changes at every login.
    Column("digest", String(64), nullable=False, unique=True),
    Column("subject", String(64), nullable=False),
    Column("name", String(200), nullable=False),
    Column("name_zh", String(200), nullable=False),
    Column("methods", Text, nullable=False),
    Column("assurance", Integer, nullable=False),
    Column("certificate", String(64), nullable=False),
    Column("network", String(64), nullable=False),
    Column("agent", String(100), nullable=False),
    Column("authenticated_at", Integer, nullable=False),
    Column("created_at", Integer, nullable=False),
    Column("seen_at", Integer, nullable=False),
    Column("expires_at", Integer, nullable=False),
    Column("ended_at", Integer),
    Index("sessions_subject", "subject", "ended_at"),
    Index("sessions_certificate", "certificate", "ended_at"),
    Index("sessions_expiry", "ended_at", "expires_at"),
)

INTERACTIONS = Table(
    "interactions",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("browser", String(64), nullable=False),
    # The validated request as JSON; empty for "My account".
    Column("request", Text, nullable=False),
    Column("logged_in", Boolean, nullable=False),
    Column("agreed", Boolean, nullable=False),
    Column("expires_at", Integer, nullable=False),
    Index("interactions_expiry", "expires_at"),
)

GRANTS = Table(
    "grants",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("subject", String(64), nullable=False),
    Column("client_id", String(64), nullable=False),
    Column("sid", String(64), nullable=False),
    Column("scopes", Text, nullable=False),
    Column("assurance", Integer, nullable=False),
    Column("methods", Text, nullable=False),
    Column("authenticated_at", Integer, nullable=False),
    Column("nonce", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("created_at", Integer, nullable=False),
    Column("expires_at", Integer, nullable=False),
    Column("revoked_at", Integer),
    Index("grants_session", "sid"),
    Index("grants_person", "subject", "client_id"),
    Index("grants_expiry", "expires_at"),
)

CODES = Table(
    "codes",
    METADATA,
    Column("digest", String(64), primary_key=True),
    Column("grant_id", String(64), nullable=False),
    Column("client_id", String(64), nullable=False),
    Column("redirect_uri", Text, nullable=False),
    Column("challenge", String(64), nullable=False),
    Column("expires_at", Integer, nullable=False),
    Column("used_at", Integer),
    Index("codes_expiry", "expires_at"),
)

REFRESH_TOKENS = Table(
    "refresh_tokens",
    METADATA,
    Column("digest", String(64), primary_key=True),
    Column("grant_id", String(64), nullable=False),
    Column("client_id", String(64), nullable=False),
    Column("expires_at", Integer, nullable=False),
    Column("used_at", Integer),
    Index("refresh_tokens_expiry", "expires_at"),
)

CONSENTS = Table(
    "consents",
    METADATA,
    Column("subject", String(64), primary_key=True),
    Column("client_id", String(64), primary_key=True),
    Column("scopes", Text, nullable=False),
    Column("granted_at", Integer, nullable=False),
    Column("expires_at", Integer, nullable=False),
)

# Keyed by a digest of name and network, so that no user name is kept.
ATTEMPTS = Table(
    "attempts",
    METADATA,
    Column("key", String(64), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("last_at", Integer, nullable=False),
    Column("closed_until", Integer, nullable=False),
    Index("attempts_last", "last_at"),
)

# One card login: the ticket goes to the card host, the return token comes back.
HANDOVERS = Table(
    "handovers",
    METADATA,
    Column("ticket", String(64), primary_key=True),
    Column("interaction", String(64), nullable=False),
    Column("back", String(64), unique=True),
    Column("authentication", Text, nullable=False),
    Column("expires_at", Integer, nullable=False),
    Column("used_at", Integer),
    Index("handovers_expiry", "expires_at"),
)

# Persons disabled and certificates withdrawn, as the log told: a login that overlaps the news still fails.
BARRED = Table(
    "barred",
    METADATA,
    Column("kind", String(16), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("position", Integer, nullable=False),
)

HEARD = Table(
    "heard",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("position", Integer, nullable=False),
)


def digest(value: str) -> str:
    """What is kept of a presentable value. They have 256 random bits, so nothing slower is needed."""
    return hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()
