# SPDX-License-Identifier: Apache-2.0
"""Somebody who is root on the server's machine changes the register; it is undone at once, and not for ever."""

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from audit import Event
from directory import slapd
from directory.backups import ldif
from directory.errors import ChangedSince
from tests.directory.world import World

PASSWORD = "of nobody who should have one"


@pytest.fixture(scope="module")
def rooted(filled: World) -> Iterator[World]:
    """A sample city whose server was given a password for its root."""
    filled.writer().watch.look()
    filled.clear()
    filled.pause()
    give = f"dn: olcDatabase={{1}}mdb,cn=config\nchangetype: modify\nadd: olcRootPW\nolcRootPW: {PASSWORD}\n"
    folder = str(slapd.places(filled.site).configuration)
    command = [str(filled.settings.slapd), "-T", "modify", "-n", "0", "-F", folder]
    subprocess.run(command, input=give.encode(), check=True, capture_output=True, timeout=60)
    filled.start()
    kept = filled.settings
    filled.settings = replace(kept, undo_at_once=True, undo_most=6)
    yield filled
    filled.settings = kept


def root(world: World, text: str) -> None:
    """What ``ldapmodify`` does for whoever has root's password."""
    command = ["ldapmodify", "-x", "-H", world.url, "-D", f"cn=root,{world.tree.suffix}", "-w", PASSWORD]
    subprocess.run(command, input=text, text=True, check=True, capture_output=True, timeout=60)


def state(world: World) -> dict[str, list[tuple[str, bytes]]]:
    own = {
        "entrycsn", "modifiersname", "modifytimestamp", "creatorsname", "createtimestamp", "entryuuid", "userpassword",
        "pwdchangedtime", "pwdhistory", "tallynumber",
    }  # fmt: skip
    found = ldif.entries(slapd.dump(world.settings, world.site, database=1))
    return {each.dn: sorted(pair for pair in each.values if pair[0].lower() not in own) for each in found}


def alarms(world: World) -> list[Event]:
    return [each for each in world.outbox() if each.type == "directory.undo.stopped"]


def test_what_root_did_is_undone_at_once_and_not_for_ever(rooted: World) -> None:
    directory, writer, tree = rooted.directory("directory"), rooted.writer(), rooted.tree
    li_na, zhang_min = (directory.person_by_username(name) for name in ("li.na", "zhang.min"))
    wanted = state(rooted)
    one, other = tree.person(li_na.subject), tree.person(zhang_min.subject)
    role = tree.role("ra-officer")
    added = "objectClass: organizationalUnit\nou: mine\n"
    root(rooted, f"dn: {other}\nchangetype: modify\nreplace: mail\nmail: me@elsewhere.example\n")
    root(rooted, f"dn: {role}\nchangetype: modify\nadd: member\nmember: {one}\n")
    root(rooted, f"dn: ou=mine,{tree.suffix}\nchangetype: add\n{added}")
    root(rooted, f"dn: {other}\nchangetype: delete\n")
    assert writer.watch.look() == 4
    newest = writer.unrecorded.newest()[0]
    assert next(step.dn for step in writer.unrecorded.preview(newest.number)) == other
    assert writer.reverting.tend() == 4
    assert state(rooted) == wanted
    assert writer.watch.look() == 0, "undoing is on record"
    assert writer.unrecorded.open() == 0
    with pytest.raises(ChangedSince):
        writer.unrecorded.preview(newest.number)
    # And again, and again: after six within the hour somebody has to look.
    for turn in range(4):
        root(rooted, f"dn: {role}\nchangetype: modify\nadd: member\nmember: {one}\n")
        assert writer.watch.look() == 1
        assert writer.reverting.tend() == (1 if turn < 2 else 0)
        if turn >= 2:
            root(rooted, f"dn: {role}\nchangetype: modify\ndelete: member\nmember: {one}\n")
            writer.watch.look()
    (alarm,) = alarms(rooted)
    assert (alarm.attributes["most"], alarm.attributes["open"]) == (6, 1)
    assert writer.unrecorded.open() == 4
    # An hour later it goes on with what is as it was left.
    rooted.clock.advance(timedelta(seconds=3601))
    writer.reverting.tend()
    assert state(rooted) == wanted


def test_nothing_is_undone_where_nobody_said_so(rooted: World) -> None:
    kept = rooted.settings
    rooted.settings = replace(kept, undo_at_once=False)
    try:
        writer = rooted.writer()
        name = rooted.directory("directory").person_by_username("li.na").subject
        text = f"dn: {rooted.tree.person(name)}\nchangetype: modify\nreplace: tallyClearance\ntallyClearance: 1\n"
        root(rooted, text)
        assert writer.watch.look() == 1
        assert writer.reverting.tend() == 0
    finally:
        rooted.settings = kept
