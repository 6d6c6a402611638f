# SPDX-License-Identifier: Apache-2.0
"""Keys on people's devices, and what devices were asked to sign."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add two tables."""
    op.create_table(
        "passkeys",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("credential", sa.Text, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        sa.Column("public_key", sa.Text, nullable=False),
        sa.Column("uses", sa.BigInteger, nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("synced", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.Integer, nullable=False),
        sa.Column("counts_from", sa.Integer, nullable=False),
        sa.Column("used_at", sa.Integer),
    )
    op.create_index("passkeys_subject", "passkeys", ["subject"])
    op.create_table(
        "challenges",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("expires_at", sa.Integer, nullable=False),
    )
    op.create_index("challenges_expiry", "challenges", ["expires_at"])


def downgrade() -> None:
    """Remove; whoever had passkeys logs in another way."""
    op.drop_table("challenges")
    op.drop_table("passkeys")
