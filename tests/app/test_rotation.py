# SPDX-License-Identifier: Apache-2.0
"""What an operator does in a role's folder, on a real site: on the record or not at all, and by the role's own user."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from app import birth
from app.context import Context
from app.ports import free_ports
from app.processes import log_writer
from app.supervisor import StartFailed, Supervisor
from app.up import write_configuration
from app.users import Users
from audit import Entry, Event, Outcome, new_key
from audit.reader import LogReader
from core.clock import SystemClock
from core.log import LogSettings

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def born() -> Iterator[Context]:
    """A site whose roles do not run."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="tg-") as folder:
        # The roles' users must pass.
        Path(folder).chmod(0o755)
        file = Path(folder) / "site.toml"
        write_configuration(file, free_ports(wishes=()))
        context = Context.read(file)
        birth.init(context, lambda _: None)
        yield context


def _tallygate(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "app", *arguments], cwd=ROOT, capture_output=True, text=True)


def _rotate(context: Context) -> subprocess.CompletedProcess[str]:
    return _tallygate("sso", "rotate-keys", "--site", str(context.path))


@contextmanager
def _log(context: Context) -> Iterator[Supervisor]:
    """The log's process, as a running site has it."""
    supervisor = Supervisor(
        [log_writer(context.site, context.path)],
        users=Users.detect(),
        logs=context.site.state / "logs",
        settings=LogSettings(),
        clock=SystemClock(),
    )
    supervisor.start()
    try:
        yield supervisor
    finally:
        # What was taken is published on leaving.
        supervisor.stop()


def _rotations(context: Context) -> list[tuple[Outcome, str, str]]:
    reader = LogReader(context.site.folder("audit") / "log", context.log_key)
    entries = reader.entries(0, reader.checkpoint().size)
    return [(e.event.outcome, e.event.object, e.event.actor) for e in entries if e.event.type == "sso.key.rotated"]


def _of_kinds(context: Context, *kinds: str) -> list[Event]:
    reader = LogReader(context.site.folder("audit") / "log", context.log_key)
    return [each.event for each in reader.entries(0, reader.checkpoint().size) if each.event.type in kinds]


def _published(context: Context) -> list[str]:
    listed = json.loads((context.site.public / "sso-jwks.json").read_bytes())
    assert all("d" not in key for key in listed["keys"])
    return [key["kid"] for key in listed["keys"]]


def _keys(context: Context) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (context.site.folder("sso") / "keys").iterdir()}


def test_a_rotation_is_on_the_record_and_its_files_belong_to_the_role(born: Context) -> None:
    old, before = _published(born), _rotations(born)
    with _log(born):
        done = _rotate(born)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{len(old) + 1} keys are published. Restart the role sso to sign with the new one.\n"
    now = _published(born)
    assert now[1:] == old
    recorded = _rotations(born)[len(before) :]
    assert recorded == [(Outcome.INTENDED, now[0], "role:app"), (Outcome.SUCCESS, now[0], "role:app")]
    keys = born.site.folder("sso") / "keys"
    assert {path.stat().st_uid for path in (keys, *keys.iterdir())} == {born.site.folder("sso").stat().st_uid}
    assert (born.site.public / "sso-jwks.json").stat().st_uid == os.geteuid()


def test_without_the_log_nothing_is_rotated(born: Context) -> None:
    old, before, recorded = _published(born), _keys(born)["signing.pem"], _rotations(born)
    refused = _rotate(born)
    assert refused.returncode == 1
    assert refused.stderr.strip().endswith("[record_unavailable]")
    assert "Traceback" not in refused.stderr
    assert _published(born) == old
    assert _keys(born)["signing.pem"] == before
    # The attempt is told when the log is there again, at the latest by the next rotation.
    with _log(born):
        assert _rotate(born).returncode == 0
    [intent, outcome, *rest] = _rotations(born)[len(recorded) :]
    assert (intent[0], outcome[0], intent[1]) == (Outcome.INTENDED, Outcome.FAILURE, outcome[1])
    assert [each[0] for each in rest] == [Outcome.INTENDED, Outcome.SUCCESS]
    assert outcome[1] not in _published(born)


@pytest.mark.parametrize("planted", ["signing.new", "rotation.json", "keys"])
def test_what_the_role_planted_leads_root_nowhere(born: Context, planted: str) -> None:
    precious = born.site.state / "precious"
    precious.mkdir(mode=0o700, exist_ok=True)
    secret = precious / "signing.pem"
    secret.write_bytes(_keys(born)["signing.pem"])
    keys = born.site.folder("sso") / "keys"
    away = keys.with_name("away")
    target = precious if planted == "keys" else precious / "target"
    if planted == "keys":
        keys.rename(away)
        keys.symlink_to(target)
    else:
        (keys / planted).symlink_to(target)
    published = _published(born)
    try:
        with _log(born):
            done = _rotate(born)
    finally:
        if planted == "keys":
            keys.unlink()
            away.rename(keys)
        else:
            (keys / planted).unlink(missing_ok=True)
    assert "Traceback" not in done.stderr
    if Users.detect().separate:
        # Where all share a user, that user's link leads only where it may write anyway.
        assert [path.name for path in precious.iterdir()] == ["signing.pem"]
        assert secret.stat().st_uid == os.geteuid()
        assert done.returncode == (0 if planted == "signing.new" else 1), done.stderr
    if done.returncode:
        assert _published(born) == published


def test_a_renewal_is_done_by_the_owners_of_the_folders(born: Context) -> None:
    before = {name: (born.site.folder(name) / "tls.pem").read_bytes() for name in ("nginx", "slapd")}
    renewed = _tallygate("init", "--renew-processes", "--site", str(born.path))
    assert renewed.returncode == 0, renewed.stderr
    for name, old in before.items():
        folder = born.site.folder(name)
        assert (folder / "tls.pem").read_bytes() != old
        for file in ("tls.pem", "tls.key"):
            assert (folder / file).stat().st_uid == folder.stat().st_uid
            assert (folder / file).stat().st_mode & 0o077 == 0
    for role in ("ca", "audit"):
        folder = born.site.folder(role)
        assert {path.stat().st_uid for path in folder.rglob("*")} == {folder.stat().st_uid}
    # Nothing is left running, and the record is whole.
    with _log(born) as supervisor:
        os.kill(supervisor.pids()["log"], signal.SIGTERM)


def test_a_site_of_an_earlier_release_is_told_what_it_lacks_and_then_given_it(born: Context) -> None:
    site, before = born.site, born.site.folder("nginx") / "tls.pem"
    command = ("upgrade", "--site", str(born.path))
    # Born before sign-on might speak to the directory, and before the gateway asked for mandates.
    both = [site.secret_path(holder=each, caller="sso", callee="directory") for each in ("sso", "directory")]
    for path in both:
        path.unlink()
    tables = sqlite3.connect(site.folder("sso") / "sso.db")
    with tables:
        tables.execute("update clients set scopes = 'openid' where id = 'gateway'")
        kept = tables.execute("select secret_hash from clients where id = 'gateway'").fetchone()
    # And before one of its hosts.
    changed = born.path.read_text("utf-8")
    served = before.read_bytes()
    more = [
        "",
        "[gateway.routes.archive]",
        'role = "portal:documents"',
        'zone = "internal"',
        'resource_class = "office"',
    ]
    born.path.write_text(changed + "\n".join([*more, ""]), "utf-8")
    try:
        lacking = ("between sso and directory", "archive.city.localhost", "of gateway at the sign-on: mandate")
        told = _tallygate(*command, "--preview")
        assert told.returncode == 0, told.stderr
        assert [word for word in lacking if word not in told.stdout] == []
        assert told.stdout.endswith("Nothing was changed. Repeat without --preview.\n")
        assert not any(path.exists() for path in both)
        assert before.read_bytes() == served
        done = _tallygate(*command)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines() == told.stdout.splitlines()[:-1]
        assert both[0].read_bytes() == both[1].read_bytes()
        now = tables.execute("select scopes, secret_hash from clients where id = 'gateway'").fetchone()
        assert (now[0].split(), now[1]) == (["mandate", "openid"], kept[0])
        assert [event.outcome for event in _of_kinds(born, "sso.client.intended", "sso.client.registered")] == [
            Outcome.INTENDED,
            Outcome.SUCCESS,
        ]
        assert _tallygate(*command).stdout == "Nothing to do.\n"
    finally:
        tables.close()
        born.path.write_text(changed, "utf-8")


def test_the_search_index_is_built_by_the_owner_of_its_folder(born: Context) -> None:
    folder = born.site.folder("audit")
    owner = folder.stat()
    key = folder / "index.key"
    key.write_bytes(b"k" * 32)
    key.chmod(0o600)
    os.chown(key, owner.st_uid, owner.st_gid)
    done = _tallygate("audit", "reindex", str(folder))
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(" entries indexed\n")
    assert (folder / "index" / "current").exists()
    assert {path.stat().st_uid for path in folder.rglob("*")} == {owner.st_uid}


def test_a_renewal_follows_no_link_of_the_authoritys(born: Context) -> None:
    precious = born.site.state / "precious"
    precious.mkdir(mode=0o700, exist_ok=True)
    keys = born.site.folder("ca") / "keys"
    away = keys.rename(keys.with_name("away"))
    keys.symlink_to(precious)
    before = sorted(precious.iterdir())
    try:
        refused = _tallygate("init", "--renew-processes", "--site", str(born.path))
    finally:
        keys.unlink()
        away.rename(keys)
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr
    assert sorted(precious.iterdir()) == before


def test_the_record_goes_on_in_a_successor(born: Context) -> None:
    with _log(born):
        refused = _tallygate("audit", "rotate", "--site", str(born.path))
        assert refused.returncode == 1
        assert "log_in_use" in refused.stderr
    before = LogReader(born.site.folder("audit") / "log", born.log_key).size()
    told = _tallygate("audit", "rotate", "--site", str(born.path))
    assert told.returncode == 0, told.stderr
    assert born.log_key.startswith(f"{born.site.domain}/log-2+")
    archived = born.site.folder("audit") / "logs" / "log"
    assert archived.stat().st_mode & 0o222 == 0
    assert archived.stat().st_uid == born.site.folder("audit").stat().st_uid
    # A role starts with the new key and hears what it had not heard, then the new log.
    kinds: list[str] = []
    with _log(born):
        born.recorder("ca").record(_refusal(born))
        feed = born.feed("sso")

        def hear(entries: Sequence[Entry]) -> None:
            kinds.extend(entry.event.type for entry in entries)
            if "ca.call.refused" in kinds:
                raise StopIteration

        with pytest.raises(StopIteration):
            feed.follow(before, hear)
    assert kinds[:2] == ["log.closed", "log.created"]
    logs, folder = born.site.public / "logs.txt", born.site.folder("audit") / "log"
    checked = _tallygate("audit", "verify", str(folder), "--logs", str(logs))
    assert checked.returncode == 0, checked.stderr
    assert f"{born.site.domain}/log: {before + 1} entries" in checked.stdout
    assert "each continues the one before it" in checked.stdout
    # Again, and a third log; the first ones stay.
    assert _tallygate("audit", "rotate", "--site", str(born.path)).returncode == 0
    checked = _tallygate("audit", "verify", str(folder), "--logs", str(logs))
    assert [line.partition(":")[0] for line in checked.stdout.splitlines() if "entries" in line] == [
        f"{born.site.domain}/{name}" for name in ("log", "log-2", "log-3")
    ]


def test_a_log_without_its_successor_in_place_is_not_served(born: Context) -> None:
    if not born.log_key.startswith(f"{born.site.domain}/log-"):
        assert _tallygate("audit", "rotate", "--site", str(born.path)).returncode == 0
    # As after death between the last steps: the successor lies there, and everybody pins the old log.
    pinned = born.site.public / "log.vkey"
    kept = pinned.read_bytes()
    pinned.write_text((born.site.public / "logs.txt").read_text("utf-8").split(" ")[1] + "\n", "utf-8")
    with pytest.raises(StartFailed), _log(born):
        pass
    pinned.write_bytes(kept)
    with _log(born):
        pass


def _refusal(context: Context) -> Event:
    return Event(key=new_key(), type="ca.call.refused", outcome=Outcome.DENIED, at=context.clock.now(), source="ca")
