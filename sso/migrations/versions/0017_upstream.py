# SPDX-License-Identifier: Apache-2.0
"""Another provider by which people may log in: who is whom there, and answers of it that came."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "upstream_links",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(64), nullable=False, unique=True),
        sa.Column("subject", sa.String(64), nullable=False, unique=True),
        sa.Column("named", sa.String(64), nullable=False),
        sa.Column("created_at", sa.Integer, nullable=False),
        sa.Column("counts_from", sa.Integer, nullable=False),
        sa.Column("used_at", sa.Integer),
    )
    op.create_index("upstream_links_named", "upstream_links", ["named"])
    op.create_table(
        "upstream_answers",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("expires_at", sa.Integer, nullable=False),
    )
    op.create_index("upstream_answers_expiry", "upstream_answers", ["expires_at"])


def downgrade() -> None:
    """Remove them."""
    op.drop_table("upstream_answers")
    op.drop_table("upstream_links")
