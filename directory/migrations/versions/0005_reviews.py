# SPDX-License-Identifier: Apache-2.0
"""Reviews of access, rules about duties, and what identities were proofed by."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create."""
    op.create_table(
        "review_campaigns",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("scope", sa.String(16), nullable=False),
        sa.Column("of", sa.String(64), nullable=False),
        sa.Column("due", sa.String(10), nullable=False),
        sa.Column("heads", sa.String(64), nullable=False),
        sa.Column("owner", sa.String(36), nullable=False),
        sa.Column("undecided", sa.String(16), nullable=False),
        sa.Column("by", sa.String(36), nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("stage", sa.String(16), nullable=False, index=True),
        sa.Column("branch", sa.String(8), nullable=False),
        sa.Column("after", sa.BigInteger, nullable=False),
        sa.Column("reminded", sa.String(10), nullable=False),
        sa.Column("seal", sa.String(64), nullable=False),
    )
    op.create_table(
        "review_items",
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("campaign", sa.String(36), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("access", sa.String(36), nullable=False),
        sa.Column("holder", sa.String(36), nullable=False),
        sa.Column("what", sa.String(64), nullable=False),
        sa.Column("organisation", sa.String(64), nullable=False),
        sa.Column("owner", sa.String(36), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("decided_by", sa.String(36), nullable=False),
        sa.Column("decided", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("review_items_access", "review_items", ["campaign", "access"], unique=True)
    op.create_index("review_items_owner", "review_items", ["owner", "state", "position"])
    op.create_index("review_items_state", "review_items", ["campaign", "state", "position"])
    op.create_index("review_items_going", "review_items", ["state", "position"])
    op.create_table(
        "duties",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("roles", sa.String(500), nullable=False),
        sa.Column("by", sa.String(36), nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
    )
    op.create_table(
        "proofings",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("subject", sa.String(36), nullable=False, index=True),
        sa.Column("level", sa.Integer, nullable=False),
        sa.Column("way", sa.String(16), nullable=False),
        sa.Column("kinds", sa.String(200), nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("by", sa.String(36), nullable=False),
        sa.Column("second", sa.String(36), nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("until", sa.String(10), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("needs_second", sa.Boolean, nullable=False),
        sa.Column("reminded", sa.String(10), nullable=False),
    )
    op.create_index("proofings_until", "proofings", ["state", "until"])


def downgrade() -> None:
    """Drop; what was decided stands in the record."""
    for table in ("proofings", "duties", "review_items", "review_campaigns"):
        op.drop_table(table)
