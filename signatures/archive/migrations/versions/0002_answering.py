# SPDX-License-Identifier: Apache-2.0
"""Who answers for a document of the archive, and how long it could be proved when it came."""

import sqlalchemy as sa
from alembic import op

revision = "archive0002"
down_revision = "archive0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; what is there already has neither."""
    op.add_column("archived", sa.Column("organisation", sa.String(64), nullable=True))
    op.add_column("archived", sa.Column("level", sa.String(8), nullable=True))
    op.create_index("archived_organisation", "archived", ["organisation", "deposited_at", "id"])


def downgrade() -> None:
    """Drop them again."""
    op.drop_index("archived_organisation", "archived")
    op.drop_column("archived", "level")
    op.drop_column("archived", "organisation")
