# SPDX-License-Identifier: Apache-2.0
"""Devices that wait for their person."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_TEXTS = ("scopes", "resources", "details")
_IDS = ("client_id", "jkt", "network", "grant_id")
_NUMBERS = ("asked_at", "interval", "polled_at", "expires_at")


def upgrade() -> None:
    """Add one table."""
    op.create_table(
        "device_codes",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("user_digest", sa.String(64), nullable=False, unique=True),
        *(sa.Column(name, sa.String(64), nullable=False) for name in _IDS),
        *(sa.Column(name, sa.Text, nullable=False) for name in _TEXTS),
        *(sa.Column(name, sa.Integer, nullable=False) for name in _NUMBERS),
        sa.Column("agent", sa.String(100), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
    )
    op.create_index("device_codes_expiry", "device_codes", ["expires_at"])


def downgrade() -> None:
    """Remove it; devices that wait begin again."""
    op.drop_table("device_codes")
