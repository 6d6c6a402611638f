# SPDX-License-Identifier: Apache-2.0
"""Seconds since 1970 in a number that goes on after January 2038."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_TIMES = (("sessions", "opened"), ("sessions", "seen"), ("revoked", "until"))


def upgrade() -> None:
    """Widen the columns; SQLite's numbers are that wide already."""
    if op.get_bind().dialect.name == "postgresql":
        for table, column in _TIMES:
            op.alter_column(table, column, type_=sa.BigInteger)


def downgrade() -> None:
    """Narrow them; a revocation that stands for longer than they can say stands until it is lifted."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("UPDATE revoked SET until = NULL WHERE until > 2147483647")
        op.execute("DELETE FROM sessions WHERE opened > 2147483647 OR seen > 2147483647")
        for table, column in _TIMES:
            op.alter_column(table, column, type_=sa.Integer)
