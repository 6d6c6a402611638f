# SPDX-License-Identifier: Apache-2.0
"""Sessions, what was taken away, how far the news was heard, and the outbox."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "sessions",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("session", sa.String(200), nullable=False, index=True),
        sa.Column("subject", sa.String(200), nullable=False, index=True),
        sa.Column("acr", sa.Integer, nullable=False),
        sa.Column("methods", sa.String(400), nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("listener", sa.String(20), nullable=False),
        sa.Column("opened", sa.Integer, nullable=False, index=True),
        sa.Column("seen", sa.Integer, nullable=False, index=True),
        sa.Column("id_token", sa.Text, nullable=False),
    )
    op.create_table(
        "revoked",
        sa.Column("kind", sa.String(20), primary_key=True),
        sa.Column("value", sa.String(200), primary_key=True),
        # Seconds since 1970 after which nothing can depend on it any more; null if it stands until lifted.
        sa.Column("until", sa.Integer, nullable=True, index=True),
    )
    op.create_table(
        "cursor",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("next", sa.Integer, nullable=False),
    )
    op.create_table(
        "outbox",
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("key", sa.String(64), nullable=False, unique=True),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    """Drop them."""
    for name in ("outbox", "cursor", "revoked", "sessions"):
        op.drop_table(name)
