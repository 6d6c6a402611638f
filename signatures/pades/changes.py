# SPDX-License-Identifier: Apache-2.0
"""What may happen to a document after it was signed, and a second look at whether no more happened.

The library's rules compare the objects of two revisions. They let everybody rewrite a document's title, they do not ask
what stands between the objects, and they take a field for a further signature for harmless before anybody signed there.
"""

import io
from collections.abc import Collection, Iterator
from typing import Any

from pyhanko.pdf_utils.metadata.xmp_xml import parse_xmp
from pyhanko.pdf_utils.reader import HistoricalResolver, PdfFileReader
from pyhanko.sign.diff_analysis import (
    CatalogModificationRule,
    DiffPolicy,
    DocInfoRule,
    DSSCompareRule,
    FormUpdatingRule,
    GenericFieldModificationRule,
    MetadataUpdateRule,
    ModificationLevel,
    ObjectStreamRule,
    SigFieldCreationRule,
    SigFieldModificationRule,
    StandardDiffPolicy,
    SuspiciousModification,
    XrefStreamRule,
)
from pyhanko.sign.fields import enumerate_sig_fields

from .gate import accounted_for
from .shadows import slipped_in

# What every program writes that touches a file; no viewer shows it as content.
_VOLATILE_INFO = frozenset({"/ModDate", "/Producer"})
_VOLATILE_XMP = frozenset({"ModifyDate", "MetadataDate", "Producer", "InstanceID", "DocumentID"})


class _SameInfo(DocInfoRule):
    def apply(self, old: HistoricalResolver, new: HistoricalResolver) -> Iterator[Any]:
        if _info(old) != _info(new):
            raise SuspiciousModification("the document's properties were changed")
        yield from super().apply(old, new)


class _SameMetadata(MetadataUpdateRule):
    def apply(self, old: HistoricalResolver, new: HistoricalResolver) -> Iterator[Any]:
        if _metadata(old) != _metadata(new):
            raise SuspiciousModification("the document's metadata were changed")
        yield from super().apply(old, new)


# The library annotates only part of its rules.
_Metadata: Any = _SameMetadata
_Catalog: Any = CatalogModificationRule
_NewField: Any = SigFieldCreationRule
_ARCHIVAL = (XrefStreamRule(), ObjectStreamRule(), DSSCompareRule(), _SameInfo(), _Metadata())
RULES: DiffPolicy = StandardDiffPolicy(
    [_Catalog(), *(rule.as_qualified(ModificationLevel.LTA_UPDATES) for rule in _ARCHIVAL)],
    FormUpdatingRule([_NewField(), SigFieldModificationRule(), GenericFieldModificationRule()]),
)
"""What counts as which kind of change: the library's default, but for properties. The profile says which are taken:
the strict one only proofs for long-term keeping, for a signature that may not get its time-stamps cannot last."""


def more_than_seen(
    reader: PdfFileReader, document: bytes, *, revision: int, end: int, changed: Collection[str]
) -> bool:
    """Whether more came after a signature than the rules looked at.

    ``revision`` is the signed one and ``end`` where its bytes end; ``changed`` are the fields the rules found changed.
    """
    tables: Any = reader.xrefs
    places = set()
    for each in range(tables.total_revisions):
        places.add(tables.get_startxref_for_revision(each))
        places |= {tables.get_historical_ref(found, each) for found in tables.explicit_refs_in_revision(each)}
    later = tables.total_revisions - 1 - revision
    # A field for a further signature that nobody filled in is a picture over the page that nobody signed.
    empty = {str(name) for name, _, _ in enumerate_sig_fields(reader, filled_status=False)}
    return (
        bool(empty & set(changed))
        or not accounted_for(document, end, places=places, revisions=later)
        or slipped_in(reader, revision)
    )


def _info(of: HistoricalResolver) -> dict[str, Any]:
    # Here and below the library promises a reference and may give none.
    reference: Any = of.trailer_view.get_value_as_reference("/Info", optional=True)
    found: Any = {} if reference is None else reference.get_object()
    return {str(name): found[name] for name in found if name not in _VOLATILE_INFO}


def _metadata(of: HistoricalResolver) -> dict[Any, Any]:
    reference: Any = of.root.get_value_as_reference("/Metadata", optional=True)
    if reference is None:
        return {}
    stream: Any = reference.get_object()
    return {
        name: value
        for structure in parse_xmp(io.BytesIO(stream.data))
        for name, value in structure
        if name.local_name not in _VOLATILE_XMP
    }
