# SPDX-License-Identifier: Apache-2.0
"""Requests for certificates, and what officers said to them."""

import sqlalchemy as sa
from alembic import op

revision = "ca0007"
down_revision = "ca0006"


def upgrade() -> None:
    """Create; nothing was asked for yet."""
    op.create_table(
        "requests",
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        sa.Column("stage", sa.String(16), nullable=False),
        sa.Column("profile", sa.String(32), nullable=False),
        sa.Column("subject", sa.String(128), nullable=False),
        sa.Column("organisation", sa.String(64), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("asker", sa.String(128), nullable=False),
        sa.Column("csr", sa.LargeBinary, nullable=False),
        sa.Column("key_hash", sa.String(64), nullable=False),
        sa.Column("open_key", sa.String(64), unique=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("expires", sa.BigInteger, nullable=False),
        sa.Column("evidence", sa.String(16), nullable=False),
        sa.Column("reference", sa.String(200), nullable=False),
        sa.Column("evidence_by", sa.String(128), nullable=False),
        sa.Column("closed_by", sa.String(128), nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("closed", sa.BigInteger),
        sa.Column("failure", sa.String(64), nullable=False),
        sa.Column("serial", sa.String(40), nullable=False),
        sa.Column("holder", sa.String(32), nullable=False),
        sa.Column("held_until", sa.BigInteger, nullable=False),
    )
    op.create_index("requests_stage", "requests", ["stage", "position"])
    op.create_index("requests_serial", "requests", ["serial"])
    op.create_index("requests_asker", "requests", ["asker", "position"])
    op.create_table(
        "approvals",
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("request", sa.String(32), nullable=False),
        sa.Column("officer", sa.String(128), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("assurance", sa.Integer, nullable=False),
        sa.Column("zone", sa.String(32), nullable=False),
        sa.Column("void", sa.Boolean, nullable=False),
    )
    op.create_index("approvals_request", "approvals", ["request", "position"])


def downgrade() -> None:
    """Refuse: who approved what is kept nowhere else."""
    raise NotImplementedError("requests are not thrown away")
