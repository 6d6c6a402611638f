# SPDX-License-Identifier: Apache-2.0
"""What a request should look like, as CSR attributes (RFC 7030 section 4.5, RFC 9908).

The template says it whole: names to fill in, extensions with the values they will have, the kind of key where only one
is taken. Beside it stand the older forms, which clients that know templates skip. Nothing of a device is told here,
for anybody may ask.
"""

from cryptography import x509
from cryptography.x509.oid import ExtensionOID, NameOID

from ..x509 import Profile
from ..x509 import der as write
from ..x509.profiles import EXTENDED_OIDS, NAME_OIDS, Usage

TEMPLATE = "1.2.840.113549.1.9.16.2.61"
EXTENSIONS_TEMPLATE = "1.2.840.113549.1.9.16.2.62"
EXTENSIONS = "1.2.840.113549.1.9.14"
_EC = "1.2.840.10045.2.1"
_CURVES = {"P-256": "1.2.840.10045.3.1.7", "P-384": "1.3.132.0.34"}
_OTHERS = {"RSA": "1.2.840.113549.1.1.1", "Ed25519": "1.3.101.112", "ML-DSA-65": "2.16.840.1.101.3.4.3.18"}
_SET = 0x31


def attributes(profile: Profile) -> bytes:
    """CsrAttrs, DER."""
    fixed = [(ExtensionOID.KEY_USAGE.dotted_string, True, _usage(profile))]
    fixed.append((ExtensionOID.EXTENDED_KEY_USAGE.dotted_string, False, _extended(profile)))
    extensions = [write.extension(oid, value, critical=critical) for oid, critical, value in fixed]
    # A value that is left out is the client's to fill in.
    names = write.sequence(write.oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME.dotted_string))
    template = write.sequence(
        write.integer(0),
        write.sequence(*(_name(oid.dotted_string) for oid in _subject(profile))),
        _only_key(profile),
        write.tlv(0xA1, _attribute(EXTENSIONS_TEMPLATE, write.sequence(names, *extensions))),
    )
    return write.sequence(
        _attribute(TEMPLATE, template),
        _attribute(EXTENSIONS, write.sequence(*extensions)),
        *_keys(profile),
    )


def _subject(profile: Profile) -> list[x509.ObjectIdentifier]:
    """What a client can know of its name; country and organisation come from the directory."""
    return [oid for oid in (NAME_OIDS[each.attribute] for each in profile.names) if oid in _OWN]


_OWN = frozenset({NameOID.SERIAL_NUMBER, NameOID.COMMON_NAME})


def _name(dotted: str) -> bytes:
    return write.tlv(_SET, write.sequence(write.oid(dotted)))


def _attribute(dotted: str, *values: bytes) -> bytes:
    return write.sequence(write.oid(dotted), write.tlv(_SET, b"".join(sorted(values))))


def _only_key(profile: Profile) -> bytes:
    if len(profile.keys) != 1:
        return b""
    key = next(iter(profile.keys))
    curve = write.oid(_CURVES[key]) if key in _CURVES else b""
    identifier = write.sequence(write.oid(_EC if curve else _OTHERS[key]), curve)
    return write.tlv(0xA0, identifier)


def _keys(profile: Profile) -> list[bytes]:
    curves = [write.oid(_CURVES[each]) for each in profile.keys if each in _CURVES]
    others = [write.oid(_OTHERS[each]) for each in profile.keys if each in _OTHERS]
    return ([_attribute(_EC, *curves)] if curves else []) + others


def _usage(profile: Profile) -> bytes:
    usage = x509.KeyUsage(
        digital_signature=Usage.DIGITAL_SIGNATURE in profile.usage,
        content_commitment=Usage.CONTENT_COMMITMENT in profile.usage,
        # Written for RSA keys alone, which nobody has promised here.
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    return usage.public_bytes()


def _extended(profile: Profile) -> bytes:
    return x509.ExtendedKeyUsage([EXTENDED_OIDS[each] for each in profile.extended]).public_bytes()
