# SPDX-License-Identifier: Apache-2.0
"""What a person sees of themselves: sessions and where they were used, what was agreed, who read what."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from core.clock import Clock
from core.errors import TallygateError, Unavailable

from ..models import Client, Consent, HeldMandate, Session
from ..store import Store
from .mandates import Mandates
from .records import Records

T = TypeVar("T")

OwnRecord = Callable[[str, str, int | None], Sequence[Mapping[str, Any]]]
"""The newest entries of the record about one subject, in one language; of those before an entry, if one is given."""

OwnProof = Callable[[str, int], tuple[bytes, str]]
"""One entry about one subject, as it was hashed, and its proof."""

FULL = 20
"""Entries on a page; where there are fewer, none are older."""

_SHOWN = ("client", "purpose", "index", "type", "time", "says", "where", "by", "outcome_says")


@dataclass(frozen=True, kw_only=True)
class AccountPage:
    """Everything on "My account"."""

    # With the portals each was used at: applications, or hosts where none is registered.
    sessions: list[tuple[Session, list[Client | str]]]
    consents: list[tuple[Consent, Client]]
    # For whom the person may act, and who may act for them with their two names; None: the directory does not answer.
    held: Sequence[HeldMandate] | None
    given: Sequence[tuple[HeldMandate, str, str]] | None
    # None: the record does not answer at the moment.
    entries: Sequence[Mapping[str, str]] | None
    # Portals that entries name.
    portals: Mapping[str, Client]


class Account:
    """The person's own view and the one thing to withdraw there that is not a session."""

    def __init__(
        self,
        *,
        store: Store,
        records: Records,
        clock: Clock,
        own_record: OwnRecord,
        own_proof: OwnProof,
        mandates: Mandates,
        nudge: Callable[[], None],
    ) -> None:
        self._store = store
        self._records = records
        self._clock = clock
        self._own_record = own_record
        self._own_proof = own_proof
        self._mandates = mandates
        self._nudge = nudge

    def page(self, session: Session, *, language: str) -> AccountPage:
        """Collect it; the record may be silent without taking the rest away."""
        sessions = self._store.sessions.of(session.subject, self._now())
        places = self._store.grants.places_of([each.sid for each in sessions])
        consents = self._store.consents.of(session.subject)
        wanted = {name for used in places.values() for name, _ in used} | {each.client_id for each in consents}
        entries = self._entries(session.subject, language, None)
        wanted |= {entry["client"] for entry in entries or () if entry["client"]}
        clients = self._store.clients.named(wanted)
        return AccountPage(
            sessions=[(each, self._portals(places.get(each.sid, []), clients)) for each in sessions],
            consents=[(each, clients[each.client_id]) for each in consents if each.client_id in clients],
            held=self._of_directory(self._mandates.held, session.subject),
            given=self._of_directory(self._mandates.given, session.subject),
            entries=entries,
            portals=clients,
        )

    def record(
        self, session: Session, *, before: int, language: str
    ) -> tuple[Sequence[Mapping[str, str]] | None, Mapping[str, Client]]:
        """What is recorded about the person before one entry, and the portals named there; as on the page."""
        entries = self._entries(session.subject, language, before)
        return entries, self._store.clients.named({entry["client"] for entry in entries or () if entry["client"]})

    def at(self, host: str) -> Client | str:
        """The application at a host; the host itself where none is registered."""
        return self._store.clients.at_host(host) or host

    def _portals(self, used: list[tuple[str, str]], clients: Mapping[str, Client]) -> list[Client | str]:
        """Each portal once, whether it asked itself or the gateway asked on its behalf."""
        found: dict[str, Client | str] = {}
        for name, host in used:
            client = clients.get(name)
            if client is not None and client.trusted:
                portal = self._store.clients.at_host(host) or host
                found.setdefault(portal if isinstance(portal, str) else portal.id, portal)
            elif client is not None:
                found.setdefault(client.id, client)
        return list(found.values())

    def proof(self, session: Session, index: int) -> tuple[bytes, str]:
        """One entry about this person, as it was hashed, and its proof, to keep and to check elsewhere.

        Raises:
            NotFound: there is none, or it is about somebody else.
            Unavailable: the record does not answer.
        """
        return self._own_proof(session.subject, index)

    def _of_directory(self, asked: Callable[[str], Sequence[T]], subject: str) -> Sequence[T] | None:
        try:
            return asked(subject)
        except Unavailable:
            return None

    def withdraw(self, session: Session, client_id: str) -> None:
        """Take a consent back: every token that came of it ends at once."""
        record = self._records.consent_withdrawn(session.subject, client_id, session=session.sid)
        self._store.consents.withdraw(
            session.subject,
            client_id,
            self._now(),
            record,
            lambda grant: self._records.tokens_revoked(grant, reason="consent withdrawn"),
        )
        self._nudge()

    def _entries(self, subject: str, language: str, before: int | None) -> Sequence[Mapping[str, str]] | None:
        try:
            found = self._own_record(subject, language, before)
            return [{name: str(entry.get(name, "")) for name in _SHOWN} for entry in found]
        except TallygateError:
            return None

    def _now(self) -> int:
        return int(self._clock.now().timestamp())
