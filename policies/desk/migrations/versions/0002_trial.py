# SPDX-License-Identifier: Apache-2.0
"""What is signed of a trial in shadow stands with the draft."""

import sqlalchemy as sa
from alembic import op

revision = "desk0002"
down_revision = "desk0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Proposals from before demand a trial, however long."""
    op.add_column("policy_drafts", sa.Column("trial", sa.String(256), nullable=False, server_default=""))


def downgrade() -> None:
    """Forget it: what was signed with it is not signed any more."""
    op.drop_column("policy_drafts", "trial")
