# SPDX-License-Identifier: Apache-2.0
"""Sessions about to be opened, so that an opening cut off midway gets its outcome too."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create."""
    op.create_table(
        "openings",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("body", sa.LargeBinary, nullable=False),
        # Seconds since 1970.
        sa.Column("begun", sa.BigInteger, nullable=False, index=True),
    )


def downgrade() -> None:
    """Drop; intents of openings under way stay without an outcome."""
    op.drop_table("openings")
