# SPDX-License-Identifier: Apache-2.0
"""Forms what is signed and what leaves: room for the signature, the signature, and what its level asks for beyond."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ca.models import CertificateStatus
from core.clock import Clock
from core.errors import TallygateError

from ..errors import (
    AlreadySigned,
    CannotSeal,
    FieldFilled,
    FieldOfAnotherKind,
    FieldTooSmall,
    Locked,
    NoSuchField,
    NoSuchPage,
    NotFirst,
    OffPage,
    SandboxFailed,
    SealUnusable,
)
from ..looks import Block, Placement
from ..models import Level, Prepared, Seal, SealOrder
from ..pades import cms, drawing
from ..pades.glyphs import Outlines
from ..pades.signing import Request
from ..proofs.signed_data import read
from ..sandbox import ReaderPool
from .keys import SealKeys

# Hexadecimal digits for a time-stamp with the certificates of its unit.
_STAMP_ROOM = 16384
# How much of a certificate's number a seal shows.
_SHOWN = 12
_REFUSALS: Mapping[str, type[TallygateError]] = {
    "signed": AlreadySigned,
    "off_page": OffPage,
    "no_page": NoSuchPage,
    "no_field": NoSuchField,
    "field_filled": FieldFilled,
    "field_kind": FieldOfAnotherKind,
    "field_small": FieldTooSmall,
    "not_first": NotFirst,
    "locked": Locked,
}


class Forming:
    """Everything between a permitted order and the document that leaves, but for the record."""

    def __init__(
        self,
        *,
        readers: ReaderPool,
        keys: SealKeys,
        status: Callable[[str], CertificateStatus],
        outlines: Outlines,
        clock: Clock,
        level: Level,
        # Gives a time-stamp over some bytes; needed for levels above B.
        stamp: Callable[[bytes], bytes] | None = None,
        # What the issuers say of certificates at this moment: their lists, DER.
        lists: Callable[[], Sequence[bytes]] | None = None,
        # Where the code of a document leads, by its commitment; without it there are no codes.
        address: Callable[[str], str] | None = None,
    ) -> None:
        self._readers = readers
        self._keys = keys
        # What the authority says of a seal's certificate at this moment.
        self._status = status
        self._clock = clock
        self._level = level
        self._stamp = stamp if level is not Level.B else None
        self._lists = lists or (lambda: ())
        self._address = address
        self._outlines = outlines
        # A seal is drawn once per organisation and process.
        self._draw = lru_cache(maxsize=256)(
            lambda name_zh, name, number: drawing.seal(outlines, name_zh=name_zh or name, name=name, number=number)
        )

    def signer(self, seal: Seal) -> cms.KeySigner:
        """The signer of a seal that may be used at this moment.

        Raises:
            SealUnusable: its certificate is not good, or its key is gone.
        """
        own = x509.load_pem_x509_certificate(seal.certificate.encode())
        if not own.not_valid_before_utc <= self._clock.now() <= own.not_valid_after_utc:
            raise SealUnusable
        if not self._status(seal.serial).good:
            raise SealUnusable
        return self._keys.signer(seal)

    def size_of_block(self, shown: Block) -> tuple[float, float]:
        """Width and height of a person's block with its code, in points."""
        drawn = drawing.block(self._outlines, self._with_code(shown, "0" * 64))
        return drawn.width, drawn.height

    def prepare_for_person(
        self, document: bytes, *, certificate: bytes, shown: Block, room: int, commitment: str, placement: Placement
    ) -> Prepared:
        """Room for a person's own signature, beside those of others, with a block that says whose it is.

        Raises:
            TallygateError: the document cannot take it, or not there; see ``_REFUSALS``.
        """
        request = Request(
            drawing=drawing.block(self._outlines, self._with_code(shown, commitment)),
            certificate=certificate,
            room=room + (_STAMP_ROOM if self._stamp else 0),
            at=self._clock.now(),
            name=shown.name_zh or shown.name,
            reason="",
            placement=placement,
            further=True,
        )
        return self._checked(document, request)

    def prepare(self, order: SealOrder, seal: Seal, *, room: int, commitment: str) -> Prepared:
        """Room in the document for ``room`` digits, made by a process that has no key and checked against the original.

        Raises:
            TallygateError: the document cannot take a seal, or not there; see ``_REFUSALS``.
        """
        own = x509.load_pem_x509_certificate(seal.certificate.encode())
        picture = self._draw(seal.name_zh, seal.name, seal.serial[-_SHOWN:].upper())
        if order.caption:
            picture = drawing.captioned(self._outlines, picture, order.caption)
        if order.code and self._address is not None:
            picture = drawing.beside(picture, self._address(commitment))
        request = Request(
            drawing=picture,
            certificate=own.public_bytes(Encoding.DER),
            room=room + (_STAMP_ROOM if self._stamp else 0),
            at=self._clock.now(),
            name=seal.name_zh or seal.name,
            reason="",
            placement=order.placement,
            permits=order.permits,
            further=order.further,
        )
        return self._checked(order.document, request)

    def _with_code(self, shown: Block, commitment: str) -> Block:
        return replace(shown, address=self._address(commitment)) if self._address is not None else shown

    def _checked(self, document: bytes, request: Request) -> Prepared:
        try:
            prepared = self._readers.prepare(document, request)
        except SandboxFailed as error:
            raise _REFUSALS.get(error.reason, CannotSeal) from error
        # In two parts: a copy of the whole would lie in memory beside it.
        whole, digest = memoryview(prepared.document), hashlib.new(cms.digest_beside(request.certificate))
        digest.update(whole[: prepared.start])
        digest.update(whole[prepared.end :])
        if (
            not prepared.document.startswith(document)
            or not len(document) < prepared.start < prepared.end < len(prepared.document)
            or digest.digest() != prepared.digest
        ):
            # The reading process returned something else than this document with room for a signature.
            raise CannotSeal
        return prepared

    def sign(self, prepared: Prepared, seal: Seal, signer: cms.KeySigner) -> bytes:
        """The document with its signature, over the digest we computed ourselves, and what its level asks for.

        Raises:
            CannotSeal: the reading process failed or touched what was signed.
            Unavailable: the unit gave no time-stamp.
        """
        tokens: list[bytes] = []
        stamp = None if self._stamp is None else _remembering(self._stamp, tokens)
        content = signer.sign_digest(prepared.digest, stamp=stamp)
        sealed = cms.put_into(prepared.document, start=prepared.start, end=prepared.end, content=content)
        if self._stamp is None or self._level is Level.T:
            return sealed
        return self._lasting(sealed, seal, self._stamp, tokens)

    def sign_beside(self, content: bytes, signer: cms.KeySigner) -> bytes:
        """A detached CAdES signature over any content, level B, or T where the role has time-stamps.

        Raises:
            Unavailable: the unit gave no time-stamp.
        """
        return signer.sign_beside(hashlib.new(signer.digest, content).digest(), at=self._clock.now(), stamp=self._stamp)

    def _lasting(self, sealed: bytes, seal: Seal, stamp: Callable[[bytes], bytes], tokens: Sequence[bytes]) -> bytes:
        shown = x509.load_pem_x509_certificates((seal.certificate + seal.chain).encode())
        # Only those speak in the document whose certificates are in it: the seal's issuer, and the stamp's.
        needed = {each.issuer.public_bytes() for each in (shown[0], *_units(tokens))}
        try:
            kept = self._readers.add_proofs(
                sealed,
                certificates=[each.public_bytes(Encoding.DER) for each in shown],
                lists=[each for each in self._lists() if _speaker(each) in needed],
            )
            if self._level is Level.LTA:
                room = self._readers.prepare_stamp(kept, room=_STAMP_ROOM, name="TallygateArchive")
                covered = room.document[: room.start] + room.document[room.end :]
                kept = cms.put_into(room.document, start=room.start, end=room.end, content=stamp(covered))
        except SandboxFailed as error:
            raise CannotSeal from error
        if not kept.startswith(sealed):
            # The reading process touched what was signed.
            raise CannotSeal
        return kept


def _remembering(stamp: Callable[[bytes], bytes], tokens: list[bytes]) -> Callable[[bytes], bytes]:
    def remember(over: bytes) -> bytes:
        tokens.append(stamp(over))
        return tokens[-1]

    return remember


def _units(tokens: Sequence[bytes]) -> list[x509.Certificate]:
    found = [signer.certificate for token in tokens for signer in read(token).signers]
    return [x509.load_der_x509_certificate(each) for each in found if each is not None]


def _speaker(of: bytes) -> bytes:
    return x509.load_der_x509_crl(of).issuer.public_bytes()
