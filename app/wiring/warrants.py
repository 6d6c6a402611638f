# SPDX-License-Identifier: Apache-2.0
"""Composes the audit role's warrants: their tables, their relay, and what they let officers do."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from audit.config import AuditSettings
from audit.console import CaseBook, Console, Scopes, Switchboard, Warranting
from audit.models import Reader, Recorder
from audit.published import INDEX_KEY, Reading
from audit.relay import Relay
from audit.store import SavedStore
from audit.warrants import Erasing, Holding, Scope, Switching, Upkeep, Warrants, WarrantStore
from audit.watch import Duty
from core.config import secret

from ..context import Context
from . import alerts
from .lineage import past
from .switches import Switchable


@dataclass(frozen=True, kw_only=True)
class Consents:
    """What the console's other parts are given of warrants."""

    warrants: Warrants
    scopes: Scopes
    holding: Holding
    switching: Switching
    erasing: Erasing
    # Everything that a switch can name.
    choices: Callable[[], Sequence[str]]
    # How the outbox stands, for a probe.
    standing: Callable[[], Mapping[str, int]]

    @classmethod
    def open(cls, context: Context, opened: Reading, recorder: Recorder, *, cases: CaseBook) -> "Consents":
        """In the console's process."""
        store = _store(context)
        scopes = Scopes(
            log=opened.log,
            index=opened.index,
            names=opened.names,
            cases=cases,
            in_alert=alerts.store(context.site.folder("audit")).entries,
        )
        return cls(
            warrants=Warrants(
                store=store,
                recorder=recorder,
                clock=context.clock,
                life=context.settings("audit", AuditSettings).warrant_life,
                persons=scopes.persons,
                before=past(context).size,
            ),
            scopes=scopes,
            holding=Holding(store=store, recorder=recorder, clock=context.clock),
            switching=Switching(
                store=store,
                recorder=recorder,
                clock=context.clock,
                exists=(there := Switchable(context, opened.index)).exists,
            ),
            choices=there.choices,
            erasing=_erasing(context, opened, store, recorder),
            standing=_relay(context, store, recorder).standing,
        )

    def for_target(self, reader: Reader, target: str) -> str:
        """The warrant under which this officer lets personal parts leave for a target of exports.

        Raises:
            WarrantNeeded: the officer holds none.
        """
        return self.warrants.demand(reader, "export", Scope("target", target)).id

    def for_term(self, reader: Reader, retention: str, days: int) -> str:
        """The warrant under which this officer has a class of entries kept for so many days.

        Raises:
            WarrantNeeded: the officer holds none.
        """
        return self.warrants.demand(reader, "retention", Scope("class", f"{retention}={days}")).id

    def pages(self, console: Console) -> Warranting:
        """What the pages of warrants are made over."""
        acts = {
            "erase": self.erasing.erase,
            "hold": self.holding.place,
            "release": self.holding.release,
            "shut": self.switching.throw,
            "reopen": self.switching.throw,
        }
        return Warranting(
            console, warrants=self.warrants, holding=self.holding, acts=acts, sensible=self.switching.sensible
        )

    def switchboard(self, console: Console) -> Switchboard:
        """What the page of switches is made over."""
        return Switchboard(console, warrants=self.warrants, switching=self.switching, choices=self.choices)


def duties(context: Context, opened: Reading) -> list[Duty]:
    """In the watch process: what happens to warrants by itself, and the delivery of their records."""
    store, recorder = _store(context), context.recorder("audit")
    erasing = _erasing(context, opened, store, recorder)
    switching = Switching(store=store, recorder=recorder, clock=context.clock)
    upkeep = Upkeep(store=store, clock=context.clock, finish=erasing.finish, lapse=switching.lapse)
    relay = _relay(context, store, recorder)
    return [
        Duty(name="warrants", every=timedelta(seconds=10), act=lambda _stopped: upkeep.round()),
        Duty(name="warrants_outbox", every=timedelta(milliseconds=200), act=lambda _stopped: relay.drain()),
    ]


def _relay(context: Context, store: WarrantStore, recorder: Recorder) -> Relay:
    lock = context.site.folder("audit") / "warrants-relay.lock"
    return Relay(store.outbox, recorder, source="audit", clock=context.clock, lock=lock)


def saved_searches(folder: Path) -> SavedStore:
    """Officers' saved searches, in the audit role's folder."""
    return SavedStore.open(folder / "saved.db", key=secret(folder / INDEX_KEY))


def _store(context: Context) -> WarrantStore:
    return WarrantStore.open(context.site.folder("audit") / "warrants.db")


def _forget(context: Context, opened: Reading, subject: str) -> None:
    """What was derived from the erased part, what rules remember of the person, and what an officer kept."""
    opened.index.forget(subject)
    with closing(saved_searches(context.site.folder("audit"))) as kept:
        kept.forget(subject)
    with closing(alerts.store(context.site.folder("audit"))) as remembered:
        remembered.forget(subject)


def _erasing(context: Context, opened: Reading, store: WarrantStore, recorder: Recorder) -> Erasing:
    return Erasing(
        store=store,
        recorder=recorder,
        clock=context.clock,
        destroy=opened.seals.destroy,
        forget=lambda subject: _forget(context, opened, subject),
        alone=opened.seals.lock.alone,
    )
