# SPDX-License-Identifier: Apache-2.0
"""Changes after a signature that the library's rules take for harmless, found by what a viewer makes of them.

Prepared before signing, they need no object that the rules look at: a reference that leads nowhere until later,
pictures that only change places, a rectangle that the rules cannot read and a viewer can, defaults by which fields are
drawn.
"""

from collections.abc import Collection, Iterator
from typing import Any

from pyhanko.pdf_utils import generic as _generic
from pyhanko.pdf_utils.reader import HistoricalResolver, PdfFileReader
from pyhanko.sign.fields import enumerate_sig_fields

# The library annotates only part of itself.
generic: Any = _generic
# What a new field for a signature has no use for: it acts, or comes and goes.
_ACTING = frozenset({"/A", "/AA", "/OC", "/PMD"})
_DRAWN_BY = {"/NeedAppearances": False, "/DA": "", "/Q": 0, "/DR": {}}
_CORNERS = 4
# The resources of a form, their kinds, their names: what stands there is an object that cannot change unseen.
_DEEP = 3


def slipped_in(reader: PdfFileReader, revision: int) -> bool:
    """Whether anything of that kind came after a revision."""
    old = reader.get_historical_resolver(revision)
    return _fills_holes(reader, old) or _shuffled(reader, old) or _disguised(reader, revision)


def drawn_anew(reader: PdfFileReader, revision: int) -> set[str]:
    """Names of the fields that a viewer may draw otherwise than when that revision was signed, though untouched."""
    form, before = (_entry(of.root, "/AcroForm") for of in (reader, reader.get_historical_resolver(revision)))
    if all(_plain(_raw(form, key, none)) == _plain(_raw(before, key, none)) for key, none in _DRAWN_BY.items()):
        return set()
    return set(_names(before, ""))


def pages_of(reader: PdfFileReader, names: Collection[str]) -> list[int]:
    """On which pages, counted from 0, fields for signatures of these names stand."""
    root: Any = reader.root
    now: Any = reader
    widgets = set[Any]()
    for name, _, place in enumerate_sig_fields(reader):
        if str(name) in names:
            kids = _entry(place.get_object(), "/Kids") or ()
            widgets |= {getattr(each, "reference", None) for each in (place, *kids)}
    pages = _pages(_entry(root, "/Pages"), set())
    return [
        number
        for number, page in enumerate(pages)
        if not widgets.isdisjoint(_references(_entry(now.get_object(page), "/Annots")))
    ]


def _fills_holes(reader: PdfFileReader, old: HistoricalResolver) -> bool:
    """Whether something was put where a signed reference led nowhere: nobody signed it, and everybody sees it."""
    tables: Any = reader.xrefs
    later = {
        found
        for each in range(old.revision + 1, tables.total_revisions)
        for found in tables.explicit_refs_in_revision(each)
    }
    size = tables.get_xref_container_info(old.revision).size
    new = {each.idnum for each in later if each.idnum >= size or tables.get_historical_ref(each, old.revision) is None}
    return bool(new) and not new.isdisjoint(_mentioned(old))


def _mentioned(old: HistoricalResolver) -> set[int]:
    """Numbers of all objects that are referred to, whether they are there or not."""
    tables: Any = old.reader.xrefs
    seen = set[Any]()
    waiting: list[Any] = [old.trailer_view]
    while waiting:
        each = waiting.pop()
        if isinstance(each, generic.IndirectObject):
            reference = each.reference
            if reference in seen:
                continue
            seen.add(reference)
            if tables.get_historical_ref(reference, old.revision) is None:
                continue
            each = old(reference)
        if isinstance(each, generic.DictionaryObject):
            waiting += each.values()
        elif isinstance(each, generic.ArrayObject):
            waiting += each
    return {each.idnum for each in seen}


def _shuffled(reader: PdfFileReader, old: HistoricalResolver) -> bool:
    """Whether notes on a page do not lie upon each other as they did."""
    now: Any = reader
    for page in _pages(_entry(old.root, "/Pages"), set()):
        before = _references(_entry(old(page), "/Annots"))
        after = _references(_entry(now.get_object(page), "/Annots"))
        if after[: len(before)] != before or len(set(after)) != len(after) > len(before):
            return True
    return False


def _pages(node: Any, seen: set[Any]) -> Iterator[Any]:
    for each in _entry(node, "/Kids") or ():
        reference = each.reference
        if reference in seen:
            continue
        seen.add(reference)
        kid = each.get_object()
        if "/Kids" in kid:
            yield from _pages(kid, seen)
        else:
            yield reference


def _references(annotations: Any) -> list[Any]:
    return [getattr(each, "reference", None) for each in annotations or ()]


def _disguised(reader: PdfFileReader, revision: int) -> bool:
    """Whether a field for a signature that is new or changed acts, or lies where the rules see nothing."""
    tables: Any = reader.xrefs
    for _, _, place in enumerate_sig_fields(reader):
        field = place.get_object()
        kids = _entry(field, "/Kids") or ()
        for each in (place, *kids):
            reference = getattr(each, "reference", None)
            if reference is not None and tables.get_last_change(reference) <= revision:
                continue
            widget = each.get_object()
            if not _ACTING.isdisjoint(widget) or not _plain_rectangle(widget):
                return True
    return False


def _plain_rectangle(widget: Any) -> bool:
    if "/Rect" not in widget:
        return True
    corners = _entry(widget, "/Rect")
    numbers = (generic.NumberObject, generic.FloatObject)
    return (
        isinstance(corners, generic.ArrayObject)
        and len(corners) == _CORNERS
        and all(isinstance(each, numbers) for each in corners)
    )


def _names(field: Any, above: str) -> Iterator[str]:
    for each in _entry(field, "/Fields") or _entry(field, "/Kids") or ():
        kid = each.get_object()
        name = ".".join(filter(None, (above, str(kid.get("/T", "")))))
        if kid.get("/FT", "") != "/Sig":
            if "/T" in kid:
                yield name
            yield from _names(kid, name)


def _plain(value: Any, deep: int = _DEEP) -> Any:
    if isinstance(value, generic.IndirectObject):
        if deep <= 0:
            return value.idnum, value.generation
        value = value.get_object()
    if isinstance(value, generic.DictionaryObject):
        return {str(name): _plain(value.raw_get(name), deep - 1) for name in value}
    return [_plain(each, deep - 1) for each in value] if isinstance(value, list) else value


def _raw(of: Any, name: str, none: object) -> Any:
    return of.raw_get(name) if name in of else none


def _entry(of: Any, name: str) -> Any:
    """What stands there, references followed; an empty dictionary for nothing."""
    # What is got comes without its references followed; a stream is a dictionary too.
    found = of.get(name, {})
    return found.get_object() if hasattr(found, "get_object") else found
