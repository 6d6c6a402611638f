# SPDX-License-Identifier: Apache-2.0
"""Accounts that people have at portals."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Create."""
    op.create_table(
        "portal_accounts",
        sa.Column("portal", sa.String(64), primary_key=True),
        sa.Column("subject", sa.String(36), primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("stage", sa.String(16), nullable=False),
        sa.Column("remote", sa.String(200), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("groups", sa.Text, nullable=False),
        sa.Column("due", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("failed", sa.String(32), nullable=False),
    )
    op.create_index("portal_accounts_due", "portal_accounts", ["portal", "due"])
    op.create_table(
        "portal_standings",
        sa.Column("portal", sa.String(64), primary_key=True),
        sa.Column("compared", sa.BigInteger, nullable=False),
        sa.Column("strangers", sa.Integer, nullable=False),
    )


def downgrade() -> None:
    """Drop: accounts are found again at the portals by their external identifiers."""
    op.drop_table("portal_standings")
    op.drop_table("portal_accounts")
