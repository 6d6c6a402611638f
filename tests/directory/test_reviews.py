# SPDX-License-Identifier: Apache-2.0
"""Reviews: owners decide by a day, nobody about their own, what is withdrawn is gone, the result is sealed."""

import hashlib
import json
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

import directory
from core.db import Database, migrate
from directory.errors import (
    BadDays,
    BeyondScope,
    DecidedAlready,
    NoReason,
    NoSuchCampaign,
    NoSuchGrant,
    NotTheOwner,
    Pending,
    RoleFromPost,
)
from directory.models import Person
from directory.reviews import Board, Campaign, Item, ItemState, Kind, ScopeKind, Stage, Undecided
from directory.service import Administration, DirectoryWriter
from tests.directory.desk import Desk
from tests.directory.world import Mailbox, World

BOSS = "zhao.lei"


@pytest.fixture
def today(filled: World) -> Iterator[date]:
    before = filled.clock.now()
    yield before.date()
    filled.clock.advance(before - filled.clock.now())


@pytest.fixture
def boss(writer: DirectoryWriter) -> Person:
    return writer.directory.person_by_username(BOSS)


def begin(
    writer: DirectoryWriter,
    boss: Person,
    today: date,
    *,
    undecided: Undecided = Undecided.ESCALATE,
    scope: ScopeKind = ScopeKind.ORGANISATION,
    of: str = "document-office",
    heads: str = "head-of-section",
) -> Campaign:
    """A campaign that has been collected."""
    made = writer.reviewing.start(
        "Yearly review", scope=scope, of=of, due=today + timedelta(days=7), owner=boss.subject, heads=heads,
        undecided=undecided, actor=boss.subject, reason="yearly",
    )  # fmt: skip
    while writer.reviewing.collect():
        pass
    return writer.reviewing.campaign(made)


def items(writer: DirectoryWriter, campaign: Campaign) -> list[Item]:
    return list(writer.reviewing.board.all_items(campaign.id))


def hired(writer: DirectoryWriter, name: str, boss: Person) -> Person:
    """Somebody with the first post of an agency that carries no head's role, and one grant."""
    post = next(each for each in writer.standings.posts("document-office") if "head-of-section" not in each.roles)
    own = Administration(writer, subject=boss.subject, roles=frozenset({"directory-administrator"}))
    subject, report = own.hire(username=name, name="New Clerk", post=post.id, reason="review test")
    assert not report.refused
    writer.giving.grant_entitlement(subject, "tax/returns.read", actor=boss.subject, reason="one case")
    return writer.directory.person(subject)


def test_every_access_of_a_place_gets_an_owner_who_is_never_its_holder(
    writer: DirectoryWriter, boss: Person, today: date
) -> None:
    clerk, head = hired(writer, "review.clerk1", boss), hired(writer, "review.head1", boss)
    (held,) = writer.standings.facts(clerk.subject).holdings
    place = writer.standings.post(held.post).department
    leads = writer.structure.add_post(
        "document-office", "Leads", department=place, roles=["head-of-section"], actor=""
    )  # fmt: skip
    writer.giving.give_post(head.subject, leads, actor=boss.subject, reason="leads")
    campaign = begin(writer, boss, today)
    found = items(writer, campaign)
    assert campaign.stage is Stage.OPEN
    assert found
    assert all(each.owner != each.holder and each.organisation == "document-office" for each in found)
    mine = [each for each in found if each.holder == clerk.subject]
    assert {each.kind for each in mine} == {Kind.POST, Kind.GRANT}
    # The head of the department owns the posts in it; what has no head is owned by whom the campaign names.
    posts = {each.holder: each.owner for each in found if each.kind is Kind.POST}
    assert posts[clerk.subject] == head.subject
    assert posts[head.subject] != head.subject
    assert {each.owner for each in found if each.kind is Kind.GRANT} <= {boss.subject, ""}


@pytest.mark.parametrize(
    ("scope", "of"), [(ScopeKind.ROLE, "head-of-section"), (ScopeKind.PORTAL, "tax"), (ScopeKind.BRANCH, "tax-bureau")]
)
def test_a_review_can_be_about_a_role_a_portal_or_a_branch(
    writer: DirectoryWriter, boss: Person, today: date, scope: ScopeKind, of: str
) -> None:
    found = items(writer, begin(writer, boss, today, scope=scope, of=of))
    assert found
    if scope is ScopeKind.ROLE:
        assert all(of in writer.standings.post(each.what).roles for each in found if each.kind is Kind.POST)
    if scope is ScopeKind.BRANCH:
        assert {each.organisation for each in found} <= writer.directory.branch(of).organisations


def test_what_an_owner_withdraws_is_gone_at_once_and_what_is_confirmed_stays(
    filled: World, writer: DirectoryWriter, boss: Person, today: date
) -> None:
    clerk = hired(writer, "review.clerk2", boss)
    campaign = begin(writer, boss, today)
    post, grant = (
        next(each for each in items(writer, campaign) if (each.holder, each.kind) == (clerk.subject, kind))
        for kind in (Kind.POST, Kind.GRANT)
    )
    filled.clear()
    with pytest.raises(NoReason):
        writer.reviewing.withdraw(grant.position, actor=grant.owner, reason=" ")
    writer.reviewing.withdraw(grant.position, actor=grant.owner, reason="case closed")
    writer.reviewing.confirm(post.position, actor=post.owner, reason="still here")
    facts = writer.standings.facts(clerk.subject)
    assert (len(facts.holdings), facts.grants) == (1, ())
    assert filled.recorder.types() == ["directory.review.withdrawn", "directory.review.confirmed"]
    assert [event.type for event in filled.outbox()] == ["directory.entitlement.withdrawn"]
    assert filled.outbox()[0].attributes["because"] == "review"
    for position in (post.position, grant.position):
        with pytest.raises(DecidedAlready):
            writer.reviewing.confirm(
                position, actor=post.owner if position == post.position else grant.owner, reason="x"
            )


def test_nobody_decides_about_their_own_or_in_an_owners_place(
    filled: World, writer: DirectoryWriter, boss: Person, today: date, li_na: Person
) -> None:
    clerk = hired(writer, "review.clerk3", boss)
    campaign = begin(writer, boss, today)
    item = next(each for each in items(writer, campaign) if each.holder == clerk.subject)
    filled.clear()
    for actor in (clerk.subject, li_na.subject):
        for verb in (writer.reviewing.confirm, writer.reviewing.withdraw):
            with pytest.raises(NotTheOwner):
                verb(item.position, actor=actor, reason="mine", for_all=True)
    assert [(event.type, event.outcome.value) for event in filled.recorder.events] == [
        ("directory.review.confirmed", "denied"), ("directory.review.withdrawn", "denied"),
    ] * 2  # fmt: skip
    assert writer.reviewing.board.item(item.position) == item
    with pytest.raises(NoSuchGrant):
        writer.reviewing.confirm(10**9, actor=boss.subject, reason="x")


@pytest.mark.parametrize("undecided", list(Undecided))
def test_at_the_end_the_undecided_are_kept_and_escalated_or_withdrawn_and_the_result_is_sealed(
    filled: World, writer: DirectoryWriter, boss: Person, today: date, undecided: Undecided
) -> None:
    clerk = hired(writer, f"review.end.{undecided.value}", boss)
    # Only what this test gave: a role's campaign would take everybody's posts.
    writer.giving.grant_role(clerk.subject, "ra-officer", actor=boss.subject, reason="for a while")
    campaign = begin(writer, boss, today, undecided=undecided, scope=ScopeKind.ROLE, of="ra-officer")
    others = [each for each in items(writer, campaign) if each.holder != clerk.subject]
    for each in others:
        writer.reviewing.confirm(each.position, actor=each.owner or boss.subject, reason="ok", for_all=True)
    filled.clear()
    writer.reviewing.tend()
    reminded = [event.type for event in filled.recorder.events if event.subject == campaign.id]
    assert reminded == ["directory.review.reminded"]
    assert writer.reviewing.tend() == 0
    filled.clock.advance(timedelta(days=8))
    # Another process, after a restart.
    later = filled.writer()
    later.reviewing.tend()
    later.reviewing.tend()
    closed = later.reviewing.campaign(campaign.id)
    sealed = next(
        event
        for event in filled.recorder.events
        if event.type == "directory.review.sealed" and event.subject == campaign.id
    )
    lines = list(later.reviewing.report(closed))
    assert closed.stage is Stage.CLOSED
    assert sealed.attributes["digest"] == closed.seal == hashlib.sha256(b"".join(lines)).hexdigest()
    told = {line["holder"]: line["state"] for line in map(json.loads, lines[1:])}
    keeps = undecided is Undecided.ESCALATE
    assert told[clerk.subject] == ("escalated" if keeps else "withdrawn")
    assert ("ra-officer" in later.standings.materialised(clerk.subject)) is keeps
    item = next(each for each in items(later, closed) if each.holder == clerk.subject)
    if keeps:
        # The administrators decide then, and the sealed result goes on telling what it told.
        later.reviewing.withdraw(item.position, actor=boss.subject, reason="late", for_all=True)
        assert "ra-officer" not in later.standings.materialised(clerk.subject)
        assert list(later.reviewing.report(closed)) == lines
    else:
        with pytest.raises(DecidedAlready):
            later.reviewing.confirm(item.position, actor=item.owner, reason="too late")


def test_a_crash_between_a_decision_and_its_doing_is_made_good(
    filled: World, writer: DirectoryWriter, boss: Person, today: date, monkeypatch: pytest.MonkeyPatch
) -> None:
    clerk = hired(writer, "review.clerk5", boss)
    campaign = begin(writer, boss, today)
    grant = next(
        each for each in items(writer, campaign) if (each.holder, each.kind) == (clerk.subject, Kind.GRANT)
    )  # fmt: skip

    def dies(*_arguments: object, **_named: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(writer.giving, "withdraw_grant", dies)
        with pytest.raises(KeyboardInterrupt):
            writer.reviewing.withdraw(grant.position, actor=grant.owner, reason="gone")
    assert len(writer.standings.facts(clerk.subject).grants) == 1
    later = filled.writer()
    assert later.reviewing.tend() >= 1
    assert later.standings.facts(clerk.subject).grants == ()
    with monkeypatch.context() as patch:
        # And between the doing and the note of it.
        patch.setattr(later.reviewing.board, "withdrawn", dies)
        post = next(
            each for each in items(later, campaign) if (each.holder, each.kind) == (clerk.subject, Kind.POST)
        )  # fmt: skip
        with pytest.raises(KeyboardInterrupt):
            later.reviewing.withdraw(post.position, actor=post.owner, reason="gone")
    assert later.standings.facts(clerk.subject).holdings == ()
    last = filled.writer()
    last.reviewing.tend()
    done = last.reviewing.board.item(post.position)
    assert done is not None
    assert done.state is ItemState.WITHDRAWN


def test_a_withdrawal_that_cannot_be_done_is_told_until_it_is(
    filled: World, writer: DirectoryWriter, boss: Person, today: date, monkeypatch: pytest.MonkeyPatch
) -> None:
    clerk = hired(writer, "review.stuck", boss)
    campaign = begin(writer, boss, today)
    grant = next(
        each for each in items(writer, campaign) if (each.holder, each.kind) == (clerk.subject, Kind.GRANT)
    )  # fmt: skip

    def refuses(*_arguments: object, **_named: object) -> None:
        raise RoleFromPost

    with monkeypatch.context() as patch:
        patch.setattr(writer.giving, "withdraw_grant", refuses)
        with pytest.raises(RoleFromPost):
            writer.reviewing.withdraw(grant.position, actor=grant.owner, reason="gone")
        writer.reviewing.tend()
    assert writer.reviewing.board.stuck(campaign.id) == 1
    desk = Desk(filled, subject=boss.subject, roles=frozenset({"directory-administrator"}))
    page = desk.get(f"/reviews/{campaign.id}?after={grant.position - 1}").text
    assert "1 withdrawal could not be done yet" in page
    assert RoleFromPost.code in page
    filled.writer().reviewing.tend()
    assert writer.reviewing.board.stuck(campaign.id) == 0
    assert "could not be done" not in desk.get(f"/reviews/{campaign.id}").text


def test_collecting_goes_on_where_it_was_and_enters_nothing_twice(
    filled: World, writer: DirectoryWriter, boss: Person, today: date, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("directory.service.reviewing.PAGE", 7)
    campaign = writer.reviewing.start(
        "In steps", scope=ScopeKind.BRANCH, of="document-office", due=today, owner=boss.subject,
        undecided=Undecided.ESCALATE, actor=boss.subject, reason="x",
    )  # fmt: skip
    writer.reviewing.collect()
    half = writer.reviewing.campaign(campaign)
    later = filled.writer()
    while later.reviewing.collect():
        pass
    whole = items(later, half)
    # The page before the crash is read again.
    later.reviewing.board.collected(half, whole[:5], branch=Kind.GRANT, after=0, done=True)
    assert items(later, half) == whole
    assert len({each.access for each in whole}) == len(whole)


def test_while_the_server_is_down_a_withdrawal_is_kept_and_follows(own_world: World) -> None:
    writer = own_world.writer()
    table = "kind,id,username,name,organisation,credit_code\nagency,tax,,Tax,,\ncivil-servant,,zoe,Zoe,tax,\n"
    code = "11999999ABCDEFGHJ"
    table = table.replace("Tax,,", f"Tax,,{code}{directory.models.credit_code_check(code)}")
    assert writer.import_csv(table.encode(), actor="").entered == 2
    zoe = writer.directory.person_by_username("zoe")
    boss = "11111111-1111-4111-8111-111111111111"
    post = writer.structure.add_post("tax", "Clerk", actor="")
    holding = writer.giving.give_post(zoe.subject, post, actor=boss, reason="work")
    board = writer.reviewing.board
    campaign = Campaign(
        id=boss, name="x", scope=ScopeKind.ORGANISATION, of="tax", due=writer.standings.today(), owner=boss,
        undecided=Undecided.ESCALATE, by=boss, reason="x",
    )  # fmt: skip
    board.begin(campaign)
    item = Item(
        campaign=boss, kind=Kind.POST, access=holding, holder=zoe.subject, what=post, organisation="tax", owner=boss
    )
    board.collected(campaign, [item], branch=Kind.GRANT, after=0, done=True)
    (item,) = board.items(boss, limit=9)
    own_world.kill()
    with pytest.raises(Pending):
        writer.reviewing.withdraw(item.position, actor=boss, reason="gone")
    own_world.start()
    own_world.writer().reviewing.tend()
    assert own_world.writer().standings.facts(zoe.subject).holdings == ()


def test_what_a_campaign_cannot_be_is_refused(writer: DirectoryWriter, boss: Person, today: date) -> None:
    with pytest.raises(BadDays):
        begin(writer, boss, today - timedelta(days=30))
    with pytest.raises(NoSuchCampaign):
        writer.reviewing.campaign("nothing")
    agency = writer.directory.person_by_username("zhou.fang")
    own = Administration(writer, subject=agency.subject, roles=frozenset({"agency-administrator"}))
    with pytest.raises(BeyondScope):
        own.start_review(
            "All", scope=ScopeKind.PORTAL, of="tax", due=today, owner=BOSS, heads="", undecided=Undecided.WITHDRAW,
            reason="x",
        )  # fmt: skip


def test_an_owners_list_is_quick_among_many_accesses(tmp_path: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path}/reviews.db")
    migrate(database, Path(directory.__file__).parent / "migrations")
    board = Board(database)
    campaign = Campaign(
        id="c", name="x", scope=ScopeKind.PORTAL, of="tax", due=date(2030, 1, 1), owner="boss",
        undecided=Undecided.WITHDRAW, by="boss", reason="x",
    )  # fmt: skip
    board.begin(campaign)
    many = 10_000
    for page in range(0, many, 1000):
        found = [
            Item(
                campaign="c", kind=Kind.GRANT, access=f"a{n}", holder=f"h{n}", what="x/y", organisation="o",
                owner=f"owner{n % 100}",
            )
            for n in range(page, page + 1000)
        ]  # fmt: skip
        board.collected(campaign, found, branch=Kind.GRANT, after=page, done=page + 1000 == many)
    began = time.process_time()
    for _ in range(20):
        mine = board.waiting_for("owner7", limit=25)
    assert len(mine) == 25
    # A page of one owner does not read everybody's: far less than reading all of it takes.
    quick = (time.process_time() - began) / 20
    began = time.process_time()
    assert len(list(board.all_items("c"))) == many
    assert quick < time.process_time() - began
    board.end(campaign, at=1, reason="undecided")
    assert board.tally("c").withdrawing == many
    database.close()


def test_owners_are_reminded_by_letter_once_a_day_in_their_language(
    filled: World, boss: Person, li_na: Person, today: date, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = Mailbox()
    writer = filled.writer(box)
    clerk = hired(writer, "review.letters", boss)
    writer.giving.grant_role(clerk.subject, "ra-officer", actor=boss.subject, reason="for a while")
    writer.profiles.change(li_na.subject, mail="li.na@test.example", language="en", actor=boss.subject)
    identifier = writer.reviewing.start(
        "Letters", scope=ScopeKind.ROLE, of="ra-officer", due=today + timedelta(days=1), owner=li_na.subject,
        undecided=Undecided.ESCALATE, actor=boss.subject, reason="x",
    )  # fmt: skip
    while writer.reviewing.collect():
        pass

    def dies(*_arguments: object, **_named: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        # Between the letters and the note that they were written.
        patch.setattr(writer.reviewing.board, "reminded", dies)
        with pytest.raises(KeyboardInterrupt):
            writer.reviewing.tend()
    box.down = True
    assert filled.writer(box).letters.round() == 0
    box.down = False
    filled.writer(box).reviewing.tend()
    # What could not be handed over is tried again later, under the same number.
    filled.writer(box).letters.round()
    assert "li.na@test.example" not in {to for to, *_ in box.letters}
    filled.clock.advance(timedelta(minutes=1))
    mine = [letter for letter in _posted(filled, box) if letter[0] == "li.na@test.example"]
    assert len(mine) == 1
    left = len([each for each in items(writer, writer.reviewing.campaign(identifier)) if each.owner == li_na.subject])
    assert mine[0][1].startswith("Access that you answer for: ")
    assert f"{left} " in mine[0][1]
    assert "/reviews/mine" in mine[0][2]
    assert not any("\u4e00" <= sign <= "\u9fff" for sign in mine[0][1])
    filled.clock.advance(timedelta(days=1))
    filled.writer(box).reviewing.tend()
    assert len([letter for letter in _posted(filled, box) if letter[0] == "li.na@test.example"]) == 2
    filled.clock.advance(timedelta(days=-1, minutes=-1))


def _posted(world: World, box: Mailbox) -> list[tuple[str, str, str, str]]:
    while world.writer(box).letters.round():
        pass
    return box.letters
