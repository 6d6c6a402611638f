# SPDX-License-Identifier: Apache-2.0
"""Client certificates nobody should show, with their keys. TLS takes each of them; whoever reads them must refuse."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
NOW = datetime(2026, 11, 20, tzinfo=UTC)
EVER = timedelta(days=3650)


@dataclass(frozen=True, kw_only=True)
class Odd:
    """One certificate as it should not be; what is not named is as in a device's."""

    name: str
    key: Key | None = None
    subject: str = "device"
    # URI of the subject's alternative name.
    identity: str = ""
    serial: int = 4711
    begins: datetime = NOW - EVER
    ends: datetime = NOW + EVER
    ca: bool = False
    # Extensions by number, with whatever content.
    extensions: tuple[tuple[str, bytes], ...] = ()
    # Bytes that are replaced after signing, by others of the same length.
    patch: tuple[bytes, bytes] = (b"", b"")
    # How often it stands in the chain that is shown.
    times: int = 1


def odd_ones(identity: str) -> Iterator[Odd]:
    """The table; ``identity`` is the name of a device that exists."""
    yield Odd(name="self-made")
    yield Odd(name="expired", ends=NOW - timedelta(days=1))
    yield Odd(name="not yet", begins=NOW + timedelta(days=3000))
    yield Odd(name="at the end of time", ends=datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))
    yield Odd(name="ed25519", key=ed25519.Ed25519PrivateKey.generate())
    yield Odd(name="p521", key=ec.generate_private_key(ec.SECP521R1()))
    yield Odd(name="rsa", key=rsa.generate_private_key(65537, 2048))
    yield Odd(name="authority", ca=True)
    yield Odd(name="nobody", subject="")
    yield Odd(name="long name", subject="x" * 64, identity="urn:uuid:" + "f" * 5000)
    yield Odd(name="markup", subject="<script>'\"--", identity='urn:uuid:%00"><script>')
    yield Odd(name="chinese", subject="设备\u202e\u0000")
    yield Odd(name="other scheme", identity="file:///etc/passwd")
    yield Odd(name="uppercase", identity=identity.upper())
    yield Odd(name="serial of 20 bytes", serial=(1 << 159) - 1)
    yield Odd(name="unknown and critical", extensions=(("1.3.6.1.4.1.99999.1", b"\x05\x00"),))
    yield Odd(name="large", extensions=(("1.3.6.1.4.1.99999.2", b"\x04" * 9_000),))
    yield Odd(name="larger than a header", extensions=(("1.3.6.1.4.1.99999.2", b"\x04" * 40_000),))
    yield Odd(name="many extensions", extensions=tuple((f"1.3.6.1.4.1.99999.{i}", b"") for i in range(3, 300)))
    yield Odd(name="other text after signing", subject="aaaaaa", patch=(b"aaaaaa", b"a\x00\r\n\x1ba"))
    yield Odd(name="long chain", times=4)


def write(odd: Odd, folder: Path, identity: str) -> Path:
    """The file that a TLS client loads: chain and key."""
    key = odd.key or ec.generate_private_key(ec.SECP256R1())
    der = _made(odd, key, odd.identity or identity).public_bytes(Encoding.DER)
    assert odd.patch[0] in der
    pem = _pem(der.replace(*odd.patch))
    path = folder / f"{odd.name.replace(' ', '-')}.pem"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + pem * odd.times)
    return path


def _made(odd: Odd, key: Key, identity: str) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, odd.subject)] if odd.subject else [])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(odd.serial)
        .not_valid_before(odd.begins)
        .not_valid_after(odd.ends)
        .add_extension(x509.BasicConstraints(ca=odd.ca, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    )
    names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(identity)])
    builder = builder.add_extension(names, critical=False)
    for number, content in odd.extensions:
        extension = x509.UnrecognizedExtension(x509.ObjectIdentifier(number), content)
        builder = builder.add_extension(extension, critical="critical" in odd.name)
    return builder.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())


def _pem(der: bytes) -> bytes:

    return b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE-----\n"
