# SPDX-License-Identifier: Apache-2.0
"""Browsers that a person logged in with before, and logins that look as if somebody else had made them.

A known browser has a door of its own: whoever guesses elsewhere, in the same network too, does not keep its person
waiting. It proves nothing: password, code and policies are asked for as anywhere.
"""

import secrets
from collections.abc import Callable

from core.clock import Clock

from ..config import SSOSettings
from ..models import KnownBrowser, Session, Suspicion, Visitor, WarningKind
from ..store import Store, digest
from .letters import Letters
from .records import Records

Distance = Callable[[str, str], int | None]
"""Kilometres between two networks by the site's table of places; None where it does not know one of them."""
Place = Callable[[str], str]
"""The name of the place where a network is, by the same table; empty where it does not know it."""

# As the rule "impossible_travel" of the record has it.
_FAR_KM, _FAST_KMH = 300, 900
_ANSWERABLE = 30 * 86_400


class Browsers:
    """Known by cookie and user name together."""

    def __init__(
        self,
        *,
        store: Store,
        records: Records,
        letters: Letters,
        settings: SSOSettings,
        clock: Clock,
        distance: Distance,
        place: Place,
        nudge: Callable[[], None],
    ) -> None:
        self._store = store
        self._records = records
        self._letters = letters
        self._settings = settings
        self._clock = clock
        self._distance = distance
        self.place = place
        self._nudge = nudge

    def known(self, cookie: str, username: str) -> KnownBrowser | None:
        """The browser as this user's, if they logged in with it before."""
        return self._store.browsers.find(_key(cookie, username), self._now()) if cookie and username else None

    def of(self, session: Session) -> list[KnownBrowser]:
        """All of a person's."""
        return self._store.browsers.of(session.subject, self._now())

    def forget(self, session: Session, identifier: str) -> None:
        """Forget one of the person's own."""
        self._store.browsers.forget(session.subject, identifier)

    def open_questions(self, session: Session) -> list[Suspicion]:
        """Logins the person has not said anything about yet."""
        return self._store.suspicions.open_of(session.subject, self._now())

    def own(self, session: Session, identifier: str) -> None:
        """It was the person."""
        self._store.suspicions.own(session.subject, identifier, self._now())

    def foreign(self, session: Session, identifier: str) -> bool:
        """It was somebody else: all sessions end and no browser is known; False if there was nothing to answer."""
        said = self._store.suspicions.foreign(
            session.subject,
            identifier,
            self._now(),
            lambda each: self._records.session_ended(each, reason="disowned by its person"),
        )
        self._nudge()
        return said

    def logged_in(self, session: Session, visitor: Visitor, *, username: str, cookie: str, failures: int) -> None:
        """After a login: ask the person about it if it is unlike those before, and know the browser from now on."""
        at = self._now()
        before = self._store.browsers.of(session.subject, at)
        kind = self._suspicious(before, _key(cookie, username), visitor, failures, at)
        if kind is not None:
            self._ask(session, visitor, kind, at)
        same = next((each for each in before if each.digest == _key(cookie, username)), None)
        self._store.browsers.keep(
            KnownBrowser(
                id=same.id if same else secrets.token_hex(16),
                digest=_key(cookie, username),
                subject=session.subject,
                network=visitor.network,
                agent=visitor.agent,
                created_at=same.created_at if same else at,
                seen_at=at,
                expires_at=at + int(self._settings.browser_lifetime.total_seconds()),
            )
        )

    def _suspicious(
        self, before: list[KnownBrowser], key: str, visitor: Visitor, failures: int, at: int
    ) -> WarningKind | None:
        if before and self._travelled(before[0], visitor, at):
            return "travel"
        if failures >= self._settings.suspicious_failures:
            return "failures"
        # Whoever logs in for the first time has nothing to compare with.
        new = before and all(each.digest != key for each in before)
        if new and all(each.network != visitor.network for each in before):
            return "browser"
        return None

    def _travelled(self, last: KnownBrowser, visitor: Visitor, at: int) -> bool:
        kilometres = self._distance(last.network, visitor.network)
        if kilometres is None or kilometres < _FAR_KM:
            return False
        return kilometres * 3600 >= _FAST_KMH * max(at - last.seen_at, 1)

    def _ask(self, session: Session, visitor: Visitor, kind: WarningKind, at: int) -> None:
        suspicion = Suspicion(
            id=secrets.token_hex(16),
            subject=session.subject,
            kind=kind,
            sid=session.sid,
            network=visitor.network,
            agent=visitor.agent,
            at=at,
            expires_at=at + _ANSWERABLE,
        )
        facts = {"network": visitor.network, "agent": visitor.agent or "-", "time": _moment(self._clock)}
        record = self._records.suspicious(session, kind=kind, network=visitor.network)
        self._store.suspicions.add(suspicion, self._letters.letter(session.subject, kind, facts), record)
        self._nudge()

    def _now(self) -> int:
        return int(self._clock.now().timestamp())


def _key(cookie: str, username: str) -> str:
    return digest(f"browser\0{cookie}\0{username.strip().casefold()}")


def _moment(clock: Clock) -> str:
    return clock.now().strftime("%Y-%m-%d %H:%M UTC")
