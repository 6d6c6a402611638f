# SPDX-License-Identifier: Apache-2.0
"""Where a record goes that the log refuses for good."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create."""
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
    """Drop; what was set aside is lost."""
    op.drop_table("outbox_aside")
