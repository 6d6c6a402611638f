# SPDX-License-Identifier: Apache-2.0
"""Lists in shards, full and delta, leased; entries encoded once; what was released is remembered for deltas."""

import sqlalchemy as sa
from alembic import op

revision = "ca0005"
down_revision = "ca0004"


def upgrade() -> None:
    """What exists stands on the list without a number, as its certificates say."""
    op.add_column("certificates", sa.Column("shard", sa.Integer, nullable=False, server_default="0"))
    op.add_column("revocations", sa.Column("shard", sa.Integer, nullable=False, server_default="0"))
    op.add_column("revocations", sa.Column("revision", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("revocations", sa.Column("entry", sa.LargeBinary, nullable=False, server_default=""))
    op.drop_index("revocations_issuer", "revocations")
    op.create_index("revocations_alive", "revocations", ["issuer", "shard", "not_after"])
    op.create_index("revocations_revision", "revocations", ["issuer", "shard", "revision"])
    op.create_index("revocations_at", "revocations", ["at"])
    op.create_table(
        "releases",
        sa.Column("serial", sa.String(40), primary_key=True),
        sa.Column("issuer", sa.String(32), nullable=False),
        sa.Column("shard", sa.Integer, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("entry", sa.LargeBinary, nullable=False),
    )
    op.create_index("releases_revision", "releases", ["issuer", "shard", "revision"])
    op.create_index("releases_at", "releases", ["at"])
    op.create_table(
        "shards",
        sa.Column("issuer", sa.String(32), primary_key=True),
        sa.Column("shard", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("holder", sa.String(32), nullable=False),
        sa.Column("held_until", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "lists",
        sa.Column("issuer", sa.String(32), primary_key=True),
        sa.Column("shard", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("base", sa.BigInteger),
        sa.Column("made", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.Column("der", sa.LargeBinary, nullable=False),
    )
    op.execute(
        "INSERT INTO shards (issuer, shard, revision, holder, held_until) "
        "SELECT issuer, 0, revision, '', 0 FROM revisions"
    )
    # Without bytes: a list of an older release says nothing of its scope, so the next one is made at once.
    op.execute(
        "INSERT INTO lists (issuer, shard, number, revision, base, made, until, der) "
        "SELECT issuer, 0, max(number), 0, NULL, 0, 0, '' FROM crls GROUP BY issuer"
    )
    op.drop_table("crls")
    op.drop_table("revisions")


def downgrade() -> None:
    """Back to one list for each issuer; lists are made anew."""
    op.create_table(
        "revisions",
        sa.Column("issuer", sa.String(32), primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "crls",
        sa.Column("issuer", sa.String(32), primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("made", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.Column("der", sa.LargeBinary, nullable=False),
    )
    for table in ("lists", "shards", "releases"):
        op.drop_table(table)
    for index in ("revocations_alive", "revocations_revision", "revocations_at"):
        op.drop_index(index, "revocations")
    op.create_index("revocations_issuer", "revocations", ["issuer", "not_after"])
    for column in ("entry", "revision", "shard"):
        op.drop_column("revocations", column)
    op.drop_column("certificates", "shard")
