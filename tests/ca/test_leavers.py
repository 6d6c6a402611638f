# SPDX-License-Identifier: Apache-2.0
"""Whoever leaves takes no certificate along."""

from pathlib import Path

from audit import Entry, Event, Outcome, new_key
from ca.models import Reason, Standing
from ca.service import CertificateAuthority, Leavers
from tests.fakes.people import CITIZEN, OFFICER

from .world import World, ask


def told(world: World, index: int, kind: str, subject: str, **attributes: str) -> Entry:
    """What the record says."""
    event = Event(
        key=new_key(), type=kind, outcome=Outcome.SUCCESS, at=world.clock.now(), source="directory", subject=subject,
        attributes=attributes,
    )  # fmt: skip
    return Entry(index=index, event=event)


def test_what_was_issued_to_who_left_is_suspended_once(
    world: World, authority: CertificateAuthority, tmp_path: Path
) -> None:
    one, other = authority.issue(ask()).serial, authority.issue(ask()).serial
    authority.suspend(other, actor=OFFICER.subject)
    leavers = Leavers(
        issued=lambda subject, most: world.store.certificates(subject=subject, limit=most)[0],
        suspend=lambda serial: authority.suspend(serial, actor="role:ca"),
        release=lambda serial: authority.release(serial, actor="role:ca"),
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


def test_a_leave_takes_what_is_good_and_gives_back_just_that(
    world: World, authority: CertificateAuthority, tmp_path: Path
) -> None:
    good, lost, gone, revoked = (authority.issue(ask()).serial for _ in range(4))
    authority.suspend(lost, actor=OFFICER.subject)
    leavers = _leavers(world, authority, tmp_path)
    away = told(world, 3, "directory.person.disabled", CITIZEN.subject, because="leave")
    back = told(world, 5, "directory.person.enabled", CITIZEN.subject)
    leavers.hear([away])
    # A process that died before it noted how far it had heard, and another that hears the same.
    _leavers(world, authority, tmp_path).hear([away])
    assert {authority.status(each).standing for each in (good, lost, gone, revoked)} == {Standing.SUSPENDED}
    authority.revoke(revoked, reason=Reason.KEY_COMPROMISE, actor=OFFICER.subject)
    authority.release(gone, actor=OFFICER.subject)
    _leavers(world, authority, tmp_path).hear([back])
    assert [authority.status(each).standing for each in (good, lost, gone, revoked)] == [
        Standing.GOOD, Standing.SUSPENDED, Standing.GOOD, Standing.REVOKED,
    ]  # fmt: skip
    # Let in again for another reason: nothing of an old leave is left that would come back.
    authority.suspend(good, actor=OFFICER.subject)
    leavers.hear([told(world, 8, "directory.person.enabled", CITIZEN.subject)])
    assert authority.status(good).standing is Standing.SUSPENDED


def test_who_leaves_while_away_gets_nothing_back(world: World, authority: CertificateAuthority, tmp_path: Path) -> None:
    serial = authority.issue(ask()).serial
    leavers = _leavers(world, authority, tmp_path)
    leavers.hear([told(world, 1, "directory.person.disabled", CITIZEN.subject, because="leave")])
    leavers.hear([told(world, 2, "directory.person.left", CITIZEN.subject)])
    leavers.hear([told(world, 3, "directory.person.enabled", CITIZEN.subject)])
    assert authority.status(serial).standing is Standing.SUSPENDED
    # What is no identifier of ours names no file elsewhere.
    leavers.hear([told(world, 4, "directory.person.disabled", "../../x", because="leave")])
    assert not (tmp_path.parent / "x").exists()


def _leavers(world: World, authority: CertificateAuthority, folder: Path) -> Leavers:
    return Leavers(
        issued=lambda subject, most: world.store.certificates(subject=subject, limit=most)[0],
        suspend=lambda serial: authority.suspend(serial, actor="role:ca"),
        release=lambda serial: authority.release(serial, actor="role:ca"),
        place=folder / "position",
    )
