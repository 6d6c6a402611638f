# SPDX-License-Identifier: Apache-2.0
"""Alembic, one history per component: ``<component>/migrations/versions`` is its whole past."""

from pathlib import Path

from alembic import command
from alembic.config import Config

from .database import Database

_ENVIRONMENT = Path(__file__).parent / "alembic"


def migrate(database: Database, migrations: Path) -> None:
    """Bring the schema to the newest revision of one component; does nothing when it is there.

    ``migrations`` is the component's folder that holds ``versions``.
    """
    configuration = Config()
    configuration.set_main_option("script_location", str(_ENVIRONMENT))
    configuration.set_main_option("version_locations", str(migrations / "versions"))
    configuration.set_main_option("path_separator", "newline")
    with database.engine.connect() as connection, connection.begin():
        configuration.attributes["connection"] = connection
        command.upgrade(configuration, "head")
