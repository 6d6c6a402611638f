# SPDX-License-Identifier: Apache-2.0
"""Places in the log, in numbers as long as the log: a busy site records two thousand million entries in weeks."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Widen; SQLite's numbers are that wide already. Only what was taken away has a row in ``barred``."""
    if op.get_bind().dialect.name == "postgresql":
        for table in ("heard", "barred"):
            op.alter_column(table, "position", type_=sa.BigInteger)


def downgrade() -> None:
    """Narrow; the older release hears everything from the beginning, where a place is too far for it."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DELETE FROM heard WHERE position > 2147483647")
        # Whoever is barred stays so, by an entry that any other may follow.
        op.execute("UPDATE barred SET position = 0 WHERE position > 2147483647")
        for table in ("heard", "barred"):
            op.alter_column(table, "position", type_=sa.Integer)
