# SPDX-License-Identifier: Apache-2.0
"""Hearing the log: what others took away ends sessions here. Every worker hears everything; twice changes nothing."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from audit import Entry, Event
from ca.models import read_authority
from core.clock import Clock

from ..models import Grant, Session
from ..store import Store
from ..store.news import CLIENT, MACHINE
from ..store.sessions import Barred
from .records import Records
from .recovery import Recoveries

# Entries heard before the position is written down, if none of them concerned us.
_STRIDE = 500


class News:
    """What the follower calls."""

    def __init__(
        self,
        *,
        store: Store,
        records: Records,
        clock: Clock,
        nudge: Callable[[], None],
        reload_policies: Callable[[], object] = lambda: None,
        recoveries: Recoveries,
        source: str = "people",
    ) -> None:
        self._store = store
        self._records = records
        self._clock = clock
        self._nudge = nudge
        self._reload_policies = reload_policies
        self._recoveries = recoveries
        # The issuing authority whose certificates people log in with.
        self._issuer = source
        self._written = 0
        self._heard: int | None = None

    @property
    def about(self) -> tuple[str, ...]:
        """What the feed must tell."""
        return tuple(self._ACTS)

    def start(self) -> int:
        """Where to begin listening: at first where any worker got to, later where this one did.

        The tables are shared, the policies in force are each worker's own.
        """
        if self._heard is None:
            place = self._store.news.position()
            # The bundle was read before this place was: a release in between would go unheard.
            self._reload_policies()
            self._written = self._heard = place
        return self._heard

    def hear(self, entries: Sequence[Entry]) -> None:
        """Act on what is new; an empty sequence is a heartbeat."""
        acted = False
        for entry in entries:
            act = self._ACTS.get(entry.event.type)
            if act is not None:
                act(self, entry)
                acted = True
        if entries and (acted or entries[-1].index + 1 - self._written >= _STRIDE):
            self._written = entries[-1].index + 1
            self._store.news.advance(self._written)
        if entries:
            self._heard = entries[-1].index + 1
        if acted:
            self._nudge()

    def _person_disabled(self, entry: Entry) -> None:
        self._stop_recoveries(entry.event.subject, "person disabled")
        self._bar("person", entry.event.subject, entry, reason="person disabled")

    def _person_changed(self, entry: Entry) -> None:
        event = entry.event
        if event.outcome == "success" and event.attributes.get("what") == "password":
            # Whoever logged in before may have known the old one; a login after it stands, whenever this is heard.
            self._store.sessions.end_older(
                event.subject, int(event.at.timestamp()), self._now(), self._ended("password changed")
            )
            # Links that were mailed before are worth nothing; the one way that set it is at its last step.
            self._stop_recoveries(event.subject, "password changed")

    def _stop_recoveries(self, subject: str, why: str) -> None:
        self._recoveries.stop_all(subject, why=why)

    def _person_enabled(self, entry: Entry) -> None:
        # The directory announces the act and says later how it ended; only that it ended well counts.
        if entry.event.outcome == "success":
            self._store.news.unbar("person", entry.event.subject, entry.index, self._now())

    def _known_less(self, entry: Entry) -> None:
        """A level of proofing ended; what is left is what was proofed before and still counts."""
        left = entry.event.attributes.get("to")
        self._lower(entry, left if isinstance(left, int) else 0)

    def _known_anew(self, entry: Entry) -> None:
        level = entry.event.attributes.get("level")
        if entry.event.outcome == "success" and isinstance(level, int):
            self._lower(entry, level)

    def _lower(self, entry: Entry, level: int) -> None:
        def ended(grant: Grant) -> Event:
            return self._records.tokens_revoked(grant, reason="known less surely")

        self._store.sessions.lower(entry.event.subject, level, self._now(), ended)

    def _mandate_withdrawn(self, entry: Entry) -> None:
        event = entry.event
        principal = str(event.attributes.get("principal", ""))
        whom = f"person:{principal}" if principal else f"organisation:{event.organisation}"
        key = f"{whom}:{event.attributes.get('scope', '')}"
        self._store.grants.end_mandate(event.subject, key, self._now(), self._mandate_ended)

    def _mandate_ended(self, grant: Grant) -> Event:
        return self._records.tokens_revoked(grant, reason="mandate withdrawn")

    def _certificate_withdrawn(self, entry: Entry) -> None:
        if self._ours(entry):
            self._bar("certificate", entry.event.object, entry, reason="certificate withdrawn")
        elif self._of_machines(entry):
            # Nobody logged in with it; what was issued to work with it alone ends.
            self._store.news.bar_machine(entry.event.object, entry.index)

    def _certificate_released(self, entry: Entry) -> None:
        if self._ours(entry) and entry.event.outcome == "success":
            self._store.news.unbar("certificate", entry.event.object, entry.index, self._now())
        elif self._of_machines(entry) and entry.event.outcome == "success":
            self._store.news.unbar(MACHINE, entry.event.object, entry.index, self._now())

    def _bar(self, kind: Barred, name: str, entry: Entry, *, reason: str) -> None:
        self._store.sessions.bar(kind, name, entry.index, self._now(), self._ended(reason))

    def _policies_released(self, entry: Entry) -> None:
        # The intent comes before the bundle; reading early is harmless, for what is unsigned or older is refused.
        if entry.event.outcome == "success":
            self._reload_policies()

    def _switch_shut(self, entry: Entry) -> None:
        """Two officers shut a client: from the intent on it is given nothing, unless the act failed after all."""
        kind, _, name = entry.event.object.partition("=")
        if kind == "client":
            if entry.event.outcome == "failure":
                self._store.news.unbar(CLIENT, name, entry.index, self._now())
            elif entry.event.outcome in ("intended", "success"):
                self._store.news.bar_client(name, entry.index)

    def _switch_opened(self, entry: Entry) -> None:
        kind, _, name = entry.event.object.partition("=")
        if kind == "client" and entry.event.outcome == "success":
            self._store.news.unbar(CLIENT, name, entry.index, self._now())

    def _ours(self, entry: Entry) -> bool:
        """Whether any generation of our authority issued it; what names no authority of the site counts as ours."""
        issuer = read_authority(str(entry.event.attributes.get("issuer", self._issuer)))
        return issuer is None or issuer.kind == self._issuer

    def _of_machines(self, entry: Entry) -> bool:
        issuer = read_authority(str(entry.event.attributes.get("issuer", "")))
        return issuer is not None and issuer.kind == "devices"

    def _ended(self, reason: str) -> Callable[[Session], Event]:
        return lambda session: self._records.session_ended(session, reason=reason)

    def _now(self) -> int:
        return int(self._clock.now().timestamp())

    _ACTS: ClassVar[dict[str, Callable[["News", Entry], None]]] = {
        "directory.mandate.withdrawn": _mandate_withdrawn,
        "directory.person.changed": _person_changed,
        "directory.person.disabled": _person_disabled,
        "directory.person.enabled": _person_enabled,
        "directory.proofing.ended": _known_less,
        "directory.proofing.granted": _known_anew,
        "ca.certificate.revoked": _certificate_withdrawn,
        "ca.certificate.suspended": _certificate_withdrawn,
        "ca.certificate.released": _certificate_released,
        "gateway.switch.reopened": _switch_opened,
        "gateway.switch.shut": _switch_shut,
        "policy.released": _policies_released,
    }
