# SPDX-License-Identifier: Apache-2.0
"""Reads the published log on and raises alerts.

One stretch of entries at a time: made rows, every condition evaluated over them, what concerns a correlation kept
until its window is over, and everything that came of it committed with the position. Whoever is killed in between does
it again and comes to the same. An alert is then told to the record under a key that follows from it, as often as it
takes, so that the record has it once.

All windows together keep no more than ``most_hits`` rows: when a flood fills them, the oldest are dropped, and an
alert of its own says so. So it is with entries that retention removed before anybody looked: the engine goes on behind
them.
"""

import json
from collections.abc import Callable, Sequence

from core.clock import Clock
from core.log import logger

from ..errors import LogDamaged, Pruned
from ..models import Entry, Event, Outcome, Recorder
from ..search import LogView
from .convert import LONGEST
from .evaluation import Evaluator, named
from .fields import TIME
from .flatten import Flat, Flattener, Memory, micros
from .models import Alert
from .own import FLOODED, UNSEEN
from .rules import RuleSet
from .store import AlertStore, Batch
from .stretch import Stretch, key_of_event, micro

BATCH = 1024
"""Entries at a time."""
MOST_HITS = 200_000
"""Rows that wait for others, of all rules together: some 100 MB of disk."""
_LONGEST_TEXT = 4000
_NEAR = 15
_log = logger(__name__)


class Engine:
    """One log, one set of rules."""

    def __init__(
        self,
        *,
        log: LogView,
        store: AlertStore,
        rules: RuleSet,
        flattener: Flattener,
        clock: Clock,
        recorder: Recorder | None,
        most_hits: int = MOST_HITS,
        evaluator: Evaluator | None = None,
    ) -> None:
        self._log = log
        self._store = store
        self._rules = rules
        self._flattener = flattener
        self._clock = clock
        # None on a dry run.
        self._recorder = recorder
        self._most_hits = most_hits
        self._evaluator = evaluator or Evaluator(columns=named(rules.rules))
        self._installed = False

    def advance(self, stopped: Callable[[], bool] = lambda: False) -> int:
        """Look at everything that is published, and tell the record; how many entries were looked at.

        Raises:
            LogDamaged: an entry is not what was signed; the position stays before it.
            RecordUnavailable: an alert could not be told yet; it is told with the next call.
        """
        self._install()
        self._tell()
        looked = 0
        errors: dict[str, str] = {}
        while not stopped():
            start, after = self._store.position()
            try:
                entries = self._log.read(start, BATCH) if start < self._log.size() else ()
            except Pruned:
                self._pass_over(start, after)
                continue
            if not entries:
                break
            errors |= self._stretch(entries, after)
            looked += len(entries)
            # Told at once: who waits for an alert does not wait for the whole past.
            self._tell()
        if looked:
            self._store.evaluated(self._clock.now(), errors)
        return looked

    def _install(self) -> None:
        """Say which rules are in force, if that has changed."""
        if self._installed:
            return
        digest, before = self._rules.digest, self._store.rules_in_force()
        if self._recorder is not None and before != digest:
            self._recorder.record(
                Event(
                    key=key_of_event("rules", digest, before, str(self._store.position()[0])),
                    type="audit.rules.changed",
                    outcome=Outcome.SUCCESS,
                    at=self._clock.now(),
                    source="audit",
                    actor="role:audit",
                    attributes={
                        "what": "changed" if before else "first",
                        "digest": digest,
                        "count": len(self._rules.rules),
                        "off": " ".join(rule.id for rule in self._rules.off)[:_LONGEST_TEXT],
                        "refused": len(self._rules.refused),
                    },
                )
            )
        self._store.install(self._rules.standings, digest)
        self._installed = True

    def _stretch(self, entries: Sequence[Entry], after: int) -> dict[str, str]:
        known = self._store.memory([name for entry in entries for name in Flattener.names(entry)])
        memory = dict(known)
        rows = self._flat(entries, memory, after)
        last = max((int(row[TIME] or 0) for row in rows.values()), default=after)
        batch = Batch(
            start=entries[0].index,
            next=entries[-1].index + 1,
            after=last,
            remembered={name: value for name, value in memory.items() if known.get(name) != value},
            over=last - micro(LONGEST),
        )
        stretch = self._looker(rows, batch)
        stretch.look(self._rules.rules)
        if self._store.commit(batch):
            self._bound(batch)
        return stretch.errors

    def _pass_over(self, start: int, after: int) -> None:
        """Go on at the first entry that is kept, and say which ones no rule has seen."""
        kept = self._log.kept_from(start)
        if kept <= start:
            raise LogDamaged(index=start, why="it is said to be pruned and lies where all is kept")
        batch = Batch(start=start, next=kept, after=after)
        self._looker({}, batch).say(UNSEEN, {"first": str(start), "last": str(kept - 1)}, [kept])
        if self._store.commit(batch):
            _log.error("alerts_passed_over_pruned", first=start, last=kept - 1)

    def _looker(self, rows: dict[int, Flat], batch: Batch) -> Stretch:
        return Stretch(
            rows=rows,
            batch=batch,
            log=self._log,
            store=self._store,
            evaluator=self._evaluator,
            at=self._clock.now(),
        )

    def _flat(self, entries: Sequence[Entry], memory: dict[str, Memory], after: int) -> dict[int, Flat]:
        now = micros(self._clock.now())
        times = [micros(entry.event.at) for entry in entries]
        rows: dict[int, Flat] = {}
        for place, entry in enumerate(entries):
            # What most of the next ones say bounds it too: a single wrong clock must not pull them all with it.
            near = sorted(times[place : place + _NEAR])
            bound = min(now, near[(len(near) - 1) // 2])
            row = self._flattener.row(entry, memory, after=after, until=bound)
            if row is not None:
                rows[entry.index] = row
                after = int(row[TIME] or 0)
        return rows

    def _bound(self, batch: Batch) -> None:
        """Keep the windows within their size."""
        if self._store.count_hits() <= self._most_hits:
            return
        told = Batch(start=batch.next, next=batch.next, after=batch.after)
        self._looker({}, told).say(FLOODED, {}, [batch.next - 1])
        if self._store.commit(told):
            cut = self._store.cut(most=self._most_hits * 9 // 10)
            _log.error("alert_window_cut", hits=cut)

    def _tell(self) -> None:
        """Bring to the record what it does not hold yet."""
        if self._recorder is None:
            return
        while waiting := self._store.unrecorded():
            for alert in waiting:
                index = self._recorder.record(_event(alert)).index
                self._store.recorded(alert.id, self._log.base() + index)


def _event(alert: Alert) -> Event:
    """That it was raised. Not about its subject: who is watched need not learn of it from their own record."""
    entries = {"first": alert.entries[0], "last": alert.entries[-1]} if alert.entries else {}
    return Event(
        key=key_of_event("raised", alert.id),
        type="audit.alert.raised",
        outcome=Outcome.SUCCESS,
        at=alert.raised,
        source="audit",
        object=alert.id,
        attributes={
            "rule": alert.rule,
            "version": alert.version,
            "digest": alert.digest,
            "level": alert.level.value,
            "count": alert.count,
            "group": json.dumps(dict(alert.group), ensure_ascii=False)[:_LONGEST_TEXT],
            **entries,
        },
    )
