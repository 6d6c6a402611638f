# SPDX-License-Identifier: Apache-2.0
"""Alerts with their entries and proofs, and what the rules remember of the log so far."""

import sqlalchemy as sa
from alembic import op

revision = "alerts0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    number, text = sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Text

    def column(name: str, kind: object, *, primary_key: bool = False) -> sa.Column:
        return sa.Column(name, kind, nullable=False, primary_key=primary_key, autoincrement=False)

    progress = op.create_table(
        "progress",
        column("one", number, primary_key=True),
        column("next", number),
        column("after", number),
        column("rules", text),
    )
    op.bulk_insert(progress, [{"one": 1, "next": 0, "after": 0, "rules": ""}])
    op.create_table(
        "remembered", column("name", text, primary_key=True), column("entry", number), column("at", number),
        column("word", text),
    )  # fmt: skip
    op.create_table(
        "hit",
        column("rule", text, primary_key=True),
        column("key", text, primary_key=True),
        column("slot", number, primary_key=True),
        column("entry", number, primary_key=True),
        column("at", number),
        column("row", text),
    )
    op.create_index("hit_at", "hit", ["at"])
    texts = ("rule", "version", "digest", "level", "kind", "told", "query", "key", "group", "state", "officer")
    numbers = ("since", "until", "count", "raised", "quiet_until", "again", "again_until", "recorded", "moved")
    op.create_table(
        "alert",
        column("id", text, primary_key=True),
        *(column(name, text) for name in texts),
        *(column(name, number) for name in numbers),
    )
    op.create_index("alert_raised", "alert", ["raised", "id"])
    op.create_index("alert_state", "alert", ["state", "raised", "id"])
    op.create_index("alert_rule", "alert", ["rule", "raised"])
    op.create_index("alert_quiet", "alert", ["quiet_until"])
    op.create_index("alert_recorded", "alert", ["recorded"])
    op.create_table(
        "proven",
        column("alert", text, primary_key=True),
        column("entry", number, primary_key=True),
        column("number", number),
        column("type", text),
        column("at", number),
        column("path", sa.LargeBinary),
        column("note", sa.LargeBinary),
    )
    op.create_table("note", column("id", sa.LargeBinary, primary_key=True), column("text", text))
    op.create_table(
        "rule",
        column("place", number, primary_key=True),
        *(
            column(name, text)
            for name in ("id", "file", "told", "level", "kind", "version", "digest", "query", "text", "error")
        ),
        *(column(name, number) for name in ("shipped", "on", "evaluated")),
    )


def downgrade() -> None:
    """Refuse: alerts would be lost, and the past would be looked at again."""
    raise NotImplementedError("alerts must not be forgotten")
