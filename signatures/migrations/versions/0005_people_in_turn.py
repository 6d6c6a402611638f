# SPDX-License-Identifier: Apache-2.0
"""People beside organisations among those who sign a paper."""

import sqlalchemy as sa
from alembic import op

revision = "signatures0005"
down_revision = "signatures0004"


def upgrade() -> None:
    """Every turn before was an organisation's."""
    op.add_column("turns", sa.Column("person", sa.String(64), nullable=False, server_default=""))
    op.create_index("turns_of_people", "turns", ["person"])


def downgrade() -> None:
    """Drop it; the turns of people are lost."""
    op.drop_index("turns_of_people", "turns")
    op.drop_column("turns", "person")
