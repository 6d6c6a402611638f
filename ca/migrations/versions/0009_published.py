# SPDX-License-Identifier: Apache-2.0
"""Entries of the directory to be looked at; and how far each shard was when a whole list was made."""

import sqlalchemy as sa
from alembic import op

revision = "ca0009"
down_revision = "ca0008"

_KINDS = {"civil-servant": "people", "organisation-seal": "organisations", "device-server": "devices"}


def upgrade() -> None:
    """Create; what was issued before is looked at once, and whole lists are made anew."""
    op.create_table(
        "publications",
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("id", sa.String(128), primary_key=True),
        sa.Column("due", sa.BigInteger, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("waiting", sa.BigInteger),
        sa.Column("refused", sa.Boolean, nullable=False),
    )
    op.create_index("publications_due", "publications", ["due"])
    op.create_index("publications_waiting", "publications", ["waiting"])
    for profile, kind in _KINDS.items():
        op.execute(
            sa.text(
                "INSERT INTO publications (kind, id, due, revision, refused) "
                "SELECT DISTINCT :kind, subject, 0, 1, false FROM certificates WHERE profile = :profile"
            ).bindparams(kind=kind, profile=profile)
        )
    op.add_column("lists", sa.Column("parts", sa.Text, nullable=False, server_default=""))


def downgrade() -> None:
    """Drop; what the directory shows stays there."""
    op.drop_column("lists", "parts")
    op.drop_table("publications")
