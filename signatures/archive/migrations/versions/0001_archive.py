# SPDX-License-Identifier: Apache-2.0
"""Documents that are kept provable, and second time-stamps beside them."""

import sqlalchemy as sa
from alembic import op

revision = "archive0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "archived",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("owner", sa.String(160), nullable=False),
        sa.Column("shelved", sa.String(32), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("keeping", sa.String(16), nullable=False),
        sa.Column("deposited_at", sa.String(40), nullable=False),
        sa.Column("authorities", sa.String(400), nullable=False),
        sa.Column("stamps", sa.Integer, nullable=False),
        sa.Column("stamped_at", sa.String(40), nullable=True),
        sa.Column("ends_at", sa.String(40), nullable=True),
        sa.Column("algorithm", sa.String(32), nullable=False),
        sa.Column("trouble", sa.String(64), nullable=False),
    )
    op.create_index("archived_ends", "archived", ["keeping", "ends_at"])
    op.create_table(
        "seconds",
        sa.Column("archived", sa.String(32), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("token", sa.LargeBinary, nullable=False),
        sa.Column("at", sa.String(40), nullable=False),
    )


def downgrade() -> None:
    """Drop the tables; nobody knows any more what the archive holds."""
    op.drop_table("seconds")
    op.drop_table("archived")
