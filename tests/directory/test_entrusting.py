# SPDX-License-Identifier: Apache-2.0
"""Mandates that people give and end themselves: the doors that sign-on has, and what nobody gets through them."""

from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from flask import Flask

import directory
from audit import Event, Outcome
from core.calls import PairSecrets, Peer
from core.errors import Conflict, Forbidden, Invalid, NotFound
from core.web import Guard, create
from directory import web
from directory.client import EntrustingClient
from directory.models_powers import Capacity
from directory.service import DirectoryWriter
from directory.service.entrusting import LONGEST
from tests.ca.sites import SECRETS, TestPeer
from tests.directory.world import World


def peer(world: World, caller: str = "sso") -> EntrustingClient:
    guard = Guard(clock=world.clock, pairs=PairSecrets({name: SECRETS[name] for name in ("sso", "gateway")}))
    writer = world.writer()
    app: Flask = create(
        "directory",
        site=world.site,
        guard=guard,
        session_key=b"k" * 32,
        blueprints=[web.entrusting.blueprint(writer.entrusting, guard, directory=writer.directory)],
        translations=[Path(directory.__file__).parent / "translations"],
        behind_proxy=False,
    )
    return EntrustingClient(lambda: cast("Peer", TestPeer(app, caller)))


def subject(world: World, username: str) -> str:
    return world.directory("directory").person_by_username(username).subject


def day(world: World, days: int = 30) -> str:
    return (world.clock.now().date() + timedelta(days=days)).isoformat()


def company(writer: DirectoryWriter) -> tuple[str, str]:
    """A company and the subject of its legal representative."""
    for each in writer.directory.organisations(limit=100).items:
        for found in writer.standings.representatives(each.id):
            if found.capacity is Capacity.LEGAL:
                return each.id, found.holder
    raise AssertionError


def give(client: EntrustingClient, giver: str, holder: str, world: World, **changed: str) -> None:
    asked: dict[str, Any] = {"organisation": "", "scope": "tax", "until": day(world), "reason": "", **changed}
    client.give(giver, holder, **asked)


def test_somebody_lets_another_act_and_takes_it_back(filled: World, writer: DirectoryWriter) -> None:
    chen, zhang, client = subject(filled, "chen.wei"), subject(filled, "zhang.min"), peer(filled)
    assert {each["name"] for each in client.page(chen)["services"]} == {"tax", "social", "seal"}
    give(client, chen, zhang, filled, reason="my tax return")
    kinds: list[tuple[str, str]] = [(each.type, each.outcome.value) for each in filled.recorder.events]
    assert kinds[0] == ("directory.mandate.granted", "intended")
    intended = filled.recorder.events[0]
    assert (intended.actor, intended.subject, intended.attributes["principal"]) == (chen, zhang, chen)
    assert intended.sealed["reason"] == "my tax return"
    (given,) = client.page(chen)["given"]
    assert (given["holder"], given["holder_name"], given["since"]) == (zhang, "Zhang Min", day(filled, 0))
    # Whoever holds it sees it at once, and so does sign-on at the next login.
    (held,) = (each for each in client.page(zhang)["held"] if each["principal"])
    assert (held["principal_name_zh"], held["service"], held["by_name"]) == ("陈伟", "tax", "Chen Wei")
    assert any(each.principal == chen for each in filled.directory("sso").mandates_of(zhang))
    with pytest.raises(Conflict):
        give(client, chen, zhang, filled)
    client.end(chen, zhang, organisation="", principal=chen, scope="tax")
    assert client.page(chen)["given"] == []
    assert [each for each in filled.directory("sso").mandates_of(zhang) if each.principal] == []
    withdrawn = last(filled, "directory.mandate.withdrawn")
    assert (withdrawn.actor, withdrawn.subject) == (chen, zhang)


def test_who_holds_a_mandate_can_decline_it(filled: World, writer: DirectoryWriter) -> None:
    chen, zhang, client = subject(filled, "chen.wei"), subject(filled, "zhang.min"), peer(filled)
    give(client, chen, zhang, filled)
    client.end(zhang, zhang, organisation="", principal=chen, scope="tax")
    assert client.page(chen)["given"] == []
    assert last(filled, "directory.mandate.withdrawn").actor == zhang


def test_a_representative_gives_sees_and_withdraws_for_the_company(filled: World, writer: DirectoryWriter) -> None:
    (identifier, boss), client = company(writer), peer(filled)
    chen = subject(filled, "chen.wei")
    (shown,) = (each for each in client.page(boss)["companies"] if each["id"] == identifier)
    before = len(shown["mandates"])
    assert shown["may_give"]
    give(client, boss, chen, filled, organisation=identifier)
    (shown,) = (each for each in client.page(boss)["companies"] if each["id"] == identifier)
    (new,) = (each for each in shown["mandates"] if each["holder"] == chen)
    assert len(shown["mandates"]) == before + 1
    assert (new["holder_name"], new["service"], new["until"], new["since"]) == (
        "Chen Wei",
        "tax",
        day(filled),
        day(filled, 0),
    )
    client.end(boss, chen, organisation=identifier, principal="", scope="tax")
    assert [each for each in filled.directory("sso").mandates_of(chen) if each.organisation == identifier] == []


def test_nobody_gives_for_a_company_that_is_not_theirs(filled: World, writer: DirectoryWriter) -> None:
    (identifier, boss), client = company(writer), peer(filled)
    chen, zhang = subject(filled, "chen.wei"), subject(filled, "zhang.min")
    with pytest.raises(Forbidden) as refused:
        give(client, chen, zhang, filled, organisation=identifier)
    assert refused.value.code == "not_representing"
    # An agent sees, and gives nothing; nor does whoever represents it no longer or not yet.
    for capacity, since, until in (
        (Capacity.AGENT, None, None),
        (Capacity.LEGAL, filled.clock.now().date() + timedelta(days=2), None),
    ):
        made = writer.giving.name_representative(
            chen, identifier, capacity, since=since, until=until, actor="", reason="a test"
        )
        with pytest.raises(Forbidden):
            give(client, chen, zhang, filled, organisation=identifier)
        seen = [each["may_give"] for each in client.page(chen)["companies"]]
        assert seen == ([False] if since is None else [])
        writer.giving.remove_representative(made, actor="")
    # Nor to themselves: they act for it anyway, and another has to say who else does.
    with pytest.raises(Forbidden) as own:
        give(client, boss, boss, filled, organisation=identifier)
    assert own.value.code == "own_role"


def test_nobody_ends_or_sees_what_is_not_theirs(filled: World, writer: DirectoryWriter) -> None:
    (identifier, boss), client = company(writer), peer(filled)
    chen, zhang, li = (subject(filled, name) for name in ("chen.wei", "zhang.min", "li.na"))
    give(client, chen, zhang, filled)
    give(client, boss, zhang, filled, organisation=identifier)
    with pytest.raises(NotFound):
        client.end(li, zhang, organisation="", principal=chen, scope="tax")
    with pytest.raises(NotFound):
        client.end(chen, zhang, organisation=identifier, principal="", scope="tax")
    # Two names in one question fit nothing.
    with pytest.raises(NotFound):
        client.end(chen, zhang, organisation=identifier, principal=chen, scope="tax")
    assert client.page(li)["given"] == []
    assert len([each for each in client.page(zhang)["held"] if each["service"] == "tax"]) >= 2
    client.end(chen, zhang, organisation="", principal=chen, scope="tax")
    client.end(boss, zhang, organisation=identifier, principal="", scope="tax")


def test_what_cannot_be_given_is_refused_and_nothing_is_changed(filled: World, writer: DirectoryWriter) -> None:
    chen, zhang, client = subject(filled, "chen.wei"), subject(filled, "zhang.min"), peer(filled)
    for kind, changed in (
        (Invalid, {"scope": "nothing-offered"}),
        (Invalid, {"until": day(filled, -1)}),
        (Invalid, {"until": day(filled, LONGEST.days + 1)}),
        (Invalid, {"until": "tomorrow"}),
        (Invalid, {"reason": "a\nb"}),
        (Forbidden, {"organisation": "nowhere"}),
    ):
        with pytest.raises(kind):
            give(client, chen, zhang, filled, **changed)
    with pytest.raises(NotFound):
        give(client, chen, "00000000-0000-4000-8000-000000000000", filled)
    with pytest.raises(Forbidden):
        give(client, chen, chen, filled)
    writer.disable_person(zhang, actor="", reason="a test")
    with pytest.raises(NotFound):
        give(client, chen, zhang, filled)
    with pytest.raises(NotFound):
        client.page(zhang)
    writer.enable_person(zhang, actor="")
    assert client.page(chen)["given"] == []
    with pytest.raises(Forbidden):
        peer(filled, "gateway").page(chen)


def test_who_stops_representing_while_they_give_gives_nothing(filled: World, writer: DirectoryWriter) -> None:
    identifier, _boss = company(writer)
    chen, zhang = subject(filled, "chen.wei"), subject(filled, "zhang.min")
    entrusting = writer.entrusting
    made = writer.giving.name_representative(chen, identifier, Capacity.LEGAL, actor="", reason="a test")
    asked = entrusting._representing
    times: list[int] = []

    def once(person: Any, organisation: str) -> None:
        times.append(1)
        if len(times) == 2:
            # Written past the lock that is held: another has removed them a moment before.
            filled.pool("directory").remove(filled.tree.entry("representatives", made))
        asked(person, organisation)

    entrusting._representing = once  # type: ignore[method-assign]  # a rival comes in between
    with pytest.raises(Forbidden):
        entrusting.give(
            chen, zhang, organisation=identifier, scope="tax", until=filled.clock.now().date() + timedelta(days=1)
        )
    assert len(times) == 2


def last(world: World, kind: str) -> Event:
    """The newest of its kind, recorded or on its way."""
    found = [each for each in (*world.recorder.events, *world.outbox()) if each.type == kind]
    assert found[-1].outcome is Outcome.SUCCESS
    return found[-1]
