# SPDX-License-Identifier: Apache-2.0
"""ACME: grants, accounts, orders, authorizations, challenges, used nonces, counted acts, renewals asked for."""

import sqlalchemy as sa
from alembic import op

revision = "ca0006"
down_revision = "ca0005"


def upgrade() -> None:
    """Create."""
    op.create_table(
        "acme_grants",
        sa.Column("kid", sa.String(32), primary_key=True),
        sa.Column("holder", sa.String(16), nullable=False),
        sa.Column("subject", sa.String(128), nullable=False),
        sa.Column("names", sa.Text, nullable=False),
        sa.Column("officer", sa.String(128), nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("expires", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("account", sa.String(32), nullable=False),
    )
    op.create_index("acme_grants_created", "acme_grants", ["created", "kid"])
    op.create_table(
        "acme_accounts",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("jwk", sa.Text, nullable=False),
        sa.Column("thumbprint", sa.String(64), nullable=False, unique=True),
        sa.Column("contacts", sa.Text, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("kid", sa.String(32), nullable=False, unique=True),
    )
    op.create_table(
        "acme_orders",
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        sa.Column("account", sa.String(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("identifiers", sa.Text, nullable=False),
        sa.Column("authorizations", sa.Text, nullable=False),
        sa.Column("profile", sa.String(64), nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("expires", sa.BigInteger, nullable=False),
        sa.Column("replaces", sa.String(128), nullable=False),
        sa.Column("csr", sa.LargeBinary, nullable=False),
        sa.Column("key_hash", sa.String(64), nullable=False),
        sa.Column("serial", sa.String(40), nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("claim", sa.String(32), nullable=False),
        sa.Column("claimed", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("acme_orders_account", "acme_orders", ["account", "position"])
    op.create_index("acme_orders_serial", "acme_orders", ["serial"])
    op.create_index("acme_orders_replaces", "acme_orders", ["replaces"])
    op.create_index("acme_orders_state", "acme_orders", ["state", "expires"])
    op.create_table(
        "acme_authorizations",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("account", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("value", sa.String(253), nullable=False),
        sa.Column("wildcard", sa.Boolean, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("expires", sa.BigInteger, nullable=False),
    )
    op.create_index("acme_authorizations_name", "acme_authorizations", ["account", "value"])
    op.create_index("acme_authorizations_state", "acme_authorizations", ["state", "expires"])
    op.create_table(
        "acme_wanted",
        sa.Column("authorization", sa.String(32), primary_key=True),
        sa.Column("order", sa.String(32), primary_key=True),
    )
    op.create_index("acme_wanted_order", "acme_wanted", ["order"])
    op.create_table(
        "acme_challenges",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("authorization", sa.String(32), nullable=False),
        sa.Column("method", sa.String(16), nullable=False),
        sa.Column("token", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("validated", sa.BigInteger),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("due", sa.BigInteger),
    )
    op.create_index("acme_challenges_of", "acme_challenges", ["authorization"])
    op.create_index("acme_challenges_due", "acme_challenges", ["due"])
    op.create_table(
        "acme_nonces",
        sa.Column("nonce", sa.String(64), primary_key=True),
        sa.Column("until", sa.BigInteger, nullable=False),
    )
    op.create_index("acme_nonces_until", "acme_nonces", ["until"])
    op.create_table(
        "acme_strikes",
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("bucket", sa.String(300), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
    )
    op.create_index("acme_strikes_bucket", "acme_strikes", ["bucket", "until"])
    op.create_index("acme_strikes_until", "acme_strikes", ["until"])
    op.create_table(
        "acme_windows",
        sa.Column("serial", sa.String(40), primary_key=True),
        sa.Column("start", sa.BigInteger, nullable=False),
        sa.Column("end", sa.BigInteger, nullable=False),
        sa.Column("explanation", sa.String(400), nullable=False),
    )


def downgrade() -> None:
    """Drop; certificates made by it stay."""
    for name in (
        "grants",
        "accounts",
        "orders",
        "authorizations",
        "wanted",
        "challenges",
        "nonces",
        "strikes",
        "windows",
    ):
        op.drop_table(f"acme_{name}")
