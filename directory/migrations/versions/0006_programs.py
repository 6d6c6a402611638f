# SPDX-License-Identifier: Apache-2.0
"""Programs that keep a part of the directory."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Create."""
    op.create_table(
        "programs",
        sa.Column("client", sa.String(64), primary_key=True),
        sa.Column("organisations", sa.String(600), nullable=False),
        sa.Column("doings", sa.String(100), nullable=False),
        sa.Column("until", sa.String(10), nullable=False),
        sa.Column("by", sa.String(64), nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
    )


def downgrade() -> None:
    """Drop: no program is let in any more."""
    op.drop_table("programs")
