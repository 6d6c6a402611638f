# SPDX-License-Identifier: Apache-2.0
"""On PostgreSQL readers do not wait for writers: what is checked first and done then must hold even so."""

import secrets
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from audit import Event, Outcome
from core.db import Database
from sso.errors import InteractionLost
from sso.models import Authentication, Code, Grant, Handover, Interaction, Session
from sso.store import Door, Patience, Store
from sso.store.news import bar
from sso.store.sessions import Barred, Opening
from tests.fakes import postgres
from tests.fakes.clock import ManualClock
from tests.fakes.sso_directory import LI

MIGRATIONS = Path(__file__).parents[2] / "sso" / "migrations"
AT = 1000
SESSION = Session(
    sid="sid",
    digest="cookie",
    subject=LI,
    name="Li",
    name_zh="",
    methods=("pwd",),
    assurance=1,
    certificate="",
    network="",
    agent="",
    authenticated_at=AT,
    created_at=AT,
    seen_at=AT,
    expires_at=AT * 9,
)
GRANT = Grant(
    id="grant",
    subject=LI,
    client_id="tax",
    sid="sid",
    scopes=frozenset({"openid"}),
    assurance=1,
    methods=("pwd",),
    authenticated_at=AT,
    nonce="",
    place="",
    created_at=AT,
)
PARKED = Interaction(id="i", browser="browser", request=None, begun_as="", agreed_as="", expires_at=AT * 9)
CODE = Code(
    digest="code", grant_id="grant", client_id="tax", redirect_uri="u", challenge="c", expires_at=AT * 9, used=False
)


@pytest.fixture
def database(postgres_server: Path) -> Iterator[Database]:
    opened = Database.open(postgres.migrated(postgres_server, MIGRATIONS))
    yield opened
    opened.close()


@pytest.fixture
def store(database: Database) -> Store:
    return Store(database)


def _event(kind: str) -> Event:
    key = secrets.token_hex(16)
    grant: dict[str, Any] = {}
    if kind != "sso.session.ended":
        grant = {"object": "grant", "attributes": {"client": "tax"}}
    at = ManualClock().now()
    return Event(key=key, type=kind, outcome=Outcome.SUCCESS, at=at, source="sso", subject=LI, **grant)


def _ended(_session: Session) -> Event:
    return _event("sso.session.ended")


def _open(store: Store, session: Session = SESSION) -> None:
    assert store.sessions.open(session, Opening(previous=""), _ended)


class _Meanwhile:
    """Does something else just before the first statement that begins so."""

    def __init__(self, database: Database, beginning: str, act: object) -> None:
        self._database, self._beginning, self._act, self._done = database, beginning, act, False

    def __enter__(self) -> None:
        event.listen(self._database.engine, "before_cursor_execute", self._look)

    def __exit__(self, *_: object) -> None:
        event.remove(self._database.engine, "before_cursor_execute", self._look)
        assert self._done

    def _look(self, _connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith(self._beginning) and not self._done:
            self._done = True
            assert callable(self._act)
            self._act()


def test_a_card_handover_is_redeemed_once(database: Database, store: Store) -> None:
    proof = Authentication(subject=LI, name="Li", name_zh="", methods=("sc",), assurance=3, certificate="1a")
    handover = Handover(interaction=replace(PARKED, ticket="ticket"), authentication=proof)
    assert store.interactions.answer(handover, back="back", expires_at=AT * 9)
    assert not store.interactions.answer(handover, back="another", expires_at=AT * 9)
    won: list[object] = []

    def quicker() -> None:
        won.append(store.interactions.take_back("back", "browser", AT))

    with _Meanwhile(database, "UPDATE handovers", quicker):
        assert store.interactions.take_back("back", "browser", AT) is None
    assert won == [handover]


def test_a_parked_request_is_answered_once(database: Database, store: Store) -> None:
    _open(store)
    other = replace(GRANT, id="other")

    def quicker() -> None:
        outcome = _event("sso.code.issued")
        assert store.grants.issue(other, None, expires_at=AT * 9, at=AT, outcome=outcome, answers=PARKED)

    with (
        _Meanwhile(database, "INSERT INTO spent", quicker),
        pytest.raises(InteractionLost),
    ):
        store.grants.issue(GRANT, CODE, expires_at=AT * 9, at=AT, outcome=_event("sso.code.issued"), answers=PARKED)
    assert store.grants.standing("other", AT)
    assert not store.grants.standing("grant", AT)


def test_parallel_guesses_are_all_counted(store: Store) -> None:
    door, patience = Door(key="door", free=3, forgets=True), Patience(first=2, longest=900, memory=3600)
    let_in: list[bool] = []
    together = threading.Barrier(8)

    def guess() -> None:
        together.wait()
        let_in.append(store.attempts.knock([door], patience, at=AT))

    guesses = [threading.Thread(target=guess) for _ in range(8)]
    for thread in guesses:
        thread.start()
    for thread in guesses:
        thread.join()
    # Three that cost nothing, one that closes the door.
    assert sorted(let_in) == [False] * 4 + [True] * 4


def test_old_news_that_overlap_new_ones_change_nothing(database: Database, store: Store) -> None:
    store.sessions.bar("person", LI, 5, AT, _ended)

    def released() -> None:
        store.news.unbar("person", LI, 6, AT)
        _open(store)

    with _Meanwhile(database, "INSERT INTO barred", released):
        assert store.sessions.bar("person", LI, 5, AT, _ended) == []
    assert not store.news.barred(subject=LI, certificate="")
    assert store.sessions.by_cookie("cookie", AT) is not None


def test_a_session_that_two_workers_end_at_once_is_recorded_once(database: Database, store: Store) -> None:
    _open(store)
    assert store.grants.issue(GRANT, CODE, expires_at=AT * 9, at=AT, outcome=_event("sso.code.issued"))
    before = len(store.outbox.head())
    other = threading.Thread(target=lambda: store.sessions.end_of_person(LI, AT, _ended))

    def meanwhile() -> None:
        other.start()
        other.join(timeout=0.2)

    with _Meanwhile(database, "UPDATE sessions", meanwhile):
        store.sessions.end_of_person(LI, AT, _ended)
    other.join()
    assert len(store.outbox.head()) == before + 1


@pytest.mark.parametrize(("kind", "name"), [("person", LI), ("certificate", "c4rd")])
@pytest.mark.parametrize("again", [False, True])
def test_nobody_comes_in_beside_the_worker_that_bars_them(
    database: Database, store: Store, kind: Barred, name: str, *, again: bool
) -> None:
    """Its statements see nothing of the other's before that is committed, nor the other of its."""
    session, opening, came = replace(SESSION, certificate="c4rd"), Opening(previous=""), list[bool]()
    record = lambda _: _event("sso.session.ended")  # noqa: E731 - one line
    if again:
        assert store.sessions.open(session, opening, record)

    def come() -> None:
        if again:
            came.append(store.sessions.raised(replace(session, digest="d2"), previous="cookie", forgiven=(), at=AT))
        else:
            came.append(store.sessions.open(session, opening, record))

    other = threading.Thread(target=come)
    with database.transaction() as connection:
        assert bar(connection, kind, name, 7)
        other.start()
        # It waits for this one, or has not come so far yet: the end is the same.
        other.join(0.3)
    other.join(20)
    assert came == [False]


def test_a_code_is_not_redeemed_for_a_session_that_is_ending(database: Database, store: Store) -> None:
    _open(store)
    assert store.grants.issue(GRANT, CODE, expires_at=AT * 9, at=AT, outcome=_event("sso.code.issued"))
    ended = threading.Event()

    def end() -> None:
        store.sessions.end_of_person(LI, AT, _ended)
        ended.set()

    thread = threading.Thread(target=end)

    def meanwhile() -> None:
        # The end has to wait until the redemption is over: only then it knows of everything that has to end.
        thread.start()
        assert not ended.wait(0.2)

    with _Meanwhile(database, "UPDATE codes", meanwhile):
        assert store.codes.consume(CODE, refresh=None, at=AT, outcome=_event("sso.token.issued"))
    thread.join()
    assert not store.grants.standing("grant", AT)


def test_a_code_for_a_session_that_has_ended_is_not_issued(store: Store) -> None:
    _open(store, replace(SESSION, sid="gone"))
    store.sessions.end("gone", LI, AT, _ended)
    grant = replace(GRANT, id="other", sid="gone")
    assert not store.grants.issue(grant, None, expires_at=AT * 9, at=AT, outcome=_event("sso.code.issued"))


def test_a_log_of_thousands_of_millions_is_followed_on(store: Store) -> None:
    """One busy month; a number of 32 bits would have ended the following, and with it every login."""
    far = 1 << 40
    store.news.advance(far)
    store.news.bar_machine("ab", far)
    assert (store.news.position(), store.news.withdrawn("ab")) == (far, True)
