# SPDX-License-Identifier: Apache-2.0
"""Puts an organisation's seal on a document: a grant, so its intent is in the record before the key is touched."""

import hashlib
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from audit import Event, Outcome, Recorder
from ca.models import CertificateStatus, Issued, IssueRequest
from core.clock import Clock
from core.errors import Conflict, NotFound
from core.identity import IdentityRefused
from directory.models import Organisation, Person
from policies.models import Action, Decision, DecisionRequest, ResourceClass

from ..config import SignatureSettings
from ..errors import (
    AlreadySigned,
    CannotSeal,
    NoSeal,
    NothingSent,
    SandboxFailed,
    SealChanged,
    SealDenied,
    SealUnusable,
    WishUsed,
)
from ..models import Level, Prepared, Seal, SealOrder, SealState, Wish
from ..pades import cms, drawing
from ..pades.glyphs import Outlines
from ..pades.signing import Request
from ..sandbox import ReaderPool
from ..store import Signing, SigningState, Store
from .commitment import Commitments
from .keys import SealKeys
from .wishes import Wishes

# Hexadecimal digits for a time-stamp with the certificates of its unit.
_STAMP_ROOM = 16384
_ABANDONED_AFTER = timedelta(minutes=10)
_ORGANISATION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,62})")


class Authority(Protocol):
    """The certificate authority, in process or over its socket."""

    def issue(self, request: IssueRequest) -> Issued:
        """Make a certificate; recorded there."""
        ...


class People(Protocol):
    """The directory as far as seals need it; strangers raise NotFound."""

    def person(self, subject: str) -> Person:
        """One person."""
        ...

    def organisation(self, identifier: str, /) -> Organisation:
        """One organisation."""
        ...


class Sealing:
    """The grant and what prepares it."""

    def __init__(
        self,
        *,
        store: Store,
        readers: ReaderPool,
        keys: SealKeys,
        authority: Authority,
        status: Callable[[str], CertificateStatus],
        people: People,
        decide: Callable[[DecisionRequest], Decision],
        recorder: Recorder,
        nudge: Callable[[], None],
        commitments: Commitments,
        outlines: Outlines,
        clock: Clock,
        settings: SignatureSettings,
        wishes: Wishes,
        # Gives a time-stamp over some bytes; needed for levels above B.
        stamp: Callable[[bytes], bytes] | None = None,
        # What the issuers say of certificates at this moment: their lists, DER.
        lists: Callable[[], Sequence[bytes]] | None = None,
        # Callers whose documents are reports on the record, each with the one organisation whose seal they bear.
        reports: Mapping[str, str] | None = None,
    ) -> None:
        self._store = store
        self._readers = readers
        self._keys = keys
        self._authority = authority
        # What the authority says of a seal's certificate at this moment.
        self._status = status
        self._people = people
        self._decide = decide
        self._recorder = recorder
        self._nudge = nudge
        self._commitments = commitments
        self._clock = clock
        self._settings = settings
        self._wishes = wishes
        self._level = Level(settings.level)
        self._stamp = stamp if self._level is not Level.B else None
        self._lists = lists or (lambda: ())
        self._reports = dict(reports or {})
        # A seal is drawn once per organisation and process.
        self._draw = lru_cache(maxsize=256)(
            lambda name_zh, name: drawing.seal(outlines, name_zh=name_zh or name, name=name)
        )

    def establish(self, organisation: str, *, renew: bool = False) -> Seal:
        """Give an organisation its seal: a key made here and a certificate from the authority, which records it.

        Returns the present seal if there is one and it is not to be renewed.

        Raises:
            NotFound: the directory knows no such organisation.
            SealChanged: somebody else renewed it at the same moment.
            TallygateError: the authority refused.
        """
        found = self._organisation(organisation)
        present = self._present(found.id)
        if present is not None and not renew:
            return present
        name, request = self._keys.make(found.id)
        # A death here leaves a key file without a seal, and perhaps a certificate nobody can use: both harmless.
        issued = self._authority.issue(
            IssueRequest(profile="organisation-seal", csr=request, subject=found.id, actor="role:signatures")
        )
        seal = Seal(
            organisation=found.id,
            serial=issued.serial,
            certificate=issued.certificate.decode(),
            chain=issued.chain.decode(),
            key=name,
            state=SealState.ACTIVE,
            name=found.name,
            name_zh=found.name_zh,
            made_at=self._clock.now(),
        )
        self._keys.signer(seal)
        try:
            self._store.put_seal(seal, instead_of=present)
        except SealChanged:
            # The certificate was issued for nothing, and without its key it stays so.
            self._keys.drop(seal)
            if renew:
                raise
            return self._store.seal_of(found.id)
        return seal

    def seal(self, order: SealOrder) -> bytes:
        """The document with the organisation's seal on its last page.

        Raises:
            IdentityRefused: nobody we believe says who the person is; recorded.
            SealDenied: this person may not; recorded.
            WishUsed: the gateway let this request through once, and it was carried out; recorded.
            NoSeal, SealUnusable: the organisation cannot seal now.
            CannotSeal, AlreadySigned: the document cannot take a seal.
            RecordUnavailable: the intent has no receipt; nothing was signed.
        """
        # 1. Who, for whom, and may they. A refusal is recorded too.
        if not order.document:
            raise NothingSent
        commitment = self._commitments.of(order.document)
        wish = self._wish(order, commitment)
        decision, name = self._permission(order, wish, commitment)
        # 2. The seal and what its issuer says of it at this moment.
        seal = self._store.seal_of(order.organisation)
        self._usable(seal)
        signer = self._keys.signer(seal)
        # 3. Room in the document, made by a process that has no key; its answer is checked against the original.
        at = self._clock.now()
        prepared = self._prepare(order, seal, room=signer.room + (_STAMP_ROOM if self._stamp else 0))
        # 4. The intent. Without its receipt nothing is signed; a death after it leaves a row that replay() ends.
        act = _Act(order, wish, commitment, seal, decision, name)
        intent = self._event(act, type_="signature.intended", outcome=Outcome.INTENDED)
        self._intend(act, intent, at)
        try:
            self._recorder.record(intent)
            # 5. The signature, over the digest we computed ourselves.
            content = signer.sign_digest(prepared.digest, stamp=self._stamp)
            sealed = cms.put_into(prepared.document, start=prepared.start, end=prepared.end, content=content)
            sealed = self._lasting(sealed, seal)
        except BaseException:
            # Whether the log took the intent may be unknown; the row says that no document left.
            outcome = self._event(act, type_="signature.made", outcome=Outcome.FAILURE)
            self._store.finish(intent.key, SigningState.FAILED, outcome)
            self._nudge()
            raise
        # 6. The outcome, in the transaction that ends the intent; only then does the document leave.
        made = self._event(act, type_="signature.made", outcome=Outcome.SUCCESS)
        if not self._store.finish(intent.key, SigningState.MADE, made):
            raise Conflict
        self._nudge()
        return sealed

    def replay(self) -> int:
        """End sealings whose process died between intent and outcome: no document left, and the record says so."""
        now = self._clock.now()
        ended = 0
        for signing in self._store.unfinished(before=now - _ABANDONED_AFTER):
            event = Event(
                key=secrets.token_hex(16),
                type="signature.made",
                outcome=Outcome.FAILURE,
                at=now,
                source="signatures",
                subject=signing.actor,
                object=signing.commitment,
                organisation=signing.organisation,
                decision=signing.decision,
                attributes={"certificate": signing.serial, "reason": "process_died"},
            )
            ended += self._store.finish(signing.key, SigningState.FAILED, event)
        if ended:
            self._nudge()
        return ended

    def _present(self, organisation: str) -> Seal | None:
        try:
            return self._store.seal_of(organisation)
        except NoSeal:
            return None

    def _wish(self, order: SealOrder, commitment: str) -> Wish:
        try:
            wish = self._wishes.read(order, at=self._clock.now())
        except IdentityRefused as error:
            # Whoever the caller named, nobody we believe did: the record of that person stays clean.
            self._refuse(order, Wish(actor="", assurance=0, zone="", session=""), commitment, code=error.code)
            raise
        if order.actor not in {"", wish.actor}:
            self._refuse(order, wish, commitment, code="other_person")
            raise SealDenied
        return wish

    def _intend(self, act: "_Act", intent: Event, at: datetime) -> None:
        signing = Signing(
            key=intent.key,
            organisation=act.order.organisation,
            actor=act.wish.actor,
            decision=act.wish.decision,
            commitment=act.commitment,
            serial=act.seal.serial,
            at=at,
        )
        try:
            self._store.intend(signing)
        except WishUsed as error:
            self._refuse(act.order, act.wish, act.commitment, code=error.code)
            raise

    def _permission(self, order: SealOrder, wish: Wish, commitment: str) -> tuple[Decision, str]:
        at = self._clock.now()
        if order.caller in self._reports and order.organisation != self._reports[order.caller]:
            # Whoever has taken the caller over gets no other organisation's seal with an officer's wish.
            self._refuse(order, wish, commitment, code="other_organisation")
            raise SealDenied
        try:
            person = self._people.person(wish.actor)
            self._organisation(order.organisation)
        except NotFound as error:
            self._refuse(order, wish, commitment, code="unknown")
            raise SealDenied from error
        mandates = frozenset(
            mandate.organisation
            for mandate in person.mandates
            if mandate.scope in {self._settings.mandate, "all"} and mandate.until >= at.date()
        )
        decision = self._decide(
            DecisionRequest(
                principal_kind="person",
                subject=person.subject,
                roles=person.roles | {person.kind.value},
                organisation=person.organisation,
                mandates=mandates,
                enabled=person.enabled,
                proofing=person.proofing.level,
                assurance=wish.assurance,
                clearance=person.clearance,
                action=Action.SEAL.value,
                resource="report" if order.caller in self._reports else "seal",
                resource_class=ResourceClass.SIGNING.value,
                owner=order.organisation,
                classification=0,
                from_zone=wish.zone,
                to_zone=wish.zone,
                required_assurance=2,
                at=at,
            )
        )
        if not decision.allowed:
            self._refuse(order, wish, commitment, code=decision.code, decision=decision)
            raise SealDenied
        return decision, person.name or person.name_zh

    def _organisation(self, identifier: str) -> Organisation:
        # It becomes part of a file name: nothing but what the pattern allows ever does.
        if not _ORGANISATION.fullmatch(identifier):
            raise NotFound
        return self._people.organisation(identifier)

    def _usable(self, seal: Seal) -> None:
        own = x509.load_pem_x509_certificate(seal.certificate.encode())
        if not own.not_valid_before_utc <= self._clock.now() <= own.not_valid_after_utc:
            raise SealUnusable
        if not self._status(seal.serial).good:
            raise SealUnusable

    def _prepare(self, order: SealOrder, seal: Seal, *, room: int) -> Prepared:
        own = x509.load_pem_x509_certificate(seal.certificate.encode())
        request = Request(
            drawing=self._draw(seal.name_zh, seal.name),
            certificate=own.public_bytes(Encoding.DER),
            room=room,
            at=self._clock.now(),
            name=seal.name_zh or seal.name,
            reason="",
        )
        try:
            prepared = self._readers.prepare(order.document, request)
        except SandboxFailed as error:
            raise (AlreadySigned if error.reason == "signed" else CannotSeal) from error
        covered = prepared.document[: prepared.start] + prepared.document[prepared.end :]
        if (
            not prepared.document.startswith(order.document)
            or not len(order.document) < prepared.start < prepared.end < len(prepared.document)
            or hashlib.sha256(covered).digest() != prepared.digest
        ):
            # The reading process returned something else than this document with room for a signature.
            raise CannotSeal
        return prepared

    def _lasting(self, sealed: bytes, seal: Seal) -> bytes:
        """The sealed document with what its level asks for beyond the time-stamp; nothing of it is changed."""
        if self._stamp is None or self._level is Level.T:
            return sealed
        shown = x509.load_pem_x509_certificates((seal.certificate + seal.chain).encode())
        try:
            kept = self._readers.add_proofs(
                sealed, certificates=[each.public_bytes(Encoding.DER) for each in shown], lists=[*self._lists()]
            )
            if self._level is Level.LTA:
                room = self._readers.prepare_stamp(kept, room=_STAMP_ROOM, name="TallygateArchive1")
                covered = room.document[: room.start] + room.document[room.end :]
                kept = cms.put_into(room.document, start=room.start, end=room.end, content=self._stamp(covered))
        except SandboxFailed as error:
            raise CannotSeal from error
        if not kept.startswith(sealed):
            # The reading process touched what was signed.
            raise CannotSeal
        return kept

    def _refuse(
        self, order: SealOrder, wish: Wish, commitment: str, *, code: str, decision: Decision | None = None
    ) -> None:
        self._recorder.record(
            Event(
                key=secrets.token_hex(16),
                type="signature.refused",
                outcome=Outcome.DENIED,
                at=self._clock.now(),
                source="signatures",
                subject=wish.actor,
                object=commitment,
                organisation=order.organisation,
                session=wish.session,
                zone=wish.zone,
                decision=wish.decision,
                policy=decision.version if decision else "",
                attributes={"code": code, "caller": order.caller, "policies": _joined(decision), **_reference(order)},
            )
        )

    def _event(self, act: "_Act", *, type_: str, outcome: Outcome) -> Event:
        return Event(
            key=secrets.token_hex(16),
            type=type_,
            outcome=outcome,
            at=self._clock.now(),
            source="signatures",
            subject=act.wish.actor,
            object=act.commitment,
            organisation=act.order.organisation,
            session=act.wish.session,
            zone=act.wish.zone,
            decision=act.wish.decision,
            policy=act.decision.version,
            attributes={
                "certificate": act.seal.serial,
                "caller": act.order.caller,
                "assurance": act.wish.assurance,
                "policies": _joined(act.decision),
                **_reference(act.order),
            },
            # What is signed has no name that we know: people know it by whose seal it bears.
            sealed={"name": act.name, "object_name": act.seal.name},
        )


@dataclass(frozen=True)
class _Act:
    """One sealing that was permitted."""

    order: SealOrder
    wish: Wish
    commitment: str
    seal: Seal
    decision: Decision
    # Of the person who acts, as the directory has it now.
    name: str


def _reference(order: SealOrder) -> dict[str, str]:
    return {"reference": order.reference} if order.reference else {}


def _joined(decision: Decision | None) -> str:
    return " ".join(decision.reasons) if decision else ""
