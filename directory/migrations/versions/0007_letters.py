# SPDX-License-Identifier: Apache-2.0
"""Letters to people about reviews and proofings."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Create."""
    op.create_table(
        "directory_letters",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("subject", sa.String(36), nullable=False),
        sa.Column("about", sa.String(16), nullable=False),
        sa.Column("facts", sa.String(400), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("due", sa.BigInteger, nullable=False),
        sa.Column("written", sa.BigInteger, nullable=False),
    )
    op.create_index("directory_letters_due", "directory_letters", ["due"])
    op.create_index("directory_letters_written", "directory_letters", ["written"])
