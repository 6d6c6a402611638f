# SPDX-License-Identifier: Apache-2.0
"""Tokens over checkpoints, and the outage of their authority."""

import sqlalchemy as sa
from alembic import op

revision = "stamps_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "stamps",
        sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("token", sa.LargeBinary, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("accuracy", sa.BigInteger),
        sa.Column("kept", sa.BigInteger, nullable=False),
        sa.Column("authority", sa.Text, nullable=False),
        sa.Column("serial", sa.Text, nullable=False),
        sa.Column("policy", sa.Text, nullable=False),
        sa.Column("ends", sa.BigInteger, nullable=False),
        sa.Column("entry", sa.BigInteger),
    )
    op.create_table(
        "stamp_outage",
        sa.Column("one", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("key", sa.String(32), nullable=False),
        sa.Column("entry", sa.BigInteger),
    )


def downgrade() -> None:
    """Refuse: tokens cannot be asked for a second time, the moment is over."""
    raise NotImplementedError("dropping the stamps would lose the proof of when the record was as it was")
