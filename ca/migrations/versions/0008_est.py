# SPDX-License-Identifier: Apache-2.0
"""EST: enrolments of devices, counted acts."""

import sqlalchemy as sa
from alembic import op

revision = "ca0008"
down_revision = "ca0007"


def upgrade() -> None:
    """Create."""
    op.create_table(
        "est_enrolments",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("device", sa.String(36), nullable=False),
        sa.Column("label", sa.String(64), nullable=False),
        sa.Column("hosts", sa.Text, nullable=False),
        sa.Column("officer", sa.String(128), nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("expires", sa.BigInteger, nullable=False),
        sa.Column("uses", sa.Integer, nullable=False),
        sa.Column("used", sa.Integer, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
    )
    op.create_index("est_enrolments_created", "est_enrolments", ["created", "id"])
    op.create_table(
        "est_strikes",
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("bucket", sa.String(100), nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
    )
    op.create_index("est_strikes_bucket", "est_strikes", ["bucket", "until"])
    op.create_index("est_strikes_until", "est_strikes", ["until"])


def downgrade() -> None:
    """Drop; certificates made by it stay."""
    op.drop_table("est_enrolments")
    op.drop_table("est_strikes")
