# SPDX-License-Identifier: Apache-2.0
"""What attackers put into the gap that a signature in a PDF leaves unsigned, when it is wider than the signature.

Digest and length are right in both: of a signed order another document is made, and a time-stamp that was fetched long
ago, over a few bytes that every file of its maker has, is put over whatever is signed today.
"""

import re
import zlib
from datetime import datetime

from signatures.pades import cms, longterm
from tests.signatures import stamper
from tests.signatures.forgeries import updated
from tests.signatures.pki import Leaf

_RANGE = re.compile(rb"/ByteRange \[0 (\d+) (\d+) (\d+)\] *")
_CATALOG, _PAGES, _PAGE, _TEXT, _FONT, _FORM, _FIELD, _HOLDER, _SIGNATURE, _TABLE = range(1, 11)
_SHOWN = b"BT /F1 18 Tf 72 760 Td (Pay 1000000 yuan to Mallory) Tj ET"
_ROOT = b"<< /Type /Catalog /Pages 2 0 R /AcroForm 6 0 R %s >>"
_OBJECTS = {
    _CATALOG: _ROOT % b"",
    _PAGES: b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
    _PAGE: b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Annots [7 0 R]"
    b" /Resources << /Font << /F1 5 0 R >> >> >>",
    _TEXT: b"<< /Length %d >>\nstream\n%s\nendstream" % (len(_SHOWN), _SHOWN),
    _FONT: b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    _FORM: b"<< /Fields [7 0 R] /SigFlags 3 >>",
    _FIELD: b"<< /Type /Annot /Subtype /Widget /FT /Sig /T (Seal) /P 3 0 R /Rect [0 0 0 0] /F 132 /V 9 0 R >>",
}
_VALUE = (
    b"<< /Type /Sig /Filter /Adobe.PPKLite /SubFilter /ETSI.CAdES.detached /ByteRange [0 %d %d %d] /Contents <%s> >>"
)
_ROOM = 8192


def rewoven(document: bytes) -> bytes:
    """Another document in the gap: the signed tail moves back, and its own pointer now finds a table in the gap.

    The signature's dictionary is a new one, packed with as many zeros as make it as long as the gap.
    """
    found = _RANGE.search(document)
    assert found
    first, second, rest = (int(found[group]) for group in (1, 2, 3))
    table = int(re.findall(rb"startxref\s+(\d+)", document)[-1])
    gap = (table - first) + _ROOM & ~1
    contents = bytes.fromhex(document[first + 1 : second - 1].decode()).ljust((gap - 2) // 2, b"\0")
    value = _VALUE % (first, first + gap, rest, contents.hex().encode())
    packed = zlib.compress(b"%d 0 " % _SIGNATURE + value, 9)
    held = b"<< /Type /ObjStm /N 1 /First 4 /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream"
    content, places = document[:second].ljust(table + 512), {}
    for number, body in {**_OBJECTS, _HOLDER: held % (len(packed), packed)}.items():
        content += b"\n"
        places[number] = len(content)
        content += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    places[_TABLE] = table
    rows = [b"\0\0\0\0\0\xff\xff"]
    rows += [b"\1%b\0\0" % places[number].to_bytes(4, "big") for number in range(1, _SIGNATURE)]
    rows += [b"\2%b\0\0" % _HOLDER.to_bytes(4, "big"), b"\1%b\0\0" % table.to_bytes(4, "big")]
    stream = b"%d 0 obj\n<< /Type /XRef /Size 11 /W [1 4 2] /Root 1 0 R /Length 77 >>\nstream\n%b\nendstream\nendobj\n"
    last = stream % (_TABLE, b"".join(rows))
    assert len(last) <= 512
    content = content[:table] + last + content[table + len(last) :]
    assert len(content) <= first + gap
    return content.ljust(first + gap) + document[second:]


def rewoven_with_proofs(document: bytes) -> bytes:
    """The same, and behind it what everybody may add: a store of proofs."""
    return updated(rewoven(document), {50: b"<< /Type /DSS /Certs [] >>", _CATALOG: _ROOT % b"/DSS 50 0 R"})


def stamped(document: bytes, unit: Leaf, *, at: datetime, wide: bool) -> bytes:
    """With a time-stamp over the file; ``wide``: over its first line and its last few bytes alone."""
    archive = longterm.prepare_stamp(document, room=_ROOM, name="Archive1")
    content, over = archive.document, archive.document[: archive.start] + archive.document[archive.end :]
    if wide:
        first, second = content.index(b"<"), content.rindex(b">") + 1
        assert first < 20
        assert second > archive.end
        last = list(_RANGE.finditer(content))[-1]
        stretched = b"/ByteRange [0 %d %d %d]" % (first, second, len(content) - second)
        content = content[: last.start()] + stretched.ljust(len(last[0])) + content[last.end() :]
        over = content[:first] + content[second:]
        assert len(over) < 60
    token = stamper.token(over, unit, at)
    return cms.put_into(content, start=archive.start, end=archive.end, content=token)


def with_a_bracket(document: bytes) -> bytes:
    """Its second line is a comment that begins with what begins a signature's content."""
    head, line, rest = document.split(b"\n", 2)
    return b"\n".join((head, b"%<" + line[2:], rest))
