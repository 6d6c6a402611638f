# SPDX-License-Identifier: Apache-2.0
"""One-time codes beside the password, and what to do when the telephone is lost."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add two tables and a column."""
    op.add_column("sessions", sa.Column("factor", sa.String(64), nullable=False, server_default=""))
    op.create_table(
        "code_apps",
        sa.Column("subject", sa.String(64), primary_key=True),
        sa.Column("secret", sa.Text, nullable=False),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("created_at", sa.Integer, nullable=False),
        sa.Column("counts_from", sa.Integer, nullable=False),
        sa.Column("used_at", sa.Integer),
    )
    op.create_table(
        "recovery_codes",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("created_at", sa.Integer, nullable=False),
        sa.Column("used_at", sa.Integer),
    )
    op.create_index("recovery_codes_subject", "recovery_codes", ["subject"])


def downgrade() -> None:
    """Remove; whoever had set up codes logs in by password alone again."""
    op.drop_table("recovery_codes")
    op.drop_table("code_apps")
    op.drop_column("sessions", "factor")
