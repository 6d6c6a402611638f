# SPDX-License-Identifier: Apache-2.0
"""Whoever leaves takes no certificate along."""

from pathlib import Path

from audit import Entry, Event, Outcome, new_key
from ca.models import Standing
from ca.service import CertificateAuthority, Leavers
from tests.fakes.people import CITIZEN, OFFICER

from .world import World, ask


def told(world: World, index: int, kind: str, subject: str) -> Entry:
    """What the record says."""
    event = Event(
        key=new_key(), type=kind, outcome=Outcome.SUCCESS, at=world.clock.now(), source="directory", subject=subject
    )
    return Entry(index=index, event=event)


def test_what_was_issued_to_who_left_is_suspended_once(
    world: World, authority: CertificateAuthority, tmp_path: Path
) -> None:
    one, other = authority.issue(ask()).serial, authority.issue(ask()).serial
    authority.suspend(other, actor=OFFICER.subject)
    leavers = Leavers(
        issued=lambda subject, most: world.store.certificates(subject=subject, limit=most)[0],
        suspend=lambda serial: authority.suspend(serial, actor="role:ca"),
        place=tmp_path / "position",
    )
    assert leavers.start() == 0
    leavers.hear([])
    leavers.hear([told(world, 3, "directory.person.disabled", CITIZEN.subject), told(world, 4, "other", "")])
    assert authority.status(one).good
    leavers.hear([told(world, 7, "directory.person.left", CITIZEN.subject)])
    assert [authority.status(each).standing for each in (one, other)] == [Standing.SUSPENDED] * 2
    assert leavers.start() == 8
    # What an officer gave back stays given back when the role starts again behind this entry.
    authority.release(one, actor=OFFICER.subject)
    assert leavers.start() == 8
    (tmp_path / "position").write_text("broken")
    assert leavers.start() == 0
