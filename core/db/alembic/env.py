# SPDX-License-Identifier: Apache-2.0
"""What Alembic runs: one connection, given by ``core.db.migrate``, in one transaction."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
