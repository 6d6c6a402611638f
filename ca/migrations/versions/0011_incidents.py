# SPDX-License-Identifier: Apache-2.0
"""Incidents, the certificates of each, and the indexes by which certificates are selected."""

import sqlalchemy as sa
from alembic import op

revision = "ca0011"
down_revision = "ca0010"

_INDEXES = {
    "certificates_created": ("certificates", ["created", "position"]),
    "certificates_actor": ("certificates", ["actor", "position"]),
    "certificates_profile": ("certificates", ["profile", "position"]),
    "certificates_issuer": ("certificates", ["issuer", "position"]),
    "approvals_officer": ("approvals", ["officer", "request"]),
    "acme_grants_officer": ("acme_grants", ["officer"]),
    "est_enrolments_officer": ("est_enrolments", ["officer"]),
}


def upgrade() -> None:
    """Create; no incident was opened yet."""
    for name, (table, columns) in _INDEXES.items():
        op.create_index(name, table, columns, if_not_exists=True)
    op.create_table(
        "incidents",
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        sa.Column("stage", sa.String(16), nullable=False),
        sa.Column("plan", sa.Text, nullable=False),
        sa.Column("summary", sa.Text, nullable=False),
        sa.Column("opener", sa.String(128), nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("expires", sa.BigInteger, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("horizon", sa.BigInteger, nullable=False),
        sa.Column("approver", sa.String(128), nullable=False),
        sa.Column("approved", sa.BigInteger),
        sa.Column("deadline", sa.BigInteger),
        sa.Column("phase", sa.Integer, nullable=False),
        sa.Column("closed_by", sa.String(128), nullable=False),
        sa.Column("why", sa.String(200), nullable=False),
        sa.Column("ended", sa.BigInteger),
        sa.Column("holder", sa.String(32), nullable=False),
        sa.Column("held_until", sa.BigInteger, nullable=False),
    )
    op.create_index("incidents_stage", "incidents", ["stage"])
    op.create_table(
        "incident_items",
        sa.Column("incident", sa.String(32), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("serial", sa.String(40), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
    )
    op.create_index("incident_items_state", "incident_items", ["incident", "state", "position"])
    op.create_index("incident_items_serial", "incident_items", ["serial"])


def downgrade() -> None:
    """Refuse: what was done to whom by whose word is kept nowhere else so that it can be gone on with."""
    raise NotImplementedError("incidents are not thrown away")
