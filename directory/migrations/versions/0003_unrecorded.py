# SPDX-License-Identifier: Apache-2.0
"""What the server's own log of changes is compared with, how far it has been read, and what nobody expected in it."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create."""
    op.create_table(
        "expected",
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("key", sa.String(32), nullable=False, index=True),
        sa.Column("trace", sa.String(64), nullable=False, index=True),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "watched",
        sa.Column("name", sa.String(16), primary_key=True),
        sa.Column("place", sa.String(40), nullable=False),
        sa.Column("csn", sa.String(64), nullable=False),
    )
    op.create_table(
        "unrecorded",
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(64), nullable=False, unique=True),
        sa.Column("found", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(16), nullable=False, index=True),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    """Drop; what was found is in the record only."""
    op.drop_table("unrecorded")
    op.drop_table("watched")
    op.drop_table("expected")
