# SPDX-License-Identifier: Apache-2.0
"""The tables of sign-on as they were born."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create everything."""
    text = sa.Text
    op.create_table(
        "clients",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("name_zh", sa.String(200), nullable=False),
        sa.Column("redirect_uris", text, nullable=False),
        sa.Column("post_logout_uris", text, nullable=False),
        sa.Column("scopes", text, nullable=False),
        sa.Column("grants", text, nullable=False),
        sa.Column("audience", text, nullable=False),
        sa.Column("trusted", sa.Boolean, nullable=False),
        sa.Column("public", sa.Boolean, nullable=False),
        sa.Column("secret_hash", sa.String(64), nullable=False),
    )
    op.create_table(
        "sessions",
        sa.Column("sid", sa.String(64), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("name_zh", sa.String(200), nullable=False),
        sa.Column("methods", text, nullable=False),
        sa.Column("assurance", sa.Integer, nullable=False),
        sa.Column("certificate", sa.String(64), nullable=False),
        sa.Column("network", sa.String(64), nullable=False),
        sa.Column("agent", sa.String(100), nullable=False),
        sa.Column("authenticated_at", sa.Integer, nullable=False),
        sa.Column("created_at", sa.Integer, nullable=False),
        sa.Column("seen_at", sa.Integer, nullable=False),
        sa.Column("expires_at", sa.Integer, nullable=False),
        sa.Column("ended_at", sa.Integer),
    )
    op.create_index("sessions_subject", "sessions", ["subject", "ended_at"])
    op.create_index("sessions_certificate", "sessions", ["certificate", "ended_at"])
    op.create_index("sessions_expiry", "sessions", ["ended_at", "expires_at"])
    op.create_table(
        "interactions",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("browser", sa.String(64), nullable=False),
        sa.Column("request", text, nullable=False),
        sa.Column("logged_in", sa.Boolean, nullable=False),
        sa.Column("agreed", sa.Boolean, nullable=False),
        sa.Column("expires_at", sa.Integer, nullable=False),
    )
    op.create_index("interactions_expiry", "interactions", ["expires_at"])
    op.create_table(
        "grants",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("client_id", sa.String(64), nullable=False),
        sa.Column("sid", sa.String(64), nullable=False),
        sa.Column("scopes", text, nullable=False),
        sa.Column("assurance", sa.Integer, nullable=False),
        sa.Column("methods", text, nullable=False),
        sa.Column("authenticated_at", sa.Integer, nullable=False),
        sa.Column("nonce", text, nullable=False),
        sa.Column("place", text, nullable=False),
        sa.Column("created_at", sa.Integer, nullable=False),
        sa.Column("expires_at", sa.Integer, nullable=False),
        sa.Column("revoked_at", sa.Integer),
    )
    op.create_index("grants_session", "grants", ["sid"])
    op.create_index("grants_person", "grants", ["subject", "client_id"])
    op.create_index("grants_expiry", "grants", ["expires_at"])
    op.create_table(
        "codes",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("grant_id", sa.String(64), nullable=False),
        sa.Column("client_id", sa.String(64), nullable=False),
        sa.Column("redirect_uri", text, nullable=False),
        sa.Column("challenge", sa.String(64), nullable=False),
        sa.Column("expires_at", sa.Integer, nullable=False),
        sa.Column("used_at", sa.Integer),
    )
    op.create_index("codes_expiry", "codes", ["expires_at"])
    op.create_table(
        "refresh_tokens",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("grant_id", sa.String(64), nullable=False),
        sa.Column("client_id", sa.String(64), nullable=False),
        sa.Column("expires_at", sa.Integer, nullable=False),
        sa.Column("used_at", sa.Integer),
    )
    op.create_index("refresh_tokens_expiry", "refresh_tokens", ["expires_at"])
    op.create_table(
        "consents",
        sa.Column("subject", sa.String(64), primary_key=True),
        sa.Column("client_id", sa.String(64), primary_key=True),
        sa.Column("scopes", text, nullable=False),
        sa.Column("granted_at", sa.Integer, nullable=False),
        sa.Column("expires_at", sa.Integer, nullable=False),
    )
    op.create_table(
        "attempts",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("last_at", sa.Integer, nullable=False),
        sa.Column("closed_until", sa.Integer, nullable=False),
    )
    op.create_index("attempts_last", "attempts", ["last_at"])
    op.create_table(
        "handovers",
        sa.Column("ticket", sa.String(64), primary_key=True),
        sa.Column("interaction", sa.String(64), nullable=False),
        sa.Column("back", sa.String(64), unique=True),
        sa.Column("authentication", text, nullable=False),
        sa.Column("expires_at", sa.Integer, nullable=False),
        sa.Column("used_at", sa.Integer),
    )
    op.create_index("handovers_expiry", "handovers", ["expires_at"])
    op.create_table(
        "barred",
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("position", sa.Integer, nullable=False),
    )
    op.create_table(
        "heard",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("position", sa.Integer, nullable=False),
    )
    op.create_table(
        "outbox",
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("key", sa.String(64), nullable=False, unique=True),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    """Remove everything."""
    for table in (
        *("outbox", "heard", "barred", "handovers", "attempts", "consents"),
        *("refresh_tokens", "codes", "grants", "interactions", "sessions", "clients"),
    ):
        op.drop_table(table)
