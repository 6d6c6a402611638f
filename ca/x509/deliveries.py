# SPDX-License-Identifier: Apache-2.0
"""A private key on its way to the device it was made for: signed by whoever made it, closed for whoever shall open it.

RFC 7030 section 4.4.2: AsymmetricKeyPackage (RFC 5958) in SignedData in EnvelopedData (RFC 5652), for one RSA key, by
OAEP with SHA-256 (RFC 3560, RFC 4055) and AES-CBC (RFC 3565).
"""

import hashlib
import secrets
from collections.abc import Sequence
from enum import Enum

from cryptography import x509
from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.asymmetric import padding as transport
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.serialization import Encoding

from . import der
from .stamps import SignedAttributes

KEY_PACKAGE = "2.16.840.1.101.2.1.2.78.5"
_SIGNED_DATA = der.oid("1.2.840.113549.1.7.2")
_ENVELOPED_DATA = der.oid("1.2.840.113549.1.7.3")
_CONTENT_TYPE = der.oid("1.2.840.113549.1.9.3")
_MESSAGE_DIGEST = der.oid("1.2.840.113549.1.9.4")
_SHA256 = der.sequence(der.oid("2.16.840.1.101.3.4.2.1"))
_OAEP = der.sequence(
    der.oid("1.2.840.113549.1.1.7"),
    der.sequence(
        der.explicit(0, der.sequence(der.oid("2.16.840.1.101.3.4.2.1"), der.NULL)),
        der.explicit(
            1,
            der.sequence(der.oid("1.2.840.113549.1.1.8"), der.sequence(der.oid("2.16.840.1.101.3.4.2.1"), der.NULL)),
        ),
    ),
)
_SET = 0x31
_BLOCK = 16


class ContentCipher(Enum):
    """What the package is closed with, the better first."""

    AES_256_CBC = ("2.16.840.1.101.3.4.1.42", 32)
    AES_192_CBC = ("2.16.840.1.101.3.4.1.22", 24)
    AES_128_CBC = ("2.16.840.1.101.3.4.1.2", 16)

    @property
    def oid(self) -> str:
        """Its identifier."""
        return self.value[0]


class DeliveryAttributes(SignedAttributes):
    """Signed attributes that name a key package as their content."""

    content = KEY_PACKAGE


def package(private: bytes) -> bytes:
    """AsymmetricKeyPackage of one PKCS #8 key."""
    return der.sequence(private)


def attributes_of(packaged: bytes) -> DeliveryAttributes:
    """What is signed about a package."""
    said = [
        _attribute(_CONTENT_TYPE, der.oid(KEY_PACKAGE)),
        _attribute(_MESSAGE_DIGEST, der.octets(hashlib.sha256(packaged).digest())),
    ]
    return DeliveryAttributes(der.tlv(_SET, b"".join(sorted(said))))


def signed_package(
    packaged: bytes,
    attributes: DeliveryAttributes,
    signature: bytes,
    algorithm: bytes,
    shown: Sequence[x509.Certificate],
) -> bytes:
    """SignedData; the first of ``shown`` is the signer's."""
    own = shown[0]
    signer = der.sequence(
        der.integer(1),
        der.sequence(own.issuer.public_bytes(), der.integer(own.serial_number)),
        _SHA256,
        # [0] IMPLICIT in the place of the SET's own tag, which is what was signed (RFC 5652 section 5.4).
        b"\xa0" + attributes.der[1:],
        algorithm,
        der.octets(signature),
    )
    return der.sequence(
        der.integer(3),
        der.tlv(_SET, _SHA256),
        der.sequence(der.oid(KEY_PACKAGE), der.explicit(0, der.octets(packaged))),
        der.explicit(0, b"".join(sorted(each.public_bytes(Encoding.DER) for each in shown))),
        der.tlv(_SET, signer),
    )


def enveloped(signed: bytes, recipient: x509.Certificate, cipher: ContentCipher) -> bytes:
    """ContentInfo with EnvelopedData that only the holder of the recipient's RSA key opens.

    Raises:
        TypeError: the recipient's key decrypts nothing.
    """
    public = recipient.public_key()
    if not isinstance(public, rsa.RSAPublicKey):
        raise TypeError("an RSA key")
    oid, size = cipher.value
    key, start = secrets.token_bytes(size), secrets.token_bytes(_BLOCK)
    filler = padding.PKCS7(8 * _BLOCK).padder()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(start)).encryptor()
    closed = encryptor.update(filler.update(signed) + filler.finalize()) + encryptor.finalize()
    sha256 = hashes.SHA256()
    wrapped = public.encrypt(key, transport.OAEP(mgf=transport.MGF1(sha256), algorithm=sha256, label=None))
    whom = der.sequence(
        der.integer(0),
        der.sequence(recipient.issuer.public_bytes(), der.integer(recipient.serial_number)),
        _OAEP,
        der.octets(wrapped),
    )
    content = der.sequence(_SIGNED_DATA, der.sequence(der.oid(oid), der.octets(start)), der.tlv(0x80, closed))
    data = der.sequence(der.integer(0), der.tlv(_SET, whom), content)
    return der.sequence(_ENVELOPED_DATA, der.explicit(0, data))


def _attribute(kind: bytes, value: bytes) -> bytes:
    return der.sequence(kind, der.tlv(_SET, value))
