# SPDX-License-Identifier: Apache-2.0
"""Suspend, revoke, release: taking away commits with its record and bites at once; giving back is recorded first."""

from collections.abc import Callable

from audit import Event, Outcome, Recorder, Wait
from core.clock import Clock

from ..errors import IssuanceDenied
from ..models import Certificate, Reason, Standing, read_serial
from ..store import Store, require_suspended
from .notes import event, note


class StandingChanges:
    """The three verbs over one certificate's standing."""

    def __init__(self, *, store: Store, recorder: Recorder, clock: Clock, nudge: Callable[[], None]) -> None:
        self._store = store
        self._recorder = recorder
        self._clock = clock
        self._nudge = nudge

    def revoke(self, serial: str, *, reason: Reason, actor: str) -> None:
        """End a certificate for good.

        Raises:
            NoSuchCertificate: there is none.
            AlreadyRevoked: it is.
        """
        self._withdraw(read_serial(serial), Standing.REVOKED, reason, actor, "ca.certificate.revoked")

    def suspend(self, serial: str, *, actor: str) -> None:
        """Make a certificate worthless until released.

        Raises:
            NoSuchCertificate: there is none.
            AlreadyRevoked: it is.
            AlreadySuspended: it is.
        """
        self._withdraw(read_serial(serial), Standing.SUSPENDED, Reason.UNSPECIFIED, actor, "ca.certificate.suspended")

    def release(self, serial: str, *, actor: str) -> None:
        """End a suspension: the intent is recorded first, since this gives access back.

        Raises:
            NoSuchCertificate: there is none.
            NotSuspended: nothing to release.
            AlreadyRevoked: revocation is final.
            IssuanceDenied: nobody releases their own certificate.
        """
        digits = read_serial(serial)
        found = self._store.certificate(digits)
        require_suspended(found)
        if actor == found.subject:
            raise IssuanceDenied(reasons="not-for-oneself")
        intent = event(
            "ca.certificate.intended",
            Outcome.INTENDED,
            at=self._clock.now(),
            subject=found.subject,
            actor=actor,
            serial=digits,
            attributes={"issuer": found.issuer, "profile": found.profile, "act": "release"},
        )
        self._recorder.record(intent, wait=Wait.PUBLISHED)
        done = self._event("ca.certificate.released", found, actor)
        self._store.release(digits, note=note(done))
        self._nudge()

    def _withdraw(self, serial: str, standing: Standing, reason: Reason, actor: str, kind: str) -> None:
        found = self._store.certificate(serial)
        record = self._event(kind, found, actor, reason)
        self._store.withdraw(serial, standing=standing, reason=reason, at=self._clock.now(), note=note(record))
        self._nudge()

    def _event(self, kind: str, found: Certificate, actor: str, reason: Reason | None = None) -> Event:
        attributes: dict[str, str | int | bool] = {"issuer": found.issuer, "profile": found.profile}
        if reason is not None:
            attributes["reason"] = reason.value
        return event(
            kind,
            Outcome.SUCCESS,
            at=self._clock.now(),
            subject=found.subject,
            actor=actor,
            serial=found.serial,
            attributes=attributes,
        )
