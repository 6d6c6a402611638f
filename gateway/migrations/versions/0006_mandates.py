# SPDX-License-Identifier: Apache-2.0
"""On whose behalf a session acts."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add columns; whoever is logged in acts for themselves."""
    op.add_column("sessions", sa.Column("mandate", sa.Text, nullable=False, server_default=""))
    op.add_column("sessions", sa.Column("mandate_ends", sa.BigInteger, nullable=False, server_default="0"))


def downgrade() -> None:
    """Remove; sessions that act for somebody end, or they would count as the person's own."""
    op.execute("DELETE FROM sessions WHERE mandate <> ''")
    for name in ("mandate_ends", "mandate"):
        op.drop_column("sessions", name)
