# SPDX-License-Identifier: Apache-2.0
"""Four functions of the libraries that cost half of a verification, with the same answers in less time.

The library reads a hexadecimal string digit by digit, and a signature is one of thousands of digits. Names are prepared
for comparison (RFC 4518) again for every certificate of a path, though a site has few names; and two names are taken
apart each time to be compared, though their encodings are the same or were compared before. The certificates of a
signature are taken apart anew for each document, though a signer brings the same. Whatever is not plain goes to the
function that was there before; pyHanko is pinned, and tests compare both.
"""

import binascii
import io
from functools import lru_cache
from typing import Any

from asn1crypto import x509
from pyhanko.pdf_utils import generic
from pyhanko.sign import general
from pyhanko.sign.general import SignedDataCerts
from pyhanko.sign.validation import generic_cms

from ..proofs.known import certificate

# The libraries annotate only part of themselves.
_generic: Any = generic
_name: Any = x509.NameTypeAndValue
_read_by_digit = generic.read_hex_string_from_stream
_prepare = _name._ldap_string_prep  # noqa: SLF001 - asn1crypto has no other place where a name is prepared
_names: Any = x509.Name
_sequences: Any = x509.RDNSequence
_validation: Any = generic_cms
_partition: Any = general._partition_certs  # noqa: SLF001 - which of them is the signer's says the library
_CHUNK = 4096


def install() -> None:
    """Use them in this process."""
    _generic.read_hex_string_from_stream = read_hex_string
    _name._ldap_string_prep = lambda _, text: prepared(text)  # noqa: SLF001 - as above, the place itself
    _names.__eq__ = same_name
    _validation.extract_certificate_info = certificates_of


def read_hex_string(stream: io.BytesIO) -> Any:
    """A string between angle brackets, at the first of which the stream stands."""
    start = stream.tell()
    digits = bytearray()
    while (end := digits.find(b">")) < 0:
        chunk = stream.read(_CHUNK)
        if not chunk:
            break
        digits += chunk
    try:
        value = binascii.unhexlify(digits[1:end]) if end > 0 else None
    except binascii.Error:
        # White space, an odd digit, or what does not belong there.
        value = None
    if value is None:
        stream.seek(start)
        return _read_by_digit(stream)
    stream.seek(start + end + 1)
    return generic.pdf_string(value)


def certificates_of(signed_data: Any) -> SignedDataCerts:
    """The certificates in a CMS object, the signer's told from the others.

    Raises:
        CMSExtractionError: the signer's is not among them, or there is not one signer.
    """
    given = list(signed_data["certificates"])
    shown = [certificate(each.chosen.dump()) for each in given if each.name == "certificate"]
    signer, others = _partition(shown, general.extract_signer_info(signed_data))
    attributes = [each.chosen.untag() for each in given if each.name == "v2_attr_cert"]
    return SignedDataCerts(signer_cert=signer, other_certs=others, attribute_certs=attributes)


@lru_cache(maxsize=4096)
def prepared(text: str) -> str:
    """A part of a name, ready to be compared."""
    found: str = _prepare(None, text)
    return found


def same_name(one: Any, other: Any) -> bool:
    """Whether two names are equal (RFC 5280 section 7.1)."""
    # What is chosen is without the tag that a name wears inside others.
    return isinstance(other, x509.Name) and _same(one.chosen.dump(), other.chosen.dump())


@lru_cache(maxsize=4096)
def _same(one: bytes, other: bytes) -> bool:
    return bool(_sequences.load(one) == _sequences.load(other))
