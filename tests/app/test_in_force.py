# SPDX-License-Identifier: Apache-2.0
"""What an operator writes by hand: told on the record by the next process that begins with it, or nothing is served."""

import json
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from app import doctor, in_force
from app.context import Context
from app.pairs import make
from app.processes import is_up, processes
from app.serve import serve_log
from app.users import Users
from app.wiring import policing, recording
from audit import RecordUnavailable
from audit.models_settings import CHANGED, Stated
from audit.reader import LogReader
from audit.wire import MAX_FRAME
from core.config import Document
from tests.fakes.begun import Begun
from tests.fakes.log_site import wait_for

ROOT = Path(__file__).parents[2]
_TOML = """
[site]
name = "city"
domain = "city.localhost"
title = "Sample City"
title_zh = "示范市"
state = "."
[site.ports]
external = 8443
internal = 8444
management = 8445
plain = 8080
ldaps = 8636
"""
_TAX = """
[gateway.routes.tax]
role = "portal:tax"
zone = "external"
resource_class = "portal"
assurance = 2
[gateway.routes.tax.assessment]
grade = %d
by = "Bureau"
report = "report-1"
on = "2026-11-01"
"""


@pytest.fixture(scope="module")
def born() -> Iterator[Path]:
    """A site with a log and secrets."""
    folder = Path(tempfile.mkdtemp(dir="/tmp", prefix="tgi"))
    file = folder / "site.toml"
    file.write_text(_TOML + _TAX % 3, "utf-8")
    context = Context.read(file)
    context.site.public.mkdir()
    make(context.site)
    recording.found(context)
    with recording.local_recorder(context) as recorder:
        recording.take_up(context, recorder)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def file(born: Path) -> Iterator[Path]:
    """Such a site for one test; nothing of it runs."""
    folder = Path(tempfile.mkdtemp(dir="/tmp", prefix="tgi"))
    shutil.copytree(born, folder, dirs_exist_ok=True)
    folder.chmod(0o755)
    Users.detect().own(Context.read(folder / "site.toml").site)
    yield folder / "site.toml"
    shutil.rmtree(folder)


@contextmanager
def _serving(file: Path, role: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "app", "serve", role, "--site", str(file)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()


@contextmanager
def _log(file: Path) -> Iterator[None]:
    path = Context.read(file).log_socket
    process = Begun(serve_log, file)
    try:
        wait_for(lambda: path.exists() or process.poll() is not None)
        yield
    finally:
        process.terminate()
        process.wait()


def _begin(file: Path, *roles: str) -> None:
    """What a role does when it starts, as its user."""
    context = Context.read(file)
    for role in roles:

        def act(role: str = role) -> bytes:
            in_force.take_up(context, role)
            return b""

        Users.detect().acting(role, act)


def _told(file: Path) -> list[dict[str, Any]]:
    context = Context.read(file)
    reader = LogReader(context.site.folder("audit") / "log", context.log_key)
    found = [reader.entry(index).event for index in range(reader.checkpoint().size)]
    return [dict(event.attributes) for event in found if event.type == CHANGED]


def _edit(file: Path, old: str, new: str) -> None:
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new), "utf-8")


def test_a_birth_records_the_first_settings(file: Path) -> None:
    [first] = _told(file)
    assert (first["what"], first["role"], first["grades"]) == ("first", "app", "tax=none>3")
    assert first["tables"] == "gateway gateway.routes gateway.routes.tax gateway.routes.tax.assessment site site.ports"
    assert first["version"] == "0.1.0"


def test_a_grade_edited_by_hand_is_told_at_the_next_start(file: Path) -> None:
    with _log(file):
        _begin(file, "gateway")
        _edit(file, "grade = 3", "grade = 2")
        _begin(file, "gateway", "sso", "gateway")
    [first, second] = _told(file)
    assert (second["what"], second["role"], second["grades"]) == ("changed", "gateway", "tax=3>2")
    assert (second["tables"], second["before"]) == ("gateway.routes.tax.assessment", first["digest"])


def test_the_log_that_starts_after_an_edit_tells_it_itself(file: Path) -> None:
    _edit(file, "grade = 3", "grade = 4")
    with _log(file):
        pass
    assert [(each["role"], each["grades"]) for each in _told(file)] == [("app", "tax=none>3"), ("log", "tax=3>4")]


def test_comments_and_blanks_are_no_settings(file: Path) -> None:
    _edit(file, "grade = 3", "\n  # As agreed.\n  grade   =   3")
    with _log(file):
        _begin(file, "gateway")
    assert len(_told(file)) == 1


def test_without_the_record_nothing_begins_with_other_settings(file: Path) -> None:
    with _log(file):
        _begin(file, "gateway")
    # What it takes away must not wait for the record, so with the same it begins.
    in_force.take_up(Context.read(file), "gateway", patience=0)
    _edit(file, "grade = 3", "grade = 2")
    for role in ("gateway", "sso"):
        with pytest.raises(RecordUnavailable):
            in_force.take_up(Context.read(file), role, patience=0)
    # Nor does it, another time, for having been refused once.
    with pytest.raises(RecordUnavailable):
        in_force.take_up(Context.read(file), "gateway", patience=0)
    assert len(_told(file)) == 1


def test_a_role_answers_nobody_before_its_settings_are_recorded(file: Path) -> None:
    context = Context.read(file)
    [ready] = [each for each in processes(context.site, file, slapd=(), nginx=()) if each.name == "watch"]
    path = context.site.socket("audit", "watch")
    with _serving(file, "watch") as watch:
        assert watch.stderr is not None
        assert "settings_wait_for_record" in watch.stderr.readline()
        assert not path.exists()
        with _log(file):
            wait_for(lambda: is_up(ready))
    assert in_force.begun_with(context, "audit", "watch").exists()


def test_the_process_of_a_worker_is_refused_in_words(file: Path) -> None:
    _edit(file, "grade = 3", "grade = 2")
    ask = (
        "import os, sys; from app import in_force, wsgi; in_force.take_up.__kwdefaults__['patience'] = 0\n"
        f"os.environ.update(TALLYGATE_ROLE='gateway', TALLYGATE_SITE={str(file)!r}); wsgi.application()"
    )
    done = subprocess.run([sys.executable, "-c", ask], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    said = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["code"] for line in said if line["event"] == "role_cannot_start"] == [RecordUnavailable.code]


def test_nginx_by_itself_opens_nothing_that_is_not_recorded(file: Path) -> None:
    _edit(file, "external = 8443", "external = 8543")
    context = Context.read(file)
    with _serving(file, "nginx") as nginx:
        assert nginx.stderr is not None
        assert "settings_wait_for_record" in nginx.stderr.readline()
        assert not (context.site.folder("nginx") / "nginx.conf").exists()
    with _log(file):
        _begin(file, "nginx")
    assert _told(file)[-1]["tables"] == "site.ports"


def test_an_administrator_of_policies_who_is_added_by_hand_counts_when_it_is_recorded(file: Path) -> None:
    with _log(file):
        listed = policing._administrators(Context.read(file), "app")
        assert listed() == {}
        _edit(file, "[site.ports]", '[policies.administrators]\nqian = "untrusted comment"\n[site.ports]')
        assert list(listed()) == ["qian"]
    _edit(file, "qian", "tang")
    with pytest.raises(RecordUnavailable):
        listed()
    assert [each["tables"] for each in _told(file)][1:] == ["policies policies.administrators"]
    assert "qian" not in str(_told(file))


def test_the_doctor_says_who_works_by_what_the_record_does_not_tell(file: Path) -> None:
    def found() -> dict[str, str]:
        # The log runs as ourselves here.
        Users.detect().give(file.parent / "audit", "audit")
        return {each.subject: each.says for each in doctor._settings(Context.read(file)) if not each.good}

    with _log(file):
        _begin(file, "sso")
        assert found() == {}
        _edit(file, "grade = 3", "grade = 2")
        assert "was changed since the record told of it (gateway.routes.tax.assessment)" in found()["settings"]
        _begin(file, "gateway")
        assert found() == {"settings of sso": "began with others than the record told of last: start it anew"}
        _begin(file, "sso")
        assert found() == {}
    in_force.recorded(Context.read(file)).unlink()
    assert "the record does not tell yet" in found()["settings"]


def _stated(*tables: str) -> Stated:
    return in_force.stated(Document(tomllib.loads("\n".join(tables)), folder=Path()))


def test_a_table_whose_name_may_be_somebodys_is_not_named() -> None:
    one, other = _stated('[audit.exports."李雷"]', "on = true"), _stated('[audit.exports."李雷"]', "on = false")
    assert set(one.tables) == {"audit", "audit.exports", "audit.exports.*"}
    assert one.tables["audit.exports.*"] != other.tables["audit.exports.*"]
    assert one.digest != other.digest


def test_more_tables_than_a_line_holds_are_told_by_their_sections() -> None:
    many = _stated(*(f"[audit.exports.t{n}]" for n in range(1500)))
    assert set(many.tables) == {"audit"}


@pytest.mark.parametrize("hosts", [340, 3000])
def test_whatever_a_file_holds_its_statement_fits_a_line(hosts: int) -> None:
    names = [f"{'n' * 57}{number:04}" for number in range(hosts)]
    most = _stated(*(f"[gateway.routes.{name}]\n[gateway.routes.{name}.assessment]\ngrade = 1" for name in names))
    assert len(json.dumps({"settings": most.document()})) < MAX_FRAME - 1000
    assert Stated.parse(most.document()) == most


@pytest.mark.parametrize("grade", ['"3"', "true", "9", "[3]"])
def test_what_is_no_grade_is_told_by_nobody(grade: str) -> None:
    assert not _stated(f"[gateway.routes.tax.assessment]\ngrade = {grade}").grades
    assert not _stated("gateway = 3").grades
