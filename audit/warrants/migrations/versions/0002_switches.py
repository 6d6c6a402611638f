# SPDX-License-Identifier: Apache-2.0
"""What is shut in an emergency; filled with what warrants of an earlier release shut and nobody opened since."""

import sqlalchemy as sa
from alembic import op

revision = "warrants_0002"
down_revision = "warrants_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "switches",
        sa.Column("name", sa.String(128), primary_key=True),
        sa.Column("warrant", sa.String(16), nullable=False),
        sa.Column("thrown_by", sa.String(256), nullable=False),
        sa.Column("decider", sa.String(256), nullable=False),
        sa.Column("place", sa.BigInteger),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger),
        sa.Column("turning", sa.String(16), nullable=False),
    )
    # Of each switch the warrant that was used last; ``substr`` takes "switch:" off the scope.
    op.execute(
        """
        INSERT INTO switches (name, warrant, thrown_by, decider, place, since, until, turning)
        SELECT substr(w.scope, 8), w.id, w.asker, w.decider, w.place, w.changed, NULL, ''
        FROM warrants w
        WHERE w.kind = 'shut' AND w.state = 'used' AND w.number = (
            SELECT max(number) FROM warrants
            WHERE scope = w.scope AND state = 'used' AND kind IN ('shut', 'reopen')
            AND changed = (
                SELECT max(changed) FROM warrants
                WHERE scope = w.scope AND state = 'used' AND kind IN ('shut', 'reopen')
            )
        )
        """
    )
