# SPDX-License-Identifier: Apache-2.0
"""What there is and what goes next, as the daily run found it: pages show that and compute nothing."""

import sqlalchemy as sa
from alembic import op

revision = "retention0002"
down_revision = "retention0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; it stays empty until the next look."""
    op.create_table(
        "survey",
        sa.Column("one", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("run", sa.BigInteger, nullable=False),
        sa.Column("stale", sa.Boolean, nullable=False),
        sa.Column("used", sa.BigInteger, nullable=False),
        sa.Column("free", sa.BigInteger, nullable=False),
        sa.Column("pieces", sa.Text, nullable=False),
        sa.Column("kept", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Forget it; the next look finds it again."""
    op.drop_table("survey")
