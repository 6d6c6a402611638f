# SPDX-License-Identifier: Apache-2.0
"""Looking at challenges in the background, a few at once, each a few times; and finishing what a dead process left.

A challenge that is looked at is taken in the store for as long as one look may last, so that two processes never look
at it together and a dead one's work is taken up by another.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from audit import Outcome
from core.clock import Clock
from core.errors import TallygateError
from core.log import logger

from ..config import AcmeSettings
from .finalizing import Finalizing, written
from .gate import Gate
from .limits import Limits
from .models import Account, Authorization, AuthorizationState, Challenge
from .notes import about_account, note
from .problems import Problem, Type
from .proving import Prover
from .store import Store

_log = logger(__name__)
INTERVAL = 1.0
"""Seconds between two looks for work that nobody announced."""
_CLEANING = 60
"""Every so many of them, what is over is forgotten."""
REMEMBERED = timedelta(days=30)
"""Orders and authorizations that nothing rests on any more are kept so long; the record keeps what they came to."""
_SLACK = timedelta(seconds=10)


class Validation:
    """The workers of one process."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        settings: AcmeSettings,
        gate: Gate,
        limits: Limits,
        finalizing: Finalizing,
        nudge: Callable[[], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings
        self._gate = gate
        self._limits = limits
        self._finalizing = finalizing
        self._nudge = nudge
        self._prover = Prover(settings)
        self._wanted = threading.Event()
        self._stopping = threading.Event()
        self._free = threading.Semaphore(settings.validation_workers)
        self._workers = ThreadPoolExecutor(settings.validation_workers, thread_name_prefix="acme")
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Look from now on."""
        self._thread = threading.Thread(target=self._run, name="acme", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more; waits for what is being looked at."""
        self._stopping.set()
        self._wanted.set()
        if self._thread is not None:
            self._thread.join()
        self._workers.shutdown()

    def look(self) -> None:
        """There is something to look at."""
        self._wanted.set()

    def work(self) -> None:
        """Everything that is due, here and now, one after the other."""
        while due := self._take(self._settings.validation_workers):
            for each in due:
                self._examine(each)
        self._finalizing.resume()

    def clean(self) -> None:
        """End what is over, and forget some of what was over long ago; the next time goes on."""
        at = self._clock.now()
        self._store.orders.expire(at=at)
        self._store.marks.forget(at=at)
        self._store.pruning.prune(over_before=at - REMEMBERED)

    def _run(self) -> None:
        rounds = 0
        while not self._stopping.is_set():
            self._wanted.wait(INTERVAL)
            self._wanted.clear()
            try:
                if rounds % _CLEANING == 0:
                    self.clean()
                self._hand_out()
                self._finalizing.resume()
            except TallygateError as error:
                _log.warning("acme_round_failed", code=error.code)
            rounds += 1

    def _hand_out(self) -> None:
        while self._free.acquire(blocking=False):
            due = self._take(1)
            if not due:
                self._free.release()
                return
            self._workers.submit(self._examine_freeing, due[0])

    def _examine_freeing(self, challenge: str) -> None:
        try:
            self._examine(challenge)
        except TallygateError as error:
            # Its lease ends, and it is looked at again.
            _log.warning("acme_look_failed", code=error.code)
        except Exception:  # noqa: BLE001 - a worker outlives whatever a stranger sends it
            _log.exception("acme_look_failed")
        finally:
            self._free.release()
            self._wanted.set()

    def _take(self, limit: int) -> list[str]:
        lease = self._settings.validation_timeout + _SLACK
        return self._store.orders.due(at=self._clock.now(), lease=lease, limit=limit)

    def _examine(self, identifier: str) -> None:
        challenge = self._store.orders.challenge(identifier)
        authorization = self._store.orders.authorization(challenge.authorization) if challenge else None
        account = self._store.accounts.account(authorization.account) if authorization else None
        if challenge is None or authorization is None or account is None:
            return
        if authorization.state is not AuthorizationState.PENDING or authorization.expires <= self._clock.now():
            late = Problem(Type.UNAUTHORIZED, "the authorization is over")
            self._fail(account, authorization, challenge, late)
            return
        try:
            self._prover.look(
                authorization,
                challenge,
                thumbprint=account.thumbprint,
                accounts=self._gate.addresses(account.id),
            )
        except Problem as problem:
            if challenge.attempts + 1 < self._settings.validation_attempts:
                due = self._clock.now() + self._settings.validation_pause
                self._store.orders.missed(challenge, written(problem), due=due)
                return
            self._fail(account, authorization, challenge, problem)
            return
        self._succeed(account, authorization, challenge)

    def _succeed(self, account: Account, authorization: Authorization, challenge: Challenge) -> None:
        at = self._clock.now()
        event = about_account(
            "ca.acme.authorization.proved", Outcome.SUCCESS, account, at=at, attributes=_facts(authorization, challenge)
        )
        until = at + self._settings.authorization_lifetime
        self._store.orders.succeeded(challenge, note(event), at=at, until=until)
        self._nudge()

    def _fail(self, account: Account, authorization: Authorization, challenge: Challenge, problem: Problem) -> None:
        facts = {**_facts(authorization, challenge), "code": problem.type.value}
        event = about_account(
            "ca.acme.authorization.failed", Outcome.FAILURE, account, at=self._clock.now(), attributes=facts
        )
        shown = Problem(problem.type, problem.detail, identifier=authorization.identifier)
        self._store.orders.failed(challenge, written(shown), note(event))
        self._limits.failed(account.id, authorization.identifier)
        self._nudge()


def _facts(authorization: Authorization, challenge: Challenge) -> dict[str, str | int | bool]:
    return {
        "authorization": authorization.id,
        "identifier": authorization.identifier.value,
        "wildcard": authorization.wildcard,
        "method": challenge.method.value,
    }
