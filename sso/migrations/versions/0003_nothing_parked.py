# SPDX-License-Identifier: Apache-2.0
"""Parked requests move into their browsers; news remember what was released.

Both tables that go hold nothing older than a quarter of an hour: whoever is logging in during this begins again.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Replace two tables, add one and a column."""
    op.drop_table("interactions")
    op.drop_table("handovers")
    op.create_table(
        "spent",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("expires_at", sa.Integer, nullable=False),
    )
    op.create_index("spent_expiry", "spent", ["expires_at"])
    op.create_table(
        "handovers",
        sa.Column("ticket", sa.String(64), primary_key=True),
        sa.Column("back", sa.String(64), nullable=False, unique=True),
        sa.Column("browser", sa.String(64), nullable=False),
        sa.Column("interaction", sa.Text, nullable=False),
        sa.Column("authentication", sa.Text, nullable=False),
        sa.Column("used_at", sa.Integer),
        sa.Column("expires_at", sa.Integer, nullable=False),
    )
    op.create_index("handovers_expiry", "handovers", ["expires_at"])
    op.add_column("barred", sa.Column("released_at", sa.Integer))
    op.create_index("barred_released", "barred", ["released_at"])


def downgrade() -> None:
    """There is no way back: what was released would be barred again."""
    raise NotImplementedError
