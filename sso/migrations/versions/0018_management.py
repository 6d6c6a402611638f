# SPDX-License-Identifier: Apache-2.0
"""The management token before the present one, until that is used."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Add a column; nothing was before."""
    op.add_column("clients", sa.Column("manage_before", sa.String(64), nullable=False, server_default=""))


def downgrade() -> None:
    """Remove it."""
    op.drop_column("clients", "manage_before")
