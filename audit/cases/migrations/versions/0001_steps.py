# SPDX-License-Identifier: Apache-2.0
"""The sealed steps of every case."""

import sqlalchemy as sa
from alembic import op

revision = "cases0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "steps",
        sa.Column("case_id", sa.String(16), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("place", sa.BigInteger),
    )
    op.create_index("steps_place", "steps", ["place"])


def downgrade() -> None:
    """Refuse: what officers noted and decided is kept nowhere else."""
    raise NotImplementedError("cases are not thrown away")
