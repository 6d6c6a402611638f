# SPDX-License-Identifier: Apache-2.0
"""Keys lie in partitions now: which were dropped, and which keys a legal hold kept when they were."""

import sqlalchemy as sa
from alembic import op

revision = "seals_0002"
down_revision = "seals_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables; keys from before stay where they are."""
    op.create_table(
        "seal_dropped",
        sa.Column("partition", sa.String(32), primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "seal_held",
        sa.Column("id", sa.LargeBinary(8), primary_key=True),
        sa.Column("subject", sa.String(256), nullable=False),
        sa.Column("key", sa.LargeBinary(32)),
        sa.Column("made", sa.BigInteger, nullable=False),
        sa.Column("destroyed", sa.BigInteger),
    )
    op.create_index("seal_held_subject", "seal_held", ["subject"])


def downgrade() -> None:
    """Refuse: held keys would be lost."""
    raise NotImplementedError("dropping held keys would break a legal hold")
