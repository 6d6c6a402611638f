# SPDX-License-Identifier: Apache-2.0
"""What was told once about something."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Create."""
    op.create_table(
        "reminders",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("expires_at", sa.Integer, nullable=False),
    )
    op.create_index("reminders_expiry", "reminders", ["expires_at"])


def downgrade() -> None:
    """Drop; what was told is told once more."""
    op.drop_table("reminders")
