# SPDX-License-Identifier: Apache-2.0
"""What holds for every test: what hypothesis tries is the same in each run, and no machine is too slow for it.

Runs with a seed of their own (scripts/soak) try something else each time.

A component's migrations run once in each process of tests; what they made is then copied into every other new SQLite
file, which thousands of tests begin with. A database that holds anything already, or lies on a server, is migrated as
everywhere.
"""

import os

from alembic import command
from alembic.config import Config
from hypothesis import HealthCheck, settings
from sqlalchemy import Connection, inspect

settings.register_profile(
    "tallygate",
    deadline=None,
    derandomize="TALLYGATE_SEED" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("tallygate")

_upgrade = command.upgrade
_made: dict[str, str] = {}


def _upgraded(configuration: Config, revision: str) -> None:
    connection = configuration.attributes["connection"]
    component = configuration.get_main_option("version_locations")
    if component is None or revision != "head" or not _is_new(connection):
        _upgrade(configuration, revision)
        return
    file = connection.connection.driver_connection
    if component not in _made:
        _upgrade(configuration, revision)
        _made[component] = "\n".join(file.iterdump())
    else:
        file.executescript(_made[component])


def _is_new(connection: Connection) -> bool:
    return connection.dialect.name == "sqlite" and not inspect(connection).get_table_names()


command.upgrade = _upgraded  # type: ignore[assignment]  # called with these two and no more
