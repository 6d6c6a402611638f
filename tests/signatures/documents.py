# SPDX-License-Identifier: Apache-2.0
"""PDF files for tests, and what attackers do to them."""

import io
import random
import zlib
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import zxingcpp
from asn1crypto.keys import PrivateKeyInfo
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from PIL import Image
from pyhanko.pdf_utils import generic as _generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.writer import copy_into_new_writer
from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter
from pyhanko.sign.signers import PdfSignatureMetadata, SimpleSigner, sign_pdf
from pyhanko.sign.signers.pdf_signer import PdfSigner, PdfSigningSession
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen import canvas

from signatures.config import SignatureSettings
from signatures.models import Inspection, Prepared, Profile
from signatures.pades import cms, drawing
from signatures.pades.glyphs import Outlines
from signatures.pades.grounds import Grounds
from signatures.pades.inspection import inspect
from signatures.pades.signing import Request, prepare
from tests.signatures import made
from tests.signatures.pki import NOW, City, Leaf

# The library annotates only part of itself.
generic: Any = _generic
_FONT: list[Outlines] = []


def squares(picture: bytes) -> list[zxingcpp.Barcode]:
    """The QR codes in a picture; now and then the squares of one pass for bars of another kind of code."""
    return zxingcpp.read_barcodes(
        Image.open(io.BytesIO(picture)), zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
    )


def outlines() -> Outlines:
    if not _FONT:
        settings = SignatureSettings()
        _FONT.append(Outlines.open(settings.font, face=settings.font_face))
    return _FONT[0]


def permit(*, pages: int = 1, form: bool = False, rotate: int = 0, keywords: str = "") -> bytes:
    """A building permit."""
    output = io.BytesIO()
    page = canvas.Canvas(output, pagesize=A4)
    if keywords:
        page.setKeywords(keywords)
    for number in range(pages):
        page.setFont("Helvetica", 18)
        page.drawString(72, 760, f"Building permit 2026-1120, page {number + 1}")
        page.drawString(72, 720, "Fee: 1000 yuan")
        if rotate:
            page.setPageRotation(rotate)
        if form and number == 0:
            page.acroForm.textfield(name="remark", x=72, y=600, width=200, height=24)
        page.showPage()
    page.save()
    return output.getvalue()


def sealed(
    document: bytes,
    leaf: Leaf,
    *,
    at: datetime = NOW,
    spare: int = 0,
    by: Callable[[bytes, Request], Prepared] = prepare,
    **looks: Any,
) -> bytes:
    """What the service does, without the service; ``by`` makes room."""
    picture = drawing.seal(outlines(), name_zh="江城市税务局", name="Jiangcheng Tax Bureau")
    signer = cms.KeySigner(key=leaf.key, certificate=leaf.pem, chain=leaf.chain)
    looks.setdefault("drawing", picture)
    request = Request(
        certificate=leaf.certificate.public_bytes(Encoding.DER),
        room=signer.room + spare,
        at=at,
        name="江城市税务局",
        reason="",
        **looks,
    )
    prepared = by(document, request)
    content = signer.sign_digest(prepared.digest)
    return cms.put_into(prepared.document, start=prepared.start, end=prepared.end, content=content)


def room_for(document: bytes, leaf: Leaf, *, at: datetime = NOW, room: int = 40960) -> Prepared:
    """A document with room for whatever signature."""
    picture = drawing.seal(outlines(), name_zh="江城市税务局", name="Jiangcheng Tax Bureau")
    own = leaf.certificate.public_bytes(Encoding.DER)
    request = Request(drawing=picture, certificate=own, room=room, at=at, name="", reason="", further=True)
    return prepare(document, request)


def signed_by(document: bytes, leaves: Sequence[Leaf], *, at: datetime = NOW, **how: Any) -> bytes:
    """Several people sign in one place, which no library does."""
    prepared = room_for(document, leaves[0], at=at)
    content = made.cades(covered(prepared), leaves, at=at, detached=True, **how)
    return cms.put_into(prepared.document, start=prepared.start, end=prepared.end, content=content)


def covered(prepared: Prepared) -> bytes:
    """What a signature in its place is over."""
    return prepared.document[: prepared.start] + prepared.document[prepared.end :]


def signed_again(document: bytes, leaf: Leaf) -> bytes:
    """A second person signs after the first."""
    writer: Any = IncrementalPdfFileWriter(io.BytesIO(document))
    signer = cms.KeySigner(key=leaf.key, certificate=leaf.pem, chain=leaf.chain)
    metadata = PdfSignatureMetadata(
        field_name=f"Next{len(document)}", md_algorithm="sha256", subfilter=SigSeedSubFilter.PADES
    )
    output: Any = sign_pdf(writer, metadata, signer=signer, bytes_reserved=16384)
    content: bytes = output.getvalue()
    return content


class _Then(PdfSigner):
    """pyHanko reads the machine's clock; tests sign at a time of their own."""

    def init_signing_session(self, *arguments: Any, **keywords: Any) -> PdfSigningSession:
        session: PdfSigningSession = super().init_signing_session(*arguments, **keywords)
        session.system_time = NOW
        return session


def signed_with(
    leaf: Leaf, document: bytes | None = None, *, digest: str = "sha256", certify: MDPPerm | None = None, **options: Any
) -> bytes:
    """Signed by somebody else's program: the library's stock signer, with any kind of key it knows."""
    own = cms.certificates(leaf.pem)[0]
    encoded = leaf.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    store = cms.NEW_STORE()
    store.register_multiple(cms.certificates(leaf.chain))
    signer = SimpleSigner(own, PrivateKeyInfo.load(encoded), store, **options)
    metadata = PdfSignatureMetadata(
        field_name="Theirs",
        md_algorithm=digest,
        subfilter=SigSeedSubFilter.PADES,
        certify=certify is not None,
        docmdp_permissions=certify or MDPPerm.FILL_FORMS,
    )
    writer: Any = IncrementalPdfFileWriter(io.BytesIO(document or permit()))
    output: Any = _Then(metadata, signer).sign_pdf(writer)
    content: bytes = output.getvalue()
    return content


def one_byte_changed(document: bytes) -> bytes:
    at = document.index(b"%PDF-") + 20
    return document[:at] + bytes([document[at] ^ 1]) + document[at + 1 :]


def page_appended(document: bytes) -> bytes:
    """An incremental update after the signature that adds a page."""
    writer: Any = IncrementalPdfFileWriter(io.BytesIO(document), strict=False)
    stream = generic.StreamObject(stream_data=b"BT /F1 40 Tf 72 600 Td (Fee: 1 yuan) Tj ET")
    writer.insert_page(
        generic.DictionaryObject(
            {
                generic.pdf_name("/Type"): generic.pdf_name("/Page"),
                generic.pdf_name("/MediaBox"): generic.ArrayObject(map(generic.NumberObject, (0, 0, 595, 842))),
                generic.pdf_name("/Contents"): writer.add_object(stream),
                generic.pdf_name("/Resources"): generic.DictionaryObject(),
            }
        )
    )
    output = io.BytesIO()
    writer.write(output)
    return output.getvalue()


def field_filled(document: bytes, value: str = "approved") -> bytes:
    """A form field filled in after the signature."""
    writer: Any = IncrementalPdfFileWriter(io.BytesIO(document))
    for reference in writer.root["/AcroForm"]["/Fields"]:
        field = reference.get_object()
        if field.get("/T") == "remark":
            field[generic.pdf_name("/V")] = generic.pdf_string(value)
            writer.update_container(field)
    output = io.BytesIO()
    writer.write(output)
    return output.getvalue()


def form_removed(document: bytes) -> bytes:
    """A newest revision whose catalogue no longer mentions the form, so that no parser finds the signature."""
    writer: Any = IncrementalPdfFileWriter(io.BytesIO(document))
    del writer.root["/AcroForm"]
    writer.update_root()
    output = io.BytesIO()
    writer.write(output)
    return output.getvalue()


def trailing_bytes(document: bytes) -> bytes:
    """A second file behind the signed one: lenient viewers show the last one they find, strict parsers the first."""
    return document + b"\n% " + permit().replace(b"startxref", b"startxre_").replace(b"%%EOF", b"%%EO_")


def same_revision_again(document: bytes) -> bytes:
    """Objects and a trailer behind the signed bytes that lead a strict parser back to the signed revision.

    A lenient viewer that rebuilds its table by scanning shows the last objects it finds: these.
    """
    at = document.rindex(b"startxref")
    return document + b"\n4 0 obj\n<</Type/Page/Contents 99 0 R>>\nendobj\n" + document[at:]


def encrypted(document: bytes) -> bytes:
    writer: Any = copy_into_new_writer(PdfFileReader(io.BytesIO(document)))
    writer.encrypt("owner", "user")
    output = io.BytesIO()
    writer.write(output)
    return output.getvalue()


def large(size: int) -> bytes:
    """A page of noise that nothing makes smaller, so many bytes or a few less."""
    noise = zlib.compress(random.Random(7).randbytes(size - 64 * 1024), 1)  # noqa: S311 - the same in every run
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R>>",
        b"<</Length %d/Filter/FlateDecode>>\nstream\n%s\nendstream" % (len(noise), noise),
    ]
    parts, places = [b"%PDF-1.7\n"], []
    for number, each in enumerate(objects, start=1):
        places.append(sum(map(len, parts)))
        parts.append(b"%d 0 obj\n%s\nendobj\n" % (number, each))
    table = b"xref\n0 5\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"trailer\n<</Size 5/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % sum(map(len, parts))
    return b"".join([*parts, table, end])


def bomb() -> bytes:
    """An object stream of a few hundred kilobytes that unfolds to hundreds of megabytes, twice over."""
    inner = zlib.compress(b"0" * (300 << 20), 9)
    return _raw(inner)


def slow() -> bytes:
    """A damaged file of opening brackets and numbers, built to keep a parser busy."""
    numbers = b" ".join(b"%d" % number for number in range(400_000))
    body = b"1 0 obj\n<</Type/Catalog/Pages 2 0 R/X[" + numbers * 6 + b"]>>\nendobj\n"
    parts = [b"%PDF-1.7\n", body, b"2 0 obj\n<</Type/Pages/Kids[]/Count 0>>\nendobj\n"]
    first, second = len(parts[0]), len(parts[0]) + len(parts[1])
    table = b"xref\n0 3\n0000000000 65535 f \n%010d 00000 n \n%010d 00000 n \n" % (first, second)
    end = sum(map(len, parts))
    return b"".join([*parts, table, b"trailer<</Size 3/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % end])


def _raw(stream: bytes) -> bytes:
    parts = [b"%PDF-1.7\n"]
    size = len(parts[0])
    objects = [b"1 0 obj\n<</Type/XRef/Size 3/W[1 4 2]/Root 2 0 R/Filter/FlateDecode/Length %d>>stream\n" % len(stream)]
    body = objects[0] + stream + b"\nendstream\nendobj\n"
    return b"".join([*parts, body, b"startxref\n%d\n%%%%EOF\n" % size])


def inspected(document: bytes, city: City, profile: Profile = Profile.STRICT) -> Inspection:
    """Read here, without a reading process."""
    return inspect(document, grounds=Grounds(city.trust(), city.lists()), profile=profile, at=NOW)


def write(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path
