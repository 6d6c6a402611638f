# SPDX-License-Identifier: Apache-2.0
"""The server's log as it is followed: in pieces, once, by one process, and with an alarm where a part of it is gone."""

import fcntl
import re
import shutil
import sqlite3
import time
from collections.abc import Callable

import pytest

from core.db import OutboxFull
from directory import slapd
from directory.errors import ChangedSince, DirectoryUnavailable
from directory.ldap import accesslog
from directory.service import watching
from directory.slapd import configuration
from tests.directory.test_watching import alarms, rogue
from tests.directory.test_writing import full_outbox
from tests.directory.world import World


def test_an_alarm_waits_for_room_and_is_raised_once(own_world: World) -> None:
    writer = own_world.writer()
    writer.import_csv(b"kind,username,name\ncitizen,one,One\n", actor="")
    writer.watch.look()
    person = own_world.directory("directory").person_by_username("one")
    dn = own_world.tree.person(person.subject)
    with full_outbox(own_world):
        rogue(own_world, f"dn: {dn}\nchangetype: modify\nreplace: cn\ncn: Other\n")
        with pytest.raises(OutboxFull):
            writer.watch.look()
        assert writer.unrecorded.open() == 0
    assert writer.watch.look() == 1
    assert len(alarms(own_world)) == 1
    # Read again from the beginning, as after a restored backup, it is the same alarm.
    with sqlite3.connect(own_world.site.folder("directory") / "directory.db") as file:
        file.execute("DELETE FROM watched")
        file.execute("DELETE FROM unrecorded")
    key = alarms(own_world)[0].key
    own_world.clear()
    writer.watch.look()
    assert key in {event.key for event in alarms(own_world)}


def test_a_server_that_is_down_is_asked_again(own_world: World) -> None:
    own_world.writer().watch.look()
    own_world.kill()
    with pytest.raises(DirectoryUnavailable):
        own_world.writer().watch.look()
    own_world.start()
    assert own_world.writer().watch.look() == 0


def test_one_process_watches(own_world: World) -> None:
    own_world.kill()
    with (own_world.site.folder("directory") / "watch.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        # Whoever does not get the lock does not even ask the server.
        assert own_world.writer().watch.look() == 0
    own_world.start()


def test_a_log_that_was_thrown_away_is_an_alarm(own_world: World) -> None:
    writer = own_world.writer()
    writer.import_csv(b"kind,username,name\ncitizen,one,One\n", actor="")
    assert writer.watch.look() == 0
    own_world.clear()
    own_world.pause()
    shutil.rmtree(slapd.places(own_world.site).changes)
    slapd.places(own_world.site).changes.mkdir()
    own_world.start()
    assert writer.watch.look() == 1
    assert alarms(own_world)[0].attributes["change"] == "gap"
    assert writer.watch.look() == 0
    (found,) = writer.unrecorded.newest()
    assert not found.can_be_undone
    with pytest.raises(ChangedSince):
        writer.unrecorded.undo(found.number, actor="a1")
    writer.unrecorded.keep(found.number, actor="a1", reason="disk replaced")
    # Watching goes on.
    writer.import_csv(b"kind,username,name\ncitizen,two,Two\n", actor="")
    assert writer.watch.look() == 0
    dn = own_world.tree.person(own_world.directory("directory").person_by_username("two").subject)
    rogue(own_world, f"dn: {dn}\nchangetype: modify\nreplace: cn\ncn: Other\n")
    assert writer.watch.look() == 1


def test_many_changes_are_read_in_pieces(own_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "PAGE", 3)
    writer = own_world.writer()
    table = b"kind,username,name\n" + b"".join(b"citizen,many%d,Many\n" % n for n in range(10))
    writer.import_csv(table, actor="")
    for person in own_world.directory("directory").people("many").items[:7]:
        dn = own_world.tree.person(person.subject)
        rogue(own_world, f"dn: {dn}\nchangetype: modify\nreplace: cn\ncn: Other\n")
    assert writer.watch.look() == 7
    assert own_world.store.settled() == []


def test_notes_that_were_cleared_unread_are_an_alarm_and_read_ones_are_not(
    own_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = configuration.ldif
    soon = "olcAccessLogPurge: 00+00:00:05 00+00:00:01"
    monkeypatch.setattr(
        configuration, "ldif", lambda *given, **named: re.sub("olcAccessLogPurge: .*", soon, whole(*given, **named))
    )
    own_world.pause()
    assert slapd.configure(own_world.settings, own_world.site)
    own_world.start()
    writer, pool = own_world.writer(), own_world.pool("directory")
    writer.import_csv(b"kind,username,name\ncitizen,one,One\ncitizen,two,Two\n", actor="")
    assert writer.watch.look() == 0
    _, last = own_world.store.watched()
    _until(lambda: accesslog.forgotten_until(pool) == last)
    assert writer.watch.look() == 0
    writer.import_csv(b"kind,username,name\ncitizen,three,Three\n", actor="")
    _until(lambda: accesslog.forgotten_until(pool) > last)
    assert writer.watch.look() == 1
    assert alarms(own_world)[-1].attributes["change"] == "gap"
    assert writer.watch.look() == 0


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
