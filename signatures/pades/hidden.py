# SPDX-License-Identifier: Apache-2.0
"""What a document may hide from whoever reads it, or do behind the reader's back. Signed or not, one should know.

Everything that the pages and the form lead to is looked at, wherever it stands: a script in a field is one as much as a
script of the document. Fonts that draw other characters than they name are out of reach; pictures are not understood.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pyhanko.pdf_utils import generic as _generic
from pyhanko.pdf_utils.reader import PdfFileReader

# The library annotates only part of itself.
generic: Any = _generic
_LEADING = (generic.IndirectObject, generic.DictionaryObject, generic.ArrayObject)

KINDS = (
    "layers", "printing", "unseen", "switches", "drawn", "form", "scripts", "actions", "leads", "media", "attachments",
    "unsearched",
)  # fmt: skip
"""All that may be said, in the order in which it is."""
_MOST_OBJECTS, _MOST_OUTSIDE, _LONGEST = 20_000, 20, 100
# What leads away from what is shown: to fonts and colours, to the tree of headings, back to the page, to the proofs.
_ASIDE = frozenset(
    {"/Parent", "/P", "/Font", "/ColorSpace", "/Metadata", "/StructTreeRoot", "/Dests", "/DSS", "/Length", "/Popup"}
)
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

    @property
    def told(self) -> tuple[str, ...]:
        """Short words."""
        return tuple(each for each in KINDS if each in self.kinds)


def hidden(reader: PdfFileReader) -> Hidden:
    """Search the newest revision."""
    root: Any = reader.root
    found = Hidden()
    _document(root, found)
    for each in _reachable(root, found):
        for entries, look in _LOOKS:
            if not entries.isdisjoint(each):
                look(each, found)
    return found


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
            if len(seen) > _MOST_OBJECTS:
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
