# SPDX-License-Identifier: Apache-2.0
"""Suspend, revoke, release: taking away commits with its record and bites at once; giving back is recorded first."""

from collections.abc import Callable, Mapping

from audit import Event, Outcome, Recorder, Wait
from core.clock import Clock

from ..errors import IssuanceDenied
from ..models import Certificate, Reason, Standing, read_serial
from ..store import Store, require_suspended
from .notes import event, note

_KINDS = {Standing.REVOKED: "ca.certificate.revoked", Standing.SUSPENDED: "ca.certificate.suspended"}


class StandingChanges:
    """The three verbs over one certificate's standing."""

    def __init__(self, *, store: Store, recorder: Recorder, clock: Clock, nudge: Callable[[], None]) -> None:
        self._store = store
        self._recorder = recorder
        self._clock = clock
        self._nudge = nudge

    def revoke(self, serial: str, *, reason: Reason, actor: str, caller: str = "") -> None:
        """End a certificate for good.

        Raises:
            NoSuchCertificate: there is none.
            AlreadyRevoked: it is.
        """
        self._withdraw(serial, Standing.REVOKED, reason, actor=actor, caller=caller)

    def suspend(self, serial: str, *, actor: str, caller: str = "") -> None:
        """Make a certificate worthless until released.

        Raises:
            NoSuchCertificate: there is none.
            AlreadyRevoked: it is.
            AlreadySuspended: it is.
        """
        self._withdraw(serial, Standing.SUSPENDED, Reason.UNSPECIFIED, actor=actor, caller=caller)

    def release(self, serial: str, *, actor: str, caller: str = "") -> None:
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
        carried = _carried(caller)
        intent = self._event(
            "ca.certificate.intended", found, actor, {**carried, "act": "release"}, outcome=Outcome.INTENDED
        )
        self._recorder.record(intent, wait=Wait.PUBLISHED)
        done = self._event("ca.certificate.released", found, actor, carried)
        self._store.release(digits, note=note(done))
        self._nudge()

    def _withdraw(self, serial: str, standing: Standing, reason: Reason, *, actor: str, caller: str) -> None:
        digits = read_serial(serial)
        found = self._store.certificate(digits)
        record = self._event(_KINDS[standing], found, actor, {**_carried(caller), "reason": reason.value})
        self._store.withdraw(digits, standing=standing, reason=reason, at=self._clock.now(), note=note(record))
        self._nudge()

    def _event(
        self,
        kind: str,
        found: Certificate,
        actor: str,
        more: Mapping[str, str],
        *,
        outcome: Outcome = Outcome.SUCCESS,
    ) -> Event:
        return event(
            kind,
            outcome,
            at=self._clock.now(),
            subject=found.subject,
            actor=actor,
            serial=found.serial,
            attributes={"issuer": found.issuer, "profile": found.profile, **more},
        )


def _carried(caller: str) -> dict[str, str]:
    return {"caller": caller} if caller else {}
