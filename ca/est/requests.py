# SPDX-License-Identifier: Apache-2.0
"""What a client sends: base64 without headers about it (RFC 8951 section 3), PKCS #10 inside, and the names it holds.

Names are compared with what the certificate will say, and then forgotten: a request for another device is refused
instead of answered with other names than were asked for.
"""

import base64
import binascii
import ipaddress
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import NameOID

from core.errors import N_

from ..errors import NamesRefused, RequestRefused
from ..x509 import CertificateRequest, der, read_request
from ..x509.deliveries import ContentCipher

LONGEST = 32 * 1024
"""Bytes of a body; base64 of the longest request there is, and line ends."""
MEDIA_TYPE = "application/pkcs10"
# RFC 2985 and RFC 7894: claims that a request belongs to one TLS connection.
_LINKING = frozenset({"1.2.840.113549.1.9.7", "1.2.840.113549.1.9.16.2.56", "1.2.840.113549.1.9.16.2.58"})
_DECRYPT_KEY = "1.2.840.113549.1.9.16.2.37"
_ASYMMETRIC_DECRYPT_KEY = "1.2.840.113549.1.9.16.2.54"
_CAPABILITIES = "1.2.840.113549.1.9.15"
_WHITESPACE = b" \t\r\n"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request whose sender holds the key."""

    der: bytes
    request: CertificateRequest
    subject: x509.Name
    alternatives: frozenset[x509.GeneralName]
    # Identifier of the key that a generated key shall be encrypted to; None if that is not asked for.
    decrypt_key: bytes | None
    # What the sender can open a closed key with, the best first; None if it does not say.
    ciphers: tuple[ContentCipher, ...] | None = None

    @property
    def hosts(self) -> tuple[str, ...]:
        """DNS names and addresses, in one spelling."""
        found = [host_of(each) for each in self.alternatives]
        return tuple(sorted(each for each in found if each))


def read(body: bytes, content_type: str, *, keys: frozenset[str]) -> Asked:
    """Read a request strictly.

    Raises:
        RequestRefused: not base64, not PKCS #10, no proof of possession, or a claim that cannot be checked here.
        KeyRefused: the key is weak or not among ``keys``.
    """
    if content_type.partition(";")[0].strip().lower() != MEDIA_TYPE:
        raise RequestRefused(why=N_("its content type is not application/pkcs10"))
    if len(body) > LONGEST:
        raise RequestRefused(why=N_("it is too long"))
    try:
        # Line ends are no data, wherever they stand; everything else that is no base64 is refused.
        der = base64.b64decode(body.translate(None, _WHITESPACE), validate=True)
    except binascii.Error as error:
        raise RequestRefused(why=N_("it is not base64")) from error
    if not der.startswith(b"\x30"):
        raise RequestRefused(why=N_("it is not a well-formed PKCS #10 request"))
    request = read_request(der, keys=keys)
    try:
        csr = x509.load_der_x509_csr(der)
        attributes = {each.oid.dotted_string: each.value for each in csr.attributes}
        asked = Asked(
            der=der,
            request=request,
            subject=csr.subject,
            alternatives=alternatives(csr.extensions),
            decrypt_key=attributes.get(_ASYMMETRIC_DECRYPT_KEY),
            ciphers=_ciphers(attributes[_CAPABILITIES]) if _CAPABILITIES in attributes else None,
        )
    except (
        ValueError,
        TypeError,
        UnsupportedAlgorithm,
        x509.InvalidVersion,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
    ) as error:
        raise RequestRefused(why=N_("it is not a well-formed PKCS #10 request")) from error
    if _LINKING & attributes.keys():
        raise RequestRefused(why=N_("it claims to be linked to its TLS connection, which ends before this server"))
    if _DECRYPT_KEY in attributes:
        raise RequestRefused(why=N_("it names a shared key for encryption, and there is none"))
    return asked


def _ciphers(capabilities: bytes) -> tuple[ContentCipher, ...]:
    """Those of ours among SMIMECapabilities (RFC 8551 section 2.5.2), whose own tag was read already."""
    listed: set[bytes] = set()
    rest = capabilities
    while rest:
        one, rest = _element(rest, _SEQUENCE)
        identifier, _ = _element(one, _OID)
        listed.add(identifier)
    return tuple(each for each in ContentCipher if der.oid(each.oid)[2:] in listed)


def _element(encoded: bytes, tag: int) -> tuple[bytes, bytes]:
    """Content of the first element, which is short, and what follows it."""
    if len(encoded) < _HEAD or encoded[0] != tag or encoded[1] > min(_LONGEST_SHORT, len(encoded) - _HEAD):
        raise ValueError("not a list of capabilities")
    return encoded[_HEAD : _HEAD + encoded[1]], encoded[_HEAD + encoded[1] :]


_HEAD, _LONGEST_SHORT = 2, 127
_SEQUENCE, _OID = 0x30, 0x06


def alternatives(extensions: x509.Extensions) -> frozenset[x509.GeneralName]:
    """The alternative names among extensions."""
    try:
        return frozenset(extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return frozenset()


def host_of(name: x509.GeneralName) -> str:
    """A DNS name or address in one spelling; empty for every other name."""
    if isinstance(name, x509.DNSName):
        return name.value.lower()
    if isinstance(name, x509.IPAddress) and isinstance(name.value, ipaddress.IPv4Address | ipaddress.IPv6Address):
        return str(name.value)
    return ""


@dataclass(frozen=True, kw_only=True)
class Own:
    """What a device is called."""

    id: str
    name: str
    # Display names of the organisation it belongs to.
    organisation: frozenset[str]
    country: str
    hosts: frozenset[str]


def check_names(asked: Asked, own: Own) -> None:
    """Whether every name in a request is the device's own; it may also hold none.

    Raises:
        NamesRefused: it holds another one.
    """
    allowed = {
        NameOID.COUNTRY_NAME: {own.country},
        NameOID.ORGANIZATION_NAME: own.organisation,
        NameOID.SERIAL_NUMBER: {own.id},
        NameOID.COMMON_NAME: {own.id, own.name},
    }
    if any(each.value not in allowed.get(each.oid, ()) for each in asked.subject):
        raise NamesRefused(why=N_("the request's subject is not this device"))
    uri = x509.UniformResourceIdentifier(f"urn:uuid:{own.id}")
    if any(each != uri and host_of(each) not in own.hosts for each in asked.alternatives):
        raise NamesRefused(why=N_("the request has an alternative name that is not this device's"))


def same_names(asked: Asked, certificate: x509.Certificate) -> bool:
    """Whether subject and alternative names are those of the certificate (RFC 7030 section 4.2.2)."""
    return asked.subject == certificate.subject and asked.alternatives == alternatives(certificate.extensions)
