# SPDX-License-Identifier: Apache-2.0
"""OFD files with seals for tests: an SM2 city, its seals, and what attackers do to them. Signs by itself."""

import base64
import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from asn1crypto import algos, cms, core, crl, keys, tsp, x509

from signatures.formats import seals
from signatures.models import Trust
from signatures.proofs import sm2
from tests.signatures import made
from tests.signatures.pki import DAY, NOW

_N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
_SM2_WITH_SM3, _CURVE, _SM3 = "1.2.156.10197.1.501", "1.2.156.10197.1.301", "1.2.156.10197.1.401"
PLACE = "Doc_0/Signs/Sign_0/Signature.xml"
LIST, VALUE = "Doc_0/Signs/Signatures.xml", "Doc_0/Signs/Sign_0/SignedValue.dat"
_NS = 'xmlns:ofd="http://www.ofdspec.org/2016"'


class _Pair(core.Sequence):  # type: ignore[misc]  # asn1crypto is not annotated
    _fields = [("r", core.Integer), ("s", core.Integer)]  # noqa: RUF012 - its way


@dataclass(frozen=True)
class Holder:
    """An SM2 key and its certificate."""

    secret: int
    certificate: bytes

    @property
    def point(self) -> tuple[int, int]:
        return _times(self.secret)

    def sign(self, data: bytes) -> bytes:
        return sign(self.secret, data)


def _times(scalar: int) -> tuple[int, int]:
    found = sm2.affine(sm2.both(scalar, 0, sm2.G))
    assert found is not None
    return found


def sign(secret: int, data: bytes) -> bytes:
    """GB/T 32918.2, 6.1."""
    digest = int.from_bytes(sm2.sm3(sm2.identity(_times(secret), sm2.SIGNER) + data), "big")
    k = secrets.randbelow(_N - 1) + 1
    r = (digest + _times(k)[0]) % _N
    s = pow(1 + secret, -1, _N) * (k - r * secret) % _N
    found: bytes = _Pair({"r": r, "s": s}).dump()
    return found


def _name(common: str) -> x509.Name:
    return x509.Name.build({"country_name": "CN", "organization_name": "江城市", "common_name": common})


def _algorithm() -> dict[str, Any]:
    return {"algorithm": _SM2_WITH_SM3}


def holder(
    common: str,
    issuer: "Issuer | None" = None,
    *,
    ca: bool = False,
    stamping: bool = False,
    purpose: str = "",
    before: datetime = NOW - 100 * DAY,
    after: datetime = NOW + 300 * DAY,
) -> Holder:
    """A new key and its certificate, by the issuer or by itself."""
    secret = secrets.randbelow(_N - 2) + 1
    x, y = _times(secret)
    usage = {"key_cert_sign", "crl_sign"} if ca else {"digital_signature", "non_repudiation"}
    extensions: list[dict[str, Any]] = [
        {"extn_id": "basic_constraints", "critical": True, "extn_value": x509.BasicConstraints({"ca": ca})},
        {"extn_id": "key_usage", "critical": True, "extn_value": x509.KeyUsage(usage)},
    ]
    if stamping or purpose:
        meant = x509.ExtKeyUsageSyntax(["time_stamping" if stamping else purpose])
        extensions.append({"extn_id": "extended_key_usage", "critical": stamping, "extn_value": meant})
    body = x509.TbsCertificate(
        {
            "version": "v3",
            "serial_number": secrets.randbits(64) | 1,
            "signature": _algorithm(),
            "issuer": issuer.name if issuer else _name(common),
            "validity": {"not_before": x509.Time({"utc_time": before}), "not_after": x509.Time({"utc_time": after})},
            "subject": _name(common),
            "subject_public_key_info": {
                "algorithm": {
                    "algorithm": "ec",
                    "parameters": keys.ECDomainParameters(name="named", value=keys.NamedCurve(_CURVE)),
                },
                "public_key": keys.ECPointBitString(b"\x04" + x.to_bytes(32, "big") + y.to_bytes(32, "big")),
            },
            "extensions": extensions,
        }
    )
    signature = sign(issuer.holder.secret if issuer else secret, body.dump())
    whole = x509.Certificate(
        {"tbs_certificate": body, "signature_algorithm": _algorithm(), "signature_value": signature}
    )
    return Holder(secret, whole.dump())


class Issuer:
    """An SM2 authority that signed itself."""

    def __init__(self, common: str = "江城 SM2 根") -> None:
        self.name = _name(common)
        self.holder = holder(common, ca=True)

    @property
    def pem(self) -> str:
        return (
            b"-----BEGIN CERTIFICATE-----\n"
            + base64.encodebytes(self.holder.certificate)
            + b"-----END CERTIFICATE-----\n"
        ).decode()

    def trust(self) -> Trust:
        return Trust(roots=(self.pem,), issuers={})

    def list(
        self, *revoked: Holder, since: datetime = NOW - DAY, held: bool = False, at: datetime = NOW - DAY / 24
    ) -> bytes:
        entries = [
            {
                "user_certificate": x509.Certificate.load(each.certificate).serial_number,
                "revocation_date": x509.Time({"utc_time": since}),
                "crl_entry_extensions": [
                    {"extn_id": "crl_reason", "extn_value": "certificate_hold" if held else "key_compromise"}
                ],
            }
            for each in revoked
        ]
        body = crl.TbsCertList(
            {
                "version": "v2",
                "signature": _algorithm(),
                "issuer": self.name,
                "this_update": x509.Time({"utc_time": at}),
                "next_update": x509.Time({"utc_time": at + DAY + DAY / 24}),
                **({"revoked_certificates": entries} if entries else {}),
            }
        )
        whole = crl.CertificateList(
            {"tbs_cert_list": body, "signature_algorithm": _algorithm(), "signature": self.holder.sign(body.dump())}
        )
        found: bytes = whole.dump()
        return found


def token(over: bytes, by: Holder, at: datetime) -> bytes:
    """A time-stamp (RFC 3161) by SM2 with SM3, as Chinese units make them."""
    own = x509.Certificate.load(by.certificate)
    digest = algos.DigestAlgorithm({"algorithm": _SM3})
    info = tsp.TSTInfo(
        {
            "version": "v1",
            "policy": "2.999.1",
            "message_imprint": {"hash_algorithm": digest, "hashed_message": sm2.sm3(over)},
            "serial_number": 1,
            "gen_time": at,
        }
    )
    names = tsp.SigningCertificateV2(
        {"certs": [tsp.ESSCertIDv2({"cert_hash": hashlib.sha256(by.certificate).digest()})]}
    )
    attributes = cms.CMSAttributes(
        [
            cms.CMSAttribute({"type": "content_type", "values": ["tst_info"]}),
            cms.CMSAttribute({"type": "message_digest", "values": [sm2.sm3(info.dump())]}),
            cms.CMSAttribute({"type": "signing_certificate_v2", "values": [names]}),
        ]
    )
    issued = cms.IssuerAndSerialNumber({"issuer": own.issuer, "serial_number": own.serial_number})
    signed = cms.SignedData(
        {
            "version": "v3",
            "digest_algorithms": [digest],
            "encap_content_info": {"content_type": "tst_info", "content": core.ParsableOctetString(info.dump())},
            "certificates": [own],
            "signer_infos": [
                {
                    "version": "v1",
                    "sid": cms.SignerIdentifier({"issuer_and_serial_number": issued}),
                    "digest_algorithm": digest,
                    "signed_attrs": attributes,
                    "signature_algorithm": _algorithm(),
                    "signature": by.sign(attributes.dump()),
                }
            ],
        }
    )
    found: bytes = cms.ContentInfo({"content_type": "signed_data", "content": signed}).dump()
    return found


_MADE = NOW - 90 * DAY
_PICTURE = {"type": "PNG", "data": b"round and red", "width": 40, "height": 40}


def seal(maker: Holder, signer: Holder, *, start: datetime = _MADE, end: datetime = NOW + 300 * DAY) -> Any:
    """A seal that this signer may use."""
    info = seals.Seal._fields[0][1](
        {
            "header": {"id": "ES", "version": 4, "vendor": "Tallygate tests"},
            "id": "42000001",
            "property": {
                "type": 1,
                "name": "江城市税务局",
                "list_type": 1,
                "list": core.SequenceOf([core.OctetString(signer.certificate)], spec=core.OctetString),
                "made": _MADE,
                "start": start,
                "end": end,
            },
            "picture": _PICTURE,
        }
    )
    return seals.Seal(
        {
            "info": info,
            "certificate": maker.certificate,
            "algorithm": _SM2_WITH_SM3,
            "signature": maker.sign(info.dump()),
        }
    )


def old_seal(maker: Holder, signer: Holder, *, end: datetime = NOW + 300 * DAY) -> Any:
    """The same in the form of GM/T 0031-2014."""
    info = seals.OldSeal._fields[0][1](
        {
            "header": {"id": "ES", "version": 1, "vendor": "Tallygate tests"},
            "id": "42000001",
            "property": {
                "type": 1,
                "name": "江城市税务局",
                "list": [signer.certificate],
                **{name: x509.Time({"utc_time": at}) for name, at in (("made", _MADE), ("start", _MADE), ("end", end))},
            },
            "picture": _PICTURE,
        }
    )
    certificate, algorithm = core.OctetString(maker.certificate), core.ObjectIdentifier(_SM2_WITH_SM3)
    described = core.SequenceOf([info, certificate, algorithm], spec=core.Any).dump()
    made_by = {"certificate": certificate, "algorithm": algorithm, "signature": maker.sign(described)}
    return seals.OldSeal({"info": info, "maker": made_by})


DOCUMENT = {
    "OFD.xml": f"<ofd:OFD {_NS}><ofd:DocBody><ofd:DocRoot>Doc_0/Document.xml</ofd:DocRoot>"
    "<ofd:Signatures>/Doc_0/Signs/Signatures.xml</ofd:Signatures></ofd:DocBody></ofd:OFD>".encode(),
    "Doc_0/Document.xml": f"<ofd:Document {_NS}/>".encode(),
    "Doc_0/Pages/Page_0/Content.xml": f"<ofd:Page {_NS}>Fee: 1000 yuan</ofd:Page>".encode(),
}


Signing = Callable[[bytes], bytes]
"""From the list of files to what stands beside it."""


def new_form(own: Any, signer: Holder, *, at: datetime = NOW, stamp: Callable[[bytes], bytes] | None = None) -> Signing:
    """GB/T 38540-2020; ``stamp`` makes a time-stamp over the signature."""

    def signed(listed: bytes) -> bytes:
        digest = sm2.sm3(listed)
        to_sign = seals.ToSign({"version": 4, "seal": own, "at": at, "digest": digest, "place": f"/{PLACE}"})
        signature = signer.sign(to_sign.dump())
        whole = {"to_sign": to_sign, "certificate": signer.certificate, "algorithm": _SM2_WITH_SM3}
        whole |= {"signature": signature, **({"stamp": stamp(signature)} if stamp else {})}
        found: bytes = seals.SealSignature(whole).dump()
        return found

    return signed


def old_form(own: Any, signer: Holder, *, at: bytes = NOW.strftime("%Y%m%d%H%M%SZ").encode()) -> Signing:
    """GM/T 0031-2014."""

    def signed(listed: bytes) -> bytes:
        to_sign = seals.OldToSign(
            {
                "version": 1,
                "seal": own,
                "time": at,
                "digest": sm2.sm3(listed),
                "place": f"/{PLACE}",
                "certificate": signer.certificate,
                "algorithm": _SM2_WITH_SM3,
            }
        )
        found: bytes = seals.OldSignature({"to_sign": to_sign, "signature": signer.sign(to_sign.dump())}).dump()
        return found

    return signed


def sealed(
    maker: Holder,
    signer: Holder,
    *,
    shown: Any = None,
    own: Any = None,
    files: Mapping[str, bytes] = DOCUMENT,
    signing: Signing | None = None,
    page: int = 1,
    **more: Any,
) -> bytes:
    """A sealed OFD document; ``shown`` is another seal than the signed one, ``page`` the one where it stands."""
    own = own or seal(maker, signer, **more)
    listed = "".join(
        f'<ofd:Reference FileRef="/{name}"><ofd:CheckValue>{base64.b64encode(sm2.sm3(content)).decode()}'
        "</ofd:CheckValue></ofd:Reference>"
        for name, content in files.items()
    )
    signature = (
        f'<ofd:Signature {_NS} ID="1" Type="Seal"><ofd:SignedInfo><ofd:SignatureMethod>{_SM2_WITH_SM3}'
        f'</ofd:SignatureMethod><ofd:References CheckMethod="{_SM3}">{listed}</ofd:References>'
        f'<ofd:StampAnnot ID="2" PageRef="{page}" Boundary="120 200 40 40"/>'
        "<ofd:Seal><ofd:BaseLoc>Seal.esl</ofd:BaseLoc></ofd:Seal></ofd:SignedInfo>"
        "<ofd:SignedValue>SignedValue.dat</ofd:SignedValue></ofd:Signature>"
    ).encode()
    return made.zipped(
        {
            **files,
            LIST: f'<ofd:Signatures {_NS}><ofd:Signature ID="1" Type="Seal" '
            'BaseLoc="Sign_0/Signature.xml"/></ofd:Signatures>'.encode(),
            PLACE: signature,
            VALUE: (signing or new_form(own, signer))(signature),
            "Doc_0/Signs/Sign_0/Seal.esl": (shown or own).dump(),
        }
    )
