# SPDX-License-Identifier: Apache-2.0
"""Client certificates: how clients prove themselves by one, and what their tokens are bound to.

The certificate reaches us from nginx, which has checked that its caller holds the key; whose it is we say ourselves.
"""

import hashlib

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ...errors import InvalidClient
from ...models import Client
from ..rfc7515 import base64url
from ..rfc7517 import ClientKeys
from ..rfc7800 import Confirmation

LONGEST = 16 * 1024


def confirmed_by(unverified_pem: bytes) -> Confirmation:
    """What a token is bound to that is given, or shown, over this connection (section 3.1).

    Raises:
        InvalidClient: no certificate, or one that cannot be read.
    """
    if not 0 < len(unverified_pem) <= LONGEST or unverified_pem.count(b"-----BEGIN CERTIFICATE-----") != 1:
        raise InvalidClient
    try:
        certificate = x509.load_pem_x509_certificate(unverified_pem)
        content, serial = certificate.public_bytes(Encoding.DER), format(certificate.serial_number, "x")
    except ValueError as error:
        raise InvalidClient from error
    return Confirmation(x5t=base64url(hashlib.sha256(content).digest()), serial=serial)


def registered(client: Client, unverified_pem: bytes) -> bool:
    """Whether the certificate is one the client was registered with (``self_signed_tls_client_auth``, section 2.2).

    Raises:
        InvalidClient: no certificate, or one that cannot be read.
    """
    shown = confirmed_by(unverified_pem).x5t
    # Without its keys, which may lie at an address, no certificate is its own.
    return bool(client.jwks) and shown in ClientKeys.read(client.jwks).certificates
