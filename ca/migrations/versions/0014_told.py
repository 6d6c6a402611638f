# SPDX-License-Identifier: Apache-2.0
"""Notices that are not about an end, but about an incident: the address of the page that says why."""

import sqlalchemy as sa
from alembic import op

revision = "ca0014"
down_revision = "ca0013"


def upgrade() -> None:
    """Add."""
    op.add_column("notices", sa.Column("about", sa.String(300), nullable=False, server_default=""))


def downgrade() -> None:
    """Drop."""
    with op.batch_alter_table("notices") as table:
        table.drop_column("about")
