# SPDX-License-Identifier: Apache-2.0
"""The subjects' keys."""

import sqlalchemy as sa
from alembic import op

revision = "seals_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "seal_keys",
        sa.Column("id", sa.LargeBinary(8), primary_key=True),
        sa.Column("subject", sa.String(256), nullable=False),
        sa.Column("key", sa.LargeBinary(32)),
        sa.Column("made", sa.BigInteger, nullable=False),
        sa.Column("destroyed", sa.BigInteger),
    )
    op.create_index("seal_keys_subject", "seal_keys", ["subject"])


def downgrade() -> None:
    """Refuse: dropping the keys would erase every person."""
    raise NotImplementedError("dropping the seal keys would erase every sealed part of the record")
