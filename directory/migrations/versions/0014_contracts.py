# SPDX-License-Identifier: Apache-2.0
"""What is asked for outside workers, and who decided."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Create."""
    op.create_table(
        "contracts",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("subject", sa.String(36), nullable=False),
        sa.Column("role", sa.String(64), nullable=False),
        sa.Column("until", sa.String(10), nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("by", sa.String(36), nullable=False),
        sa.Column("second", sa.String(36), nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
    )
    op.create_index("contracts_state", "contracts", ["state", "day"])


def downgrade() -> None:
    """Drop; what waits has to be asked for again."""
    op.drop_table("contracts")
