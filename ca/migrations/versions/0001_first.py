# SPDX-License-Identifier: Apache-2.0
"""Certificates, revocations, revocation lists and the outbox."""

import sqlalchemy as sa
from alembic import op

revision = "ca0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "certificates",
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("serial", sa.String(40), nullable=False, unique=True),
        sa.Column("issuer", sa.String(32), nullable=False),
        sa.Column("profile", sa.String(32), nullable=False),
        sa.Column("subject", sa.String(128), nullable=False),
        sa.Column("actor", sa.String(128), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("not_before", sa.BigInteger, nullable=False),
        sa.Column("not_after", sa.BigInteger, nullable=False),
        sa.Column("key_hash", sa.String(64), nullable=False),
        sa.Column("tbs", sa.LargeBinary, nullable=False),
        sa.Column("commitment_key", sa.LargeBinary, nullable=False),
        sa.Column("der", sa.LargeBinary, nullable=False),
        sa.Column("reaped", sa.Boolean, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("certificates_subject", "certificates", ["subject", "position"])
    op.create_index("certificates_name", "certificates", ["name", "position"])
    op.create_index("certificates_key_hash", "certificates", ["key_hash"])
    op.create_index("certificates_state", "certificates", ["state", "created"])
    op.create_table(
        "revocations",
        sa.Column("serial", sa.String(40), sa.ForeignKey("certificates.serial"), primary_key=True),
        sa.Column("issuer", sa.String(32), nullable=False),
        sa.Column("standing", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("not_after", sa.BigInteger, nullable=False),
    )
    op.create_index("revocations_issuer", "revocations", ["issuer", "not_after"])
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
    op.create_table(
        "outbox",
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("key", sa.String(64), nullable=False, unique=True),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    """Drop them; only a test does this."""
    for table in ("outbox", "crls", "revisions", "revocations", "certificates"):
        op.drop_table(table)
