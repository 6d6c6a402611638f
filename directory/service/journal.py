# SPDX-License-Identifier: Apache-2.0
"""How a change gets from decision to effect: written down, recorded, made, closed; and finished after a crash.

What takes away is committed with its record in one transaction and then made. What grants is announced, its intent
recorded, then made. What is shown (certificates, revocation lists) is a copy of what the authority has recorded: it is
written down so that the watch expects it, and made. One process at a time makes changes, in the order of the journal
(a lock file), so a change that was interrupted is made before any later one. Every change may be made twice.
"""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from audit import Event, Recorder, new_key
from core.db import OutboxFull
from core.errors import TallygateError
from core.log import logger

from ..errors import DirectoryRefused, DirectoryUnavailable, Pending
from ..ldap import Pool
from ..ldap.changes import Change, Verb
from ..store import State, Store, Striking, Undertaking
from .events import note

_log = logger(__name__)


class Journal:
    """The only way changes reach the tree."""

    def __init__(
        self,
        *,
        store: Store,
        pool: Pool,
        recorder: Recorder,
        lock: Path,
        nudge: Callable[[], None] = lambda: None,
        sent: Callable[[], object] = lambda: None,
    ) -> None:
        """``sent`` waits a moment for the other one of two providers to have what was just made."""
        self._sent = sent
        self._store = store
        self._pool = pool
        self._recorder = recorder
        self._lock = lock
        self._nudge = nudge

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the right to grant; what was left unfinished is finished first.

        Raises:
            DirectoryUnavailable: something is unfinished and cannot be finished now.
        """
        with self._locked():
            self._finish_all()
            yield

    def take_away(self, changes: tuple[Change, ...], record: Event, *more: Event) -> None:
        """Commit with the records, then make the changes. Bites for all followers of the record at the commit.

        Raises:
            OutboxFull: the record cannot keep up; nothing happened.
            Pending: it is decided and recorded; the directory's server follows when it answers again.
        """
        undertaking = Undertaking(new_key(), State.GOING, changes, (), None)
        self._store.commit(undertaking, note(record), *map(note, more))
        self._nudge()
        try:
            with self._locked():
                self._finish_all()
        except (DirectoryUnavailable, OutboxFull) as error:
            raise Pending from error

    def refuse(self, record: Event) -> None:
        """Put on record what will not be done, or what will be shown, before whoever wished it is told.

        Raises:
            RecordUnavailable: no receipt; it is not done all the same.
        """
        self._recorder.record(record)

    def strike(self, act: Striking, record: Event) -> bool:
        """Let ``act`` take something away in one transaction with the record; whether there was anything to take.

        Raises:
            OutboxFull: the record cannot keep up; nothing happened.
        """
        done = self._store.strike(act, note(record))
        self._nudge()
        return done

    def show(self, changes: tuple[Change, ...]) -> None:
        """Make copies of public facts known; nobody can do more or less for it.

        Raises:
            DirectoryUnavailable: it is made when the server answers again, in its order.
            DirectoryRefused: the server refused; nothing is tried again.
        """
        with self._locked():
            self._finish_all()
            undertaking = Undertaking(new_key(), State.SHOWN, changes, (), None)
            self._store.announce(undertaking)
            self._make(undertaking)

    def take_away_alone(self, changes: tuple[Change, ...], record: Event, *more: Event) -> None:
        """As ``take_away``, of what was worked out from the tree and must not change meanwhile. Only inside ``alone``.

        Raises:
            OutboxFull: the record cannot keep up; nothing happened.
            Pending: it is decided and recorded; the directory's server follows when it answers again.
        """
        self._store.commit(Undertaking(new_key(), State.GOING, changes, (), None), note(record), *map(note, more))
        self._nudge()
        try:
            self._finish_all()
        except (DirectoryUnavailable, OutboxFull) as error:
            raise Pending from error

    def grant(
        self, key: str, changes: tuple[Change, ...], *, intent: Event, outcomes: tuple[Event, ...], failure: Event
    ) -> None:
        """Announce, record the intent, make the changes, put the outcomes into the outbox. Only inside ``alone``.

        Raises:
            RecordUnavailable: no receipt; nothing happened.
            DirectoryRefused: the server refused; what was made of it was taken back.
            Pending: the record has it; it is finished when the server answers again, or the outbox has room.
        """
        undertaking = Undertaking(key, State.ANNOUNCED, changes, tuple(map(note, outcomes)), note(failure))
        self._store.announce(undertaking)
        try:
            self._recorder.record(intent)
        except TallygateError:
            self._give_up(undertaking)
            raise
        # From here on it must happen: a crash is followed by a replay that finishes it.
        self._store.going(key)
        try:
            self._make(undertaking)
        except (DirectoryUnavailable, OutboxFull) as error:
            raise Pending from error

    @contextmanager
    def supervised(self, key: str, witness: Change, *, intent: Event, outcome: Event, failure: Event) -> Iterator[None]:
        """A grant whose content must not be written down; interrupted, ``witness`` tells how it ended.

        Only inside ``alone``.

        Raises:
            RecordUnavailable: no receipt; the body is not entered.
            DirectoryUnavailable: by the body; whether it happened is found out when the server answers again.
            Pending: it has happened; its outcome gets into the outbox when there is room.
        """
        undertaking = Undertaking(key, State.ANNOUNCED, (witness,), (note(outcome),), note(failure))
        self._store.announce(undertaking)
        try:
            self._recorder.record(intent)
            yield
        except DirectoryUnavailable:
            raise
        except TallygateError:
            self._give_up(undertaking)
            raise
        # What is not written down could not be made again at the other provider.
        self._sent()
        try:
            self._finish(undertaking)
        except OutboxFull as error:
            raise Pending from error

    def go_over(self, decide: Callable[[], tuple[Event, ...]], *, to_second: bool) -> bool:
        """Write to the other provider from now on; ``make_again`` is to follow.

        ``decide`` says, with the right to write in hand, what is recorded of it; nothing if it is not to be.

        Raises:
            OutboxFull: the record cannot keep up; nothing was changed.
        """
        with self._locked():
            records = decide()
            if records:
                self._store.go_over(second=to_second, records=tuple(map(note, records)))
                self._nudge()
        return bool(records)

    def make_again(self) -> None:
        """Make again, at the provider that is written to, what was made at the other one.

        Raises:
            DirectoryUnavailable: it does not answer.
        """
        with self._locked():
            for key, series in self._store.made():
                real = [change for change in series if change.verb is not Verb.WITNESS]
                self._store.expect_again(key, real)
                for change in real:
                    try:
                        change.make(self._pool)
                    except DirectoryRefused as error:
                        # The two had come further apart than one is behind the other: for the comparison to find.
                        _log.error("made_not_again", key=key, cause=type(error.__cause__).__name__)
            self._store.caught_up()
            self._finish_all()

    def replay(self) -> None:
        """Finish or give up everything that an earlier run left; called at start and from time to time.

        Raises:
            DirectoryUnavailable: the server does not answer; call again later.
        """
        if self._store.underway():
            with self._locked():
                self._finish_all()

    def _finish_all(self) -> None:
        for undertaking in self._store.underway():
            if undertaking.state is State.ANNOUNCED:
                # We hold the lock, so its process is gone or has lost the server. Only what a witness saw was done.
                if any(change.happened(self._pool) for change in undertaking.changes):
                    self._finish(undertaking)
                else:
                    self._give_up(undertaking)
                continue
            self._store.expect_if_new(undertaking)
            try:
                self._make(undertaking)
            except DirectoryRefused as error:
                _log.error("undertaking_refused", key=undertaking.key, cause=type(error.__cause__).__name__)
                if undertaking.takes_away:
                    # The record says it is done, so it stays in the journal, and nothing is granted before it.
                    raise DirectoryUnavailable from error

    def _make(self, undertaking: Undertaking) -> None:
        try:
            for change in undertaking.changes:
                change.make(self._pool)
        except DirectoryRefused:
            if not undertaking.takes_away:
                # All of them: a run before this one may have got further.
                back = [step for change in reversed(undertaking.changes) for step in change.taking_back()]
                self._store.expect(undertaking.key, back)
                for step in back:
                    step.make(self._pool)
                self._give_up(undertaking)
            raise
        self._finish(undertaking)

    def _finish(self, undertaking: Undertaking) -> None:
        self._store.finish(undertaking)
        self._nudge()

    def _give_up(self, undertaking: Undertaking) -> None:
        self._store.give_up(undertaking)
        self._nudge()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._lock.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
