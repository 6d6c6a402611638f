# SPDX-License-Identifier: Apache-2.0
"""As whom applications know people, for those that declare whose record they open."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Create; who logged in before is remembered with the next login."""
    op.create_table(
        "known_subjects",
        sa.Column("sector", sa.String(64), primary_key=True),
        sa.Column("known", sa.String(64), primary_key=True),
        sa.Column("subject", sa.String(64), nullable=False),
    )


def downgrade() -> None:
    """Drop."""
    op.drop_table("known_subjects")
