# SPDX-License-Identifier: Apache-2.0
"""One row for each public key: whom it vouches for, and whether it is compromised."""

import sqlalchemy as sa
from alembic import op

revision = "ca0003"
down_revision = "ca0002"

# The first holder keeps a key; a certificate revoked for its key's sake blocks it.
_FILL = """
INSERT INTO keys (hash, subject, blocked)
SELECT c.key_hash, c.subject,
    (SELECT min(r.at) FROM revocations r JOIN certificates k ON k.serial = r.serial
     WHERE k.key_hash = c.key_hash AND r.reason = 'key-compromise')
FROM certificates c
WHERE c.position IN (
    SELECT min(position) FROM certificates WHERE key_hash <> '' AND state <> 'abandoned' GROUP BY key_hash
)
"""


def upgrade() -> None:
    """Create, and fill from what was issued."""
    op.create_table(
        "keys",
        sa.Column("hash", sa.String(64), primary_key=True),
        sa.Column("subject", sa.String(128), nullable=False),
        sa.Column("blocked", sa.BigInteger),
    )
    op.create_index("keys_blocked", "keys", ["blocked"])
    op.execute(_FILL)


def downgrade() -> None:
    """Drop; what the certificates say of their keys stays."""
    op.drop_table("keys")
