# SPDX-License-Identifier: Apache-2.0
"""What the record says is in the directory, and how far it has been read."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Create."""
    op.create_table(
        "ledger",
        sa.Column("branch", sa.String(16), primary_key=True),
        sa.Column("key", sa.String(300), primary_key=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("found", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "ledger_read",
        sa.Column("name", sa.String(16), primary_key=True),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
    )


def downgrade() -> None:
    """Drop; it is built from the record again."""
    op.drop_table("ledger_read")
    op.drop_table("ledger")
