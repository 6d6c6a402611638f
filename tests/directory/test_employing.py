# SPDX-License-Identifier: Apache-2.0
"""Joiners, movers and leavers: one act each, told before, done on its day, and everything that follows."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

import pytest

from directory.errors import AlreadyGiven, BadDays, NoSuchGrant, OwnRole, Pending, RoleNotForCitizens
from directory.ldap.changes import Change, Verb, member
from directory.models import EVERYWHERE, Person, Scope, credit_code_check
from directory.models_powers import Post
from directory.service import DirectoryWriter
from directory.service.accounts import Unusual
from directory.store import Act
from tests.directory.desk import Desk
from tests.directory.world import World

ACTOR = "11111111-1111-4111-8111-111111111111"


@pytest.fixture
def desk(filled: World) -> Desk:
    filled.clear()
    subject = filled.directory("directory").person_by_username("zhao.lei").subject
    return Desk(filled, subject=subject, roles=frozenset({"directory-administrator"}))


@pytest.fixture
def agency_desk(filled: World) -> Desk:
    subject = filled.directory("directory").person_by_username("zhou.fang").subject
    return Desk(filled, subject=subject, roles=frozenset({"agency-administrator"}))


@pytest.fixture
def head(writer: DirectoryWriter) -> Post:
    """The head of a section in another agency."""
    return next(each for each in writer.standings.posts("tax-bureau") if "head-of-section" in each.roles)


@pytest.fixture
def today(filled: World) -> Iterator[date]:
    before = filled.clock.now()
    yield before.date()
    filled.clock.advance(before - filled.clock.now())


@pytest.fixture
def clerk(filled: World, desk: Desk, request: pytest.FixtureRequest) -> Person:
    """Somebody newly hired by the desk."""
    name = f"clerk{abs(hash(request.node.name)) % 10_000_000}"
    post = next(
        each for each in filled.writer().standings.posts("document-office") if not each.roles & {"head-of-section"}
    )
    form = {"username": name, "name": "A Clerk", "name_zh": "科员", "mail": "", "post": post.id, "reason": "new post"}
    assert desk.post("/organisations/document-office/hire", form).status_code == 303
    return filled.directory("directory").person_by_username(name)


def test_hiring_enters_somebody_with_a_post_in_one_act(
    filled: World, desk: Desk, clerk: Person, writer: DirectoryWriter
) -> None:
    (held,) = writer.standings.facts(clerk.subject).holdings
    assert clerk.organisation == "document-office"
    assert clerk.enabled
    assert filled.directory("gateway").person(clerk.subject).roles >= writer.standings.post(held.post).roles
    again = {"username": clerk.username, "name": "B", "post": held.post, "reason": "x"}
    assert desk.post("/organisations/document-office/hire", again).status_code == 422
    assert desk.post("/organisations/tax-bureau/hire", {**again, "username": "other"}).status_code in (400, 404)


def test_who_begins_later_is_let_in_on_the_first_day(
    filled: World, desk: Desk, writer: DirectoryWriter, head: Post, today: date
) -> None:
    first = today + timedelta(days=3)
    form = {"username": "late.joiner", "name": "L", "post": head.id, "since": first.isoformat(), "reason": "contract"}
    assert desk.post("/organisations/tax-bureau/hire", form).status_code == 303
    person = writer.directory.person_by_username("late.joiner")
    assert not person.enabled
    assert writer.employing.due() == 0
    filled.clock.advance(timedelta(days=3))
    # Another process, after a restart.
    later = filled.writer()
    assert later.employing.due() == 1
    later.keeping.begin()
    assert later.directory.person(person.subject).enabled
    assert "head-of-section" in later.directory.person(person.subject).roles
    assert later.employing.scheduled(person.subject) == []
    assert later.employing.due() == 0


def test_moving_takes_the_old_and_gives_the_new_after_telling(
    filled: World, desk: Desk, writer: DirectoryWriter, clerk: Person, head: Post
) -> None:
    writer.giving.grant_entitlement(clerk.subject, "tax/returns.read", actor=ACTOR, reason="one case")
    told = writer.employing.would_move(clerk.subject, head.id).preview
    assert "head-of-section" in told.gained_roles
    assert "tax/returns.read" in [str(each) for each in told.lost]
    form = {"act": "move", "post": head.id, "since": "", "reason": "promoted"}
    page = desk.post(f"/people/{clerk.subject}/preview", form).text
    assert "Head of section" in page
    assert "tax/returns.read" in page
    assert writer.directory.person(clerk.subject).organisation == "document-office"
    assert desk.post(f"/people/{clerk.subject}/move", {**form, "reason": " "}).status_code == 400
    assert desk.post(f"/people/{clerk.subject}/move", form).status_code == 303
    facts = writer.standings.facts(clerk.subject)
    assert ([each.post for each in facts.holdings], facts.grants) == ([head.id], ())
    assert filled.directory("sso").person(clerk.subject).organisation == "tax-bureau"
    assert clerk.subject not in {each.person.subject for each in writer.keeping.drifts()}
    assert {"directory.person.moved"} <= set(filled.recorder.types())
    kinds = [event.type for event in filled.outbox()]
    assert {"directory.post.taken", "directory.entitlement.withdrawn", "directory.person.moved"} <= set(kinds)
    with pytest.raises(AlreadyGiven):
        writer.employing.move(clerk.subject, head.id, actor=ACTOR, reason="again")


@pytest.mark.parametrize("days", [0, 2])
def test_a_move_asks_about_grants_mandates_and_companies_and_does_as_is_chosen(
    filled: World, desk: Desk, agency_desk: Desk, clerk: Person, days: int
) -> None:
    writer = filled.writer()
    post = writer.structure.add_post("document-office", f"Chosen {days}", actor=ACTOR)
    for what in ("tax/returns.read", "tax/history.read"):
        writer.giving.grant_entitlement(clerk.subject, what, actor=ACTOR, reason="one case")
    for scope in ("tax", "social"):
        writer.giving.grant_mandate(
            clerk.subject, organisation="tax-bureau", scope=scope, until=date(2030, 1, 1), actor=ACTOR, reason="court"
        )
    day = filled.clock.now().date() + timedelta(days=days)
    form: dict[str, str | list[str]] = {
        "act": "move", "post": post, "since": day.isoformat() if days else "", "reason": "x",
    }  # fmt: skip
    shown = writer.employing.would_move(clerk.subject, post)
    kept, lost = (each.id for each in sorted(shown.grants, key=lambda each: each.what, reverse=True))
    ended = next(identifier for identifier, each in shown.mandates if each.scope == "social")
    page = desk.post(f"/people/{clerk.subject}/preview", {**form, "keep": kept}).text
    for identifier in (kept, lost, *(identifier for identifier, _ in shown.mandates)):
        assert f'value="{identifier}"' in page
    assert page.count(" checked") == 1
    assert ended not in agency_desk.post(f"/people/{clerk.subject}/preview", form).text
    # Keeping what only the directory's administrator gives is theirs to say; and only identifiers are taken.
    chosen = {**form, "keep": [kept], "end": [ended]}
    assert agency_desk.post(f"/people/{clerk.subject}/move", chosen).status_code == 403
    assert desk.post(f"/people/{clerk.subject}/move", {**chosen, "keep": ["x end:y"]}).status_code == 400
    filled.clear()
    assert desk.post(f"/people/{clerk.subject}/move", chosen).status_code == 303
    if days:
        filled.clock.advance(timedelta(days=3))
        try:
            # Another process, after a restart.
            assert filled.writer().employing.due() == 1
        finally:
            filled.clock.advance(timedelta(days=-3))
    facts = writer.standings.facts(clerk.subject)
    assert [each.post for each in facts.holdings] == [post]
    assert [each.id for each in facts.grants] == [kept]
    assert [each.scope for each in writer.standings.mandates(clerk.subject)] == ["tax"]
    told = [event.type for event in filled.outbox() if event.subject == clerk.subject]
    assert told.count("directory.mandate.withdrawn") == 1
    assert told.count("directory.entitlement.withdrawn") == 1


def test_what_is_scheduled_waits_for_its_day_and_can_be_called_off(
    filled: World, desk: Desk, clerk: Person, head: Post, today: date
) -> None:
    writer = filled.writer()
    day = today + timedelta(days=5)
    at = f"/people/{clerk.subject}"
    assert desk.post(f"{at}/move", {"post": head.id, "since": day.isoformat(), "reason": "later"}).status_code == 303
    assert desk.post(f"{at}/leave", {"last": day.isoformat(), "reason": "retires"}).status_code == 303
    one, other = writer.employing.scheduled(clerk.subject)
    assert (one.act, one.day, other.act, other.day) == (
        Act.MOVE,
        day.isoformat(),
        Act.LEAVE,
        str(day + timedelta(days=1)),
    )
    assert "retires" in desk.get(f"{at}/employment").text
    with pytest.raises(OwnRole):
        writer.employing.call_off(clerk.subject, one.id, actor=clerk.subject, reason="no")
    with pytest.raises(NoSuchGrant):
        writer.employing.call_off(clerk.subject, ACTOR, actor=ACTOR, reason="no")
    assert desk.post(f"{at}/scheduled/call-off", {"scheduled": other.id, "reason": "stays"}).status_code == 303
    assert writer.employing.due() == 0
    filled.clock.advance(timedelta(days=5))
    assert filled.writer().employing.due() == 1
    assert writer.directory.person(clerk.subject).organisation == "tax-bureau"
    assert writer.directory.person(clerk.subject).enabled


def test_leave_of_absence_shuts_out_and_lets_in_again(
    filled: World, desk: Desk, writer: DirectoryWriter, clerk: Person, today: date
) -> None:
    form = {"since": "", "until": str(today + timedelta(days=9)), "reason": "parental leave"}
    assert desk.post(f"/people/{clerk.subject}/away", form).status_code == 303
    assert not writer.directory.person(clerk.subject).enabled
    # By this word the certificate authority knows that what it suspends comes back.
    off = next(event for event in filled.outbox() if event.type == "directory.person.disabled")
    assert off.attributes == {"because": "leave"}
    (held,) = writer.standings.facts(clerk.subject).holdings
    filled.clock.advance(timedelta(days=10))
    assert writer.employing.due() == 1
    assert writer.directory.person(clerk.subject).enabled
    with pytest.raises(BadDays):
        writer.employing.away(clerk.subject, since=today, actor=ACTOR, reason="past")
    assert held.post


def test_whoever_is_shut_out_during_a_leave_stays_out(
    filled: World, desk: Desk, writer: DirectoryWriter, clerk: Person, today: date
) -> None:
    form = {"since": "", "until": str(today + timedelta(days=9)), "reason": "parental leave"}
    assert desk.post(f"/people/{clerk.subject}/away", form).status_code == 303
    writer.disable_person(clerk.subject, actor=ACTOR, reason="under suspicion")
    assert not writer.employing.scheduled(clerk.subject)
    filled.clock.advance(timedelta(days=20))
    assert writer.employing.due() == 0
    assert not writer.directory.person(clerk.subject).enabled
    writer.enable_person(clerk.subject, actor=ACTOR, reason="cleared")
    assert writer.directory.person(clerk.subject).enabled


def test_who_leaves_is_out_with_everything_in_one_commit(
    filled: World, desk: Desk, writer: DirectoryWriter, clerk: Person, head: Post
) -> None:
    writer.giving.give_post(clerk.subject, head.id, actor=ACTOR, reason="acting")
    writer.giving.grant_mandate(
        clerk.subject, organisation="tax-bureau", scope="all", until=date(2030, 1, 1), actor=ACTOR, reason="court"
    )
    form = {"act": "leave", "last": "", "reason": "dismissed"}
    page = desk.post(f"/people/{clerk.subject}/preview", form).text
    for told in ("tax-bureau", "head-of-section", "Head of section"):
        assert told in page or told == "head-of-section"
    assert writer.directory.person(clerk.subject).enabled
    filled.clear()
    assert desk.post(f"/people/{clerk.subject}/leave", form).status_code == 303
    facts = writer.standings.facts(clerk.subject)
    assert (facts.person.enabled, facts.holdings, facts.grants) == (False, (), ())
    assert writer.standings.mandates(clerk.subject) == []
    assert writer.standings.materialised(clerk.subject) == {}
    kinds = [event.type for event in filled.outbox()]
    assert kinds[:2] == ["directory.person.disabled", "directory.person.left"]
    assert kinds.count("directory.post.taken") == 2
    assert len({event.object for event in filled.outbox()}) == 1
    assert filled.directory("gateway").person(clerk.subject).enabled is False


def test_who_leaves_while_the_server_is_down_is_out_and_the_rest_follows(own_world: World) -> None:
    writer = own_world.writer()
    body = "11999999ABCDEFGHJ"
    table = (
        "kind,id,username,name,organisation,credit_code\n"
        f"agency,tax,,Tax,,{body}{credit_code_check(body)}\ncivil-servant,,zoe,Zoe,tax,\n"
    )
    report = writer.import_csv(table.encode(), actor="")
    assert report.entered == 2
    zoe = writer.directory.person_by_username("zoe")
    post = writer.structure.add_post("tax", "Clerk", actor="")
    writer.giving.give_post(zoe.subject, post, actor=ACTOR, reason="work")
    own_world.clear()
    own_world.kill()
    with pytest.raises(Pending):
        writer.employing.leave(zoe.subject, actor=ACTOR, reason="gone")
    assert [event.type for event in own_world.outbox()] == ["directory.person.disabled"]
    own_world.start()
    later = own_world.writer()
    later.replay()
    assert later.employing.due() == 1
    assert later.standings.facts(zoe.subject).holdings == ()
    assert "directory.person.left" in [event.type for event in own_world.outbox()]


@pytest.mark.parametrize("act", ["move", "leave", "away"])
def test_nobody_changes_their_own_employment(
    filled: World, writer: DirectoryWriter, li_na: Person, head: Post, act: str
) -> None:
    more = {"post": head.id} if act == "move" else {}
    with pytest.raises(OwnRole):
        getattr(writer.employing, act)(li_na.subject, **more, actor=li_na.subject, reason="me")
    assert filled.recorder.types() == ["directory.power.refused"]


def test_an_agency_changes_its_own_people_and_nobody_elses(
    agency_desk: Desk, writer: DirectoryWriter, clerk: Person, head: Post, chen_wei: Person
) -> None:
    assert agency_desk.get(f"/people/{clerk.subject}/employment").status_code == 200
    move = {"post": head.id, "reason": "x"}
    assert agency_desk.post(f"/people/{clerk.subject}/move", move).status_code == 404
    assert agency_desk.post(f"/people/{chen_wei.subject}/leave", {"last": "", "reason": "x"}).status_code == 404
    boss = writer.directory.person_by_username("zhao.lei").subject
    assert agency_desk.post(f"/people/{boss}/leave", {"last": "", "reason": "x"}).status_code in (403, 404)
    assert agency_desk.get("/organisations/tax-bureau/hire").status_code == 404
    assert agency_desk.post(f"/people/{clerk.subject}/leave", {"last": "", "reason": "ended"}).status_code == 303
    with pytest.raises(RoleNotForCitizens):
        writer.employing.move(chen_wei.subject, head.id, actor=ACTOR, reason="x")


def test_accounts_that_rot_are_found(
    filled: World, desk: Desk, writer: DirectoryWriter, clerk: Person, today: date
) -> None:
    table = "kind,username,name,organisation,mail\n" + "".join(
        f"civil-servant,orphan{n},Orphan {n},document-office,desk@city.example\n" for n in range(2)
    )
    assert writer.import_csv(table.encode(), actor="").entered == 2
    (held,) = writer.standings.facts(clerk.subject).holdings
    writer.giving.take_post(held.id, actor=ACTOR, reason="x")
    writer.giving.give_post(clerk.subject, held.post, until=today, actor=ACTOR, reason="last day")
    since = today - timedelta(days=200)
    filled.store.hear({clerk.subject: str(today)}, position=7, since=str(since))
    assert (filled.store.heard(), filled.store.seen_since()) == (7, str(since))
    found = looked(writer)
    assert {"orphan0", "orphan1"} <= {person.username for person in found.orphaned}
    assert ("desk@city.example", 2) in [(mail, len(people)) for mail, people in found.shared]
    assert clerk.subject not in {person.subject for person in (*found.dormant, *found.expired, *found.orphaned)}
    assert "orphan0" in {person.username for person in found.dormant}
    filled.clock.advance(timedelta(days=100))
    found = looked(filled.writer())
    assert clerk.subject in {person.subject for person in found.expired}
    assert clerk.subject in {person.subject for person in found.dormant}
    page = desk.get("/accounts").text
    assert "orphan1" in page
    orphan = writer.directory.person_by_username("orphan1")
    assert f'action="/people/{orphan.subject}/disable"' in page
    assert desk.post(f"/people/{orphan.subject}/disable", {"reason": "nobody knows them"}).status_code == 303
    # At once, though the house has not walked again.
    assert "orphan1" not in desk.get("/accounts").text


def test_devices_without_an_owner_are_found_and_a_walk_is_shared_by_processes(
    filled: World, writer: DirectoryWriter, clerk: Person
) -> None:
    filled.clock.advance(timedelta(days=200))
    try:
        device = next(each for each in writer.directory.devices(limit=400).items if each.enabled)
        owned = Change(
            verb=Verb.REPLACE, dn=filled.tree.device(device.id), attribute="tallyHolder", value=clerk.subject,
            before=device.owner,
        )  # fmt: skip
        owned.make(filled.pool("directory"))
        assert writer.directory.device(device.id).owner == clerk.subject
        writer.disable_person(clerk.subject, actor=ACTOR, reason="gone")
        # Two processes take turns, and one of them dies in between.
        while writer.accounts.survey():
            if not filled.writer().accounts.survey():
                break
        found = writer.accounts.unusual(EVERYWHERE)
        assert [each.id for each in found.devices] == [device.id]
        assert found.is_whole
        writer.disable_device(device.id, actor=ACTOR)
        assert writer.accounts.unusual(EVERYWHERE).devices == ()
    finally:
        filled.clock.advance(timedelta(days=-200))


def test_duties_that_came_together_past_us_are_listed(filled: World, desk: Desk, writer: DirectoryWriter) -> None:
    person = writer.directory.person_by_username("sun.li")
    both = "Registration officer, Security officer"
    assert both not in desk.get("/accounts").text
    joins = member(filled.tree.role("security-officer"), filled.tree.person(person.subject), joins=True)
    joins.make(filled.pool("directory"))
    assert both in desk.get("/accounts").text
    replace(joins, verb=Verb.EXCLUDE).make(filled.pool("directory"))


def looked(writer: DirectoryWriter) -> Unusual:
    """What is found once the house has walked through everybody."""
    while writer.accounts.survey():
        pass
    # Once a day is enough.
    assert not writer.accounts.survey()
    return writer.accounts.unusual(desk_scope(writer))


def desk_scope(writer: DirectoryWriter) -> Scope:
    return writer.directory.branch("document-office")
