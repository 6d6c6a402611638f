# SPDX-License-Identifier: Apache-2.0
"""What a document may hide from whoever reads it, or do behind the reader's back. Signed or not, one should know.

Everything that the pages and the form lead to is looked at, wherever it stands: a script in a field is one as much as a
script of the document. Fonts that draw other characters than they name are out of reach; pictures are not understood.
"""

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pyhanko.pdf_utils import generic as _generic
from pyhanko.pdf_utils.decode_limits import DecodeLimits
from pyhanko.pdf_utils.misc import PdfDecodeLimitError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import enumerate_sig_fields

from .gate import marks

# The library annotates only part of itself.
generic: Any = _generic
_LEADING = (generic.IndirectObject, generic.DictionaryObject, generic.ArrayObject)

KINDS = (
    "layers", "printing", "unseen", "switches", "drawn", "form", "scripts", "actions", "leads", "media", "attachments",
    "unsearched", "after", "unopened", "signatures",
)  # fmt: skip
"""All that may be said, in the order in which it is."""
# Objects of one document, or of all together that lie in one file.
_MOST_OBJECTS, _MOST_OUTSIDE, _LONGEST = 20_000, 20, 100
_LAST, _END, _BEHIND = b"startxref", b"%%EOF", re.compile(rb"[^\t\n\x0c\r \0]")
# What leads away from what is shown: to the tree of headings, back to the page, to the proofs. Fonts lead to letters,
# which may be pictures, and colours to what they are made of.
_ASIDE = frozenset({"/Parent", "/P", "/Metadata", "/StructTreeRoot", "/Dests", "/DSS", "/Length", "/Popup"})
_ACTS = {
    "/JavaScript": "scripts",
    **dict.fromkeys(("/Launch", "/SubmitForm", "/ImportData", "/GoToR", "/GoToE"), "leads"),
    **dict.fromkeys(("/Hide", "/SetOCGState"), "switches"),
    **dict.fromkeys(("/Movie", "/Sound", "/Rendition", "/GoTo3DView", "/RichMediaExecute"), "media"),
}
_MEDIA = frozenset({"/Movie", "/Sound", "/Screen", "/RichMedia", "/3D"})
# Nothing of these is drawn on the page.
_NOT_DRAWN = frozenset({"/Link", "/Popup"})
_HIDDEN, _PRINTED, _NOT_VIEWED, _TOGGLED = 2, 4, 32, 256
# When a page with a note on it opens, closes, comes into view or goes.
_BY_ITSELF = frozenset({"/PO", "/PC", "/PV", "/PI"})
_STATES = (("/Print", "/PrintState"), ("/View", "/ViewState"), ("/Export", "/ExportState"))
_BY_VIEWER = frozenset({"/Zoom", "/Language", "/User"})
_SHOWN_WHEN_OFF = frozenset({"/AllOff", "/AnyOff"})


@dataclass
class Hidden:
    """What was found."""

    kinds: set[str] = field(default_factory=set)
    # Names of files of which parts are shown and which nobody signed.
    outside: dict[str, None] = field(default_factory=dict)
    # How many objects may still be looked at.
    left: int = field(default_factory=lambda: _MOST_OBJECTS)

    @property
    def told(self) -> tuple[str, ...]:
        """Short words."""
        return tuple(each for each in KINDS if each in self.kinds)


def hidden(reader: PdfFileReader) -> Hidden:
    """Search the newest revision."""
    found = Hidden()
    _search(reader, found)
    return found


def look_into(document: bytes, found: Hidden) -> None:
    """Search a PDF that somebody signed as so many bytes; what it hides is told with the rest of ``found``.

    All of its bytes are signed, so nothing in it changes what the signature is worth: where it cannot be searched, that
    is told too.
    """
    end = document.find(_END, max(0, document.rfind(_LAST)))
    if end >= 0 and _BEHIND.search(document, end + len(_END)):
        # Whoever looks for the end from behind finds another one, or none, and takes the last objects that there are.
        found.kinds.add("after")
    try:
        reader = PdfFileReader(io.BytesIO(document), decode_limits=DecodeLimits.for_untrusted_input())
        if reader.encrypted:
            found.kinds.add("unopened")
        else:
            if marks(document) or any(enumerate_sig_fields(reader, filled_status=True)):
                # A viewer shows them, and whoever signed around them says nothing of them.
                found.kinds.add("signatures")
            _search(reader, found)
    except (PdfDecodeLimitError, MemoryError):
        found.kinds.add("unsearched")
    except Exception:  # noqa: BLE001 - the library raises anything for malformed files, and a viewer may open them
        found.kinds.add("unopened")


def _search(reader: PdfFileReader, found: Hidden) -> None:
    root: Any = reader.root
    _document(root, found)
    for each in _reachable(root, found):
        for entries, look in _LOOKS:
            if not entries.isdisjoint(each):
                look(each, found)


def _document(root: Any, found: Hidden) -> None:
    names, form, opening = (_entry(root, name) for name in ("/Names", "/AcroForm", "/OpenAction"))
    act = _entry(opening, "/S")
    if _entry(root, "/AA") or (act and act not in {"/GoTo", "/JavaScript"}):
        found.kinds.add("actions")
    if "/JavaScript" in names:
        found.kinds.add("scripts")
    if "/EmbeddedFiles" in names or _entry(root, "/AF"):
        found.kinds.add("attachments")
    if "/XFA" in form:
        found.kinds.add("form")
    if _is_true(_entry(form, "/NeedAppearances")):
        found.kinds.add("drawn")
    properties = _entry(root, "/OCProperties")
    ways = [_entry(properties, "/D"), *map(_followed, _list(_entry(properties, "/Configs")))]
    if any(_entry(each, "/OFF") or _entry(each, "/BaseState") == "/OFF" for each in ways):
        found.kinds.add("layers")


def _reachable(root: Any, found: Hidden) -> Iterator[Any]:
    """Every dictionary, each once."""
    seen = set[Any]()
    waiting: list[Any] = [root]
    while waiting:
        each = waiting.pop()
        if isinstance(each, generic.IndirectObject):
            if each.reference in seen:
                continue
            seen.add(each.reference)
            found.left -= 1
            if found.left < 0:
                found.kinds.add("unsearched")
                return
            each = _followed(each)
        if isinstance(each, generic.DictionaryObject):
            yield each
            waiting += [value for name, value in each.items() if isinstance(value, _LEADING) and name not in _ASIDE]
        elif isinstance(each, generic.ArrayObject):
            waiting += [value for value in each if isinstance(value, _LEADING)]


def _acting(each: Any, found: Hidden) -> None:
    kind = _entry(each, "/S")
    if isinstance(kind, str) and kind in _ACTS:
        found.kinds.add(_ACTS[kind])
    if "/JS" in each:
        found.kinds.add("scripts")
    if "/AA" in each and (_entry(each, "/Type") == "/Page" or not _BY_ITSELF.isdisjoint(_entry(each, "/AA"))):
        found.kinds.add("actions")


def _note(each: Any, found: Hidden) -> None:
    kind = _entry(each, "/Subtype")
    if "/Rect" not in each or not isinstance(kind, str):
        return
    if kind in _MEDIA:
        found.kinds.add("media")
    if kind == "/FileAttachment":
        found.kinds.add("attachments")
    looks = _entry(each, "/AP")
    if not looks or kind in _NOT_DRAWN or not _has_room(_entry(each, "/Rect")):
        return
    flags = _entry(each, "/F")
    bits = int(flags) if isinstance(flags, int) else 0
    printed = bool(bits & _PRINTED)
    if bits & _HIDDEN or (bits & _NOT_VIEWED and not printed):
        found.kinds.add("unseen")
    elif bool(bits & _NOT_VIEWED) == printed:
        found.kinds.add("printing")
    if bits & _TOGGLED or "/R" in looks:
        found.kinds.add("switches")


def _layer(each: Any, found: Hidden) -> None:
    kind = _entry(each, "/Type")
    if kind == "/OCG":
        usage = _entry(each, "/Usage")
        if any(_entry(_entry(usage, name), state) == "/OFF" for name, state in _STATES):
            found.kinds.add("printing")
        if not _BY_VIEWER.isdisjoint(usage):
            found.kinds.add("layers")
    if kind == "/OCMD" and ("/VE" in each or _entry(each, "/P") in _SHOWN_WHEN_OFF):
        found.kinds.add("layers")


def _picture(each: Any, found: Hidden) -> None:
    if not isinstance(each, generic.StreamObject):
        return
    if any(_is_true(_entry(_followed(one), "/DefaultForPrinting")) for one in _list(_entry(each, "/Alternates"))):
        found.kinds.add("printing")
    for told in (_entry(each, "/F"), _entry(_entry(each, "/Ref"), "/F")):
        if told and len(found.outside) < _MOST_OUTSIDE:
            found.outside[_file_name(told)] = None


# What is looked at for what, if it has one of these entries.
_LOOKS: tuple[tuple[frozenset[str], Callable[[Any, Hidden], None]], ...] = (
    (frozenset({"/S", "/JS", "/AA"}), _acting),
    (frozenset({"/Rect"}), _note),
    (frozenset({"/Usage", "/OCGs", "/VE", "/P"}), _layer),
    (frozenset({"/F", "/Ref", "/Alternates"}), _picture),
)


def _file_name(told: Any) -> str:
    name = _entry(told, "/UF") or _entry(told, "/F") if isinstance(told, dict) else told
    return "".join(character for character in str(name) if character.isprintable())[:_LONGEST] or "?"


def _has_room(corners: Any) -> bool:
    """Whether something can be drawn there; what cannot be read may be read by a viewer."""
    try:
        left, bottom, right, top = map(_followed, corners)
        return bool((right - left) * (top - bottom))
    except (TypeError, ValueError):
        return True


def _is_true(value: Any) -> bool:
    return isinstance(value, generic.BooleanObject) and bool(value.value)


def _list(value: Any) -> Any:
    return value if isinstance(value, list) else ()


def _followed(value: Any) -> Any:
    if not isinstance(value, generic.IndirectObject):
        return value
    # One that leads nowhere is no damage: honest programs write them too, and there is nothing to find.
    there = value.reference.pdf.xrefs[value.reference] is not None
    return value.get_object() if there else {}


def _entry(of: Any, name: str) -> Any:
    """What stands there, references followed; an empty dictionary for nothing."""
    return _followed(of.get(name, {})) if isinstance(of, dict) else {}
