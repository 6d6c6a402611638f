# SPDX-License-Identifier: Apache-2.0
"""How each kind of key signs bytes; only the doors beside this module bring any."""

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from ..x509 import SigningKey, algorithm_for


def signed(key: SigningKey, content: bytes) -> bytes:
    """The signature; the algorithm is `algorithm_identifier` of the key."""
    algorithm = algorithm_for(key) or hashes.SHA512()
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(content, ec.ECDSA(algorithm))
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(content, padding.PKCS1v15(), algorithm)
    return key.sign(content)
