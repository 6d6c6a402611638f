# SPDX-License-Identifier: Apache-2.0
"""A person gets a key that is kept for them, and a certificate for it; both by their own wish alone."""

import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Protocol

from cryptography import x509

from audit import Event, Outcome, Recorder
from ca.models import CertificateStatus, Issued, IssueRequest, Reason
from core.clock import Clock
from core.errors import NotFound
from core.identity import Identity
from directory.models import Person

from ..errors import SealDenied
from ..holds import Algorithm, HeldKey, HoldUnavailable, KeyHold, UsedKey, request
from ..remote import CertificateUnusable, Credential, EnrolledAlready, NotEnrolled, RemoteStore

PROFILE = "remote-signing"
# So long before its end another may be made.
_RENEWABLE = timedelta(days=30)


class Authority(Protocol):
    """The certificate authority, asked with the gateway's header of the person whose wish it is."""

    def issue(self, request: IssueRequest, *, identity: str = "") -> Issued:
        """Make a certificate; recorded there."""
        ...

    def revoke(self, serial: str, *, reason: Reason, actor: str, identity: str = "") -> None:
        """End a certificate for good; recorded there."""
        ...


class People(Protocol):
    """The directory as far as this needs it; strangers raise NotFound."""

    def person(self, subject: str) -> Person:
        """One person."""
        ...


class Enrolling:
    """Makes and ends; says what is good at this moment."""

    def __init__(
        self,
        *,
        store: RemoteStore,
        holds: Mapping[str, KeyHold],
        make_of: str,
        algorithm: Algorithm,
        authority: Authority,
        status: Callable[[str], CertificateStatus],
        people: People,
        recorder: Recorder,
        nudge: Callable[[], None],
        clock: Clock,
    ) -> None:
        """``holds`` are all that keep keys, by their make; new ones are made in ``make_of``."""
        self._store = store
        self._holds = dict(holds)
        self._make_of = make_of
        self._algorithm = algorithm
        self._authority = authority
        self._status = status
        self._people = people
        self._recorder = recorder
        self._nudge = nudge
        self._clock = clock

    def credential(self, subject: str) -> Credential | None:
        """What a person signs with; None if nothing."""
        try:
            return self._store.credential_of(subject)
        except NotEnrolled:
            return None

    def check(self, credential: Credential) -> None:
        """Whether it may be used at this moment.

        Raises:
            CertificateUnusable: it is expired, suspended, revoked or of unknown status.
            Unavailable: the authority cannot be asked.
        """
        own = x509.load_pem_x509_certificate(credential.certificate.encode())
        if not own.not_valid_before_utc <= self._clock.now() <= own.not_valid_after_utc:
            raise CertificateUnusable
        if not self._status(credential.serial).good:
            raise CertificateUnusable

    def key(self, credential: Credential) -> UsedKey:
        """The key of one, wherever it is kept.

        Raises:
            CertificateUnusable: it is kept where this site keeps none any more.
        """
        hold = self._holds.get(credential.hold)
        if hold is None:
            raise CertificateUnusable
        return UsedKey(hold, credential.key)

    def enrol(self, identity: Identity, *, header: str) -> Credential:
        """Make a key and have it certified; ``header`` is the gateway's, as it came.

        Raises:
            EnrolledAlready: there is a good one that still lasts.
            SealDenied: the directory does not know them.
            HoldUnavailable: no key could be made.
            TallygateError: the authority refused.
            RecordUnavailable: the intent has no receipt; nothing was made.
        """
        subject = identity.subject
        try:
            person = self._people.person(subject)
        except NotFound as error:
            raise SealDenied from error
        present = self.credential(subject)
        if present is not None and self._lasts(present):
            raise EnrolledAlready
        identifier = secrets.token_hex(16)
        intent = self._event("signature.key.made", Outcome.INTENDED, identifier, {}, identity=identity)
        self._recorder.record(intent)
        key: HeldKey | None = None
        hold = self._holds[self._make_of]
        try:
            key = hold.make(self._algorithm)
            # A death from here on leaves a key and perhaps a certificate that nobody can use: both harmless.
            issued = self._authority.issue(
                IssueRequest(profile=PROFILE, csr=request(hold, key), subject=subject, actor=subject), identity=header
            )
            made = Credential(
                id=identifier,
                subject=subject,
                serial=issued.serial,
                certificate=issued.certificate.decode(),
                chain=issued.chain.decode(),
                key=key,
                hold=hold.make_of,
                name=person.name,
                name_zh=person.name_zh,
                made_at=self._clock.now(),
            )
            facts = {"certificate": made.serial}
            outcome = self._event("signature.key.made", Outcome.SUCCESS, identifier, facts, identity=identity)
            self._store.add_credential(made, outcome, instead_of=present)
        except BaseException as error:
            reason = getattr(error, "code", "process_died")
            failed = self._event(
                "signature.key.made", Outcome.FAILURE, identifier, {"reason": reason}, identity=identity
            )
            if key is not None:
                # A hold that went away meanwhile keeps a key that no table names.
                with suppress(HoldUnavailable):
                    hold.drop(key)
            self._recorder.record(failed)
            raise
        self._nudge()
        if present is not None:
            self.key(present).hold.drop(present.key)
        return made

    def end(self, identity: Identity, *, header: str) -> None:
        """The person wants it no more: it is revoked, forgotten and its key destroyed.

        Raises:
            NotEnrolled: there is none.
            TallygateError: the authority refused; nothing was ended.
        """
        present = self._store.credential_of(identity.subject)
        self._authority.revoke(present.serial, reason=Reason.CESSATION, actor=identity.subject, identity=header)
        facts = {"certificate": present.serial}
        ended = self._event("signature.key.ended", Outcome.SUCCESS, present.id, facts, identity=identity)
        self._store.end_credential(present, ended)
        self._nudge()
        self.key(present).hold.drop(present.key)

    def _lasts(self, credential: Credential) -> bool:
        own = x509.load_pem_x509_certificate(credential.certificate.encode())
        if own.not_valid_after_utc - _RENEWABLE <= self._clock.now():
            return False
        try:
            self.check(credential)
        except CertificateUnusable:
            return False
        return True

    def _event(
        self,
        type_: str,
        outcome: Outcome,
        identifier: str,
        facts: Mapping[str, str],
        *,
        identity: Identity,
    ) -> Event:
        return Event(
            key=secrets.token_hex(16),
            type=type_,
            outcome=outcome,
            at=self._clock.now(),
            source="signatures",
            subject=identity.subject,
            object=identifier,
            session=identity.session,
            zone=identity.zone,
            decision=identity.decision,
            attributes={"algorithm": self._algorithm.value, "hold": self._make_of, **facts},
        )
