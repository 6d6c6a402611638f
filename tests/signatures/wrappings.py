# SPDX-License-Identifier: Apache-2.0
"""What attackers do to signed XML and to containers, each class as a function of what was signed.

McIntosh and Austel, "XML Signature Element Wrapping Attacks" (2005); Somorovsky et al., "On Breaking SAML" (2012): the
signed element moved to wherever its reference still finds it. Containers: what two programs read differently.
"""

import base64
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any

from lxml import etree

from tests.signatures import made
from tests.signatures.pki import Leaf

Forgery = Callable[[bytes], bytes]
EVIL = "The city owes you 9000 yuan.\n"
_DS = "{http://www.w3.org/2000/09/xmldsig#}"
_PROPERTIES = "{http://uri.etsi.org/01903/v1.3.2#}QualifyingProperties"
_ENVELOPED, _BASE64, _XPATH, _XSLT, C14N = (
    "http://www.w3.org/2000/09/xmldsig#enveloped-signature",
    "http://www.w3.org/2000/09/xmldsig#base64",
    "http://www.w3.org/TR/1999/REC-xpath-19991116",
    "http://www.w3.org/TR/1999/REC-xslt-19991116",
    "http://www.w3.org/2001/10/xml-exc-c14n#",
)


def _apart(document: bytes) -> tuple[Any, Any]:
    """The signed letter without its signature, and the signature."""
    letter = etree.fromstring(document)
    signature = letter.find(f"{_DS}Signature")
    letter.remove(signature)
    return letter, signature


def _evil(**attributes: str) -> Any:
    root = etree.Element("letter", attributes)
    root.text = EVIL
    return root


def _text(root: Any) -> bytes:
    found: bytes = etree.tostring(root)
    return found


def _sibling(document: bytes) -> bytes:
    letter, signature = _apart(document)
    root = _evil()
    root.extend([letter, signature])
    return _text(root)


def _before_the_signature_in_a_header(document: bytes) -> bytes:
    letter, signature = _apart(document)
    root = _evil()
    etree.SubElement(root, "header").append(letter)
    root.append(signature)
    return _text(root)


def _in_an_object(document: bytes) -> bytes:
    letter, signature = _apart(document)
    etree.SubElement(signature, f"{_DS}Object").append(letter)
    root = _evil()
    root.append(signature)
    return _text(root)


def _around_the_signature(document: bytes) -> bytes:
    """The signed letter as it is, signature and all, deep within another."""
    root = _evil()
    etree.SubElement(root, "attached").append(etree.fromstring(document))
    return _text(root)


def _signature_as_root(document: bytes) -> bytes:
    letter, signature = _apart(document)
    for each in (letter, _evil()):
        etree.SubElement(signature, f"{_DS}Object").append(each)
    return _text(signature)


def _with_the_name(name: str) -> Forgery:
    def forge(document: bytes) -> bytes:
        letter, signature = _apart(document)
        root = _evil(**{name: "letter"})
        root.extend([letter, signature])
        return _text(root)

    return forge


def _pointing(uri: str) -> Forgery:
    """The reference itself says something else."""
    return lambda document: document.replace(b'URI="#letter"', f'URI="{uri}"'.encode())


def _loose_object(document: bytes) -> bytes:
    root = etree.fromstring(document)
    etree.SubElement(next(root.iter(f"{_DS}Signature")), f"{_DS}Object").text = EVIL
    return _text(root)


def _beside_the_properties(document: bytes) -> bytes:
    root = etree.fromstring(document)
    next(root.iter(_PROPERTIES)).getparent().append(_evil())
    return _text(root)


def _second_properties(document: bytes) -> bytes:
    """Properties that look signed, with a letter in them, in an object of their own."""
    root = etree.fromstring(document)
    around = etree.SubElement(next(root.iter(f"{_DS}Signature")), f"{_DS}Object")
    name = _PROPERTIES.partition("}")[0]
    around = etree.SubElement(around, _PROPERTIES, Target="#more")
    etree.SubElement(around, f"{name}}}SignedProperties", Id="more").append(_evil())
    return _text(root)


def _in_unsigned_properties(document: bytes) -> bytes:
    """A letter of one's own where time-stamps stand, which nobody signs."""
    root = etree.fromstring(document)
    around = next(root.iter(_PROPERTIES))
    for name in ("UnsignedProperties", "UnsignedDataObjectProperties", "UnsignedDataObjectProperty"):
        around = etree.SubElement(around, f"{_PROPERTIES.partition('}')[0]}}}{name}")
    around.append(_evil())
    return _text(root)


def _comment(document: bytes) -> bytes:
    """The amount of 1000 yuan, read by a program that takes the first text it finds."""
    at = document.index(b"1000 yuan") + 1
    return document[:at] + b"<!-- -->" + document[at:]


def _typed(entity: str) -> Forgery:
    return lambda document: f"<!DOCTYPE letter [{entity}]>".encode() + document


_LAUGHS = "<!ENTITY a 'ha'>" + "".join(
    f"<!ENTITY {'abcdefghijkl'[n]} '{('&' + 'abcdefghijkl'[n - 1] + ';') * 10}'>" for n in range(1, 12)
)

WRAPPED: Mapping[str, Forgery] = {
    "a sibling": _sibling,
    "in a header": _before_the_signature_in_a_header,
    "a child of an object": _in_an_object,
    "signature and all within another": _around_the_signature,
    "two objects under the signature": _signature_as_root,
    **{f"under another of the same {name}": _with_the_name(name) for name in ("Id", "ID", "id", "{urn:x}Id")},
    **{
        f"reference {uri}": _pointing(uri)
        for uri in ("", "#xpointer(/)", "#xpointer(id('letter'))", "##letter", "#", "https://evil.example/letter.xml")
    },
}
ADDED: Mapping[str, Forgery] = {
    "an object of no reference": _loose_object,
    "content beside the properties": _beside_the_properties,
    "content in properties that nobody signs": _in_unsigned_properties,
    "a second set of properties": _second_properties,
    "a comment within a text": _comment,
    "a style sheet": lambda document: b'<?xml-stylesheet type="text/xsl" href="evil.xsl"?>' + document,
    "an entity from a file": _typed("<!ENTITY e SYSTEM 'file:///etc/passwd'>"),
    "entities upon entities": _typed(_LAUGHS),
    "a type from elsewhere": lambda document: b'<!DOCTYPE letter SYSTEM "https://evil.example/x.dtd">' + document,
}


def transformed(leaf: Leaf) -> dict[str, bytes]:
    """Letters whose signer named transforms that drop content, and what was added where nothing of it is signed."""
    letter = etree.Element("letter")
    letter.text = made.LETTER.decode()
    whole = etree.tostring(letter, method="c14n", exclusive=True)
    found = {}
    for name, method in (("XPath", _XPATH), ("XSLT", _XSLT)):
        for said, told in (("all", whole), ("what is left", b"<letter></letter>")):
            signature = made.xades_over([made.Part("", told, (_ENVELOPED, method, C14N))], leaf)
            root = etree.fromstring(whole)
            root.append(signature)
            found[f"{name} over {said}"] = _text(root)
    for name, extra in (("an element", "<evil/>"), ("a comment", "<!-- 9000 -->")):
        signature = made.xades_over([made.Part("#text", made.LETTER, (_BASE64,))], leaf)
        held = etree.SubElement(signature, f"{_DS}Object", Id="text")
        held.text = encoded(made.LETTER)
        held.append(etree.fromstring(extra) if name == "an element" else etree.Comment("9000"))
        found[f"base64 and {name}"] = _text(signature)
    signature = made.xades_over([made.Part("#text", made.LETTER, (_BASE64,))], leaf)
    etree.SubElement(signature, f"{_DS}Object", Id="text").text = "!" + encoded(made.LETTER)
    found["base64 and what a lenient reader skips"] = _text(signature)
    return found


def in_base64(leaf: Leaf, content: bytes = made.LETTER) -> bytes:
    """How other programs envelop what is no XML."""
    signature = made.xades_over([made.Part("#text", content, (_BASE64,))], leaf)
    etree.SubElement(signature, f"{_DS}Object", Id="text").text = encoded(content)
    return _text(signature)


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def renamed(document: bytes, old: str, new: str, *, times: int = 2) -> bytes:
    """A file's name overwritten in the raw container; 1: only where its content stands, not in the directory."""
    assert len(old) == len(new)
    return document.replace(old.encode(), new.encode(), times)


def claimed(document: bytes, size: int) -> bytes:
    """The directory says that its first file unfolds to this many bytes."""
    at = document.index(b"PK\x01\x02")
    return document[: at + 24] + struct.pack("<I", size) + document[at + 28 :]


def folded(files: Mapping[str, bytes]) -> bytes:
    """A container whose files are compressed."""
    output = BytesIO()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as box:
        for name, content in files.items():
            box.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return output.getvalue()


class _Pipe(BytesIO):
    """Goes forward only, so that sizes are known behind each file alone."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: int) -> int:
        raise OSError("no way back")


def unseekable(files: Mapping[str, bytes]) -> bytes:
    """A container as programs write it that do not know the sizes beforehand."""
    output = _Pipe()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as box:
        for name, content in files.items():
            box.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return output.getvalue()


def bomb(files: Mapping[str, bytes], size: int) -> bytes:
    """One more file, of a few kilobytes, that unfolds to much more than the directory says."""
    output = folded({**files, "bomb.txt": b"\0" * size})
    packed = zlib.crc32(b"\0" * size).to_bytes(4, "little")
    assert packed in output
    at = output.rindex(b"PK\x01\x02")
    return output[: at + 24] + struct.pack("<I", 100) + output[at + 28 :]


def called_otherwise(document: bytes, name: str, *, other: str, content: bytes) -> bytes:
    """One more file, whose name in a field of its own is another; some programs take that one."""
    field = struct.pack("<HHBI", 0x7075, 5 + len(other), 1, zlib.crc32(name.encode())) + other.encode()
    output = BytesIO(document)
    with zipfile.ZipFile(output, "a") as box:
        entry = zipfile.ZipInfo(name)
        entry.extra = field
        box.writestr(entry, content)
    return output.getvalue()


def _head(name: str, content: bytes, packed: bytes | None = None, *, flags: int = 0) -> bytes:
    """A file's own header; with a flag its sizes stand behind it."""
    sizes = (0, 0, 0) if flags else (zlib.crc32(content), len(packed or content), len(content))
    method = 0 if packed is None else zipfile.ZIP_DEFLATED
    head = struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, flags, method, 0, 33, *sizes, len(name), 0)
    return head + name.encode()


def _row(name: str, content: bytes, at: int, *, flags: int = 0, packed: int = -1, comment: bytes = b"") -> bytes:
    method, size = (0, len(content)) if packed < 0 else (zipfile.ZIP_DEFLATED, packed)
    sizes = (zlib.crc32(content), size, len(content))
    head = struct.pack(
        "<4s6H3I5H2I", b"PK\x01\x02", 20, 20, flags, method, 0, 33, *sizes, len(name), 0, len(comment), 0, 0, 0, at
    )
    return head + name.encode() + comment


def _end(count: int, size: int, at: int) -> bytes:
    return struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, count, count, size, at, 0)


def _files_of(document: bytes) -> tuple[bytes, bytes, int]:
    """All files with their own headers, the directory, and how many there are."""
    count, size, at = struct.unpack("<HII", document[-12:-2])
    return document[:at], document[at : at + size], count


def two_directories(document: bytes, name: str, content: bytes) -> bytes:
    """Large files have a directory of their own; a program that looks for it finds the files that were signed.

    One that does not finds this file, which the first one takes for the content of a time-stamp.
    """
    files, listed, count = _files_of(document)
    held = _head(name, content) + content
    before = len(files)
    files += _head("META-INF/a.tst", held) + held
    listed += _row("META-INF/a.tst", held, before)
    start = before + len(_head("META-INF/a.tst", held))
    empty = len(_row(name, content, start))
    at = len(files) + empty
    large = struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count + 1, count + 1, len(listed), at)
    found = struct.pack("<4sIQI", b"PK\x06\x07", 0, at + len(listed), 1)
    small = _row(name, content, start, comment=listed + large + found)
    return files + small + _end(1, len(small), len(files))


def two_streams(document: bytes, name: str, content: bytes) -> bytes:
    """A program that reads from the front finds this file behind an empty one that ends earlier than it is said to."""
    files, listed, count = _files_of(document)
    packing = zlib.compressobj(9, zlib.DEFLATED, -15)
    nothing = packing.flush()
    told = struct.pack("<4s3I", b"PK\x07\x08", 0, len(nothing), 0)
    held = nothing + told + _head(name, content) + content
    before = len(files)
    files += _head("META-INF/a.tst", b"", held, flags=8) + held
    files += struct.pack("<4s3I", b"PK\x07\x08", 0, len(held), 0)
    listed += _row("META-INF/a.tst", b"", before, flags=8, packed=len(held))
    return files + listed + _end(count + 1, len(listed), len(files))


def with_more(document: bytes, more: Mapping[str, bytes | None]) -> bytes:
    """Files put in, put in the place of others, or taken out."""
    files = {**made.unzipped(document), **more}
    return made.zipped({name: content for name, content in files.items() if content is not None})
