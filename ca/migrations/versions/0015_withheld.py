# SPDX-License-Identifier: Apache-2.0
"""What is suspended only because its holder's account is shut, and comes back with the account."""

import sqlalchemy as sa
from alembic import op

revision = "ca0015"
down_revision = "ca0014"


def upgrade() -> None:
    """Create."""
    op.create_table(
        "withheld",
        sa.Column("serial", sa.String(40), primary_key=True),
        sa.Column("subject", sa.String(128), nullable=False),
    )
    op.create_index("withheld_subject", "withheld", ["subject"])


def downgrade() -> None:
    """Drop; what is suspended stays so until an officer releases it."""
    op.drop_table("withheld")
