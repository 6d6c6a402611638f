# SPDX-License-Identifier: Apache-2.0
"""Where each target stands, and the signed exports that were made."""

import sqlalchemy as sa
from alembic import op

revision = "exports0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "cursors",
        sa.Column("target", sa.String(32), primary_key=True),
        sa.Column("next", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.Column("paused", sa.Boolean, nullable=False),
        sa.Column("moved", sa.BigInteger, nullable=False),
        sa.Column("taken_at", sa.BigInteger, nullable=False),
        sa.Column("failed_at", sa.BigInteger, nullable=False),
        sa.Column("failing_since", sa.BigInteger, nullable=False),
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("why", sa.String(200), nullable=False),
        sa.Column("allowed_until", sa.BigInteger, nullable=False),
        sa.Column("warrant", sa.String(64), nullable=False),
    )
    op.create_table(
        "signed_exports",
        sa.Column("first", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("checkpoint", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    """Refuse: a target whose place is forgotten is sent everything again."""
    raise NotImplementedError("forgetting the cursors would send the whole record again")
