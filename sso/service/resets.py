# SPDX-License-Identifier: Apache-2.0
"""Second factors taken away by administrators, from people who lost them and cannot come back by themselves.

For people of high assurance it takes two: one asks, another confirms, and then some days pass in which the person is
told by mail and at "My account" and can stop it. Nobody is of high assurance by a factor that is not in force yet; so
whoever helps with those alone can never make a sure account an unsure one alone. Nobody does it for themselves.
"""

import secrets
from collections.abc import Callable
from dataclasses import replace

from audit import Event, Outcome
from core.clock import Clock
from core.errors import NotFound

from ..config import SSOSettings
from ..errors import OwnReset, RecoveryLost, ResetOver
from ..models import FactorReset, Letter, Session
from ..store import Store
from .collaborators import People, Person
from .factors import Factors
from .letters import Letters
from .records import Records
from .seals import Broken, Seal

_HIGH = 3
_ASKED = 7 * 86_400
# What everybody is by kind; all else are powers.
_PLAIN = frozenset({"citizen", "civil-servant"})


class Resets:
    """The verbs, in the order in which they come."""

    def __init__(
        self,
        *,
        issuer: str,
        people: People,
        store: Store,
        records: Records,
        factors: Factors,
        letters: Letters,
        settings: SSOSettings,
        clock: Clock,
        state_key: bytes,
        fresh: Callable[[], None],
        nudge: Callable[[], None],
    ) -> None:
        self._issuer = issuer
        self._people = people
        self._store = store
        self._records = records
        self._factors = factors
        self._letters = letters
        self._settings = settings
        self._clock = clock
        self._stops = Seal(state_key, "factor reset stop", clock=clock)
        self._fresh = fresh
        self._nudge = nudge

    def high(self, person: Person) -> bool:
        """Whether it takes two administrators: a factor in force, a surely known person, or one with powers."""
        return (
            self._factors.in_force(person.subject)
            or person.proofing.level >= _HIGH
            or bool(frozenset(person.roles) - _PLAIN)
        )

    def ask(self, subject: str, *, reason: str, actor: str) -> FactorReset:
        """Ask for it; done at once where one administrator is enough.

        Raises:
            OwnReset: for oneself; that they tried is on record.
            ResetOver: there is nothing to take away, or one is under way.
            RecordUnavailable: nothing was asked for.
        """
        at, person = self._now(), self._people.person(subject)
        asked = FactorReset(
            id=secrets.token_urlsafe(12),
            subject=subject,
            reason=reason,
            state="asked",
            high=self.high(person),
            asked_by=actor,
            asked_at=at,
            confirmed_by="",
            ready_at=0,
            expires_at=at + _ASKED,
        )
        if actor == subject:
            self._deny(asked, "asked", actor)
            raise OwnReset
        if not self._factors.any(subject) or self._store.resets.open_of(subject, at):
            raise ResetOver
        self._fresh()
        self._records.write(self._records.factor_reset(asked, Outcome.INTENDED, step="asked", actor=actor))
        self._store.resets.add(asked, self._records.factor_reset(asked, Outcome.SUCCESS, step="asked", actor=actor))
        self._nudge()
        if not asked.high:
            self._finish(asked, actor)
        return asked

    def confirm(self, identifier: str, *, actor: str) -> None:
        """Confirm what another asked for; from now on the person has time to stop it.

        Raises:
            NotFound: there is none.
            OwnReset: by whoever asked, or for oneself; that they tried is on record.
            ResetOver: somebody was faster.
            RecordUnavailable: nothing was confirmed.
        """
        reset = self._found(identifier)
        if actor in (reset.asked_by, reset.subject):
            self._deny(reset, "confirmed", actor)
            raise OwnReset
        if reset.state != "asked":
            raise ResetOver
        at, cooling = self._now(), int(self._settings.recovery_cooling.total_seconds())
        ready_at = at + cooling
        self._fresh()
        self._records.write(self._records.factor_reset(reset, Outcome.INTENDED, step="confirmed", actor=actor))
        stop = f"{self._issuer}/recover/stop?stop={self._stops.close(reset.id)}"
        moved = self._store.resets.move(
            reset,
            "cooling",
            at,
            changed={"confirmed_by": actor, "ready_at": ready_at, "expires_at": ready_at + _ASKED},
            letter=self._letter(reset.subject, "reset", days=str(max(1, cooling // 86_400)), stop=stop),
            record=self._records.factor_reset(reset, Outcome.SUCCESS, step="confirmed", actor=actor),
        )
        if not moved:
            raise ResetOver
        self._nudge()

    def stop(self, identifier: str, *, actor: str) -> None:
        """An administrator stops one.

        Raises:
            NotFound: there is none.
            ResetOver: it is done, or stopped already.
        """
        if not self._stopped(self._found(identifier), actor=actor, why="stopped by an administrator"):
            raise ResetOver

    def stop_by_letter(self, sealed: str) -> None:
        """The person stops one, by the letter that told of it.

        Raises:
            RecoveryLost: there is nothing to stop.
        """
        try:
            reset = self._store.resets.find(self._stops.open(sealed), self._now())
        except Broken as error:
            raise RecoveryLost from error
        if reset is None or not self._stopped(reset, actor=reset.subject, why="stopped by letter"):
            raise RecoveryLost

    def stop_own(self, session: Session) -> None:
        """The person whose session this is stops all of theirs."""
        for reset in self.under_way(session.subject):
            self._stopped(reset, actor=session.subject, why="stopped by its person")

    def under_way(self, subject: str) -> list[FactorReset]:
        """Those of a person that can be stopped."""
        return self._store.resets.open_of(subject, self._now())

    def waiting(self) -> list[FactorReset]:
        """Everybody's."""
        return self._store.resets.open(self._now())

    def finish_due(self) -> None:
        """Do what is due; every worker looks, one does each."""
        for reset in self._store.resets.due(self._now()):
            self._finish(reset, reset.confirmed_by)

    def _finish(self, reset: FactorReset, actor: str) -> None:
        done = self._records.factor_reset(reset, Outcome.SUCCESS, step="done", actor=actor)
        letter = self._letter(reset.subject, "reset-done", time=self._clock.now().strftime("%Y-%m-%d %H:%M UTC"))
        self._store.resets.finish(
            reset,
            self._now(),
            records=[done, self._records.factors_dropped(reset.subject)],
            ended=self._ended,
            letter=letter,
        )
        self._nudge()

    def _stopped(self, reset: FactorReset, *, actor: str, why: str) -> bool:
        if reset.state not in ("asked", "cooling"):
            return False
        record = self._records.factor_reset_stopped(reset, actor=actor, reason=why)
        stopped = self._store.resets.move(reset, "stopped", self._now(), record=record)
        self._nudge()
        return stopped

    def _deny(self, reset: FactorReset, step: str, actor: str) -> None:
        denied = replace(reset, reason="")
        self._records.write(self._records.factor_reset(denied, Outcome.DENIED, step=step, actor=actor))

    def _letter(self, subject: str, kind: str, **facts: str) -> Letter | None:
        return self._letters.letter(subject, kind, facts) if self._letters.possible else None

    def _found(self, identifier: str) -> FactorReset:
        found = self._store.resets.find(identifier, self._now())
        if found is None:
            raise NotFound
        return found

    def _ended(self, session: Session) -> Event:
        return self._records.session_ended(session, reason="its second factor was removed")

    def _now(self) -> int:
        return int(self._clock.now().timestamp())
