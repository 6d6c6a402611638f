# SPDX-License-Identifier: Apache-2.0
"""Warrants, legal holds, erasures under way, and the outbox of their records."""

import sqlalchemy as sa
from alembic import op

revision = "warrants_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "warrants",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(16), nullable=False, unique=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("scope", sa.String(900), nullable=False),
        sa.Column("about", sa.String(256), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("asker", sa.String(256), nullable=False),
        sa.Column("asked", sa.BigInteger, nullable=False),
        sa.Column("place", sa.BigInteger),
        sa.Column("decider", sa.String(256), nullable=False),
        sa.Column("decided", sa.BigInteger),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.Column("attempt", sa.String(32), nullable=False),
        sa.Column("changed", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("warrants_state", "warrants", ["state", "until"])
    op.create_index("warrants_asker", "warrants", ["asker", "number"])
    op.create_table(
        "holds",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("subject", sa.String(256), nullable=False),
        sa.Column("placed", sa.BigInteger, nullable=False),
        sa.Column("placed_by", sa.String(256), nullable=False),
        sa.Column("released", sa.BigInteger),
        sa.Column("released_by", sa.String(256), nullable=False),
    )
    op.create_index("holds_subject", "holds", ["subject"])
    op.create_table(
        "erasures",
        sa.Column("warrant", sa.String(16), primary_key=True),
        sa.Column("subject", sa.String(256), nullable=False),
        sa.Column("begun", sa.BigInteger, nullable=False),
        sa.Column("erased_by", sa.String(256), nullable=False),
        sa.Column("session", sa.String(256), nullable=False),
        sa.Column("zone", sa.String(256), nullable=False),
        sa.Column("decision", sa.String(256), nullable=False),
        sa.Column("intent", sa.String(32), nullable=False),
        sa.Column("outcome", sa.String(32), nullable=False),
        sa.Column("done", sa.Boolean, nullable=False),
    )
    op.create_index("erasures_subject", "erasures", ["subject", "done"])
    op.create_table(
        "outbox",
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("key", sa.String(64), nullable=False, unique=True),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "outbox_aside",
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("blind", sa.LargeBinary(32), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    """Refuse: without its holds a site would erase what a court has asked for."""
    raise NotImplementedError("legal holds must not be forgotten")
