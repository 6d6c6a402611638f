# SPDX-License-Identifier: Apache-2.0
"""Alembic is loaded only where there is something to do, and what it would say is known without it."""

import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from core.db import Database, migrate
from core.db.migrate import newest

ROOT = Path(__file__).parents[2]
HISTORIES = sorted(
    path.parent.relative_to(ROOT)
    for room in ("audit", "ca", "directory", "gateway", "signatures", "sso")
    for path in (ROOT / room).rglob("migrations/versions")
)


@pytest.mark.parametrize("history", HISTORIES, ids=str)
def test_the_newest_revision_is_the_one_alembic_names(history: Path) -> None:
    configuration = Config()
    configuration.set_main_option("script_location", str(ROOT / "core/db/alembic"))
    configuration.set_main_option("version_locations", str(ROOT / history / "versions"))
    configuration.set_main_option("path_separator", "newline")
    assert newest(ROOT / history) == ScriptDirectory.from_config(configuration).get_current_head()


def _history(folder: Path, *chain: Sequence[str]) -> Path:
    (folder / "versions").mkdir(parents=True, exist_ok=True)
    for revision, before in chain:
        table = f"made_{revision}"
        (folder / "versions" / f"{revision}.py").write_text(
            "from alembic import op\nimport sqlalchemy as sa\n"
            f'revision = "{revision}"\ndown_revision = {before}\n'
            f"def upgrade():\n    op.create_table('{table}', sa.Column('id', sa.Integer, primary_key=True))\n"
        )
    return folder


def test_where_the_files_do_not_say_plainly_alembic_has_to(tmp_path: Path) -> None:
    assert newest(tmp_path) is None
    assert newest(_history(tmp_path / "two", ("a", "None"), ("b", "None"))) is None
    assert newest(_history(tmp_path / "odd", ("a", "None"), ("b", "('a',)"))) is None
    assert newest(_history(tmp_path / "one", ("a", "None"), ("b", '"a"'))) == "b"


def test_a_history_that_went_on_is_followed_and_a_database_from_the_future_is_refused(tmp_path: Path) -> None:
    with closing(Database.open(f"sqlite:///{tmp_path}/t.db")) as database:
        folder = _history(tmp_path / "h", ("a", "None"))
        migrate(database, folder)
        migrate(database, _history(folder, ("b", '"a"')))
        assert inspect(database.engine).has_table("made_b")
        with database.transaction() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = 'z'"))
        with pytest.raises(Exception, match="z"):
            migrate(database, folder)


def test_where_all_is_done_alembic_is_not_loaded(tmp_path: Path) -> None:
    folder = _history(tmp_path / "h", ("a", "None"))
    program = (
        "import sys; from pathlib import Path; from core.db import Database, migrate\n"
        f"migrate(Database.open('sqlite:///{tmp_path}/t.db'), Path({str(folder)!r}))\n"
        "print('alembic' in sys.modules)"
    )
    told = [
        subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True).stdout
        for _ in range(2)
    ]
    assert told == ["True\n", "False\n"]
