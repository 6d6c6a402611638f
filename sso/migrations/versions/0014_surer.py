# SPDX-License-Identifier: Apache-2.0
"""Proofs beside a login, and how surely the registrar knew whoever agreed to something."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Add columns; sessions of before are opened anew where a fresh login is asked for, families of before say less."""
    op.add_column("sessions", sa.Column("login", sa.String(64), nullable=False, server_default=""))
    op.add_column("grants", sa.Column("proofing", sa.Integer, nullable=False, server_default="-1"))


def downgrade() -> None:
    """Remove them."""
    op.drop_column("sessions", "login")
    op.drop_column("grants", "proofing")
