# SPDX-License-Identifier: Apache-2.0
"""The search index: entries by their place, who is found under which name token, and how far the log was read."""

import sqlalchemy as sa
from alembic import op

revision = "audit_0001"
down_revision = None
branch_labels = None
depends_on = None

_TEXTS = ("source", "zone", "subject", "actor", "object", "organisation", "session", "decision", "policy", "reason")
_SEARCHED = ("subject", "actor", "object", "organisation", "session", "decision", "type")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "entry",
        sa.Column("place", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in _TEXTS),
        sa.Column("attributes", sa.Text(), nullable=False),
    )
    for name in _SEARCHED:
        op.create_index(f"entry_{name}", "entry", [name, "place"])
    op.create_index("entry_day", "entry", ["at", "type", "outcome"])
    op.create_table(
        "name_token",
        sa.Column("token", sa.LargeBinary(), primary_key=True),
        sa.Column("subject", sa.String(), primary_key=True),
    )
    op.create_index("name_token_subject", "name_token", ["subject"])
    progress = op.create_table(
        "progress",
        sa.Column("one", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("next", sa.BigInteger(), nullable=False),
    )
    op.bulk_insert(progress, [{"one": 1, "next": 0}])


def downgrade() -> None:
    """Throw the index away; it is rebuilt from the log."""
    for name in ("progress", "name_token", "entry"):
        op.drop_table(name)
