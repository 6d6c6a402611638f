# SPDX-License-Identifier: Apache-2.0
"""What is decided while the world goes on: late records, releases in between, proxies that cannot prove themselves."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from audit import Entry, Event, Outcome, Receipt, Wait, decode_event
from audit.models_rules import check
from gateway import GatewaySettings
from gateway.authzen import question
from gateway.config import EnforcementPoint
from gateway.errors import Reason, Refused
from gateway.models import NOBODY
from gateway.request import certificate_digest
from gateway.service import Sockets
from gateway.service.accompanying import over_at
from gateway.service.attempts import Attempts, counted_as
from gateway.store import SessionRevoked
from gateway.tokens import Ties
from policies import Decision, DecisionRequest
from tests.gateway import test_familiar
from tests.gateway.conftest import DEVICE, SUBJECT, Gateway, certificate, make_site
from tests.gateway.test_service_decision import ask, hear

Meanwhile = Callable[[], None]


def _ended(unit: Gateway) -> None:
    hear(unit, "sso.session.ended", index=9, session="sid-1")


def _slow_log(unit: Gateway, monkeypatch: pytest.MonkeyPatch, *, seconds: float, meanwhile: Meanwhile) -> None:
    record = unit.recorder.record

    def late(event: Event, *, wait: Wait = Wait.SEQUENCED) -> Receipt:
        receipt = record(event, wait=wait)
        unit.clock.advance(timedelta(seconds=seconds))
        meanwhile()
        return receipt

    monkeypatch.setattr(unit.recorder, "record", late)


@pytest.mark.parametrize(
    ("seconds", "ends", "silent", "reason"),
    [
        (1.5, False, False, ""),
        # A log that stands still keeps the news back too: what was decided before them is not told after them.
        (1.5, True, False, "unavailable"),
        (1.5, False, True, "unavailable"),
        # Within the second that a revocation may take.
        (0.2, True, False, ""),
    ],
)
def test_what_was_taken_away_while_the_record_was_waited_for_bites(
    unit: Gateway, monkeypatch: pytest.MonkeyPatch, seconds: float, reason: str, *, ends: bool, silent: bool
) -> None:
    cookie = unit.open_session()

    def meanwhile() -> None:
        unit.freshness.stale = silent
        if ends:
            _ended(unit)

    _slow_log(unit, monkeypatch, seconds=seconds, meanwhile=meanwhile)
    answer = ask(unit, unverified_cookie=cookie)
    assert (answer.reason, bool(answer.identity)) == (reason, not reason)
    assert len(unit.recorder.events) == 1


def test_the_same_holds_in_the_loop(unit: Gateway) -> None:
    cookie = unit.open_session()
    unit.people.person(SUBJECT)

    def begun_and_told(meanwhile: Meanwhile) -> tuple[bool, str]:
        begun = unit.decider.begin(test_familiar.question(cookie))
        assert begun is not None
        meanwhile()
        return unit.decider.late(begun), unit.decider.told(begun).reason

    def slowly() -> None:
        unit.clock.advance(timedelta(seconds=1.5))

    def slowly_and_ended() -> None:
        slowly()
        _ended(unit)

    assert begun_and_told(lambda: None) == (False, "")
    assert begun_and_told(slowly) == (True, "")
    assert begun_and_told(slowly_and_ended) == (True, "unavailable")


def test_an_enforcement_point_is_told_no_yes_of_before_the_news(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = {"lab": EnforcementPoint(key="a" * 64, zones=("external",))}
    unit = Gateway(make_site(folder), settings=replace(GatewaySettings(), enforcement_points=points))
    asked = question({
        "subject": {"type": "person", "id": SUBJECT}, "action": {"name": "access"},
        "resource": {"type": "portal", "id": "tax"},
    })  # fmt: skip
    assert unit.point.evaluate(asked, caller="lab").allowed
    _slow_log(unit, monkeypatch, seconds=1.5, meanwhile=lambda: None)
    assert unit.point.evaluate(asked, caller="lab").allowed
    monkeypatch.undo()
    out: dict[str, Any] = {"subject": SUBJECT}
    _slow_log(unit, monkeypatch, seconds=1.5, meanwhile=lambda: hear(unit, "directory.person.disabled", index=9, **out))
    verdict = unit.point.evaluate(asked, caller="lab")
    assert (verdict.allowed, verdict.code) == (False, "unavailable")
    unit.database.close()


@pytest.mark.parametrize(("places", "reason"), [({}, ""), ({"203.0.113.7": "branch"}, "unavailable")])
def test_no_request_is_placed_by_one_release_and_decided_by_the_next(
    unit: Gateway, monkeypatch: pytest.MonkeyPatch, places: dict[str, str], reason: str
) -> None:
    decide = unit.engine.decide

    def released(asked: DecisionRequest) -> Decision:
        unit.engine.version, unit.engine.places = "8", places
        return decide(asked)

    monkeypatch.setattr(unit.engine, "decide", released)
    assert ask(unit, unverified_cookie=unit.open_session()).reason == reason


def test_where_no_proxy_can_prove_itself_only_what_all_may_have_is_given(
    unit: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy of another zone that is asked for no certificate looks like anybody of the listener's own zone."""
    cookie = unit.open_session()
    pem = certificate("proxy")[0]
    shown = quote(pem.decode())
    unit.engine.peers = {certificate_digest(shown): "branch"}
    decide = unit.engine.decide

    def only_from(*zones: str) -> None:
        def decided(asked: DecisionRequest) -> Decision:
            if asked.from_zone in zones:
                return decide(asked)
            return Decision(allowed=False, code="zone", reasons=("no-row",), step_up=None, version="7")

        monkeypatch.setattr(unit.engine, "decide", decided)

    only_from("external", "branch")
    assert ask(unit, unverified_cookie=cookie).reason == ""
    only_from("external")
    assert ask(unit, unverified_cookie=cookie).reason == "zone"
    only_from("branch")
    assert ask(unit, unverified_cookie=cookie).reason == "zone"
    # Where devices are taken TLS asks, and the proxy is known by its certificate.
    device = {"unverified_host": "devices.city.localhost", "unverified_target": "/api/device/v1/me"}
    only_from("external")
    own = unit.open_session("d" * 43, host="devices.city.localhost")
    assert ask(unit, **device, unverified_cookie=own).reason == ""
    assert ask(unit, **device, unverified_cookie=own, unverified_certificate=shown).reason == "zone"
    assert unit.recorder.events[-1].zone == "branch"
    # At other listeners nobody speaks for it.
    only_from("internal")
    inside = unit.open_session("i" * 43, listener="internal")
    assert ask(unit, unverified_cookie=inside, listener="internal").reason == ""


def test_a_way_that_is_closed_to_such_a_zone_is_closed_there(unit: Gateway) -> None:
    cookie = unit.open_session()
    unit.engine.peers = {"a" * 64: "branch"}
    socket = {
        "unverified_target": "/queue/live", "upgrade": "websocket",
        "origin": f"https://tax.city.localhost:{unit.site.ports.external}",
    }  # fmt: skip
    over: list[str] = []
    answer = ask(unit, unverified_cookie=cookie, **socket)
    unit.sockets.open(unit.sealing.opened(answer.ties, at=unit.clock.now()), end=over.append)
    hear(unit, "gateway.switch.shut", index=1, object="zones=branch:external")
    assert over == ["switch"]
    assert ask(unit, unverified_cookie=cookie).reason == "shut"
    hear(unit, "gateway.switch.reopened", index=2, object="zones=branch:external")
    assert ask(unit, unverified_cookie=cookie).reason == ""


def test_what_was_begun_under_a_mandate_is_not_opened_after_its_withdrawal(unit: Gateway) -> None:
    """The person logged in for somebody, the mandate was taken back and given anew before the session stood."""
    of: dict[str, Any] = {"subject": SUBJECT, "attributes": {"principal": "p9", "scope": "tax", "until": "2099-01-01"}}
    hear(unit, "directory.mandate.withdrawn", index=1, **of)
    with pytest.raises(SessionRevoked):
        unit.open_session(mandate="person:p9:tax", mandate_ends=int(unit.clock.now().timestamp()) + 3600)
    unit.open_session(mandate="person:p8:tax", mandate_ends=int(unit.clock.now().timestamp()) + 3600)


@pytest.mark.parametrize(("after", "goes_on"), [("sid-1", True), ("sid-2", False)])
def test_whoever_logs_in_again_leaves_no_session_behind_unsaid(unit: Gateway, after: str, *, goes_on: bool) -> None:
    """More surely as themselves, or as somebody else at the same browser: then what the one had open ends."""
    cookie = unit.open_session()
    over: list[str] = []
    unit.sockets.open(replace(ties("d1"), heard=0), end=over.append)

    def log_in(old: str) -> str:
        login, _ = unit.logins.begin(host="tax.city.localhost", listener="external", to="/", acr=2)
        unit.sign_on.id_token = unit.signed_in(nonce=login.nonce, sid=after)
        return unit.logins.finish(
            login, code="c", state=login.state, issuer=unit.site.origin("sso"), address="203.0.113.7", old_cookie=old
        )

    def ended() -> list[Event]:
        waiting = [decode_event(each.body) for each in unit.store.outbox.head() if each.body != b"{}"]
        return [each for each in waiting if each.type == "gateway.session.ended"]

    again = log_in(cookie.partition("=")[2])
    assert ask(unit, unverified_cookie=cookie).reason == "login"
    (end,) = ended()
    check(end)
    assert (end.session, end.attributes.get("reason")) == ("sid-1", "replaced" if goes_on else None)
    unit.news.hear([Entry(index=3, event=end)])
    assert bool(over) is not goes_on
    assert ask(unit, unverified_cookie=f"__Host-tallygate={again}").reason == ""
    # What is no session of ours ends none.
    log_in("x" * 43)
    assert len(ended()) == 1


def test_of_ipv6_a_whole_network_is_counted_as_one(unit: Gateway) -> None:
    attempts = Attempts(clock=unit.clock, limit=2)
    for number in range(2):
        attempts.refused(f"2001:db8:1:2::{number}")
    assert attempts.exhausted("2001:db8:1:2:ffff::9")
    assert not attempts.exhausted("2001:db8:1:3::1")
    assert counted_as("::ffff:203.0.113.7") == counted_as("203.0.113.7") == "203.0.113.7"
    assert counted_as("fe80::1%eth0") == "fe80::/64"
    assert (counted_as("no:address"), counted_as("")) == ("no:address", "")


def test_an_address_of_ipv6_has_the_share_of_its_network(folder: Path) -> None:
    unit = Gateway(make_site(folder), settings=GatewaySettings(rate=1, burst=3))
    given = {"unverified_cookie": unit.open_session()}
    answers = [ask(unit, **given, limited=False, address=f"2001:db8:1:2::{n}").status for n in range(4)]
    assert answers == [204, 204, 204, 403]
    assert ask(unit, **given, limited=False, address="2001:db8:1:3::1").status == 204
    unit.database.close()


def ties(decision: str, subject: str = SUBJECT) -> Ties:
    return Ties(
        decision=decision, subject=subject, session="sid-1", organisation="", resource="tax",
        host="tax.city.localhost", zone="external", role="portal:tax", live="live", names=(), until=0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("edge", "own", "ends"),
    [
        # The session may lie idle for half an hour; at nine the policies say something else; at midnight the day ends.
        ("2026-11-30T09:00", "2026-11-30T08:50", "08:50"),
        ("2026-11-30T08:59", "2026-11-30T23:50", "08:59"),
        ("", "2026-12-01T07:00", "00:00"),
        ("", "", "00:00"),
    ],
)
def test_what_stays_open_ends_with_the_day_and_where_time_decides(edge: str, own: str, ends: str) -> None:
    def moment(text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)

    caller = replace(NOBODY, kind="person", until=moment(own) if own else None)
    found = over_at(caller, edge=int(moment(edge).timestamp()) if edge else 0, at=moment("2026-11-30T08:20"))
    assert f"{datetime.fromtimestamp(found, UTC):%H:%M}" == ends


def test_a_socket_says_until_when_it_was_allowed(unit: Gateway) -> None:
    now = int(unit.clock.now().timestamp())
    unit.engine.changes_at = now + 7
    socket = {
        "unverified_cookie": unit.open_session(), "unverified_target": "/queue/live", "upgrade": "websocket",
        "origin": f"https://tax.city.localhost:{unit.site.ports.external}",
    }  # fmt: skip
    over: list[str] = []
    held = unit.sockets.open(unit.sealing.opened(ask(unit, **socket).ties, at=unit.clock.now()), end=over.append)
    assert held.ties.until <= now + 7
    unit.clock.advance(timedelta(seconds=7))
    unit.sockets.watch()
    assert over == ["time"]


def test_what_hangs_on_a_certificate_ends_with_the_next_ceremony(unit: Gateway) -> None:
    """A root takes an authority back; what it vouched for is open until somebody looks again."""
    over: list[str] = []
    shown = (("certificate", "ab"), ("device", DEVICE))
    unit.sockets.open(replace(ties("d1"), names=shown), end=over.append)
    unit.sockets.open(ties("d2"), end=over.append)
    hear(unit, "ca.ceremony.completed", index=3, outcome=Outcome.FAILURE)
    assert over == []
    hear(unit, "ca.ceremony.completed", index=4)
    assert over == ["authorities"]


@pytest.mark.parametrize("way_out", [False, True])
def test_many_that_come_at_once_do_not_all_find_room(unit: Gateway, *, way_out: bool) -> None:
    keeper = Sockets(
        store=unit.store, recorder=unit.recorder, news=unit.news, freshness=unit.freshness, clock=unit.clock, each=2,
        tunnels=2,
    )  # fmt: skip
    # All of them have been let in before the first one is open.
    together, check = threading.Barrier(2), unit.freshness.check
    unit.freshness.check = lambda: (together.wait(20), check())[1]  # type: ignore[method-assign]
    held, refused = [], []

    def open_one(number: int) -> None:
        try:
            held.append(keeper.open(ties(f"d{number}"), end=lambda _reason: None, way_out=way_out))
        except Refused as error:
            refused.append(error.reason)

    threads = [threading.Thread(target=open_one, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert (len(held), refused) == (2, [Reason.TOO_MANY] * 4)
    # A way out is on the record as opened before it comes here, so each of its ends is too.
    ends = [decode_event(note.body) for note in unit.store.outbox.head() if note.body != b"{}"]
    assert [each.attributes["reason"] for each in ends] == ["too-many"] * (4 if way_out else 0)
    unit.freshness.check = check  # type: ignore[method-assign]
    keeper.open(ties("other", DEVICE), end=lambda _reason: None, way_out=way_out)
    keeper.close(held[0], "client", sent=0, received=0)
    keeper.open(ties("again"), end=lambda _reason: None, way_out=way_out)


def test_while_the_news_are_late_nothing_passes_and_nobody_is_held_up(unit: Gateway) -> None:
    over: list[str] = []
    unit.sockets.open(ties("d1"), end=over.append)
    assert unit.sockets.passing()
    unit.freshness.late = True
    # It would wait, and with it everybody's bytes.
    unit.freshness.check = pytest.fail  # type: ignore[method-assign]
    unit.sockets.watch()
    assert (unit.sockets.passing(), over) == (False, [])
    unit.freshness.late = False
    unit.sockets.watch()
    assert (unit.sockets.passing(), over) == (True, [])
    unit.freshness.stale = True
    unit.sockets.watch()
    assert over == ["stale"]
