# SPDX-License-Identifier: Apache-2.0
"""The record and the tables agree, or nothing is issued: after a restored backup the record knows more.

At each start the record is heard from where the tables say it was heard last; restored tables say an older place. What
was begun since then is adopted as "possibly issued": visible, revocable and never good, since its bytes are lost. What
was revoked or suspended since then is so again. Until the log has proved that everything was heard, no certificate is
made, none is released and none is called good.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from audit import Entry, Outcome
from core.clock import Clock
from core.log import logger

from ..errors import AlreadyRevoked, AlreadySuspended, NotReconciled
from ..models import Reason, Standing, State, read_serial
from ..store import Intent, Store
from .notes import Names, event, note

_log = logger(__name__)

ABOUT = ("ca.certificate.",)
"""Beginnings of the types of events that are heard."""

_INTENDED = "ca.certificate.intended"
_ABANDONED = "ca.certificate.abandoned"
_STANDINGS = {
    "ca.certificate.revoked": Standing.REVOKED,
    "ca.certificate.suspended": Standing.SUSPENDED,
    "ca.certificate.released": Standing.GOOD,
}
_RANDOM_BITS = 136
_MOST_UNSAVED = 1000
_PATIENCE = timedelta(seconds=30)
_LIFE = timedelta(days=3 * 365)
"""Longest validity of a profile, for an entry that does not say until when."""


@dataclass
class _Heard:
    """What the record says of one serial, as far as it was heard since the last agreement."""

    begun: Intent | None = None
    abandoned: bool = False
    standing: Standing | None = None
    reason: Reason = Reason.UNSPECIFIED


class Reconciliation:
    """Hears the record as a follower; see ``audit.client.Follower``."""

    def __init__(self, *, store: Store, clock: Clock, instance: int, nudge: Callable[[], None] = lambda: None) -> None:
        self._store = store
        self._clock = clock
        self._instance = instance
        self._nudge = nudge
        self._serials: dict[str, _Heard] = {}
        self._position = 0
        self._saved = 0
        self._saved_at: datetime | None = None
        self._agreed = False

    def check(self) -> None:
        """Demand that everything the record held at our start was heard.

        Raises:
            NotReconciled: not yet.
        """
        if not self._agreed:
            raise NotReconciled

    def start(self) -> int:
        """Where to begin; whatever was heard and not settled is heard again."""
        self._serials.clear()
        self._position = self._saved = self._store.heard()
        return self._position

    def hear(self, entries: Sequence[Entry]) -> None:
        """Some entries in order; none means that the log has proved there are no more.

        Raises:
            Unavailable: the database did not answer; they are heard again.
        """
        if entries:
            # From the first agreement on, what the record says of our certificates comes from these very tables.
            for entry in () if self._agreed else entries:
                self._note(entry)
            self._position = entries[-1].index + 1
            return
        if not self._agreed:
            self._settle()
            self._agreed = True
            _log.info("reconciled", position=self._position)
        self._save()

    def _note(self, entry: Entry) -> None:
        said = entry.event
        if not said.type.startswith(ABOUT) or not self._ours(said.object):
            return
        heard = self._serials.setdefault(said.object, _Heard())
        if said.type == _INTENDED and said.attributes.get("act") == "release":
            # The tables may have it released and its record still on the way: no reason to suspend it again.
            heard.standing = Standing.GOOD
        elif said.type == _INTENDED:
            heard.begun = _intent(entry)
        elif said.type == _ABANDONED and not said.attributes.get("possibly_issued"):
            heard.abandoned = True
        elif said.type in _STANDINGS:
            heard.standing = _STANDINGS[said.type]
            reason = said.attributes.get("reason")
            heard.reason = Reason(reason) if reason in set(Reason) else Reason.UNSPECIFIED

    def _ours(self, serial: str) -> bool:
        # Another instance keeps its serials in tables of its own.
        return bool(serial) and read_serial(serial) == serial and int(serial, 16) >> _RANDOM_BITS == self._instance

    def _settle(self) -> None:
        adopted = withdrawn = 0
        if self._serials:
            adopted, withdrawn = self._adopt(), self._withdraw()
            self._serials.clear()
        if adopted or withdrawn:
            _log.error("tables_were_behind_the_record", adopted=adopted, withdrawn=withdrawn)
            facts = {"adopted": adopted, "withdrawn": withdrawn, "position": self._position}
            told = event("ca.tables.reconciled", Outcome.SUCCESS, at=self._clock.now(), attributes=facts)
            self._store.outbox_put(note(told))
            self._nudge()

    def _adopt(self) -> int:
        begun = {serial: heard.begun for serial, heard in self._serials.items() if heard.begun is not None}
        lost = self._store.unknown(begun) if begun else set()
        for state, wanted in ((State.INTENDED, False), (State.ABANDONED, True)):
            intents = [begun[serial] for serial in sorted(lost) if self._serials[serial].abandoned is wanted]
            if intents:
                self._store.adopt(intents, state=state)
        return len(lost)

    def _withdraw(self) -> int:
        changed = 0
        for serial, heard in self._serials.items():
            if heard.standing in (Standing.REVOKED, Standing.SUSPENDED):
                changed += self._withdrawn(serial, heard.standing, heard.reason)
        return changed

    def _withdrawn(self, serial: str, standing: Standing, reason: Reason) -> bool:
        """Take back what the tables do not know to be taken back; the record of it says that it was found so."""
        if self._store.unknown([serial]):
            # Its intent lies before the place where the record begins for us.
            return False
        found = self._store.certificate(serial)
        if found.standing is standing or found.standing in (Standing.REVOKED, Standing.UNKNOWN):
            return False
        kind = next(kind for kind, known in _STANDINGS.items() if known is standing)
        facts = {"issuer": found.issuer, "profile": found.profile, "reason": reason.value, "reconciled": True}
        at = self._clock.now()
        told = event(
            kind,
            Outcome.SUCCESS,
            at=at,
            subject=found.subject,
            actor="role:ca",
            serial=serial,
            attributes=facts,
            names=Names(subject=found.name),
        )
        try:
            self._store.withdraw(serial, standing=standing, reason=reason, at=at, note=note(told))
        except (AlreadyRevoked, AlreadySuspended):
            return False
        return True

    def _save(self) -> None:
        """Not at every heartbeat: what is heard twice after a crash agrees twice."""
        now = self._clock.now()
        due = self._saved_at is None or now - self._saved_at >= _PATIENCE
        if self._position != self._saved and (due or self._position - self._saved >= _MOST_UNSAVED):
            self._store.hear(self._position)
            self._saved, self._saved_at = self._position, now


def _intent(entry: Entry) -> Intent:
    """What an entry tells of a certificate whose row is lost; its name is sealed, its bytes were never there."""
    said, facts = entry.event, entry.event.attributes
    try:
        until = datetime.fromisoformat(str(facts.get("not_after", "")))
    except ValueError:
        until = said.at + _LIFE
    shard = facts.get("shard", 0)
    return Intent(
        serial=said.object,
        issuer=str(facts.get("issuer", "")),
        profile=str(facts.get("profile", "")),
        subject=said.subject or said.organisation or str(facts.get("machine", "")),
        actor=said.actor,
        at=said.at,
        name="",
        not_before=said.at,
        not_after=until,
        key_hash="",
        tbs=b"",
        commitment_key=b"",
        shard=shard if isinstance(shard, int) else 0,
    )
