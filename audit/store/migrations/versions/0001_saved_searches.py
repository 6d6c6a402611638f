# SPDX-License-Identifier: Apache-2.0
"""Officers' saved searches."""

import sqlalchemy as sa
from alembic import op

revision = "saved_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "saved",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("officer", sa.String(256), nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    op.create_index("saved_officer", "saved", ["officer", "at"])


def downgrade() -> None:
    """Take it away."""
    op.drop_table("saved")
