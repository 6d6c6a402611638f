# SPDX-License-Identifier: Apache-2.0
"""Prepares a document for its signature: reserves the room, draws the seal, digests the rest. Needs no key."""

import asyncio
import io
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from asn1crypto import x509
from pyhanko.pdf_utils.content import RawContent
from pyhanko.pdf_utils.decode_limits import DecodeLimits
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.layout import BoxConstraints
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import SigFieldSpec, SigSeedSubFilter
from pyhanko.sign.signers.pdf_cms import ExternalSigner
from pyhanko.sign.signers.pdf_signer import PdfSignatureMetadata, PdfSigner, PdfSigningSession, PdfTBSDocument
from pyhanko.stamp import StaticStampStyle

from ..models import Prepared
from .cms import DIGEST
from .drawing import MM, Drawing
from .gate import marks

_MARGIN = 15 * MM


class NotSealable(Exception):
    """This document cannot take a signature; ``reason`` is "signed", "encrypted" or "malformed"."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


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


def prepare(
    document: bytes, request: Request, *, run: Callable[[Coroutine[Any, Any, Prepared]], Prepared] = asyncio.run
) -> Prepared:
    """Add one signature field with its picture to the last page and digest everything but the signature.

    ``run`` brings a loop of its own where none can be made.

    Raises:
        NotSealable: see there. Other exceptions come from malformed files; the caller treats them alike.
    """
    reader = PdfFileReader(io.BytesIO(document), decode_limits=DecodeLimits.for_untrusted_input())
    if reader.encrypted:
        raise NotSealable("encrypted")
    if marks(document):
        raise NotSealable("signed")
    writer = IncrementalPdfFileWriter.from_reader(reader)
    last = int(reader.root["/Pages"]["/Count"]) - 1
    if last < 0:
        raise NotSealable("malformed")
    box, turn = _place(reader, last, request.drawing)
    metadata = PdfSignatureMetadata(
        field_name="Tallygate1",
        md_algorithm=DIGEST,
        subfilter=SigSeedSubFilter.PADES,
        name=request.name,
        reason=request.reason or None,
    )
    own = x509.Certificate.load(request.certificate)
    signer = PdfSigner(
        metadata,
        ExternalSigner(own, None, signature_value=bytes(72)),
        stamp_style=_style(request.drawing, turn),
        new_field_spec=SigFieldSpec("Tallygate1", on_page=last, box=box, readable_field_name=request.name),
    )
    return run(_digest(signer, writer, request))


async def _digest(signer: PdfSigner, writer: IncrementalPdfFileWriter, request: Request) -> Prepared:
    session: PdfSigningSession = signer.init_signing_session(writer)
    # pyHanko reads the machine's clock here; the signing time is the one we were given.
    session.system_time = request.at
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
        background=RawContent(matrix + drawing.operators, box=size), background_opacity=0.9, border_width=0
    )


def _place(reader: Any, page: int, drawing: Drawing) -> tuple[tuple[int, int, int, int], int]:
    """The lower right corner of the page as a reader sees it, and how far the page is turned."""
    node: Any = reader.find_page_for_modification(page)[0].get_object()
    left, bottom, right, top = (float(value) for value in _inherited(node, "/CropBox", "/MediaBox"))
    turn = int(_inherited(node, "/Rotate") or 0) % 360
    turn = turn if turn in {90, 180, 270} else 0
    wide, high = right - left, top - bottom
    if turn in {90, 270}:
        wide, high = high, wide
    w, h = drawing.width, drawing.height
    x, y = max(0.0, wide - w - _MARGIN), min(_MARGIN, max(0.0, high - h))
    # Back from what the reader sees to the page's own axes (ISO 32000-2, 7.7.3.3: turned clockwise).
    corners = {
        0: (x, y, x + w, y + h),
        90: (high - y - h, x, high - y, x + w),
        180: (wide - x - w, high - y - h, wide - x, high - y),
        270: (y, wide - x - w, y + h, wide - x),
    }[turn]
    x1, y1, x2, y2 = corners
    return (round(left + x1), round(bottom + y1), round(left + x2), round(bottom + y2)), turn


def _inherited(node: Any, *names: str) -> Any:
    for name in names:
        at: Any = node
        for _ in range(64):
            if name in at:
                return at[name]
            if "/Parent" not in at:
                break
            at = at["/Parent"]
    if "/MediaBox" in names:
        # Required by ISO 32000, yet often absent; viewers assume US Letter.
        return (0, 0, 612, 792)
    return None
