# SPDX-License-Identifier: Apache-2.0
"""What clients prove themselves with and must do, requests that come by the back way, and what was refused."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_CLIENTS = ("jwks", "certificate_subject", "requires", "resources", "detail_types", "request_uris")


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, server_default="")


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.String(64), nullable=False, server_default="")


def upgrade() -> None:
    """Add three tables and some columns; who is registered proves itself as before."""
    op.add_column("clients", _key("method"))
    op.execute("UPDATE clients SET method = CASE WHEN public THEN 'none' ELSE 'client_secret_basic' END")
    for name in _CLIENTS:
        op.add_column("clients", _text(name))
    for name in ("refused", "resources", "details"):
        op.add_column("grants", _text(name))
    op.add_column("consents", _text("refused"))
    op.add_column("codes", _key("jkt"))
    op.add_column("refresh_tokens", _key("jkt"))
    op.create_table(
        "pushed",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("client_id", sa.String(64), nullable=False),
        sa.Column("parameters", sa.Text, nullable=False),
        sa.Column("expires_at", sa.Integer, nullable=False),
    )
    op.create_index("pushed_expiry", "pushed", ["expires_at"])
    for name in ("assertions", "proofs"):
        op.create_table(
            name,
            sa.Column("id", sa.String(64), primary_key=True),
            sa.Column("expires_at", sa.Integer, nullable=False),
        )
        op.create_index(f"{name}_expiry", name, ["expires_at"])


def downgrade() -> None:
    """Remove; whoever proves itself otherwise than by a secret cannot any more."""
    for table in ("proofs", "assertions", "pushed"):
        op.drop_table(table)
    op.drop_column("refresh_tokens", "jkt")
    op.drop_column("codes", "jkt")
    op.drop_column("consents", "refused")
    for name in ("refused", "resources", "details"):
        op.drop_column("grants", name)
    for name in (*_CLIENTS, "method"):
        op.drop_column("clients", name)
