# SPDX-License-Identifier: Apache-2.0
"""Accounts at portals: who has one follows from entitlements, and a real SCIM service over TLS is told of it."""

import json
import os
import signal
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.wiring.directory import portal_way
from audit import Event, Outcome
from core.calls import Reply
from core.config import ConfigurationError
from core.db import Database
from directory.config import PortalAccounts
from directory.models import Person
from directory.provisioning import Remote, RemoteFailed, Stage, external
from directory.service import DirectoryWriter, open_writer
from directory.service.provisioning import Provisioning
from directory.service.writing import Portals
from directory.store import Store
from tests.directory.desk import Desk
from tests.directory.world import World, self_signed, short_folder
from tests.fakes.scim_portal import ScimPortal, scim_portal

NAME, KEY = "documents", b"k" * 32
CERTIFIED = self_signed()


@pytest.fixture
def portal(filled: World, tmp_path: Path) -> Iterator[ScimPortal]:
    """One that holds nothing yet; everything known of accounts is forgotten."""
    filled.clear()
    with filled.database.transaction() as connection:
        for table in ("portal_accounts", "portal_standings"):
            connection.exec_driver_sql(f"DELETE FROM {table}")  # noqa: S608 - two names of our own
    more: dict[str, Any] = {"groups": True, "attributes": ("displayName", "entitlements")}
    with scim_portal(tmp_path, site=filled.site, clock=filled.clock, certified=CERTIFIED, **more) as made:
        yield made


def _writer(world: World, portal: ScimPortal, **changes: Any) -> DirectoryWriter:
    target = replace(portal.target, rate=1000, **changes)
    return world.writer(portals=Portals(targets={NAME: target}, key=KEY, remote=portal_way))


def _telling(world: World, portal: ScimPortal, **changes: Any) -> Provisioning:
    """A process that tells the portal, and has compared everybody so that only what is noted is due."""
    found = _writer(world, portal, **changes).provisioning
    found._ledger.compared(NAME, at=int(world.clock.now().timestamp()), strangers=0)
    return found


def _case_worker(world: World, writer: DirectoryWriter) -> Person:
    """Somebody whose post leads to the portal."""
    return next(
        each
        for each in writer.standings.reaches("case-worker", limit=50).items
        if not each.roles - {"civil-servant", "case-worker"}
    )


def _events(world: World, kind: str) -> list[Event]:
    return [each for each in [*world.recorder.events, *world.outbox()] if each.type == kind]


def _happened(subject: str, kind: str = "directory.person.changed") -> Event:
    return Event(
        key="0" * 32, type=kind, outcome=Outcome.SUCCESS, at=datetime(2026, 11, 29, tzinfo=UTC),
        source="directory", subject=subject,
    )  # fmt: skip


def _settled(telling: Provisioning) -> None:
    while telling.work():
        pass


def test_whoever_is_entitled_has_an_account_and_whoever_is_gone_has_an_inactive_one(
    filled: World, writer: DirectoryWriter, portal: ScimPortal
) -> None:
    person, telling = _case_worker(filled, writer), _telling(filled, portal)
    telling.hear([_happened(person.subject)])
    _settled(telling)
    (told,) = portal.users().values()
    known_as = external(KEY, NAME, portal.target, person.subject)
    assert (told["externalId"], told["userName"], told["active"]) == (known_as, person.username, True)
    # Nothing that the portal need not know.
    assert set(told) <= {"schemas", "id", "meta", "externalId", "userName", "active", "displayName", "entitlements"}
    assert person.subject not in str(portal.asked)
    assert person.mail not in str(portal.asked)
    (group,) = portal.accounts.all("Groups")
    assert (group["externalId"], [each["value"] for each in group["members"]]) == ("case-worker", [told["id"]])
    outcomes = [each.outcome for each in _events(filled, "directory.account.given")]
    assert outcomes == [Outcome.INTENDED, Outcome.SUCCESS]
    # Heard again, nothing is told again.
    before = len(portal.asked)
    telling.hear([_happened(person.subject)])
    _settled(telling)
    assert len(portal.asked) == before
    writer.disable_person(person.subject, actor="", reason="gone")
    try:
        telling.hear([_happened(person.subject)])
        _settled(telling)
        assert portal.users()[person.username]["active"] is False
        assert [each.attributes for each in _events(filled, "directory.account.ended")] == [{"portal": NAME}]
        assert [each.stage for each in telling.accounts(person.subject)] == [Stage.INACTIVE]
    finally:
        writer.enable_person(person.subject, actor="")
    telling.hear([_happened(person.subject)])
    _settled(telling)
    assert portal.users()[person.username]["active"] is True
    assert len(portal.users()) == 1


def test_whoever_has_no_business_there_is_not_told_of(filled: World, portal: ScimPortal, chen_wei: Person) -> None:
    telling = _telling(filled, portal)
    telling.hear([_happened(chen_wei.subject), _happened("5a1967d0-0000-4000-8000-000000000000")])
    _settled(telling)
    assert portal.users() == {}
    assert portal.changes() == []
    assert telling.accounts(chen_wei.subject) == []


def test_everybody_is_compared_and_what_the_portal_changed_is_put_right(
    filled: World, writer: DirectoryWriter, portal: ScimPortal
) -> None:
    person, telling = _case_worker(filled, writer), _writer(filled, portal).provisioning
    _settled(telling)
    entitled = {
        each.username
        for role in ("case-worker", "head-of-section")
        for each in writer.standings.reaches(role, limit=400).items
    }
    assert portal.users().keys() == entitled
    with portal.accounts.changing() as held:
        mine = next(each for each in held["Users"].values() if each["userName"] == person.username)
        mine["active"] = False
        held["Users"]["x"] = {"id": "x", "userName": "theirs", "active": True, "meta": {"version": "1"}}
    before = len(portal.changes())
    filled.clock.advance(portal.target.compare_every)
    _settled(telling)
    assert portal.users()[person.username]["active"] is True
    assert portal.users()["theirs"]["active"] is True
    assert len(portal.changes()) - before == 1
    (standing,) = telling.standing()
    assert (standing.strangers, standing.accounts) == (1, {Stage.ACTIVE: len(entitled)})


def test_what_a_role_gives_from_now_on_is_told_of_everybody_who_holds_it(
    filled: World, writer: DirectoryWriter, portal: ScimPortal
) -> None:
    person, telling = _case_worker(filled, writer), _telling(filled, portal, groups=False)
    assert telling.work() == 0
    telling.hear([_happened("case-worker", "directory.power.added")])
    assert telling.work() == 0
    filled.clock.advance(timedelta(seconds=60))
    _settled(telling)
    assert portal.users()[person.username]["active"] is True


def test_an_account_that_is_there_already_is_linked_and_never_doubled(
    filled: World, writer: DirectoryWriter, portal: ScimPortal
) -> None:
    person, telling = _case_worker(filled, writer), _telling(filled, portal)
    with portal.accounts.changing() as held:
        held["Users"]["old"] = {"id": "old", "userName": person.username, "active": True, "meta": {"version": "1"}}
    telling.hear([_happened(person.subject)])
    _settled(telling)
    (told,) = portal.accounts.all("Users")
    assert (told["id"], told["externalId"]) == ("old", external(KEY, NAME, portal.target, person.subject))


def test_somebody_elses_account_is_not_taken_over_and_the_desk_is_told(
    filled: World, writer: DirectoryWriter, portal: ScimPortal
) -> None:
    person, telling = _case_worker(filled, writer), _telling(filled, portal)
    theirs = {"id": "old", "userName": person.username, "externalId": "other", "active": True, "meta": {"version": "1"}}
    with portal.accounts.changing() as held:
        held["Users"]["old"] = dict(theirs)
    telling.hear([_happened(person.subject)])
    _settled(telling)
    assert portal.accounts.all("Users") == [theirs]
    (standing,) = telling.standing()
    ((failed, called),) = standing.failing
    assert (failed.failed, failed.attempts, called) == ("taken", 1, person.name_zh)
    assert [each.attributes["code"] for each in _events(filled, "directory.account.failed")] == ["taken"]


@pytest.mark.parametrize(
    ("status", "code"), [(500, "unreachable"), (401, "unauthorised"), (400, "refused"), (429, "busy"), (302, "refused")]
)
def test_what_fails_is_tried_again_later_and_recorded_once(
    status: int, code: str, filled: World, writer: DirectoryWriter, portal: ScimPortal
) -> None:
    wait = 120 if status == 429 else 2
    person, telling = _case_worker(filled, writer), _telling(filled, portal, groups=False)
    again = {"Retry-After": "120"} if status == 429 else {"Location": "https://127.0.0.1/elsewhere"}
    portal.next = [(status, again)] * 2
    telling.hear([_happened(person.subject)])
    assert telling.work() == 1
    assert telling.work() == 0
    filled.clock.advance(timedelta(seconds=wait - 1))
    assert telling.work() == 0
    filled.clock.advance(timedelta(seconds=1))
    assert telling.work() == 1
    ((failed, _),) = telling.standing()[0].failing
    assert (failed.failed, failed.attempts) == (code, 2)
    # Each pause is twice the one before.
    filled.clock.advance(timedelta(seconds=max(wait, 2 * wait if wait == 2 else wait)))
    assert telling.work() == 1
    assert portal.users()[person.username]["active"] is True
    assert telling.standing()[0].failing == ()
    assert [each.attributes["code"] for each in _events(filled, "directory.account.failed")] == [code]
    outcomes = [each.outcome for each in _events(filled, "directory.account.given")]
    assert outcomes.count(Outcome.INTENDED) == 3
    assert (outcomes.count(Outcome.FAILURE), outcomes.count(Outcome.SUCCESS)) == (2, 1)


def test_an_answer_that_got_lost_and_an_account_that_vanished_double_nothing(
    filled: World, writer: DirectoryWriter, portal: ScimPortal
) -> None:
    person, telling = _case_worker(filled, writer), _telling(filled, portal, groups=False)
    # The account is made, and the answer does not arrive.
    portal.next = [(0, {}), (-500, {})]
    telling.hear([_happened(person.subject)])
    telling.work()
    assert len(portal.users()) == 1
    filled.clock.advance(timedelta(seconds=4))
    _settled(telling)
    assert len(portal.users()) == 1
    assert [each.stage for each in telling.accounts(person.subject)] == [Stage.ACTIVE]
    # Removed at the portal, it is made anew when it is told next.
    with portal.accounts.changing() as held:
        held["Users"].clear()
    filled.clock.advance(portal.target.compare_every)
    telling.hear([_happened(person.subject)])
    changed = writer.profiles.change(person.subject, name_zh=f"{person.name_zh}甲", actor="")
    _settled(telling)
    writer.profiles.change(person.subject, name_zh=person.name_zh, actor="")
    assert changed
    assert portal.users()[person.username]["displayName"] == f"{person.name_zh}甲"


def test_somebody_who_was_faster_is_not_overwritten_unseen(
    filled: World, writer: DirectoryWriter, portal: ScimPortal
) -> None:
    person, telling = _case_worker(filled, writer), _telling(filled, portal, groups=False)
    telling.hear([_happened(person.subject)])
    _settled(telling)
    writer.profiles.change(person.subject, name_zh=f"{person.name_zh}乙", actor="")
    # Between our look and our change another client changed the account.
    portal.next = [(0, {}), (412, {})]
    telling.hear([_happened(person.subject)])
    _settled(telling)
    writer.profiles.change(person.subject, name_zh=person.name_zh, actor="")
    assert portal.users()[person.username]["displayName"] == f"{person.name_zh}乙"
    assert [method for method, _, _ in portal.asked[-4:]] == ["GET", "PUT", "GET", "PUT"]


def test_a_process_that_is_killed_between_telling_and_noting_is_followed_by_one_that_finds_the_account(
    filled: World, writer: DirectoryWriter, portal: ScimPortal
) -> None:
    person, telling = _case_worker(filled, writer), _telling(filled, portal)
    telling.hear([_happened(person.subject)])
    child = os.fork()
    if child == 0:
        _die_after_telling(filled, portal)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert [each.stage for each in telling.accounts(person.subject)] == [Stage.UNTOLD]
    assert len(portal.users()) == 1
    _settled(telling)
    assert len(portal.users()) == 1
    assert [each.stage for each in telling.accounts(person.subject)] == [Stage.ACTIVE]


def _die_after_telling(world: World, portal: ScimPortal) -> None:
    """In a process of its own: everything is opened anew, and nothing is closed."""
    try:
        store = Store(Database.open(f"sqlite:///{world.site.folder('directory')}/directory.db"))

        def way(target: PortalAccounts) -> Remote:
            real = portal_way(target)
            ask = real._ask

            def asked(method: str, url: str, **more: Any) -> Reply:
                reply = ask(method, url, **more)
                if method == "POST":
                    os.kill(os.getpid(), signal.SIGKILL)
                return reply

            real._ask = asked
            return real

        target = replace(portal.target, rate=1000)
        portals = Portals(targets={NAME: target}, key=KEY, remote=way)
        open_writer(
            world.settings, site=world.site, store=store, recorder=world.recorder, clock=world.clock, portals=portals
        ).provisioning.work()
    finally:
        os._exit(3)


def test_a_change_that_comes_while_a_portal_is_told_is_told_next(
    filled: World, writer: DirectoryWriter, portal: ScimPortal
) -> None:
    person = _case_worker(filled, writer)

    def way(target: PortalAccounts) -> Remote:
        real = portal_way(target)
        ask = real._ask

        def asked(method: str, url: str, **more: Any) -> Reply:
            reply = ask(method, url, **more)
            if method == "POST" and "/Users" in url:
                # Let go at this very moment, in another process.
                writer.disable_person(person.subject, actor="", reason="gone")
                telling.hear([_happened(person.subject)])
            return reply

        real._ask = asked
        return real

    portals = Portals(targets={NAME: replace(portal.target, rate=1000)}, key=KEY, remote=way)
    telling = filled.writer(portals=portals).provisioning
    telling._ledger.compared(NAME, at=int(filled.clock.now().timestamp()), strangers=0)
    try:
        telling.hear([_happened(person.subject)])
        _settled(telling)
        assert portal.users()[person.username]["active"] is False
        assert len(portal.users()) == 1
    finally:
        writer.enable_person(person.subject, actor="")


def test_the_desk_shows_what_a_portal_did_not_take_and_tries_again(
    filled: World, writer: DirectoryWriter, portal: ScimPortal
) -> None:
    person, telling = _case_worker(filled, writer), _telling(filled, portal, groups=False)
    portal.next = [(401, {})]
    telling.hear([_happened(person.subject)])
    telling.work()
    portals = Portals(targets={NAME: portal.target}, key=KEY, remote=portal_way)
    subject = writer.directory.person_by_username("zhao.lei").subject
    desk = Desk(filled, subject=subject, roles=frozenset({"directory-administrator"}), portals=portals)
    for language, says in (("en", "does not let us in"), ("zh", "门户不允许我们进入")):
        page = desk.get("/software", language=language).text
        assert says in page
        assert person.name_zh in page
    assert desk.post("/software/portals/nowhere/again", {}).status_code in (400, 404)
    assert desk.post(f"/software/portals/{NAME}/again", {}).status_code == 303
    assert telling.work() > 1
    assert telling.standing()[0].failing == ()


def test_the_way_is_guarded(filled: World, portal: ScimPortal) -> None:
    # An address that is not public is not reached unless the settings say so.
    with pytest.raises(RemoteFailed, match="unreachable"):
        portal_way(replace(portal.target, private=False)).find("userName", "x")
    # Nobody but the portal's own authority is believed.
    with pytest.raises(RemoteFailed, match="unreachable"):
        portal_way(replace(portal.target, authorities=None)).find("userName", "x")
    assert portal.asked == []
    portal.token = "another"
    with pytest.raises(RemoteFailed, match="unauthorised"):
        portal_way(portal.target).find("userName", "x")
    assert portal.target.token_file
    portal.target.token_file.chmod(0o644)
    with pytest.raises(ConfigurationError):
        portal_way(portal.target)
    folder = short_folder()
    folder.rmdir()
    with pytest.raises(ConfigurationError):
        portal_way(replace(portal.target, authorities=folder))


def test_a_portal_may_ask_for_a_certificate_instead_of_a_token(filled: World, tmp_path: Path) -> None:
    ours, others = self_signed(), self_signed()
    for name, (certificate, key) in (("ours", ours), ("others", others)):
        (tmp_path / f"{name}.pem").write_bytes(certificate)
        (tmp_path / f"{name}.key").write_bytes(key)
    clients = tmp_path / "ours.pem"
    with scim_portal(tmp_path, site=filled.site, clock=filled.clock, certified=CERTIFIED, clients=clients) as made:
        mutual = replace(made.target, token_file=None, certificate=clients, key=tmp_path / "ours.key")
        # It gets through to the service, which itself knows tokens only.
        with pytest.raises(RemoteFailed, match="unauthorised"):
            portal_way(mutual).find("userName", "x")
        assert len(made.asked) == 1
        other = replace(mutual, certificate=tmp_path / "others.pem", key=tmp_path / "others.key")
        for wrong in (other, made.target):
            with pytest.raises(RemoteFailed, match="unreachable"):
                portal_way(wrong).find("userName", "x")
        assert len(made.asked) == 1


@pytest.mark.parametrize(
    "told",
    [
        b"", b"[]", b"{", b'{"Resources": 1, "totalResults": 1}', b'{"Resources": [], "totalResults": "1"}',
        b'{"Resources": [1], "totalResults": 1}', b"[" * 100_000,
        b'{"totalResults": 2, "Resources": [{"userName": "x", "id": "1"}, {"userName": "x", "id": "2"}]}',
    ],
)  # fmt: skip
def test_what_a_portal_answers_is_not_believed(told: bytes) -> None:
    def ask(method: str, url: str, *, body: bytes | None, headers: Mapping[str, str]) -> Reply:
        del method, url, body, headers
        return Reply(200, "application/scim+json", told)

    with pytest.raises(RemoteFailed, match="unreadable"):
        Remote("https://p.example/scim", ask=ask, authorization="").find("userName", "x")


@pytest.mark.parametrize("identifier", [None, "", 7, "x" * 201, "a\nb"])
def test_an_identifier_that_could_be_something_else_is_refused(identifier: Any) -> None:
    def ask(method: str, url: str, *, body: bytes | None, headers: Mapping[str, str]) -> Reply:
        del method, url, body, headers
        return Reply(201, "application/scim+json", json.dumps({"id": identifier}).encode())

    with pytest.raises(RemoteFailed, match="unreadable"):
        Remote("https://p.example/scim", ask=ask, authorization="").create({})


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "http://p.example/scim"},
        {"url": "https://p.example/"},
        {"attributes": ("nationalNumber",)},
        {"identifier": "name"},
        {"token_file": None},
        {"certificate": Path("c")},
        {"token_file": None, "certificate": Path("c")},
        {"rate": 0},
        {"timeout": timedelta(0)},
    ],
)
def test_settings_that_cannot_be_are_refused(changes: dict[str, Any]) -> None:
    good: dict[str, Any] = {"url": "https://p.example/scim/v2", "token_file": Path("t")}
    PortalAccounts(**good)
    with pytest.raises(ValueError, match=r"must|shown"):
        PortalAccounts(**{**good, **changes})
