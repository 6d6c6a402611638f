# SPDX-License-Identifier: Apache-2.0
"""Programs, quotas, requests that are carried out once, and batches."""

import sqlalchemy as sa
from alembic import op

revision = "agencies0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "programs",
        sa.Column("client", sa.String(120), primary_key=True),
        sa.Column("organisation", sa.String(64), nullable=False),
        sa.Column("doings", sa.String(64), nullable=False),
        sa.Column("per_minute", sa.Integer, nullable=False),
        sa.Column("per_day", sa.Integer, nullable=False),
        sa.Column("until", sa.String(10), nullable=False),
        sa.Column("reason", sa.String(400), nullable=False),
    )
    op.create_table(
        "uses",
        sa.Column("organisation", sa.String(64), primary_key=True),
        sa.Column("window", sa.Integer, primary_key=True),
        sa.Column("begins", sa.BigInteger, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
    )
    op.create_table(
        "requests",
        sa.Column("owner", sa.String(160), primary_key=True),
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("claim", sa.String(32), nullable=False),
        sa.Column("began", sa.BigInteger, nullable=False),
        sa.Column("held_until", sa.BigInteger, nullable=False),
        sa.Column("result", sa.String(32), nullable=False),
    )
    op.create_index("requests_began", "requests", ["began"])
    op.create_table(
        "results",
        sa.Column("decision", sa.String(64), primary_key=True),
        sa.Column("shelved", sa.String(32), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    op.create_index("results_at", "results", ["at"])
    op.create_table(
        "batches",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("owner", sa.String(160), nullable=False),
        sa.Column("organisation", sa.String(64), nullable=False),
        sa.Column("assurance", sa.Integer, nullable=False),
        sa.Column("zone", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("made_at", sa.String(40), nullable=False),
        sa.Column("started_at", sa.String(40), nullable=True),
        sa.Column("ended_at", sa.String(40), nullable=True),
    )
    op.create_index("batches_state", "batches", ["state"])
    op.create_index("batches_owner", "batches", ["owner", "made_at"])
    op.create_table(
        "items",
        sa.Column("batch", sa.String(32), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("source", sa.String(32), nullable=False),
        sa.Column("result", sa.String(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("code", sa.String(64), nullable=False),
        sa.UniqueConstraint("batch", "name"),
    )
    op.create_index("items_state", "items", ["batch", "state", "number"])


def downgrade() -> None:
    """Drop the tables; every batch is lost."""
    for name in ("items", "batches", "results", "requests", "uses", "programs"):
        op.drop_table(name)
