# SPDX-License-Identifier: Apache-2.0
"""Registrations that are asked for at the desk; whose a client is, whom to tell, and whether it only tests."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add columns and a table; clients of before test nothing and belong to the site."""
    op.add_column("clients", sa.Column("test", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("clients", sa.Column("contact", sa.String(200), nullable=False, server_default=""))
    op.add_column("clients", sa.Column("agency", sa.String(64), nullable=False, server_default=""))
    op.create_table(
        "applications",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("client_id", sa.String(64), nullable=False, unique=True),
        sa.Column("agency", sa.String(64), nullable=False),
        sa.Column("asked_by", sa.String(64), nullable=False),
        sa.Column("asked_at", sa.Integer, nullable=False),
        sa.Column("metadata", sa.Text, nullable=False),
        sa.Column("test", sa.Boolean, nullable=False),
        sa.Column("contact", sa.String(200), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("decided_by", sa.String(64), nullable=False),
        sa.Column("decided_at", sa.Integer, nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
    )
    op.create_index("applications_agency", "applications", ["agency", "asked_at"])
    op.create_index("applications_asked", "applications", ["asked_at"])


def downgrade() -> None:
    """Remove them."""
    op.drop_table("applications")
    for name in ("agency", "contact", "test"):
        op.drop_column("clients", name)
