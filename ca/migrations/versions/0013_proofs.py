# SPDX-License-Identifier: Apache-2.0
"""Requests by who put their evidence on file, whom an incident may be about."""

from alembic import op

revision = "ca0013"
down_revision = "ca0012"


def upgrade() -> None:
    """Create."""
    op.create_index("requests_evidence_by", "requests", ["evidence_by"])


def downgrade() -> None:
    """Drop."""
    op.drop_index("requests_evidence_by", "requests")
