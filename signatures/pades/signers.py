# SPDX-License-Identifier: Apache-2.0
"""The signatures of a PDF, one for each signer.

The standard allows one signer to a signature (EN 319 142-1, 4.1; ISO 32000-2, 12.8.3.3.1) and the library refuses a
file with more. Such files exist. Each signer is shown to the library alone, in an object of the same length, so that
nothing else of what it checks changes.
"""

from typing import Any

from asn1crypto import cms
from pyhanko.pdf_utils import generic as _generic
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import SigSeedSubFilter, enumerate_sig_fields
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature, extract_contents

from ..proofs.signed_data import der

# The library annotates only part of itself.
generic: Any = _generic
_KINDS = frozenset(str(each.value) for each in SigSeedSubFilter)
_BEFORE = ("version", "digest_algorithms", "encap_content_info", "certificates", "crls")
_SEQUENCE, _SET, _CONTEXT_0 = 0x30, 0x31, 0xA0
_SIGNED_DATA: bytes = cms.ContentType("signed_data").dump()
_STAMP = "/DocTimeStamp"


def embedded(reader: PdfFileReader) -> list[list[EmbeddedPdfSignature]]:
    """All of a kind that the library knows, by revision: each place with those who signed there.

    Raises almost anything for malformed files, as the library does.
    """
    found = [
        _of(reader, str(name), value.get_object(), field)
        for name, value, field in enumerate_sig_fields(reader, filled_status=True)
        if str(value.get_object().get("/SubFilter", "")) in _KINDS
    ]
    return sorted(found, key=lambda place: place[0].signed_revision)


def _of(reader: PdfFileReader, name: str, signature: Any, field: Any) -> list[EmbeddedPdfSignature]:
    # A time-stamp has one maker (RFC 3161); the library refuses others.
    alone = [] if signature.get("/Type") == _STAMP else _one_each(extract_contents(signature))
    if len(alone) <= 1:
        return [EmbeddedPdfSignature(reader, field, name)]
    return [_shown_alone(reader, name, field.get_object(), each) for each in alone]


def _one_each(contents: bytes) -> list[bytes]:
    """The same object for each signer, as if they had signed alone, padded to the length that it has."""
    message: Any = cms.ContentInfo.load(contents)
    if message["content_type"].native != "signed_data":
        return []
    data = message["content"]
    before = b"".join(data[name].dump() for name in _BEFORE)
    whole = [
        der(_SEQUENCE, _SIGNED_DATA + der(_CONTEXT_0, der(_SEQUENCE, before + der(_SET, info.dump()))))
        for info in data["signer_infos"]
    ]
    return [each.ljust(len(contents), b"\0") for each in whole]


def _shown_alone(reader: PdfFileReader, name: str, field: Any, contents: bytes) -> EmbeddedPdfSignature:
    reference = field.raw_get("/V")
    signature = reference.get_object()
    other = generic.DictionaryObject(signature)
    other[generic.pdf_name("/Contents")] = generic.ByteStringObject(contents)
    shown = generic.DictionaryObject(field)
    shown[generic.pdf_name("/V")] = _Elsewhere(reference, other)
    found = EmbeddedPdfSignature(reader, shown, name)
    # Whatever the library looks up besides is the file's own.
    found.sig_field, found.sig_object = field, signature
    return found


class _Elsewhere(_generic.IndirectObject):
    """A reference to one object that leads to another."""

    def __init__(self, original: Any, value: Any) -> None:
        self.reference = original.reference
        self._value = value

    def get_object(self) -> Any:
        """The other."""
        return self._value
