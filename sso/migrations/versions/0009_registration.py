# SPDX-License-Identifier: Apache-2.0
"""Who may register clients, what such clients are, by which name they know people, and whom to tell of a logout."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_TEXTS = ("jwks_uri", "logout_uri", "ceiling")
_IDS = ("sector", "manage_hash")
_FLAGS = ("userinfo_signed", "userinfo_encrypted", "id_token_encrypted")


def upgrade() -> None:
    """Add columns and two tables; clients of before go on knowing people by the identifiers they know."""
    op.add_column("clients", sa.Column("subject_type", sa.String(16), nullable=False, server_default="public"))
    for name in _TEXTS:
        op.add_column("clients", sa.Column(name, sa.Text, nullable=False, server_default=""))
    for name in _IDS:
        op.add_column("clients", sa.Column(name, sa.String(64), nullable=False, server_default=""))
    for name in _FLAGS:
        op.add_column("clients", sa.Column(name, sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("grants", sa.Column("claims", sa.Text, nullable=False, server_default=""))
    op.create_table(
        "initial_tokens",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("sector", sa.String(64), nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("uses_left", sa.Integer, nullable=False),
        sa.Column("expires_at", sa.Integer, nullable=False),
    )
    op.create_index("initial_tokens_expiry", "initial_tokens", ["expires_at"])
    op.create_table(
        "goodbyes",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("client_id", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("sid", sa.String(64), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("due_at", sa.Integer, nullable=False),
        sa.Column("expires_at", sa.Integer, nullable=False),
    )
    op.create_index("goodbyes_expiry", "goodbyes", ["expires_at"])
    op.create_index("goodbyes_due", "goodbyes", ["due_at"])


def downgrade() -> None:
    """Remove them."""
    op.drop_table("goodbyes")
    op.drop_table("initial_tokens")
    op.drop_column("grants", "claims")
    for name in (*_FLAGS, *_IDS, *_TEXTS, "subject_type"):
        op.drop_column("clients", name)
