# SPDX-License-Identifier: Apache-2.0
"""The gateway before granian's event loop: what is in memory is decided there, and everything else as ever."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from werkzeug.wrappers import Request

from audit import Entry, Event, Outcome
from core.calls import PairSecrets
from core.errors import TallygateError
from core.identity import HEADER
from gateway.request import ADAPTERS
from gateway.web import Served
from gateway.web.served import LARGEST, environ_of

from .conftest import SECRET, SUBJECT, Gateway, Recorded


@dataclass
class Asked:
    """A request as granian tells it."""

    given: list[tuple[str, str]]
    path: str = "/decide/external"
    method: str = "GET"
    query_string: str = ""
    http_version: str = "1.1"
    client: str = "unix:0"
    scheme: str = "http"

    @property
    def headers(self) -> "Asked":
        return self

    def items(self) -> list[tuple[str, str]]:
        return self.given


@dataclass
class Told:
    """Where the answer goes."""

    body: list[bytes] = field(default_factory=list)
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes = b""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for each in self.body:
            yield each

    def response_empty(self, status: int, headers: list[tuple[str, str]]) -> None:
        self.status, self.headers = status, dict(headers)

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.status, self.headers, self.content = status, dict(headers), body


class Loop(Recorded):
    """The way into the log, which the test may hold shut."""

    def __init__(self, unit: Gateway) -> None:
        super().__init__(unit.recorder)
        self.taken = 0
        self.shut = False
        self.held: list[tuple[bytes, Callable[[TallygateError | None], None]]] = []

    def submit(self, event: bytes, told: Callable[[TallygateError | None], None]) -> None:
        self.taken += 1
        if self.shut:
            self.held.append((event, told))
        else:
            super().submit(event, told)


class Front:
    """The gateway's own code behind it."""

    def __init__(self, unit: Gateway) -> None:
        self.unit, self.loop = unit, Loop(unit)
        self.served = Served(
            unit.decider,
            PairSecrets(dict.fromkeys(("nginx", "caddy"), SECRET)),
            unit.application(),
            together=self.loop,
            fresh=lambda: not unit.freshness.stale,
        )

    def ask(self, cookie: str = "", *more: tuple[str, str], caller: str = "nginx") -> Told:
        told = Told()
        asyncio.run(self.served.__rsgi__(Asked(question(cookie, *more, caller=caller)), told))
        return told

    def asked_in_the_loop(self, cookie: str = "", *more: tuple[str, str], caller: str = "nginx") -> bool:
        before = self.loop.taken
        self.ask(cookie, *more, caller=caller)
        return self.loop.taken > before


def question(cookie: str, *more: tuple[str, str], caller: str = "nginx") -> list[tuple[str, str]]:
    family = "x-original" if caller == "nginx" else "x-forwarded"
    return [
        ("tallygate-caller", caller),
        ("tallygate-secret", base64.b64encode(SECRET).decode()),
        (f"{family}-method", "GET"),
        (f"{family}-host", "tax.city.localhost"),
        (f"{family}-uri", "/declaration"),
        ("x-client-address" if caller == "nginx" else "x-forwarded-for", "203.0.113.7"),
        *([("cookie", cookie)] if cookie else []),
        *more,
    ]


@pytest.fixture
def front(unit: Gateway) -> Front:
    return Front(unit)


def test_who_is_in_memory_is_answered_in_the_loop_and_others_are_asked_about_first(front: Front) -> None:
    cookie = front.unit.open_session()
    # The directory is asked beside the loop; the record gets it from there, as of everybody else.
    assert front.asked_in_the_loop(cookie)
    told = front.ask(cookie)
    assert (front.loop.taken, told.status) == (2, 204)
    event = front.unit.recorder.events[-1]
    assert (event.type, event.subject, event.decision) == (
        "gateway.decision",
        SUBJECT,
        told.headers["Tallygate-Decision"],
    )
    assert told.headers[HEADER]
    assert "Content-Length" not in told.headers
    # The same as the long way says of the same question.
    asked = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in question(cookie)}
    assert front.unit.decider.decide(ADAPTERS["nginx"](asked, "external")).status == 204
    long_way = front.unit.recorder.events[-1]
    assert (event.attributes, event.sealed, event.policy) == (long_way.attributes, long_way.sealed, long_way.policy)
    assert front.unit.directory.asked == 1


def test_nothing_is_told_before_it_is_recorded(front: Front) -> None:
    cookie = front.unit.open_session()
    front.ask(cookie)

    async def ask() -> None:
        front.loop.shut, told = True, Told()
        asking = asyncio.ensure_future(front.served.__rsgi__(Asked(question(cookie)), told))
        await asyncio.sleep(0)
        [(event, answered)] = front.loop.held
        assert told.status == 0
        front.loop.shut = False
        front.loop.submit(event, answered)
        await asking
        assert told.status == 204

    asyncio.run(ask())


def test_without_a_receipt_there_is_no_access(front: Front) -> None:
    cookie = front.unit.open_session()
    front.ask(cookie)
    front.unit.recorder.down = True
    told = front.ask(cookie)
    assert (front.loop.taken, told.status, told.headers["Tallygate-Reason"]) == (2, 403, "record-unavailable")
    assert HEADER not in told.headers


def test_what_nobody_foresaw_is_a_refusal_and_no_error_of_the_server(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    cookie = front.unit.open_session()
    front.ask(cookie)

    with monkeypatch.context() as patch:
        patch.setitem(ADAPTERS, "nginx", lambda *_: 1 / 0)
        assert front.ask(cookie).status == 403
    assert front.ask(cookie).status == 204


def test_what_was_taken_away_is_refused_in_the_loop_too(front: Front) -> None:
    cookie = front.unit.open_session()
    front.ask(cookie)
    ended = Event(
        key=f"{9:032}",
        type="sso.session.ended",
        outcome=Outcome.INTENDED,
        at=front.unit.clock.now(),
        source="sso",
        subject=SUBJECT,
        session="sid-1",
    )
    front.unit.news.hear([Entry(index=0, event=ended)])
    told = front.ask(cookie)
    assert (front.loop.taken, told.status, told.headers["Tallygate-Reason"]) == (2, 401, "login")
    assert front.unit.recorder.events[-1].outcome is Outcome.DENIED


@pytest.mark.parametrize(
    "more",
    [
        [("authorization", "Bearer abc")],
        [("tallygate-client-certificate", "x")],
        [("tallygate-upgrade", "websocket")],
    ],
)
def test_what_may_have_to_wait_goes_the_long_way(front: Front, more: list[tuple[str, str]]) -> None:
    front.ask(front.unit.open_session())
    assert not front.asked_in_the_loop("", *more)
    assert len(front.unit.recorder.events) == 2


def test_so_does_everything_where_the_news_may_be_old_or_a_release_is_awaited(front: Front) -> None:
    cookie = front.unit.open_session()
    front.ask(cookie)
    front.unit.freshness.stale = True
    assert not front.asked_in_the_loop(cookie)
    assert front.ask(cookie).headers["Tallygate-Reason"] == "unavailable"
    front.unit.freshness.stale = False
    assert front.asked_in_the_loop(cookie)
    # Caddy limits nobody, so that a table shared with others does.
    assert not front.asked_in_the_loop(cookie, caller="caddy")


def test_a_second_reading_of_a_header_is_refused_as_before(front: Front) -> None:
    cookie = front.unit.open_session()
    front.ask(cookie)
    assert front.ask(cookie, ("x-original-host", "office.city.localhost")).headers["Tallygate-Reason"] == "unknown-host"
    assert front.ask(cookie, ("forwarded", "host=office")).headers["Tallygate-Reason"] == "forwarded"
    assert front.ask(cookie, ("cookie", cookie)).headers["Tallygate-Reason"] == "ambiguous-credential"
    assert front.ask(cookie, ("x_original_method", "GET")).headers["Tallygate-Reason"] == "forwarded"


def test_a_stranger_is_told_nothing_and_nothing_is_recorded(front: Front) -> None:
    told = Told()
    asyncio.run(front.served.__rsgi__(Asked([("tallygate-caller", "nginx"), ("tallygate-secret", "eA==")]), told))
    assert (told.status, told.headers["Tallygate-Reason"]) == (403, "unavailable")
    assert front.unit.recorder.events == []


def test_pages_are_the_applications(front: Front) -> None:
    told = Told()
    asyncio.run(front.served.__rsgi__(Asked([("host", "x")], path="/livez"), told))
    assert told.status == 200
    assert told.content
    large = Told(body=[b"x" * LARGEST, b"x"])
    asyncio.run(front.served.__rsgi__(Asked([("host", "x")], path="/livez", method="POST"), large))
    assert large.status == 413


def test_a_body_without_a_length_is_read_whole_and_wsgi_is_served_as_well(front: Front) -> None:
    def echo(environ: dict[str, Any], start_response: Callable[..., object]) -> list[bytes]:
        start_response("201 Created", [("X-Told", "yes")])
        return [Request(environ).get_data() if "wsgi.input" in environ else b""]

    served = Served(front.unit.decider, PairSecrets({}), echo, together=front.loop, fresh=lambda: True)
    told = Told(body=[b"a", b"b"])
    asyncio.run(served.__rsgi__(Asked([("transfer-encoding", "chunked")], path="/x", method="POST"), told))
    assert (told.status, told.headers, told.content) == (201, {"X-Told": "yes"}, b"ab")
    said: list[object] = []
    assert served(environ_of(Asked([], path="/x")), lambda status, headers: said.append((status, headers))) == [b""]
    assert said == [("201 Created", [("X-Told", "yes")])]


def test_an_application_that_breaks_is_answered_for(front: Front) -> None:
    def broken(environ: dict[str, Any], start_response: object) -> list[bytes]:
        del start_response
        raise ValueError(environ["PATH_INFO"])

    served = Served(front.unit.decider, PairSecrets({}), broken, together=front.loop, fresh=lambda: True)
    told = Told()
    asyncio.run(served.__rsgi__(Asked([], path="/x"), told))
    assert told.status == 500


def test_the_request_is_told_as_wsgi_tells_it() -> None:
    environ = environ_of(
        Asked(
            [("cookie", "a=1"), ("cookie", "b=2"), ("x-y", "1"), ("x_y", "2"), ("content-type", "text/plain")],
            path="/é",
            query_string="q=%20",
        )
    )
    told = ("PATH_INFO", "QUERY_STRING", "HTTP_COOKIE", "HTTP_X_Y", "CONTENT_TYPE", "REMOTE_ADDR")
    assert [environ[name] for name in told] == ["/Ã©", "q=%20", "a=1;b=2", "1,2", "text/plain", "unix"]


def test_people_are_kept_for_minutes_and_news_of_them_end_that(unit: Gateway) -> None:
    def asked() -> int:
        unit.people.person(SUBJECT)
        return unit.directory.asked

    assert [asked(), asked()] == [1, 1]
    unit.clock.advance(timedelta(minutes=4))
    assert asked() == 1
    unit.people.drop(SUBJECT)
    assert asked() == 2
    # What is read soon after news may come from a copy that is behind, and is not believed for minutes.
    unit.clock.advance(timedelta(seconds=31))
    assert asked() == 3
    unit.clock.advance(timedelta(minutes=4))
    assert asked() == 3
    unit.clock.advance(timedelta(minutes=2))
    assert asked() == 4


@pytest.mark.parametrize(
    ("kind", "about", "forgotten"),
    [
        ("directory.change.unrecorded", "somebody-else", True),
        ("directory.change.unrecorded", "", True),
        ("directory.tree.restored", "", True),
        ("directory.person.changed", "somebody-else", False),
        ("directory.people.searched", "", False),
    ],
)
def test_news_that_may_concern_everybody_make_everybody_be_read_again(
    unit: Gateway, kind: str, about: str, *, forgotten: bool
) -> None:
    unit.people.person(SUBJECT)
    event = Event(
        key=f"{1:032}", type=kind, outcome=Outcome.SUCCESS, at=unit.clock.now(), source="directory", subject=about
    )
    unit.news.hear([Entry(index=0, event=event)])
    unit.people.person(SUBJECT)
    assert unit.directory.asked == (2 if forgotten else 1)


def test_another_day_begins_with_everybody_read_again(unit: Gateway) -> None:
    now = unit.clock.now()
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0)
    unit.clock.advance(midnight - now - timedelta(seconds=1))
    unit.people.person(SUBJECT)
    unit.clock.advance(timedelta(seconds=2))
    unit.people.person(SUBJECT)
    assert unit.directory.asked == 2
