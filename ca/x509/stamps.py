# SPDX-License-Identifier: Apache-2.0
"""What a time-stamping unit may sign: the signed attributes of a TSTInfo (RFC 3161 section 2.4.2, RFC 5652 sect. 5.4).

A key that signs bytes signs whatever somebody brings. This type is what the door of a unit takes instead: DER of a SET
of attributes that names id-ct-TSTInfo as its content, which no certificate, list or answer can be mistaken for.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from pyasn1.codec.der import decoder, encoder
from pyasn1.error import PyAsn1Error
from pyasn1.type import univ
from pyasn1_alt_modules import rfc5652

from ..errors import StampUnfit

TST_INFO = "1.2.840.113549.1.9.16.1.4"
_CONTENT_TYPE = str(rfc5652.id_contentType)
_MESSAGE_DIGEST = str(rfc5652.id_messageDigest)
_DIGESTS = frozenset({32, 48, 64})


@dataclass(frozen=True)
class SignedAttributes:
    """Signed attributes as they are hashed: a SET, in DER, that names exactly the content of its class."""

    content: ClassVar[str] = ""
    der: bytes

    def __post_init__(self) -> None:
        try:
            found, rest = decoder.decode(self.der, asn1Spec=rfc5652.SignedAttributes())
            same = encoder.encode(found) == self.der
            said = {str(each["attrType"]): [bytes(value) for value in each["attrValues"]] for each in found}
            whole = not rest and same and len(said) == len(found)
            content = _one(said, _CONTENT_TYPE, univ.ObjectIdentifier())
            digest = _one(said, _MESSAGE_DIGEST, univ.OctetString()).asOctets()
        except (PyAsn1Error, LookupError, ValueError) as error:
            raise StampUnfit from error
        if not whole or str(content) != self.content or len(digest) not in _DIGESTS:
            raise StampUnfit


class StampAttributes(SignedAttributes):
    """Of a TSTInfo."""

    content = TST_INFO


def _one(said: dict[str, list[bytes]], kind: str, shape: univ.ObjectIdentifier | univ.OctetString) -> Any:
    (value,) = said[kind]
    found, rest = decoder.decode(value, asn1Spec=shape)
    if rest:
        raise ValueError(kind)
    return found
