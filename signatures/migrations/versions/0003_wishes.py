# SPDX-License-Identifier: Apache-2.0
"""A decision of the gateway lets one sealing through, and only one."""

import sqlalchemy as sa
from alembic import op

revision = "signatures0003"
down_revision = "signatures0002"


def upgrade() -> None:
    """Add; rows from before, and the operator's, have none."""
    op.add_column("signings", sa.Column("decision", sa.String(64), nullable=False, server_default=""))
    op.create_index(
        "one_signing_for_each_decision",
        "signings",
        ["decision"],
        unique=True,
        sqlite_where=sa.text("decision <> ''"),
        postgresql_where=sa.text("decision <> ''"),
    )


def downgrade() -> None:
    """Remove."""
    op.drop_index("one_signing_for_each_decision", "signings")
    with op.batch_alter_table("signings") as table:
        table.drop_column("decision")
