# SPDX-License-Identifier: Apache-2.0
"""What one stretch of the log means to the rules: which are met, and what has to be kept for later.

Nothing here is written; what comes of it is one ``Batch``. A group of a correlation keeps no more hits than its rule
can need (``_needed``), and none once the rule was met: the next alert about it needs as many new ones.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from core.log import logger

from ..errors import Pruned
from ..search import LogView
from .errors import RuleStopped
from .evaluation import Evaluator, Met, group_of, key_of, own_key
from .fields import TIME
from .flatten import Flat, moment
from .models import MOST_ENTRIES, Alert, Kind, Proven, Rule
from .own import CROWD, STOPPED, Own
from .store import AlertStore, Batch, Hit, Raised

MOST_RAISED = 50
"""Alerts of one rule from one stretch of the log; the rest becomes one alert of its own."""
_OWN_QUIET = timedelta(hours=1)
_IN_ORDER_OF_TWO = 2
_log = logger(__name__)


class Stretch:
    """Fills ``batch``; ``errors`` says why rules could not be evaluated."""

    def __init__(
        self,
        *,
        rows: Mapping[int, Flat],
        batch: Batch,
        log: LogView,
        store: AlertStore,
        evaluator: Evaluator,
        at: datetime,
    ) -> None:
        self._rows = rows
        self._batch = batch
        self._log = log
        self._store = store
        self._evaluator = evaluator
        self._at = at
        self._quiet: dict[tuple[str, str], tuple[str, int]] | None = None
        self.errors: dict[str, str] = {}

    def look(self, rules: Sequence[Rule]) -> None:
        """Evaluate every rule over the rows."""
        self._evaluator.load(self._rows.values())
        found = [(rule, self._matched(rule)) for rule in rules]
        for rule, hits in found:
            if hits and rule.kind is Kind.SINGLE:
                self._single(rule, [entry for _slot, entry in hits])
            elif hits:
                self._correlate(rule, hits)

    def say(self, own: Own, group: Mapping[str, str], entries: Sequence[int]) -> None:
        """An alert about the watching itself, once an hour for each group."""
        key = json.dumps(list(group.values()))
        newest = max(entries, default=self._batch.next - 1)
        if self._again(own.id, key, self._batch.after, newest):
            return
        alert = Alert(
            id=key_of_event(own.id, key, str(newest)),
            rule=own.id,
            version="",
            digest="",
            level=own.level,
            kind=Kind.OWN,
            told=own.told,
            query="",
            group=group,
            since=moment(self._batch.after),
            until=moment(self._batch.after),
            count=max(1, len(entries)),
            raised=self._at,
        )
        self._keep(alert, key, sorted(entries) or [newest], self._batch.after + micro(_OWN_QUIET))

    def _matched(self, rule: Rule) -> list[tuple[int, int]]:
        """Which of the rule's conditions are met by which entries, in the order of the log."""
        try:
            found = [
                (slot, entry)
                for slot, predicate in enumerate(rule.predicates)
                for entry in self._evaluator.matches(rule, predicate)
            ]
        except RuleStopped as error:
            self._stopped(rule, error, list(self._rows)[-1:])
            return []
        return sorted(found, key=lambda each: each[1])

    def _single(self, rule: Rule, entries: Sequence[int]) -> None:
        rest: list[int] = []
        raised = 0
        for entry in entries:
            row = self._rows[entry]
            key, at = own_key(row, rule), _time(row)
            if self._again(rule.id, key, at, entry):
                continue
            if raised >= MOST_RAISED:
                rest.append(entry)
                continue
            before = {row.get(field) for field in rule.predicates[0].compared}
            both = sorted({entry, *(each for each in before if isinstance(each, int) and each < entry)})
            self._raise(rule, key, Met(group=(), since=at, until=at, count=1, entries=both))
            raised += 1
        if rest:
            self.say(CROWD, {"rule": rule.id}, rest)

    def _correlate(self, rule: Rule, hits: Sequence[tuple[int, int]]) -> None:
        pending = self._grouped(rule, hits)
        kept: dict[str, list[Hit]] = {key: [] for key in pending}
        if pending:
            since = min(hit.at for found in pending.values() for hit in found) - micro(rule.window)
            for hit in self._store.hits(rule.id, pending, since=since):
                kept[hit.key].append(hit)
        rest: list[int] = []
        raised = 0
        while pending:
            met = self._met(rule, pending, kept)
            later: dict[str, list[Hit]] = {}
            for key, new in pending.items():
                if key not in met:
                    needed = _needed(rule, [*kept[key], *new])
                    self._batch.hits += [hit for hit in new if hit in needed]
                    self._batch.dropped += [hit for hit in kept[key] if hit not in needed]
                    continue
                self._batch.settled.append((rule.id, key))
                kept[key] = []
                last = met[key].entries[-1]
                if raised < MOST_RAISED:
                    self._raise(rule, key, met[key])
                    raised += 1
                    after = [hit for hit in new if hit.entry > last]
                    if left := [hit for hit in after if not self._again(rule.id, key, hit.at, hit.entry)]:
                        later[key] = left
                else:
                    rest.append(last)
            pending = later
        if rest:
            self.say(CROWD, {"rule": rule.id}, rest)

    def _grouped(self, rule: Rule, hits: Sequence[tuple[int, int]]) -> dict[str, list[Hit]]:
        """The hits by group, without those whose group has an alert that counts them."""
        found: dict[str, list[Hit]] = {}
        for slot, entry in hits:
            row = self._rows[entry]
            key, at = key_of(row, rule.predicates[slot].group), _time(row)
            if key is None or self._again(rule.id, key, at, entry):
                continue
            lean = json.dumps({name: value for name, value in row.items() if value is not None}, ensure_ascii=False)
            found.setdefault(key, []).append(Hit(rule=rule.id, key=key, slot=slot, entry=entry, at=at, row=lean))
        return found

    def _met(
        self, rule: Rule, pending: Mapping[str, Sequence[Hit]], kept: Mapping[str, Sequence[Hit]]
    ) -> dict[str, Met]:
        """By group, where the rule is met first with something new."""
        ripe = [hit for key, new in pending.items() if _ripe(rule, [*kept[key], *new]) for hit in (*kept[key], *new)]
        if not ripe:
            return {}
        fresh = {hit.entry for new in pending.values() for hit in new}
        keys = {tuple(json.loads(key)): key for key in pending}
        apart = Evaluator()
        try:
            apart.load({hit.entry: json.loads(hit.row) for hit in ripe}.values())
            found = apart.met(rule)
        except RuleStopped as error:
            self._stopped(rule, error, sorted(fresh)[-1:])
            return {}
        finally:
            apart.close()
        first: dict[str, Met] = {}
        for met in found:
            key = keys.get(met.group)
            if key is not None and key not in first and not fresh.isdisjoint(met.entries):
                first[key] = met
        return first

    def _raise(self, rule: Rule, key: str, met: Met) -> None:
        alert = Alert(
            id=key_of_event(rule.id, rule.digest, key, str(met.entries[-1])),
            rule=rule.id,
            version=rule.version,
            digest=rule.digest,
            level=rule.level,
            kind=rule.kind,
            told=rule.told,
            query=rule.query,
            group=group_of(key, rule),
            since=moment(met.since),
            until=moment(met.until),
            count=met.count,
            raised=self._at,
        )
        self._keep(alert, key, met.entries, met.until + micro(rule.quiet))

    def _keep(self, alert: Alert, key: str, entries: Sequence[int], quiet_until: int) -> None:
        proven: list[Proven] = []
        for entry in entries[-MOST_ENTRIES:]:
            # Of a window that was kept for long, the first ones may have gone meanwhile.
            with suppress(Pruned):
                proven.append(self._prove(entry))
        self._quieted()[alert.rule, key] = (alert.id, quiet_until)
        self._batch.raised.append(Raised(alert=alert, key=key, quiet_until=quiet_until, proven=proven))

    def _prove(self, index: int) -> Proven:
        inclusion = self._log.prove(index)
        event = self._log.read(index, 1)[0].event
        return Proven(
            index=index,
            number=inclusion.index,
            type=event.type,
            at=event.at,
            path=inclusion.path,
            checkpoint=inclusion.checkpoint,
        )

    def _stopped(self, rule: Rule, error: RuleStopped, entries: Sequence[int]) -> None:
        self.errors[rule.id] = error.code
        _log.error("alert_rule_stopped", rule=rule.id, exc_info=error)
        self.say(STOPPED, {"rule": rule.id}, entries)

    def _again(self, rule: str, key: str, at: int, entry: int) -> bool:
        """Whether the group has an alert already, which then counts this entry too."""
        alert, until = self._quieted().get((rule, key), ("", 0))
        if not alert or at > until:
            return False
        times, newest = self._batch.again.get(alert, (0, -1))
        self._batch.again[alert] = (times + 1, max(newest, entry))
        return True

    def _quieted(self) -> dict[tuple[str, str], tuple[str, int]]:
        """Groups that have an alert; asked for once, where anything matched."""
        if self._quiet is None:
            first = min((_time(row) for row in self._rows.values()), default=self._batch.after)
            self._quiet = self._store.quiet(min(first, self._batch.after))
        return self._quiet


def _ripe(rule: Rule, hits: Sequence[Hit]) -> bool:
    """Whether there is enough that the rule can be met at all."""
    if rule.kind in (Kind.TEMPORAL, Kind.TEMPORAL_ORDERED):
        return len({hit.slot for hit in hits}) >= rule.least
    return len({hit.entry for hit in hits}) >= rule.least


def _needed(rule: Rule, hits: Sequence[Hit]) -> list[Hit]:
    """The hits of a group that can still be part of something, when the rule was not met by them so far."""
    newest = max(hit.at for hit in hits)
    still = sorted((hit for hit in hits if hit.at > newest - micro(rule.window)), key=lambda hit: hit.at)
    if rule.kind is Kind.EVENT_COUNT:
        # One entry may meet several of the rule's conditions and counts once.
        return still[-rule.least * len(rule.predicates) :]
    if rule.kind is Kind.VALUE_COUNT:
        return list({(hit.slot, _value(rule, hit)): hit for hit in still}.values())
    if rule.kind is Kind.TEMPORAL or len(rule.predicates) <= _IN_ORDER_OF_TWO:
        # Of two in order, the newest first one fits best.
        return list({hit.slot: hit for hit in still}.values())
    # Of three and more in order, an older one may be the one that fits.
    slots = range(len(rule.predicates))
    return [hit for slot in slots for hit in [each for each in still if each.slot == slot][-MOST_ENTRIES:]]


def _value(rule: Rule, hit: Hit) -> str:
    return str(json.loads(hit.row).get(rule.predicates[hit.slot].counted)).casefold()


def _time(row: Flat) -> int:
    return int(row[TIME] or 0)


def key_of_event(*parts: str) -> str:
    """A key that follows from its parts, in the form the record takes."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def micro(span: timedelta) -> int:
    """A span in microseconds."""
    return span // timedelta(microseconds=1)
