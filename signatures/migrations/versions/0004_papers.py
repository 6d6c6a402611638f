# SPDX-License-Identifier: Apache-2.0
"""Papers that several sign, whose turn it is, and the counters of official documents."""

import sqlalchemy as sa
from alembic import op

revision = "signatures0004"
down_revision = "signatures0003"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "papers",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("organisation", sa.String(64), nullable=False),
        sa.Column("word", sa.String(20), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("creator", sa.String(64), nullable=False),
        sa.Column("document", sa.String(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("made_at", sa.String(40), nullable=False),
        sa.Column("year", sa.Integer, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("issued_at", sa.String(40), nullable=False),
    )
    op.create_index("papers_of", "papers", ["organisation", "made_at"])
    op.create_index(
        "one_paper_for_each_number",
        "papers",
        ["organisation", "year", "number"],
        unique=True,
        sqlite_where=sa.text("number > 0"),
        postgresql_where=sa.text("number > 0"),
    )
    op.create_table(
        "turns",
        sa.Column("paper", sa.String(32), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("organisation", sa.String(64), nullable=False),
        sa.Column("done_at", sa.String(40), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
    )
    op.create_index("turns_of", "turns", ["organisation"])
    op.create_table(
        "numbers",
        sa.Column("organisation", sa.String(64), primary_key=True),
        sa.Column("year", sa.Integer, primary_key=True),
        sa.Column("last", sa.Integer, nullable=False),
    )


def downgrade() -> None:
    """Drop them; the register is lost."""
    for name in ("numbers", "turns", "papers"):
        op.drop_table(name)
