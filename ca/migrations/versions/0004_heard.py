# SPDX-License-Identifier: Apache-2.0
"""How far the record was compared with these tables."""

import sqlalchemy as sa
from alembic import op

revision = "ca0004"
down_revision = "ca0003"


def upgrade() -> None:
    """Create; the first start compares the whole record."""
    op.create_table(
        "heard",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("position", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    """Drop; the next start compares everything again."""
    op.drop_table("heard")
