# SPDX-License-Identifier: Apache-2.0
"""Who stopped a batch."""

import sqlalchemy as sa
from alembic import op

revision = "agencies0002"
down_revision = "agencies0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; nobody stopped the batches that are there."""
    op.add_column("batches", sa.Column("stopped_by", sa.String(64), nullable=True))
    op.create_index("batches_organisation", "batches", ["organisation", "made_at"])


def downgrade() -> None:
    """Drop it again; what is stopped then stays where it is."""
    op.drop_index("batches_organisation", "batches")
    op.drop_column("batches", "stopped_by")
