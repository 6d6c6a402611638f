# SPDX-License-Identifier: Apache-2.0
"""Why an access that was withdrawn in a review could not be taken away so far."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add; nothing is known to have failed before."""
    op.add_column("review_items", sa.Column("failed", sa.String(64), nullable=False, server_default=""))
