# SPDX-License-Identifier: Apache-2.0
"""Drafts of policies, signatures under them, and orders for the operator's clerk."""

import sqlalchemy as sa
from alembic import op

revision = "desk0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "policy_drafts",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("base", sa.String(80), nullable=False),
        sa.Column("author", sa.String(256), nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("changed", sa.BigInteger, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False),
    )
    op.create_table(
        "policy_files",
        sa.Column("draft", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(80), primary_key=True),
        sa.Column("content", sa.Text, nullable=False),
    )
    op.create_table(
        "policy_signatures",
        sa.Column("draft", sa.String(32), primary_key=True),
        sa.Column("administrator", sa.String(256), primary_key=True),
        sa.Column("signature", sa.String(128), nullable=False),
    )
    op.create_table(
        "policy_orders",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("draft", sa.String(32), nullable=False),
        sa.Column("act", sa.String(16), nullable=False),
        sa.Column("actor", sa.String(256), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("without_shadow", sa.String(256), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("told", sa.Text, nullable=False),
    )
    op.create_index("policy_orders_by_state", "policy_orders", ["state"])


def downgrade() -> None:
    """Take them away again; what is in force does not depend on them."""
    for name in ("policy_orders", "policy_signatures", "policy_files", "policy_drafts"):
        op.drop_table(name)
