# SPDX-License-Identifier: Apache-2.0
"""What was found unusual, and how far the house has looked."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Create."""
    op.create_table(
        "unusual",
        sa.Column("kind", sa.String(12), primary_key=True),
        sa.Column("subject", sa.String(64), primary_key=True),
        sa.Column("organisation", sa.String(64), nullable=False),
        sa.Column("detail", sa.String(64), nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
    )
    op.create_index("unusual_place", "unusual", ["kind", "organisation", "detail", "subject"])
    op.create_index("unusual_day", "unusual", ["day"])
    op.create_table(
        "survey",
        sa.Column("name", sa.String(16), primary_key=True),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("stage", sa.String(12), nullable=False),
        sa.Column("after", sa.String(64), nullable=False),
    )
