# SPDX-License-Identifier: Apache-2.0
"""How far the news was heard, in a number as long as the log: a busy site records two thousand million in weeks."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Widen the one row's column; SQLite's numbers are that wide already."""
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("cursor", "next", type_=sa.BigInteger)


def downgrade() -> None:
    """Narrow it; a place that is too far is forgotten, and the older release hears from the beginning."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DELETE FROM cursor WHERE next > 2147483647")
        op.alter_column("cursor", "next", type_=sa.Integer)
