# SPDX-License-Identifier: Apache-2.0
"""Browsers that people are known by, logins they are asked about, letters to them, and their way back."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def _id(name: str, *, primary_key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(64), primary_key=primary_key, nullable=False)


def _numbers(*names: str) -> Sequence[sa.Column[int]]:
    return [sa.Column(name, sa.Integer, nullable=False) for name in names]


def upgrade() -> None:
    """Add four tables; nobody is known, asked or on the way."""
    op.create_table(
        "known_browsers",
        _id("digest", primary_key=True),
        _id("id"),
        _id("subject"),
        _id("network"),
        sa.Column("agent", sa.String(100), nullable=False),
        *_numbers("created_at", "seen_at", "expires_at"),
    )
    op.create_table(
        "suspicions",
        _id("id", primary_key=True),
        _id("subject"),
        sa.Column("kind", sa.String(16), nullable=False),
        _id("sid"),
        _id("network"),
        sa.Column("agent", sa.String(100), nullable=False),
        sa.Column("at", sa.Integer, nullable=False),
        sa.Column("answered_at", sa.Integer),
        *_numbers("expires_at"),
    )
    op.create_table(
        "letters",
        _id("id", primary_key=True),
        _id("subject"),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
        *_numbers("attempts", "due_at", "expires_at"),
    )
    op.create_table(
        "recoveries",
        _id("id", primary_key=True),
        sa.Column("asked", sa.Text, nullable=False),
        _id("subject"),
        sa.Column("state", sa.String(16), nullable=False),
        _id("link"),
        _id("browser"),
        sa.Column("drops", sa.Boolean, nullable=False),
        *_numbers("ready_at"),
        _id("network"),
        *_numbers("created_at", "expires_at"),
    )
    for table in ("known_browsers", "suspicions", "letters", "recoveries"):
        op.create_index(f"{table}_expiry", table, ["expires_at"])
    for table in ("known_browsers", "suspicions", "recoveries"):
        op.create_index(f"{table}_subject", table, ["subject"])
    op.create_index("letters_due", "letters", ["due_at"])
    op.create_index("recoveries_link", "recoveries", ["link"])
    op.create_index("recoveries_browser", "recoveries", ["browser"])
    op.create_index("recoveries_state", "recoveries", ["state", "ready_at"])


def downgrade() -> None:
    """Remove them."""
    for table in ("recoveries", "letters", "suspicions", "known_browsers"):
        op.drop_table(table)
