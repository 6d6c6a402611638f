# SPDX-License-Identifier: Apache-2.0
"""The tables of ACME, in the authority's own database; its outbox takes the records in the same transactions."""

from sqlalchemy import BigInteger, Boolean, Column, Integer, LargeBinary, MetaData, String, Table, Text

_metadata = MetaData()
grants = Table(
    "acme_grants",
    _metadata,
    Column("kid", String(32), primary_key=True),
    Column("holder", String(16)),
    Column("subject", String(128)),
    Column("names", Text),
    Column("officer", String(128)),
    Column("created", BigInteger),
    Column("expires", BigInteger),
    Column("state", String(16)),
    Column("account", String(32)),
)
accounts = Table(
    "acme_accounts",
    _metadata,
    Column("id", String(32), primary_key=True),
    Column("state", String(16)),
    Column("jwk", Text),
    Column("thumbprint", String(64)),
    Column("contacts", Text),
    Column("created", BigInteger),
    Column("kid", String(32)),
)
orders = Table(
    "acme_orders",
    _metadata,
    Column("position", Integer, primary_key=True, autoincrement=True),
    Column("id", String(32)),
    Column("account", String(32)),
    Column("state", String(16)),
    Column("identifiers", Text),
    Column("authorizations", Text),
    Column("profile", String(64)),
    Column("created", BigInteger),
    Column("expires", BigInteger),
    Column("replaces", String(128)),
    Column("csr", LargeBinary),
    # SHA-256 of the requested key, by which a certificate made before a crash is found again.
    Column("key_hash", String(64)),
    Column("serial", String(40)),
    Column("error", Text),
    # Who issues, and until when nobody else takes it over.
    Column("claim", String(32)),
    Column("claimed", BigInteger),
)
authorizations = Table(
    "acme_authorizations",
    _metadata,
    Column("id", String(32), primary_key=True),
    Column("account", String(32)),
    Column("kind", String(8)),
    Column("value", String(253)),
    Column("wildcard", Boolean),
    Column("state", String(16)),
    Column("expires", BigInteger),
)
wanted = Table(
    "acme_wanted",
    _metadata,
    # Which orders wait for which authorizations.
    Column("authorization", String(32), primary_key=True),
    Column("order", String(32), primary_key=True),
)
challenges = Table(
    "acme_challenges",
    _metadata,
    Column("id", String(32), primary_key=True),
    Column("authorization", String(32)),
    Column("method", String(16)),
    Column("token", String(64)),
    Column("state", String(16)),
    Column("attempts", Integer),
    Column("validated", BigInteger),
    Column("error", Text),
    # When it is to be looked at; while somebody looks, until when nobody else does.
    Column("due", BigInteger),
)
nonces = Table(
    "acme_nonces",
    _metadata,
    # Used ones, until they are too old to be taken anyway.
    Column("nonce", String(64), primary_key=True),
    Column("until", BigInteger),
)
strikes = Table(
    "acme_strikes",
    _metadata,
    Column("position", Integer, primary_key=True, autoincrement=True),
    Column("bucket", String(300)),
    Column("at", BigInteger),
    Column("until", BigInteger),
)
windows = Table(
    "acme_windows",
    _metadata,
    Column("serial", String(40), primary_key=True),
    Column("start", BigInteger),
    Column("end", BigInteger),
    Column("explanation", String(400)),
)
