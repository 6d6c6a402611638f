# SPDX-License-Identifier: Apache-2.0
"""Which of two providers is written to, and what was made of which the other one has not said that it has it."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Create."""
    op.create_table(
        "made",
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("key", sa.String(32), nullable=False),
        sa.Column("changes", sa.LargeBinary, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "provider",
        sa.Column("name", sa.String(16), primary_key=True),
        sa.Column("second", sa.Boolean, nullable=False),
    )


def downgrade() -> None:
    """Drop; what the other one lacks when this one dies is then lost."""
    op.drop_table("provider")
    op.drop_table("made")
