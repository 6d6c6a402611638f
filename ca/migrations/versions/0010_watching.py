# SPDX-License-Identifier: Apache-2.0
"""What the authority knows about its own work: counters for each day, what its checker found, notices of expiry."""

import sqlalchemy as sa
from alembic import op

revision = "ca0010"
down_revision = "ca0009"

_INDEXES = {
    "certificates_created": ["created", "position"],
    "certificates_not_after": ["not_after", "position"],
}


def upgrade() -> None:
    """Create; indexes are built by reading the table once, and nothing is rewritten."""
    for name, columns in _INDEXES.items():
        op.create_index(name, "certificates", columns, if_not_exists=True)
    op.create_table(
        "watch_marks",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "tallies",
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("what", sa.String(16), primary_key=True),
        sa.Column("which", sa.String(40), primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "check_findings",
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("code", sa.String(40), nullable=False),
        sa.Column("about", sa.String(64), nullable=False),
        sa.Column("detail", sa.String(200), nullable=False),
        sa.Column("first", sa.BigInteger, nullable=False),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.Column("gone", sa.BigInteger),
        sa.UniqueConstraint("code", "about", name="check_findings_about"),
    )
    op.create_index("check_findings_gone", "check_findings", ["gone", "position"])
    op.create_table(
        "check_heard",
        sa.Column("place", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("intended", sa.LargeBinary),
        sa.Column("issued", sa.LargeBinary),
    )
    op.create_table(
        "check_strays",
        sa.Column("serial", sa.String(40), primary_key=True),
        sa.Column("entry", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "check_sweeps",
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("began", sa.BigInteger, nullable=False),
        sa.Column("ended", sa.BigInteger),
        sa.Column("checked", sa.BigInteger, nullable=False),
        sa.Column("found", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "notices",
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(64), nullable=False, unique=True),
        sa.Column("serial", sa.String(40), nullable=False),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("channel", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("made", sa.BigInteger, nullable=False),
        sa.Column("next", sa.BigInteger, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("why", sa.String(64), nullable=False),
        sa.Column("done", sa.BigInteger),
        sa.UniqueConstraint("serial", "step", "channel", name="notices_step"),
    )
    op.create_index("notices_state", "notices", ["state", "next"])


def downgrade() -> None:
    """Refuse: what was found and who was told is kept nowhere else."""
    raise NotImplementedError("findings and notices are not thrown away")
