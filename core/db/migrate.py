# SPDX-License-Identifier: Apache-2.0
"""Alembic, one history per component: ``<component>/migrations/versions`` is its whole past.

Alembic takes eleven mebibytes in each process that loads it, for good; so it is loaded only where there is something
to do, which is seen from the files' own words and the one row that Alembic keeps.
"""

import re
from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlalchemy.schema import CreateSchema

from .database import Database

_ENVIRONMENT = Path(__file__).parent / "alembic"
_KEPT = "alembic_version"
_SAYS = re.compile(r"""^(revision|down_revision)\b[^=\n]*=[ ]*(?:"([^"\n]+)"|None)[ ]*$""", re.MULTILINE)


def migrate(database: Database, migrations: Path) -> None:
    """Bring the schema to the newest revision of one component; does nothing when it is there.

    ``migrations`` is the component's folder that holds ``versions``.
    """
    if database.schema:
        with database.transaction() as connection:
            connection.execute(CreateSchema(database.schema, if_not_exists=True))
    if (last := newest(migrations)) is not None:
        with database.engine.connect() as connection:
            if _stands_at(connection, last):
                return
    from alembic import command  # noqa: PLC0415 - see the module's docstring
    from alembic.config import Config  # noqa: PLC0415 - as above

    configuration = Config()
    configuration.set_main_option("script_location", str(_ENVIRONMENT))
    configuration.set_main_option("version_locations", str(migrations / "versions"))
    configuration.set_main_option("path_separator", "newline")
    with database.engine.connect() as connection, connection.begin():
        configuration.attributes["connection"] = connection
        command.upgrade(configuration, "head")


def newest(migrations: Path) -> str | None:
    """The revision that no other follows; None where the files do not plainly say which, and Alembic has to."""
    revisions: list[str] = []
    followed: set[str] = set()
    for path in sorted((migrations / "versions").glob("*.py")):
        said = dict(_SAYS.findall(path.read_text("utf-8")))
        if not said.get("revision") or "down_revision" not in said:
            return None
        revisions.append(said["revision"])
        followed.add(said["down_revision"])
    last = [revision for revision in revisions if revision not in followed]
    return last[0] if len(last) == 1 else None


def _stands_at(connection: Connection, revision: str) -> bool:
    if not inspect(connection).has_table(_KEPT):
        return False
    return connection.execute(text(f"SELECT version_num FROM {_KEPT}")).scalars().all() == [revision]  # noqa: S608 - a constant
