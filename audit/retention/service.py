# SPDX-License-Identifier: Apache-2.0
"""The run: once a day it measures, doubts the clock, plans, records what it is about to drop, drops, and says so.

A process that dies on the way leaves the run in its table; the next round repeats it from the beginning, with the
same records, and every drop may be done twice. A run that would drop more than one quarter of a class, or whose clock
moved in a way that nobody saw, refuses and waits for an officer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from core.clock import Clock
from core.errors import TallygateError

from ..config import RetentionSettings
from ..events import Retention
from ..models import Attribute, Event, Outcome, Reader, Recorder, Wait
from ..models_codec import new_key
from ..seals import Partition
from .errors import BadTerm, ClockDoubted, NothingToConfirm, TooMuchAtOnce
from .forecast import Forecast, Usage, forecast
from .plan import Drop, Kept, Piece, Plan, next_of, plan
from .store import RetentionStore, Run, Survey

EVERY = timedelta(days=1)
MOST_DAYS = 36_600
_JUMP = timedelta(days=7)
_BACK = timedelta(hours=1)
_SHOWN = 20
_MEASURES = 31


class Keeper(Protocol):
    """What there is and how it goes; composed where everybody is known."""

    def seals(self) -> list[Partition]:
        """The partitions of keys."""
        ...

    def seal_bytes(self, partition: Partition) -> int:
        """What one takes on the disk."""
        ...

    def index(self) -> list[Kept]:
        """The parts of the search index that may go."""
        ...

    def expired(self, now: datetime, terms: Mapping[Retention, int]) -> int:
        """The place below which all bundles have run out; 0 for none."""
        ...

    def before(self) -> int:
        """How many places lie before the present log."""
        ...

    def drop_seals(self, partition: Partition, at: datetime) -> int:
        """Drop one partition of keys; how many keys holds kept."""
        ...

    def drop_index(self, name: str) -> None:
        """Drop one part of the index."""
        ...

    def prune(self, first: int, recorded: int) -> None:
        """Remove the bundles below a place; ``recorded`` is the place of the record that says so."""
        ...

    def tidy(self) -> None:
        """Finish drops that were cut off; destroy kept keys whose holds were lifted."""
        ...

    def used(self) -> int:
        """What log, keys and index take on the disk."""
        ...

    def free(self) -> int:
        """What is left on the disk."""
        ...

    def stamped(self) -> datetime | None:
        """When outsiders last said what time it is; None where nobody is asked."""
        ...


@dataclass(frozen=True, kw_only=True)
class ClassView:
    """One class, for the page."""

    retention: Retention
    days: int
    # The settings' own: no officer goes below.
    least: int
    oldest: datetime | None
    # When its oldest quarter runs out.
    runs_out: datetime | None
    partitions: int
    size: int


@dataclass(frozen=True, kw_only=True)
class View:
    """Everything the page shows."""

    classes: tuple[ClassView, ...]
    # What the daily run found; None before the first one looked. What follows from it is empty then.
    survey: Survey | None
    runs: tuple[Run, ...]
    believed: datetime | None
    # When the next run looks; None before the first one did.
    due: datetime | None
    # Code of the refusal that waits for an officer; empty if none does.
    waits: str
    past: tuple[Usage, ...]
    forecast: Forecast | None


class Retaining:
    """The verbs; the run itself happens in one process only."""

    def __init__(
        self,
        settings: RetentionSettings,
        *,
        store: RetentionStore,
        keeper: Keeper,
        recorder: Recorder,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._store = store
        self._keeper = keeper
        self._recorder = recorder
        self._clock = clock

    def terms(self) -> dict[Retention, int]:
        """The days of each class in force: what officers set, never below the settings."""
        found = self._store.terms()
        return {each: max(self._least(each), found.get(each, 0)) for each in Retention}

    def plan(self, now: datetime | None = None) -> Plan:
        """What a run would drop now, or at another time."""
        now, terms = now or self._clock.now(), self.terms()
        return plan(
            now,
            terms,
            seals=self._keeper.seals(),
            index=self._keeper.index(),
            bundles=self._keeper.expired(now, terms),
        )

    def survey(self, *, run: bool = False) -> Survey:
        """Look at everything and keep what was found for the pages: what there is, and what the next run drops.

        This reads bundles and walks folders; ``run`` says that it belongs to a run.
        """
        now, last = self._clock.now(), self._store.survey()
        at = int(now.timestamp())
        found = Survey(
            at=at,
            run=at if run else last.run if last else 0,
            used=self._keeper.used(),
            free=self._keeper.free(),
            pieces=self.plan(now + EVERY).pieces,
            kept=tuple((each, self._keeper.seal_bytes(each)) for each in self._keeper.seals()),
        )
        self._store.surveyed(found)
        return found

    def refresh(self) -> None:
        """Look where nobody did, or where a term was changed since; else nothing is done."""
        last = self._store.survey()
        if last is None or last.stale:
            self.survey()

    def round(self) -> Run | None:
        """One run, and a survey of what it leaves; None if there was nothing to drop.

        Raises:
            ClockDoubted: the clock does not fit.
            TooMuchAtOnce: more than one quarter of a class would go.
            RecordUnavailable: what is about to be dropped cannot be recorded, so nothing is.
        """
        try:
            run = self._round()
        except (ClockDoubted, TooMuchAtOnce):
            # Officers are asked to look at it.
            self.survey(run=True)
            raise
        self.survey(run=True)
        return run

    def _round(self) -> Run | None:
        self._keeper.tidy()
        if (left := self._store.begun()) is not None:
            return self._carry_out(left)
        now = self._clock.now()
        seen, confirmed = self._store.seen()
        planned = Plan(pieces=())
        try:
            if seen is None:
                # Nobody knows what time it was before: look once, drop from the next run on.
                self._store.see(int(now.timestamp()))
                return None
            if not confirmed:
                self._demand_clock(now, datetime.fromtimestamp(seen, UTC))
            planned = self.plan()
            if not confirmed:
                _demand_little(planned)
        except (ClockDoubted, TooMuchAtOnce) as error:
            self._refuse(planned, error)
            raise
        self._store.measured(now.date(), self._keeper.used())
        self._store.see(int(now.timestamp()))
        if not planned.pieces:
            return None
        run = self._store.begin(planned.pieces, at=int(now.timestamp()), intent=new_key(), outcome=new_key())
        return self._carry_out(run)

    def confirm(self, reader: Reader) -> None:
        """An officer has looked: the next run believes the clock and drops what has run out.

        Raises:
            NothingToConfirm: no run waits.
            RecordUnavailable: nothing was done.
        """
        last = self._store.last()
        if last is None or last.state != "refused":
            raise NothingToConfirm
        self._note("audit.retention.confirmed", reader, {"refused": last.code, "pieces": len(last.pieces)})
        self._store.see(int(self._clock.now().timestamp()), confirmed=True)

    def change(self, reader: Reader, retention: Retention, days: int, *, warrant: str) -> None:
        """Keep a class for so many days from now on, by a warrant of two officers.

        Raises:
            BadTerm: less than the settings say, or more than a hundred years.
            RecordUnavailable: nothing was done.
        """
        self.demand_term(retention, days)
        before = self.terms()[retention]
        attributes = {"class": retention.value, "before": before, "after": days, "warrant": warrant}
        self._note("audit.retention.changed", reader, attributes)
        self._store.set_term(retention, days, warrant=warrant, at=int(self._clock.now().timestamp()))

    def demand_term(self, retention: Retention, days: int) -> None:
        """Raises BadTerm unless a class may be kept for so many days."""
        least = self._least(retention)
        if not least <= days <= MOST_DAYS:
            raise BadTerm(least=least, most=MOST_DAYS)

    def view(self) -> View:
        """Everything the page shows; from the tables alone, so it is as old as the last survey and there at once."""
        terms, found = self.terms(), self._store.survey()
        seen, confirmed = self._store.seen()
        last, past = self._store.last(), self._store.usage(_MEASURES)
        return View(
            classes=tuple(self._class(each, terms, found.kept if found else ()) for each in Retention),
            survey=found,
            runs=tuple(self._store.runs(_SHOWN)),
            believed=None if seen is None else datetime.fromtimestamp(seen, UTC),
            due=datetime.fromtimestamp(found.run, UTC) + EVERY if found and found.run else None,
            waits=last.code if last is not None and last.state == "refused" and not confirmed else "",
            past=tuple(past),
            forecast=forecast(past, free=found.free) if found else None,
        )

    def _class(
        self, retention: Retention, terms: Mapping[Retention, int], kept: Sequence[tuple[Partition, int]]
    ) -> ClassView:
        own = [each for each, _size in kept if each.retention is retention]
        return ClassView(
            retention=retention,
            days=terms[retention],
            least=self._least(retention),
            oldest=min(own).begins if own else None,
            runs_out=next_of(terms, retention, own),
            partitions=len(own),
            size=sum(size for each, size in kept if each.retention is retention),
        )

    def _carry_out(self, run: Run) -> Run:
        at = datetime.fromtimestamp(run.at, UTC)
        attributes: dict[str, Attribute] = {"pieces": " ".join(map(str, run.pieces)), "count": len(run.pieces)}
        intent = self._event("audit.retention.intended", run.intent, at, attributes, Outcome.INTENDED)
        entry = self._keeper.before() + self._recorder.record(intent, wait=Wait.PUBLISHED).index
        self._store.intended(run, entry)
        kept = sum(self._drop(piece, entry, at) for piece in run.pieces)
        # Said once and in the same words, however often the run is repeated: kept keys may be fewer by then.
        self._recorder.record(self._event("audit.retention.done", run.outcome, at, attributes, Outcome.SUCCESS))
        self._store.done(run, kept)
        return run

    def _drop(self, piece: Piece, entry: int, at: datetime) -> int:
        if piece.kind is Drop.BUNDLES:
            self._keeper.prune(int(piece.name), entry)
        elif piece.kind is Drop.INDEX:
            self._keeper.drop_index(piece.name)
        elif (partition := Partition.named(piece.name)) is not None:
            return self._keeper.drop_seals(partition, at)
        return 0

    def _demand_clock(self, now: datetime, seen: datetime) -> None:
        """Days pass one after the other, and outsiders who say the time say about the same."""
        stamped = self._keeper.stamped()
        if not -_BACK <= now - seen <= _JUMP or (stamped is not None and not -_BACK <= now - stamped <= _JUMP):
            raise ClockDoubted

    def _refuse(self, planned: Plan, error: TallygateError) -> None:
        last = self._store.last()
        if last is None or (last.state, last.code) != ("refused", error.code):
            attributes: dict[str, Attribute] = {"reason": error.code, "count": len(planned.pieces)}
            event = self._event("audit.retention.refused", new_key(), self._clock.now(), attributes, Outcome.DENIED)
            self._recorder.record(event)
        self._store.refused(planned.pieces, at=int(self._clock.now().timestamp()), code=error.code)

    def _least(self, retention: Retention) -> int:
        return int(getattr(self._settings, retention.value))

    def _note(self, kind: str, reader: Reader, attributes: Mapping[str, Attribute]) -> None:
        self._recorder.record(
            Event(
                key=new_key(),
                type=kind,
                outcome=Outcome.SUCCESS,
                at=self._clock.now(),
                source="audit",
                subject=reader.subject,
                actor=reader.subject,
                session=reader.session,
                zone=reader.zone,
                decision=reader.decision,
                attributes=attributes,
            )
        )

    def _event(self, kind: str, key: str, at: datetime, attributes: Mapping[str, Attribute], outcome: Outcome) -> Event:
        return Event(key=key, type=kind, outcome=outcome, at=at, source="audit", attributes=attributes)


def _demand_little(planned: Plan) -> None:
    if planned.quarters > 1:
        raise TooMuchAtOnce
