# SPDX-License-Identifier: Apache-2.0
"""Carrying incidents out: one process at a time for each, several hands, every certificate exactly once.

What was done to a certificate commits with the tick on the list, so a process that dies leaves no doubt; another, or
the next, goes on when the claim has run out. A process that only slept over its claim ticks off nothing that another
did.
"""

import secrets
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Protocol

from cryptography import x509

from core.clock import Clock
from core.errors import Unavailable
from core.log import logger

from ..config import IncidentSettings
from ..errors import AlreadyRevoked, IncidentOver, NoSuchCertificate
from ..service import CertificateAuthority
from ..store.tables import seconds
from . import notes
from .models import Act, Chosen, Incident, Item, Stage, Whom
from .store import Step, Store
from .store.items import TickedOff

_log = logger(__name__)

CLAIM = timedelta(seconds=60)
"""After so long without a sign a process is taken for dead; longer than a batch takes."""
BATCH = 64
"""Certificates between two looks at whether an officer has paused or stopped it, and at the outbox."""


class Ask(Protocol):
    """Has holders asked to renew these certificates now, with the address of a page that says why."""

    def __call__(self, serials: Sequence[str], *, explanation: str) -> None:
        """May be repeated."""
        ...


class Runner:
    """One round after another; ``address`` says where the public page of an incident is."""

    def __init__(
        self,
        *,
        store: Store,
        authority: CertificateAuthority,
        ask: Ask,
        waiting: Callable[[], int],
        clock: Clock,
        settings: IncidentSettings,
        address: Callable[[str], str],
        nudge: Callable[[], None] = lambda: None,
    ) -> None:
        """``waiting`` tells how many records wait for the log."""
        self._store = store
        self._authority = authority
        self._ask = ask
        self._waiting = waiting
        self._clock = clock
        self._settings = settings
        self._address = address
        self._nudge = nudge
        self._holder = secrets.token_hex(16)

    def round(self, stopped: threading.Event | None = None) -> bool:
        """Work on everything there is until it is done or ``stopped``; whether something is left to be tried again.

        Raises:
            Unavailable: the tables do not answer; the rest waits for the next round.
        """
        left = False
        with ThreadPoolExecutor(self._settings.workers, thread_name_prefix="ca-incident") as hands:
            for incident in self._store.incidents.due(self._clock.now()):
                left |= not self._carry_out(incident, hands, stopped or threading.Event())
        return left

    def _carry_out(self, incident: Incident, hands: ThreadPoolExecutor, stopped: threading.Event) -> bool:
        if incident.stage is Stage.WAITING:
            try:
                incident = self._store.incidents.move(incident.id, Step.to(Stage.RUNNING, Stage.WAITING, phase=2))
            except IncidentOver:
                # Another process was faster, or an officer paused it.
                return True
        try:
            while not stopped.is_set():
                if not self._hold(incident):
                    return True
                if self._waiting() >= self._settings.outbox_share:
                    # The log is slow or away; what is left of the outbox is for single acts.
                    return False
                batch = self._store.items.waiting(incident.id, _first(incident), limit=BATCH)
                if not batch:
                    self._finish(incident)
                    return True
                self._do(incident, batch, hands)
        finally:
            self._store.incidents.let_go(incident.id, self._holder)
        return False

    def _hold(self, incident: Incident) -> bool:
        now = self._clock.now()
        return self._store.incidents.claim(incident.id, self._holder, now=now, until=now + CLAIM)

    def _do(self, incident: Incident, batch: Sequence[Chosen], hands: ThreadPoolExecutor) -> None:
        if incident.phase == 1:
            # Whoever asks by ACME hears it of what is revoked, too, and renews at once.
            self._ask([each.serial for each in batch], explanation=self._address(incident.id))
            if incident.plan.act is not Act.REVOKE:
                self._store.items.tick_off(incident.id, batch, Item.ASKED)
                return
        # All of them end before an error of one is raised.
        done = [hands.submit(self._revoke, incident, each) for each in batch]
        failed = [each.exception() for each in done]
        for error in failed:
            if error is not None:
                raise error

    def _revoke(self, incident: Incident, chosen: Chosen) -> None:
        plan = incident.plan
        if incident.phase == 2 and plan.whom is Whom.UNRENEWED and self._renewed(incident, chosen):  # noqa: PLR2004 - the second of two
            self._store.items.tick_off(incident.id, [chosen], Item.RENEWED)
            return
        try:
            self._authority.revoke(
                chosen.serial,
                reason=plan.reason,
                actor=incident.approver,
                caller=f"incident:{incident.id}",
                together=self._store.items.tick(incident.id, chosen, Item.REVOKED),
            )
        except AlreadyRevoked:
            # Its holder, an officer, or the sweep of its key.
            self._store.items.tick_off(incident.id, [chosen], Item.ALREADY)
        except NoSuchCertificate:
            # It was about to be signed, and was given up.
            self._store.items.tick_off(incident.id, [chosen], Item.OVER)
        except TickedOff:
            _log.info("incident_shared", incident=incident.id)

    def _renewed(self, incident: Incident, chosen: Chosen) -> bool:
        """Whether the holder got another certificate for the same names and key usage since officers agreed."""
        if incident.approved is None:
            return False
        own, newer = self._store.candidates.successors(chosen, since=incident.approved)
        return bool(own) and any(_same_names(own, each) for each in newer)

    def _finish(self, incident: Incident) -> None:
        now = self._clock.now()
        progress = self._store.items.progress(incident.id)
        if incident.phase == 1 and incident.plan.act is Act.RENEW_THEN_REVOKE:
            more = {"deadline": incident.plan.deadline.isoformat()} if incident.plan.deadline else {}
            note = notes.about("asked", incident, at=now, actor=notes.ACTOR, more=more)
            step = Step.to(Stage.WAITING, Stage.RUNNING)
        else:
            note = notes.about("ended", incident, at=now, actor=notes.ACTOR, more=notes.counted(progress))
            step = Step.to(Stage.DONE, Stage.RUNNING, ended=seconds(now))
        try:
            self._store.incidents.step(incident.id, step, note)
        except IncidentOver:
            # An officer paused or stopped it at the last moment.
            return
        self._nudge()


class IncidentKeeper:
    """A daemon thread that has incidents carried out and their deadlines kept; begins at once, after a crash too."""

    def __init__(
        self, runner: Runner, *, tidy: Callable[[], object], interval: float = 1.0, woken: threading.Event | None = None
    ) -> None:
        self._runner = runner
        self._tidy = tidy
        self._interval = interval
        self._woken = woken or threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ca-incidents", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, and wait for the batch under way."""
        self._stopped.set()
        self._woken.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._woken.clear()
            try:
                self._runner.round(self._stopped)
                self._tidy()
            except Unavailable as error:
                _log.warning("incidents_wait", code=error.code)
            except Exception:  # noqa: BLE001 - without this thread no incident would be carried out any more
                _log.error("incidents_failed", exc_info=True)
            self._woken.wait(self._interval)


def _first(incident: Incident) -> Item:
    return Item.PENDING if incident.phase == 1 else Item.ASKED


def _same_names(one: bytes, other: bytes) -> bool:
    return _names(one) == _names(other)


def _names(der: bytes) -> object:
    certificate = x509.load_der_x509_certificate(der)
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return certificate.subject
    return frozenset(found)
