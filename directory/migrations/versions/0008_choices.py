# SPDX-License-Identifier: Apache-2.0
"""What was chosen for a move on a day to come."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add; what was scheduled before chose nothing."""
    op.add_column("scheduled", sa.Column("choices", sa.Text, nullable=False, server_default=""))
