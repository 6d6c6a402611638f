# SPDX-License-Identifier: Apache-2.0
"""What is to happen to somebody's employment on a day to come; who was seen to log in when."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create."""
    op.create_table(
        "scheduled",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("subject", sa.String(36), nullable=False, index=True),
        sa.Column("act", sa.String(16), nullable=False),
        sa.Column("day", sa.String(10), nullable=False, index=True),
        sa.Column("post", sa.String(36), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("failed", sa.String(64), nullable=False),
        sa.Column("claimed", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "seen",
        sa.Column("subject", sa.String(36), primary_key=True),
        sa.Column("day", sa.String(10), nullable=False),
    )
    op.create_table(
        "heard",
        sa.Column("name", sa.String(16), primary_key=True),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("since", sa.String(10), nullable=False),
    )


def downgrade() -> None:
    """Drop; nothing of it will happen."""
    op.drop_table("heard")
    op.drop_table("seen")
    op.drop_table("scheduled")
