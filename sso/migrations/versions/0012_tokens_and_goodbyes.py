# SPDX-License-Identifier: Apache-2.0
"""Single tokens that ended, encrypted answers about tokens, and how clients are told of the end of sessions."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add a column and two tables; nobody asked for encrypted answers before."""
    encrypted = sa.Column("introspection_encrypted", sa.Boolean, nullable=False, server_default=sa.false())
    op.add_column("clients", encrypted)
    op.create_table(
        "ended_tokens",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("expires_at", sa.Integer, nullable=False),
    )
    op.create_index("ended_tokens_expiry", "ended_tokens", ["expires_at"])
    op.create_table(
        "back_channels",
        sa.Column("client_id", sa.String(64), primary_key=True),
        *(sa.Column(name, sa.Integer, nullable=False) for name in ("hour", "sent", "missed", "missed_at")),
    )


def downgrade() -> None:
    """Remove them."""
    op.drop_table("back_channels")
    op.drop_table("ended_tokens")
    op.drop_column("clients", "introspection_encrypted")
