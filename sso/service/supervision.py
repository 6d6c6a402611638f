# SPDX-License-Identifier: Apache-2.0
"""What administrators see of a person, recorded before they see it, and the sessions that they end. No secrets."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from audit import Event
from core.clock import Clock
from core.errors import NotFound, TallygateError

from ..models import Client, CodeApp, FactorReset, KnownBrowser, Passkey, Recovery, RecoveryCodes, Session
from ..store import Store
from .account import OwnRecord
from .collaborators import People, Person
from .records import Records
from .resets import Resets

_LOGINS = ("sso.login",)


@dataclass(frozen=True, kw_only=True)
class PersonPage:
    """Everything on the page."""

    person: Person
    sessions: list[tuple[Session, list[Client | str]]]
    app: CodeApp | None
    passkeys: list[Passkey]
    recovery_codes: RecoveryCodes | None
    browsers: list[KnownBrowser]
    recoveries: list[Recovery]
    resets: list[FactorReset]
    # Whether a reset takes two administrators.
    high: bool
    # The newest; None: the record does not answer at the moment.
    logins: Sequence[Mapping[str, str]] | None
    at: int

    @property
    def factors(self) -> bool:
        """Whether there is anything to reset."""
        return self.app is not None or bool(self.passkeys)


class Supervision:
    """Looks and ends."""

    def __init__(
        self,
        *,
        people: People,
        store: Store,
        records: Records,
        resets: Resets,
        own_record: OwnRecord,
        clock: Clock,
        nudge: Callable[[], None],
    ) -> None:
        self._people = people
        self._store = store
        self._records = records
        self._resets = resets
        self._own_record = own_record
        self._clock = clock
        self._nudge = nudge

    def find(self, username: str, *, actor: str) -> str:
        """Whose user name it is; that nobody was found is recorded, too.

        Raises:
            NotFound: nobody's.
            RecordUnavailable: nothing is said.
        """
        try:
            return self._people.person_by_username(username).subject
        except NotFound:
            account = self._records.account(username)
            self._records.write(self._records.person_viewed(actor=actor, account=account))
            raise

    def page(self, subject: str, *, actor: str, language: str) -> PersonPage:
        """Collect it, once it is recorded who looks.

        Raises:
            NotFound: there is nobody.
            RecordUnavailable: nothing is shown.
        """
        person, at = self._people.person(subject), self._now()
        self._records.write(self._records.person_viewed(actor=actor, subject=subject))
        sessions = self._store.sessions.of(subject, at)
        places = self._store.grants.places_of([each.sid for each in sessions])
        clients = self._store.clients.named({name for used in places.values() for name, _ in used})
        return PersonPage(
            person=person,
            sessions=[(each, _used(places.get(each.sid, []), clients)) for each in sessions],
            app=self._store.factors.code_app(subject),
            passkeys=self._store.passkeys.of(subject),
            recovery_codes=self._store.factors.recovery_codes(subject),
            browsers=self._store.browsers.of(subject, at),
            recoveries=self._store.recoveries.waiting_of(subject, at),
            resets=self._resets.under_way(subject),
            high=self._resets.high(person),
            logins=self._logins(subject, language),
            at=at,
        )

    def end(self, subject: str, sid: str, *, actor: str) -> None:
        """End one session of a person; of another person nothing.

        Raises:
            NotFound: it is over already, or somebody else's.
        """
        if not self._store.sessions.end(sid, subject, self._now(), self._ended(actor)):
            raise NotFound
        self._nudge()

    def end_all(self, subject: str, *, actor: str) -> None:
        """End all of them."""
        self._store.sessions.end_of_person(subject, self._now(), self._ended(actor))
        self._nudge()

    def _logins(self, subject: str, language: str) -> Sequence[Mapping[str, str]] | None:
        try:
            found = self._own_record(subject, language, None)
        except TallygateError:
            return None
        shown = ("time", "where", "outcome_says")
        return [{name: str(each.get(name, "")) for name in shown} for each in found if each.get("type") in _LOGINS]

    def _ended(self, actor: str) -> Callable[[Session], Event]:
        return lambda session: self._records.session_ended(session, reason="ended by an administrator", actor=actor)

    def _now(self) -> int:
        return int(self._clock.now().timestamp())


def _used(places: list[tuple[str, str]], clients: Mapping[str, Client]) -> list[Client | str]:
    """Where a session was used; the site's gateway stands for the host."""
    found: dict[str, Client | str] = {}
    for name, host in places:
        client = clients.get(name)
        portal: Client | str = host if client is None or client.trusted else client
        found.setdefault(portal if isinstance(portal, str) else portal.id, portal)
    return list(found.values())
