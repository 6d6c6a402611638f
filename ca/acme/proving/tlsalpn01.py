# SPDX-License-Identifier: Apache-2.0
"""tls-alpn-01 (RFC 8737): a certificate of its own making at the name's own TLS server, under a protocol of its own."""

import hashlib
import hmac
import ssl

from cryptography import x509

from ..models import Identifier, Kind
from ..names import reverse
from ..problems import Problem, Type
from .network import Deadline, Network

PROTOCOL = "acme-tls/1"
ACME_IDENTIFIER = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31")
_OCTET_STRING = bytes([4, 32])


def look(network: Network, identifier: Identifier, *, port: int, expected: str, deadline: Deadline) -> None:
    """Shake hands and read the certificate.

    Raises:
        Problem: nobody speaks that protocol there, or the certificate says something else.
    """
    address = network.find(identifier, deadline)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # It proves by what it holds; nobody else vouches for it.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols([PROTOCOL])
    named = reverse(identifier) if identifier.kind is Kind.IP else identifier.value
    try:
        with network.connect(address, port, deadline) as plain:
            plain.settimeout(deadline.left)
            with context.wrap_socket(plain, server_hostname=named, suppress_ragged_eofs=True) as connection:
                spoken, der = connection.selected_alpn_protocol(), connection.getpeercert(binary_form=True)
    except TimeoutError as error:
        raise Problem(Type.CONNECTION, "the server took too long to answer") from error
    except OSError as error:
        raise Problem(Type.TLS, "the server does not complete the handshake") from error
    if spoken != PROTOCOL or der is None:
        raise Problem(Type.UNAUTHORIZED, f"the server does not speak {PROTOCOL}")
    _compare(der, identifier, hashlib.sha256(expected.encode()).digest())


def _compare(der: bytes, identifier: Identifier, digest: bytes) -> None:
    try:
        extensions = x509.load_der_x509_certificate(der).extensions
        names = list(extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
        proof = extensions.get_extension_for_oid(ACME_IDENTIFIER)
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension) as error:
        raise Problem(Type.UNAUTHORIZED, "the certificate lacks a name or the ACME identifier") from error
    shape = x509.IPAddress if identifier.kind is Kind.IP else x509.DNSName
    said = [str(each.value).lower() for each in names if isinstance(each, shape)]
    if len(names) != 1 or said != [identifier.value]:
        raise Problem(Type.UNAUTHORIZED, "the certificate is not for this identifier alone")
    value = proof.value
    content = value.value if isinstance(value, x509.UnrecognizedExtension) else b""
    if not proof.critical or not hmac.compare_digest(content, _OCTET_STRING + digest):
        raise Problem(Type.UNAUTHORIZED, "the ACME identifier is not the digest of the key authorization")
