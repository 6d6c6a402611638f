# SPDX-License-Identifier: Apache-2.0
"""Certificates of people, their consents, and what was signed by them."""

import sqlalchemy as sa
from alembic import op

revision = "remote0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "credentials",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("serial", sa.String(40), nullable=False),
        sa.Column("certificate", sa.Text, nullable=False),
        sa.Column("chain", sa.Text, nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("algorithm", sa.String(16), nullable=False),
        sa.Column("public", sa.LargeBinary, nullable=False),
        sa.Column("hold", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("name_zh", sa.String(200), nullable=False),
        sa.Column("made_at", sa.String(40), nullable=False),
    )
    active = sa.text("state = 'active'")
    op.create_index(
        "credentials_active", "credentials", ["subject"], unique=True, sqlite_where=active, postgresql_where=active
    )
    op.create_table(
        "consents",
        sa.Column("state", sa.String(64), primary_key=True),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("browser", sa.String(64), nullable=False),
        sa.Column("credential", sa.String(32), nullable=False),
        sa.Column("asked", sa.Text, nullable=False),
        sa.Column("asked_at", sa.String(40), nullable=False),
        sa.Column("expires_at", sa.String(40), nullable=False),
        sa.Column("stage", sa.String(16), nullable=False),
        sa.Column("token", sa.String(64), unique=True),
    )
    op.create_index("consents_expires", "consents", ["expires_at"])
    op.create_table(
        "remote_signings",
        sa.Column("key", sa.String(32), primary_key=True),
        sa.Column("consent", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("document", sa.String(32), nullable=False),
        sa.Column("commitment", sa.String(64), nullable=False),
        sa.Column("serial", sa.String(40), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("result", sa.String(32), nullable=False),
        sa.Column("at", sa.String(40), nullable=False),
    )
    op.create_index("remote_signings_state", "remote_signings", ["state", "at"])
    op.create_table(
        "outbox",
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("key", sa.String(64), nullable=False, unique=True),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "outbox_aside",
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("blind", sa.LargeBinary(32), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    """Refuse: certificates without their keys' names sign nothing, and a spent consent would count again."""
    raise NotImplementedError("a consent that was used must stay used")
