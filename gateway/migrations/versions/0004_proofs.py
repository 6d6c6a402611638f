# SPDX-License-Identifier: Apache-2.0
"""Proofs of possession that came, so that none counts twice."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create."""
    op.create_table(
        "proofs",
        sa.Column("id", sa.String(64), primary_key=True),
        # Seconds since 1970.
        sa.Column("until", sa.BigInteger, nullable=False, index=True),
    )


def downgrade() -> None:
    """Drop; a proof of the last minute could come once more."""
    op.drop_table("proofs")
