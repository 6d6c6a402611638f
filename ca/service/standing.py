# SPDX-License-Identifier: Apache-2.0
"""Suspend, revoke, release: taking away commits with its record and bites at once; giving back is recorded first."""

from collections.abc import Callable, Mapping
from contextlib import suppress

from audit import Event, Outcome, Recorder, Wait
from core.clock import Clock
from core.errors import Unavailable
from core.log import logger

from ..errors import AlreadyRevoked, IssuanceDenied
from ..models import Certificate, Reason, Standing, read_serial
from ..store import Store, Together, require_suspended
from .notes import Names, event, note

_log = logger(__name__)

_KINDS = {Standing.REVOKED: "ca.certificate.revoked", Standing.SUSPENDED: "ca.certificate.suspended"}


class StandingChanges:
    """The three verbs over one certificate's standing.

    ``forget`` is told issuer and serial around every change: nothing made earlier about it may be given out any more.
    ``acting`` names who acts (first) on a subject (second) in office.
    """

    def __init__(
        self,
        *,
        store: Store,
        recorder: Recorder,
        clock: Clock,
        nudge: Callable[[], None],
        ready: Callable[[], None] = lambda: None,
        forget: Callable[[str, str], None] = lambda _issuer, _serial: None,
        acting: Callable[[str, str], str] = lambda _actor, _subject: "",
    ) -> None:
        self._store = store
        self._recorder = recorder
        self._clock = clock
        self._nudge = nudge
        self._ready = ready
        self._forget = forget
        self._acting = acting

    def revoke(
        self, serial: str, *, reason: Reason, actor: str, caller: str = "", together: Together | None = None
    ) -> None:
        """End a certificate for good; for a compromised key, every certificate that was made for it.

        ``together`` commits with it or not at all.

        Raises:
            NoSuchCertificate: there is none.
            AlreadyRevoked: it is.
        """
        self._withdraw(serial, Standing.REVOKED, reason, actor=actor, caller=caller, together=together)
        if reason is Reason.KEY_COMPROMISE:
            try:
                self.sweep(beside=read_serial(serial))
            except Unavailable as error:
                # The key is blocked and its report committed; housekeeping sweeps on.
                _log.warning("sweep_postponed", code=error.code)

    def sweep(self, *, beside: str = "") -> int:
        """Revoke whatever else was made for compromised keys, or for one certificate's own; returns how many.

        Raises:
            Unavailable: the rest waits for the next round.
        """
        swept = 0
        while serials := self._store.unswept(beside=beside):
            for serial in serials:
                # Somebody may revoke it at the same moment.
                with suppress(AlreadyRevoked):
                    self._withdraw(serial, Standing.REVOKED, Reason.KEY_COMPROMISE, actor="role:ca", caller="")
                    swept += 1
        return swept

    def suspend(
        self, serial: str, *, actor: str, caller: str = "", because: str = "", together: Together | None = None
    ) -> None:
        """Make a certificate worthless until released; ``because`` is a word of ours for the record.

        ``together`` commits with it or not at all.

        Raises:
            NoSuchCertificate: there is none.
            AlreadyRevoked: it is.
            AlreadySuspended: it is.
        """
        self._withdraw(
            serial,
            Standing.SUSPENDED,
            Reason.UNSPECIFIED,
            actor=actor,
            caller=caller,
            because=because,
            together=together,
        )

    def release(self, serial: str, *, actor: str, caller: str = "") -> None:
        """End a suspension: the intent is recorded first, since this gives access back.

        Raises:
            NoSuchCertificate: there is none.
            NotSuspended: nothing to release.
            AlreadyRevoked: revocation is final.
            IssuanceDenied: nobody releases their own certificate; the attempt is recorded.
            NotReconciled: it may have been revoked since these tables were copied.
        """
        self._ready()
        digits = read_serial(serial)
        found = self._store.certificate(digits)
        require_suspended(found)
        carried = _carried(caller)
        if actor == found.subject:
            said = {**carried, "reasons": "not-for-oneself"}
            self._recorder.record(self._event("ca.release.refused", found, actor, said, outcome=Outcome.DENIED))
            raise IssuanceDenied(reasons="not-for-oneself")
        intent = self._event(
            "ca.certificate.intended", found, actor, {**carried, "act": "release"}, outcome=Outcome.INTENDED
        )
        self._recorder.record(intent, wait=Wait.PUBLISHED)
        done = self._event("ca.certificate.released", found, actor, carried)
        self._forget(found.issuer, digits)
        self._store.release(digits, at=self._clock.now(), note=note(done))
        self._forget(found.issuer, digits)
        self._nudge()

    def _withdraw(
        self,
        serial: str,
        standing: Standing,
        reason: Reason,
        *,
        actor: str,
        caller: str,
        because: str = "",
        together: Together | None = None,
    ) -> None:
        digits = read_serial(serial)
        found = self._store.certificate(digits)
        said = {**_carried(caller), "reason": reason.value, **({"because": because} if because else {})}
        record = self._event(_KINDS[standing], found, actor, said)
        # Before, so that a crash after the commit leaves nothing that calls it good; after, for what came between.
        self._forget(found.issuer, digits)
        self._store.withdraw(
            digits, standing=standing, reason=reason, at=self._clock.now(), note=note(record), together=together
        )
        self._forget(found.issuer, digits)
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
            names=Names(subject=found.name, actor=self._acting(actor, found.subject)),
        )


def _carried(caller: str) -> dict[str, str]:
    return {"caller": caller} if caller else {}
