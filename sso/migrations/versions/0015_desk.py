# SPDX-License-Identifier: Apache-2.0
"""What administrators do at the desk: factors taken away, applications locked, and when these were used last."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def _id(name: str, *, primary_key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(64), primary_key=primary_key, nullable=False)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=False)


def upgrade() -> None:
    """Add three tables; nothing is locked and nothing reset."""
    op.create_table(
        "factor_resets",
        _id("id", primary_key=True),
        _id("subject"),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("high", sa.Boolean, nullable=False),
        _id("asked_by"),
        _number("asked_at"),
        _id("confirmed_by"),
        _number("ready_at"),
        _number("expires_at"),
    )
    op.create_index("factor_resets_subject", "factor_resets", ["subject"])
    op.create_index("factor_resets_state", "factor_resets", ["state", "ready_at"])
    op.create_index("factor_resets_expiry", "factor_resets", ["expires_at"])
    op.create_table(
        "client_locks",
        _id("client_id", primary_key=True),
        sa.Column("reason", sa.String(500), nullable=False),
        _id("locked_by"),
        _number("locked_at"),
        _id("asked_by"),
        _number("asked_at"),
        sa.Column("asked_reason", sa.String(500), nullable=False),
    )
    op.create_table("client_uses", _id("client_id", primary_key=True), _number("used_at"))


def downgrade() -> None:
    """Remove them."""
    for name in ("client_uses", "client_locks", "factor_resets"):
        op.drop_table(name)
