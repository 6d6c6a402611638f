# SPDX-License-Identifier: Apache-2.0
"""What officers do with alerts: look at them, take them on, close them. Every look is recorded before it is shown.

Taking on and closing go into the record with the officer's reason first, sealed under the officer's own key, and then
bite; whoever comes second finds that the alert has moved.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from core.clock import Clock
from core.errors import TallygateError
from core.log import logger

from ..models import Attribute, Event, Outcome, Recorder, Wait
from ..search.evidence import Inclusion, proof_text
from .errors import AlertAboutYou, AlertMoved, NoReasonGiven, NoSuchAlert
from .models import Alert, Proven, RuleStanding, State
from .store import AlertStore

_log = logger(__name__)
PAGE = 50
LONGEST_REASON = 2000
HITS_OVER = timedelta(days=30)
_MOVES = {
    State.ACKNOWLEDGED: ("audit.alert.acknowledged", (State.OPEN,)),
    State.CLOSED: ("audit.alert.closed", (State.OPEN, State.ACKNOWLEDGED)),
}


class Officer(Protocol):
    """Who asks."""

    @property
    def subject(self) -> str:
        """The officer's identifier."""
        ...

    @property
    def session(self) -> str:
        """Their session."""
        ...

    @property
    def zone(self) -> str:
        """Where from."""
        ...

    @property
    def decision(self) -> str:
        """The gateway's decision that let them in."""
        ...


@dataclass(frozen=True, kw_only=True)
class AlertPage:
    """Some alerts, the newest first."""

    alerts: Sequence[Alert]
    # Last alert of this page, if there is another page.
    after: str
    open: int


class AlertDesk:
    """The verbs."""

    def __init__(
        self,
        *,
        store: AlertStore,
        recorder: Recorder,
        clock: Clock,
        # The proof of an entry against the checkpoint that enough witnesses cosigned; None while it covers less.
        cosigned: Callable[[int], Inclusion | None] = lambda _index: None,
    ) -> None:
        self._cosigned = cosigned
        self._store = store
        self._recorder = recorder
        self._clock = clock

    def open_alerts(self) -> int:
        """How many nobody has dealt with; a number, which is nobody's secret among officers."""
        return self._store.open_alerts()

    def page(self, officer: Officer, state: State | None, *, rule: str = "", after: str = "") -> AlertPage:
        """The alerts of one state, or of one rule.

        Raises:
            RecordUnavailable: the look could not be recorded.
        """
        found = self._store.page(state, rule=rule, after=after, limit=PAGE)
        shown = found[:PAGE]
        facts: dict[str, Attribute] = {"view": "alerts", "shown": len(shown), "hits": len(shown)}
        self._record("audit.searched", officer, facts | ({"state": state.value} if state else {}))
        more = len(found) > PAGE
        return AlertPage(alerts=shown, after=shown[-1].id if more else "", open=self._store.open_alerts())

    def show(self, officer: Officer, alert: str) -> tuple[Alert, Sequence[Proven]]:
        """One alert with its entries.

        Raises:
            NoSuchAlert: there is none of this identifier.
            RecordUnavailable: the look could not be recorded.
        """
        found = self._found(alert)
        proven = self._store.proven(alert)
        self._record("audit.searched", officer, {"view": "alert", "hits": len(proven)}, what=alert)
        return found, proven

    def proof(self, officer: Officer, alert: str, index: int) -> str:
        """The proof of one of its entries, a C2SP file; raises as ``show``.

        Against the checkpoint that enough witnesses cosigned, or else as it was when the alert was raised.
        """
        for each in self._store.proven(alert):
            if each.index == index:
                witnessed = self._witnessed(index)
                self._record("audit.opened", officer, {"part": "proof", "alert": alert}, what=str(index))
                if witnessed is not None:
                    return proof_text(witnessed)
                return proof_text(Inclusion(index=each.number, path=tuple(each.path), checkpoint=each.checkpoint))
        raise NoSuchAlert

    def witnessed(self, proven: Sequence[Proven]) -> bool:
        """Whether the proofs of all these entries lead to a checkpoint that enough witnesses cosigned."""
        return bool(proven) and all(self._witnessed(each.index) is not None for each in (proven[0], proven[-1]))

    def _witnessed(self, index: int) -> Inclusion | None:
        try:
            return self._cosigned(index)
        except TallygateError as error:
            # What was kept with the alert stands, also beside a log that is damaged now.
            _log.warning("alert_not_proven_anew", code=error.code)
            return None

    def rules(self, officer: Officer) -> Sequence[RuleStanding]:
        """Every rule, with its alerts of the last 30 days.

        Raises:
            RecordUnavailable: the look could not be recorded.
        """
        found = self._store.rules(since=self._clock.now() - HITS_OVER)
        self._record("audit.searched", officer, {"view": "rules", "hits": len(found)})
        return found

    def looked_until(self) -> int:
        """How many entries of the log the rules have seen."""
        return self._store.position()[0]

    def move(self, officer: Officer, alert: str, to: State, *, reason: str) -> None:
        """Take an alert on, or close it.

        Raises:
            NoSuchAlert: there is none of this identifier.
            NoReasonGiven: no words, or too many.
            AlertAboutYou: it is about what this officer did; the attempt is recorded.
            AlertMoved: somebody was faster, or it is closed.
            RecordUnavailable: it could not be recorded; nothing has changed.
        """
        said = reason.strip()
        if not said or len(said) > LONGEST_REASON:
            raise NoReasonGiven
        found = self._found(alert)
        kind, allowed = _MOVES[to]
        if found.state not in allowed:
            raise AlertMoved
        facts = {"rule": found.rule, "level": found.level.value}
        if officer.subject in {found.group.get("actor"), found.group.get("subject")}:
            self._record(kind, officer, facts, what=alert, outcome=Outcome.DENIED)
            raise AlertAboutYou
        self._record(kind, officer, facts, what=alert, sealed={"reason": said}, wait=Wait.PUBLISHED)
        if not self._store.move(alert, before=found.state, after=to, officer=officer.subject, at=self._clock.now()):
            raise AlertMoved

    def _found(self, alert: str) -> Alert:
        found = self._store.find(alert)
        if found is None:
            raise NoSuchAlert
        return found

    def _record(
        self,
        kind: str,
        officer: Officer,
        attributes: Mapping[str, Attribute],
        *,
        what: str = "",
        sealed: Mapping[str, str] | None = None,
        wait: Wait = Wait.SEQUENCED,
        outcome: Outcome = Outcome.SUCCESS,
    ) -> None:
        event = Event(
            key=secrets.token_hex(16),
            type=kind,
            outcome=outcome,
            at=self._clock.now(),
            source="audit",
            subject=officer.subject,
            actor=officer.subject,
            object=what,
            session=officer.session,
            zone=officer.zone,
            decision=officer.decision,
            attributes=attributes,
            sealed=sealed or {},
        )
        self._recorder.record(event, wait=wait)
