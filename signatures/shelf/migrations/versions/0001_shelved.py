# SPDX-License-Identifier: Apache-2.0
"""Documents that are kept for a while."""

import sqlalchemy as sa
from alembic import op

revision = "shelf0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "shelved",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("owner", sa.String(160), nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("key", sa.LargeBinary, nullable=False),
        sa.Column("facts", sa.LargeBinary, nullable=False),
        sa.Column("kept_at", sa.String(40), nullable=False),
        sa.Column("expires_at", sa.String(40), nullable=False),
    )
    op.create_index("shelved_owner", "shelved", ["owner", "kept_at"])
    op.create_index("shelved_expires", "shelved", ["expires_at"])


def downgrade() -> None:
    """Drop the table; every document in it is lost."""
    op.drop_table("shelved")
