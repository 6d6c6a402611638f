# SPDX-License-Identifier: Apache-2.0
"""Devices enrolled many at once."""

import sqlalchemy as sa
from alembic import op

revision = "ca0012"
down_revision = "ca0011"


def upgrade() -> None:
    """Create; nothing was asked for yet."""
    op.create_table(
        "bulk_jobs",
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        sa.Column("profile", sa.String(32), nullable=False),
        sa.Column("asker", sa.String(128), nullable=False),
        sa.Column("reference", sa.String(200), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("closed", sa.BigInteger),
        sa.Column("closed_by", sa.String(128), nullable=False),
    )
    op.create_index("bulk_jobs_state", "bulk_jobs", ["state", "position"])
    op.create_table(
        "bulk_lines",
        sa.Column("job", sa.String(32), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("device", sa.String(128), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("hosts", sa.Text, nullable=False),
        sa.Column("csr", sa.LargeBinary, nullable=False),
        sa.Column("key_hash", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("holder", sa.String(32), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("serial", sa.String(40), nullable=False),
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("parameters", sa.Text, nullable=False),
    )
    op.create_index("bulk_lines_state", "bulk_lines", ["job", "state", "number"])
    op.create_index("bulk_lines_serial", "bulk_lines", ["serial"])
    op.create_table(
        "bulk_approvals",
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("job", sa.String(32), nullable=False),
        sa.Column("officer", sa.String(128), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("assurance", sa.Integer, nullable=False),
        sa.Column("zone", sa.String(32), nullable=False),
        sa.Column("void", sa.Boolean, nullable=False),
    )
    op.create_index("bulk_approvals_job", "bulk_approvals", ["job", "position"])


def downgrade() -> None:
    """Refuse: who approved what is kept nowhere else."""
    raise NotImplementedError("jobs are not thrown away")
