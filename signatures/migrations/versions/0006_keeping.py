# SPDX-License-Identifier: Apache-2.0
"""Keepers of seals, changes that two make, and orders that wait for a second keeper."""

import sqlalchemy as sa
from alembic import op

revision = "signatures0006"
down_revision = "signatures0005"


def upgrade() -> None:
    """Make the tables: no seal has keepers yet, so all goes on as it did."""
    op.create_table(
        "keepers",
        sa.Column("organisation", sa.String(64), primary_key=True),
        sa.Column("subject", sa.String(64), primary_key=True, index=True),
    )
    op.create_table(
        "seal_rules",
        sa.Column("organisation", sa.String(64), primary_key=True),
        sa.Column("second", sa.Integer, nullable=False),
    )
    op.create_table(
        "keeper_changes",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("organisation", sa.String(64), nullable=False, index=True),
        sa.Column("act", sa.String(16), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("by", sa.String(64), nullable=False),
        sa.Column("session", sa.String(128), nullable=False),
        sa.Column("made_at", sa.String(40), nullable=False),
        sa.Column("until", sa.String(40), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
    )
    op.create_table(
        "seal_orders",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("organisation", sa.String(64), nullable=False, index=True),
        sa.Column("by", sa.String(64), nullable=False, index=True),
        sa.Column("session", sa.String(128), nullable=False),
        sa.Column("assurance", sa.Integer, nullable=False),
        sa.Column("zone", sa.String(16), nullable=False),
        sa.Column("caller", sa.String(64), nullable=False),
        sa.Column("decision", sa.String(64), nullable=False),
        sa.Column("look", sa.Text, nullable=False),
        sa.Column("document", sa.String(32), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("commitment", sa.String(64), nullable=False),
        sa.Column("made_at", sa.String(40), nullable=False),
        sa.Column("until", sa.String(40), nullable=False),
        sa.Column("state", sa.String(16), nullable=False, index=True),
        sa.Column("second", sa.String(64), nullable=False),
        sa.Column("second_session", sa.String(128), nullable=False),
        sa.Column("second_assurance", sa.Integer, nullable=False),
        sa.Column("second_zone", sa.String(16), nullable=False),
        sa.Column("taken_at", sa.String(40), nullable=False),
        sa.Column("result", sa.String(32), nullable=False),
    )
    op.create_index(
        "one_order_for_each_decision",
        "seal_orders",
        ["decision"],
        unique=True,
        sqlite_where=sa.text("decision <> ''"),
        postgresql_where=sa.text("decision <> ''"),
    )


def downgrade() -> None:
    """Drop them: every seal is anybody's again whom the policies let."""
    for name in ("seal_orders", "keeper_changes", "seal_rules", "keepers"):
        op.drop_table(name)
