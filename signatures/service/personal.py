# SPDX-License-Identifier: Apache-2.0
"""A person signs documents with the key that is kept for them: asked, confirmed at sign-on, recorded, signed, recorded.

One confirmation names its documents by their hashes and counts once. It is used up, its token remembered and every
signature of it intended in one transaction; only then are the intents recorded, and only then does the key sign.
"""

import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from audit import Event, Outcome, Recorder
from core.clock import Clock
from core.errors import Conflict, Forbidden
from core.identity import Identity

from ..looks import Block, Placement
from ..models import Prepared, Seal, SealState
from ..pades.cms import KeyMismatch, KeySigner
from ..remote import (
    Asked,
    Asking,
    CertificateUnusable,
    Consent,
    ConsentLost,
    ConsentRefused,
    Credential,
    NotConfirmed,
    RemoteStore,
)
from ..remote.asking import CLIENT
from ..remote.models import RemoteSigning
from ..remote.tokens import MOST, Expected, Granted, details, granted
from ..shelf import Facts, Limits, Shelf
from .commitment import Commitments
from .desk import owner
from .enrolling import Enrolling
from .forming import Forming

_LONGEST_LABEL = 120
_ABANDONED_AFTER = timedelta(minutes=10)
_GIVEN_WITHIN = timedelta(days=1)
_SHOWN = 8


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back from sign-on through the browser; nothing of it is verified."""

    state: str
    code: str
    issuer: str
    error: str


class PersonalSigning:
    """Begins, finishes, and cleans up after deaths."""

    def __init__(
        self,
        *,
        store: RemoteStore,
        shelf: Shelf,
        limits: Limits,
        enrolling: Enrolling,
        asking: Asking,
        keys: Callable[[], Mapping[str, Any]],
        forming: Forming,
        commitments: Commitments,
        recorder: Recorder,
        nudge: Callable[[], None],
        clock: Clock,
        audience: str,
        zone: ZoneInfo,
        patience: timedelta,
    ) -> None:
        """``keys`` are the sign-on's published ones; ``patience`` is how long a person may take to confirm."""
        self._store = store
        self._shelf = shelf
        self._limits = limits
        self._enrolling = enrolling
        self._asking = asking
        self._keys = keys
        self._forming = forming
        self._commitments = commitments
        self._recorder = recorder
        self._nudge = nudge
        self._clock = clock
        self._audience = audience
        self._zone = zone
        self._patience = patience

    @property
    def issuer(self) -> str:
        """Where the person confirms."""
        return self._asking.issuer

    def size_of_block(self, subject: str) -> tuple[float, float]:
        """Width and height of what their signature shows on a page, in points.

        Raises:
            NotEnrolled: they have no certificate.
        """
        return self._forming.size_of_block(self._block(self._store.credential_of(subject)))

    def begin(
        self,
        subject: str,
        documents: Sequence[str],
        *,
        browser: str,
        locale: str,
        placement: Placement | None = None,
    ) -> str:
        """Ask a person to confirm the signing of some of their documents; the address they are sent to.

        ``placement`` is where the block of every one of them goes.

        Raises:
            NotEnrolled, CertificateUnusable: they cannot sign now.
            NoSuchDocument: one is not here, or not theirs.
            ConsentLost: none, or more than one confirmation takes.
            Unavailable: sign-on does not answer.
        """
        credential = self._store.credential_of(subject)
        self._enrolling.check(credential)
        if not 0 < len(documents) <= MOST or len(set(documents)) != len(documents):
            raise ConsentLost
        found = [self._shelf.one(owner(subject), each) for each in documents]
        asked = {
            each.facts.sha256: Asked(
                document=each.id,
                digest=each.facts.sha256,
                label=each.facts.name[:_LONGEST_LABEL],
                **asdict(placement or Placement()),
            )
            for each in found
        }
        now = self._clock.now()
        consent = Consent(
            state=secrets.token_urlsafe(32),
            subject=subject,
            browser=browser,
            credential=credential.id,
            # By the name its owner knows, never by its own title; the same document twice is one signature.
            documents=tuple(asked.values()),
            verifier=secrets.token_urlsafe(48),
            asked_at=now,
            expires_at=now + self._patience,
        )
        self._store.ask(consent)
        return self._asking.begin(
            state=consent.state,
            verifier=consent.verifier,
            details=details(credential.id, consent.documents),
            locale=locale,
        )

    def finish(self, identity: Identity, answer: Answer, *, browser: str) -> list[str]:
        """Sign what was confirmed; the signed documents on the person's shelf, in their order.

        Raises:
            ConsentLost, ConsentUsed: there is nothing here that this answers; recorded.
            NotConfirmed, ConsentRefused: it was not confirmed, or not so; recorded.
            CertificateUnusable, KeyGone, HoldUnavailable: they cannot sign now.
            CannotSeal and others: a document cannot take a signature; nothing was signed.
            RecordUnavailable: an intent has no receipt.
        """
        try:
            consent = self._store.consent(answer.state, subject=identity.subject, browser=browser, at=self._clock.now())
        except Conflict as error:
            self._refuse(identity, [hashlib.sha256(answer.state.encode()).hexdigest()], code=error.code)
            raise
        commitments = [self._commitments.of_digest(bytes.fromhex(each.digest)) for each in consent.documents]
        try:
            credential, consented = self._consented(consent, answer)
            documents = [self._document(consent, each) for each in consent.documents]
            self._enrolling.check(credential)
        except (Conflict, Forbidden) as error:
            self._store.end(consent.state)
            self._refuse(identity, commitments, code=error.code, consent=consent)
            raise
        signer = self._signer(credential)
        room = [
            self._prepared(document, credential, signer, commitment=commitment, placement=asked.placement)
            for document, commitment, asked in zip(documents, commitments, consent.documents, strict=True)
        ]
        acts = [
            _Act(identity, consent, credential, consented.by, commitment, prepared, asked)
            for commitment, prepared, asked in zip(commitments, room, consent.documents, strict=True)
        ]
        intents = [each.event("signature.intended", Outcome.INTENDED, at=self._clock.now()) for each in acts]
        # The consent is used up here. A death after this leaves rows that replay() ends, and nothing signed.
        self._store.spend(
            consent,
            token=hashlib.sha256(consented.jti.encode()).hexdigest(),
            signings=[each.row(intent.key, at=intent.at) for each, intent in zip(acts, intents, strict=True)],
        )
        return self._signed(acts, intents, signer)

    def replay(self) -> int:
        """End signatures whose process died, and hand over those that were made and not handed over yet."""
        now, ended = self._clock.now(), 0
        for signing in self._store.unfinished(before=now - _ABANDONED_AFTER):
            event = Event(
                key=secrets.token_hex(16),
                type="signature.made",
                outcome=Outcome.FAILURE,
                at=now,
                source="signatures",
                subject=signing.subject,
                object=signing.commitment,
                attributes={"certificate": signing.serial, "reason": "process_died", "caller": "signatures"},
            )
            if self._store.finish(signing.key, event, result=""):
                ended += 1
                self._drop(signing.key)
        for key, subject, result in self._store.made_since(now - _GIVEN_WITHIN):
            self._shelf.give(result, owner=_pending(key), to=owner(subject))
        self._store.forget(before=now - _GIVEN_WITHIN)
        if ended:
            self._nudge()
        return ended

    def _consented(self, consent: Consent, answer: Answer) -> tuple[Credential, Granted]:
        if answer.issuer != self._asking.issuer:
            # RFC 9207: another server's answer, mixed in.
            raise ConsentRefused(why="iss")
        if answer.error or not answer.code:
            raise NotConfirmed
        token = self._asking.redeem(answer.code, verifier=consent.verifier)
        credential = self._store.credential_of(consent.subject)
        if credential.id != consent.credential:
            raise ConsentRefused(why="credential")
        expected = Expected(
            issuer=self._asking.issuer,
            audience=self._audience,
            client=CLIENT,
            subject=consent.subject,
            jkt=self._asking.jkt,
            details=details(credential.id, consent.documents),
            at=self._clock.now(),
        )
        return credential, granted(token, self._keys(), expected)

    def _document(self, consent: Consent, asked: Asked) -> bytes:
        """The document as it is now, if it is the one that was confirmed."""
        document = self._shelf.read(owner(consent.subject), asked.document)
        if hashlib.sha256(document).hexdigest() != asked.digest:
            raise ConsentRefused(why="document")
        return document

    def _signer(self, credential: Credential) -> KeySigner:
        try:
            return KeySigner(
                key=self._enrolling.key(credential),
                certificate=credential.certificate.encode(),
                chain=credential.chain.encode(),
            )
        except KeyMismatch as error:
            raise CertificateUnusable from error

    def _prepared(
        self, document: bytes, credential: Credential, signer: KeySigner, *, commitment: str, placement: Placement
    ) -> Prepared:
        own = x509.load_pem_x509_certificate(credential.certificate.encode())
        return self._forming.prepare_for_person(
            document,
            certificate=own.public_bytes(Encoding.DER),
            shown=self._block(credential),
            room=signer.room,
            commitment=commitment,
            placement=placement,
        )

    def _block(self, credential: Credential) -> Block:
        return Block(
            name=credential.name,
            name_zh=credential.name_zh,
            agency="",
            agency_zh="",
            at=self._clock.now().astimezone(self._zone).strftime("%Y-%m-%d %H:%M"),
            serial=credential.serial[-_SHOWN:].upper(),
        )

    def _signed(self, acts: Sequence["_Act"], intents: Sequence[Event], signer: KeySigner) -> list[str]:
        results: list[str] = []
        for number, (act, intent) in enumerate(zip(acts, intents, strict=True)):
            try:
                self._recorder.record(intent)
                signed = self._forming.sign(act.prepared, _as_seal(act.credential), signer)
                result = self._keep(act, intent.key, signed)
            except BaseException:
                # Whether the log took the intent may be unknown; the rows say that no document left.
                for later, key in zip(acts[number:], [each.key for each in intents[number:]], strict=True):
                    failed = later.event("signature.made", Outcome.FAILURE, at=self._clock.now())
                    self._store.finish(key, failed, result="")
                self._nudge()
                raise
            made = act.event("signature.made", Outcome.SUCCESS, at=self._clock.now())
            if not self._store.finish(intent.key, made, result=result):
                self._shelf.remove(_pending(intent.key), result)
                raise Conflict
            self._nudge()
            self._shelf.give(result, owner=_pending(intent.key), to=owner(act.consent.subject))
            results.append(result)
        return results

    def _keep(self, act: "_Act", key: str, signed: bytes) -> str:
        """On the shelf, and nobody's until its outcome is kept."""
        before = self._shelf.one(owner(act.consent.subject), act.asked.document).facts
        stem = before.name.removesuffix(".pdf").removesuffix(".PDF")
        facts = Facts(
            name=f"{stem}-signed.pdf",
            sha256=hashlib.sha256(signed).hexdigest(),
            title=before.title,
            pages=before.pages,
            signatures=before.signatures + 1,
        )
        return self._shelf.put(_pending(key), signed, facts=facts, limits=self._limits).id

    def _drop(self, key: str) -> None:
        for each in self._shelf.of(_pending(key)):
            self._shelf.remove(_pending(key), each.id)

    def _refuse(self, identity: Identity, objects: Sequence[str], *, code: str, consent: Consent | None = None) -> None:
        for each in objects:
            self._recorder.record(
                Event(
                    key=secrets.token_hex(16),
                    type="signature.refused",
                    outcome=Outcome.DENIED,
                    at=self._clock.now(),
                    source="signatures",
                    subject=identity.subject,
                    object=each,
                    session=identity.session,
                    zone=identity.zone,
                    decision=identity.decision,
                    attributes={"code": code, "caller": CLIENT, **({"consent": _number(consent)} if consent else {})},
                )
            )


@dataclass(frozen=True)
class _Act:
    """One signature that was confirmed."""

    identity: Identity
    consent: Consent
    credential: Credential
    by: str
    commitment: str
    prepared: Prepared
    asked: Asked

    def row(self, key: str, *, at: Any) -> RemoteSigning:
        """As it is intended."""
        return RemoteSigning(
            key=key,
            state=self.consent.state,
            subject=self.consent.subject,
            document=self.asked.document,
            commitment=self.commitment,
            serial=self.credential.serial,
            at=at,
        )

    def event(self, type_: str, outcome: Outcome, *, at: Any) -> Event:
        """What happened to it at a moment."""
        return Event(
            key=secrets.token_hex(16),
            type=type_,
            outcome=outcome,
            at=at,
            source="signatures",
            subject=self.consent.subject,
            object=self.commitment,
            session=self.identity.session,
            zone=self.identity.zone,
            decision=self.identity.decision,
            attributes={
                "certificate": self.credential.serial,
                "caller": CLIENT,
                "assurance": self.identity.assurance,
                "consent": _number(self.consent),
                "confirmed_by": self.by,
            },
            sealed={"name": self.credential.name, "object_name": self.asked.label},
        )


def _number(consent: Consent) -> str:
    """By which the record names a consent; what travelled through the browser is not in it."""
    return hashlib.sha256(consent.state.encode()).hexdigest()[:32]


def _pending(key: str) -> str:
    return f"pending:{key}"


def _as_seal(credential: Credential) -> Seal:
    return Seal(
        organisation="",
        serial=credential.serial,
        certificate=credential.certificate,
        chain=credential.chain,
        key=credential.key.name,
        state=SealState.ACTIVE,
        name=credential.name,
        name_zh=credential.name_zh,
        made_at=credential.made_at,
    )
