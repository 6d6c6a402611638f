# SPDX-License-Identifier: Apache-2.0
"""WebSockets that are open, so that the end of each is recorded even if their keeper dies."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create."""
    op.create_table(
        "sockets",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("body", sa.LargeBinary, nullable=False),
        # Seconds since 1970.
        sa.Column("opened", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    """Drop; the ends of sockets that were open then stay unrecorded."""
    op.drop_table("sockets")
