# SPDX-License-Identifier: Apache-2.0
"""Orders for the turns of papers, for batches and of programs; of what waits for keepers one order at a time."""

import sqlalchemy as sa
from alembic import op

revision = "signatures0007"
down_revision = "signatures0006"

_ADDED = (
    ("purpose", sa.String(16), "document"),
    ("about", sa.String(64), ""),
    ("program_of", sa.String(64), ""),
    ("first", sa.String(64), ""),
    ("first_session", sa.String(128), ""),
    ("first_assurance", sa.Integer, "0"),
    ("first_zone", sa.String(16), ""),
)
_WAITS = sa.text("about <> '' AND state IN ('pending', 'confirmed')")


def upgrade() -> None:
    """Add the columns; every order so far was for one document, asked for by a person."""
    for name, kind, value in _ADDED:
        op.add_column("seal_orders", sa.Column(name, kind, nullable=False, server_default=value))
    op.create_index(
        "one_order_at_a_time", "seal_orders", ["about"], unique=True, sqlite_where=_WAITS, postgresql_where=_WAITS
    )


def downgrade() -> None:
    """Refuse: an order of a program would count as one that a keeper asked for."""
    raise NotImplementedError("orders of programs must not become orders of keepers")
