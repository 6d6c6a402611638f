# SPDX-License-Identifier: Apache-2.0
"""Prepares a document for its signature: reserves the room, draws the seal, digests the rest. Needs no key."""

import asyncio
import io
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from asn1crypto import x509
from pyhanko.pdf_utils.content import RawContent
from pyhanko.pdf_utils.decode_limits import DecodeLimits
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.layout import AxisAlignment, BoxConstraints, Margins, SimpleBoxLayoutRule
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import FieldMDPAction, FieldMDPSpec, MDPPerm, SigFieldSpec, SigSeedSubFilter
from pyhanko.sign.signers.pdf_cms import ExternalSigner
from pyhanko.sign.signers.pdf_signer import PdfSignatureMetadata, PdfSigner, PdfSigningSession, PdfTBSDocument
from pyhanko.stamp import StaticStampStyle

from ..looks import Certification, EmptyField, Locking, Permits, Placement
from ..models import Prepared
from .cms import digest_of
from .drawing import Drawing
from .gate import marks
from .placing import NotSealable, empty_fields, field_names, field_place, free_place

_LEVELS = {
    Certification.NOTHING: MDPPerm.NO_CHANGES,
    Certification.FORM: MDPPerm.FILL_FORMS,
    Certification.NOTES: MDPPerm.ANNOTATE,
}
_LOCKS = {
    Locking.ALL: FieldMDPAction.ALL,
    Locking.INCLUDE: FieldMDPAction.INCLUDE,
    Locking.EXCLUDE: FieldMDPAction.EXCLUDE,
}
_FILLING = SimpleBoxLayoutRule(AxisAlignment.ALIGN_MID, AxisAlignment.ALIGN_MID, Margins(0, 0, 0, 0))


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to prepare."""

    drawing: Drawing
    # DER of the signer's certificate: decides the algorithm, nothing else.
    certificate: bytes
    # Hexadecimal digits to reserve.
    room: int
    at: datetime
    # Shown by viewers beside the signature.
    name: str
    reason: str
    placement: Placement = field(default_factory=Placement)
    permits: Permits = field(default_factory=Permits)
    # Whether others may have signed before; else a document with any trace of a signature is refused.
    further: bool = False


def prepare(
    document: bytes, request: Request, *, run: Callable[[Coroutine[Any, Any, Prepared]], Prepared] = asyncio.run
) -> Prepared:
    """Put the picture into a field of its own or the one that is named, and digest everything but the signature.

    ``run`` brings a loop of its own where none can be made.

    Raises:
        NotSealable: see there. Other exceptions come from malformed files; the caller treats them alike.
    """
    reader = PdfFileReader(io.BytesIO(document), decode_limits=DecodeLimits.for_untrusted_input())
    if reader.encrypted:
        raise NotSealable("encrypted")
    signed = bool(marks(document))
    if signed and not request.further:
        raise NotSealable("signed")
    if signed and request.permits.certification:
        raise NotSealable("not_first")
    writer = IncrementalPdfFileWriter.from_reader(reader)
    name, permits = request.placement.field, request.permits
    lock: Any = FieldMDPSpec(_LOCKS[permits.locking], list(permits.fields) or None) if permits.locking else None
    spec = None
    if name:
        turn = field_place(reader, name)
    else:
        name = _free_name(reader)
        page, box, turn = free_place(reader, request.placement, request.drawing)
        spec = SigFieldSpec(name, on_page=page, box=box, readable_field_name=request.name, field_mdp_spec=lock)
    if signed:
        _allowed(reader, name)
    own = x509.Certificate.load(request.certificate)
    metadata = PdfSignatureMetadata(
        field_name=name,
        md_algorithm=digest_of(own),
        subfilter=SigSeedSubFilter.PADES,
        name=request.name,
        reason=request.reason or None,
        certify=bool(permits.certification),
        docmdp_permissions=_LEVELS.get(permits.certification, MDPPerm.FILL_FORMS),
    )
    signer = PdfSigner(
        metadata,
        ExternalSigner(own, None, signature_value=bytes(72)),
        stamp_style=_style(request.drawing, turn),
        new_field_spec=spec,
    )
    return run(_digest(signer, writer, request, None if spec else lock))


def waiting_fields(document: bytes) -> tuple[EmptyField, ...]:
    """The signature fields that wait for a signature. Malformed files raise anything, as in ``prepare``."""
    return empty_fields(PdfFileReader(io.BytesIO(document), decode_limits=DecodeLimits.for_untrusted_input()))


async def _digest(signer: PdfSigner, writer: IncrementalPdfFileWriter, request: Request, lock: Any) -> Prepared:
    existing: Any = signer.new_field_spec is None
    session: PdfSigningSession = signer.init_signing_session(writer, existing_fields_only=existing)
    # pyHanko reads the machine's clock here; the signing time is the one we were given.
    session.system_time = request.at
    if lock is not None:
        # A field that was there already gets the lock that is asked for instead of its own.
        there: Any = session.sig_field
        there["/Lock"] = lock.as_sig_field_lock()
    checked = await session.perform_presign_validation(writer)
    waiting: PdfTBSDocument = session.prepare_tbs_document(
        validation_info=checked, bytes_reserved=request.room, appearance_text_params={}
    )
    output = io.BytesIO()
    region, _ = waiting.digest_tbs_document(output=output)
    return Prepared(
        document=output.getvalue(),
        digest=region.document_digest,
        start=region.reserved_region_start,
        end=region.reserved_region_end,
    )


def _free_name(reader: Any) -> str:
    taken = set(field_names(reader))
    return next(name for number in range(1, len(taken) + 2) if (name := f"Tallygate{number}") not in taken)


def _allowed(reader: PdfFileReader, name: str) -> None:
    """Whether those who signed before allow a signature in this field.

    Raises:
        NotSealable: one of them does not.
    """
    for each in reader.embedded_signatures:
        locked = each.fieldmdp
        if each.docmdp_level is MDPPerm.NO_CHANGES or (locked is not None and locked.is_locked(name)):
            raise NotSealable("locked")


def _style(drawing: Drawing, turn: int) -> StaticStampStyle:
    # A turned page shows its annotations turned; the picture is turned back about its own middle.
    w, h = drawing.width, drawing.height
    matrix = {
        0: b"",
        90: b"0 1 -1 0 %.2f 0 cm " % h,
        180: b"-1 0 0 -1 %.2f %.2f cm " % (w, h),
        270: b"0 -1 1 0 0 %.2f cm " % w,
    }[turn]
    size = BoxConstraints(*((h, w) if turn in {90, 270} else (w, h)))
    return StaticStampStyle(
        background=RawContent(matrix + drawing.operators, box=size),
        background_layout=_FILLING,
        background_opacity=0.9,
        border_width=0,
    )
