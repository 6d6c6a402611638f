# SPDX-License-Identifier: Apache-2.0
"""What the simulator gave out and was redeemed."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Add a table."""
    op.create_table(
        "simulated",
        sa.Column("id", sa.String(64), primary_key=True, nullable=False),
        sa.Column("expires_at", sa.Integer, nullable=False),
    )
    op.create_index("simulated_expiry", "simulated", ["expires_at"])


def downgrade() -> None:
    """Remove it."""
    op.drop_table("simulated")
