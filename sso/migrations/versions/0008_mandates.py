# SPDX-License-Identifier: Apache-2.0
"""For whom somebody acts."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add a column; whoever is logged in acts for themselves."""
    op.add_column("grants", sa.Column("mandate", sa.Text, nullable=False, server_default=""))


def downgrade() -> None:
    """Remove; what was given under a mandate must end first, or it would count as the person's own."""
    op.execute("UPDATE grants SET revoked_at = 0 WHERE mandate <> '' AND revoked_at IS NULL")
    op.drop_column("grants", "mandate")
