# SPDX-License-Identifier: Apache-2.0
"""OFD files with seals for tests: an SM2 city, its seals, and what attackers do to them. Signs by itself."""

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from asn1crypto import core, crl, keys, x509

from signatures.formats import ofd
from signatures.models import Trust
from signatures.proofs import sm2
from tests.signatures import made
from tests.signatures.pki import DAY, NOW

_N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
_SM2_WITH_SM3, _CURVE, _SM3 = "1.2.156.10197.1.501", "1.2.156.10197.1.301", "1.2.156.10197.1.401"
PLACE = "Doc_0/Signs/Sign_0/Signature.xml"
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


def holder(common: str, issuer: "Issuer | None" = None, *, ca: bool = False) -> Holder:
    """A new key and its certificate, by the issuer or by itself."""
    secret = secrets.randbelow(_N - 2) + 1
    x, y = _times(secret)
    usage = {"key_cert_sign", "crl_sign"} if ca else {"digital_signature", "non_repudiation"}
    body = x509.TbsCertificate(
        {
            "version": "v3",
            "serial_number": secrets.randbits(64) | 1,
            "signature": _algorithm(),
            "issuer": issuer.name if issuer else _name(common),
            "validity": {
                "not_before": x509.Time({"utc_time": NOW - 100 * DAY}),
                "not_after": x509.Time({"utc_time": NOW + 300 * DAY}),
            },
            "subject": _name(common),
            "subject_public_key_info": {
                "algorithm": {
                    "algorithm": "ec",
                    "parameters": keys.ECDomainParameters(name="named", value=keys.NamedCurve(_CURVE)),
                },
                "public_key": keys.ECPointBitString(b"\x04" + x.to_bytes(32, "big") + y.to_bytes(32, "big")),
            },
            "extensions": [
                {"extn_id": "basic_constraints", "critical": True, "extn_value": x509.BasicConstraints({"ca": ca})},
                {"extn_id": "key_usage", "critical": True, "extn_value": x509.KeyUsage(usage)},
            ],
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

    def trust(self) -> Trust:
        pem = (
            b"-----BEGIN CERTIFICATE-----\n"
            + base64.encodebytes(self.holder.certificate)
            + b"-----END CERTIFICATE-----\n"
        )
        return Trust(roots=(pem.decode(),), issuers={})

    def list(self, *revoked: Holder) -> bytes:
        entries = [
            {
                "user_certificate": x509.Certificate.load(each.certificate).serial_number,
                "revocation_date": x509.Time({"utc_time": NOW - DAY}),
            }
            for each in revoked
        ]
        body = crl.TbsCertList(
            {
                "version": "v2",
                "signature": _algorithm(),
                "issuer": self.name,
                "this_update": x509.Time({"utc_time": NOW - DAY / 24}),
                "next_update": x509.Time({"utc_time": NOW + DAY}),
                **({"revoked_certificates": entries} if entries else {}),
            }
        )
        whole = crl.CertificateList(
            {"tbs_cert_list": body, "signature_algorithm": _algorithm(), "signature": self.holder.sign(body.dump())}
        )
        found: bytes = whole.dump()
        return found


def seal(maker: Holder, signer: Holder, *, end: datetime = NOW + 300 * DAY) -> Any:
    """A seal that this signer may use."""
    info = ofd.Seal._fields[0][1](
        {
            "header": {"id": "ES", "version": 4, "vendor": "Tallygate tests"},
            "id": "42000001",
            "property": {
                "type": 1,
                "name": "江城市税务局",
                "list_type": 1,
                "list": core.SequenceOf([core.OctetString(signer.certificate)], spec=core.OctetString),
                "made": NOW - 90 * DAY,
                "start": NOW - 90 * DAY,
                "end": end,
            },
            "picture": {"type": "PNG", "data": b"round and red", "width": 40, "height": 40},
        }
    )
    return ofd.Seal(
        {
            "info": info,
            "certificate": maker.certificate,
            "algorithm": _SM2_WITH_SM3,
            "signature": maker.sign(info.dump()),
        }
    )


DOCUMENT = {
    "OFD.xml": f"<ofd:OFD {_NS}><ofd:DocBody><ofd:DocRoot>Doc_0/Document.xml</ofd:DocRoot>"
    "<ofd:Signatures>/Doc_0/Signs/Signatures.xml</ofd:Signatures></ofd:DocBody></ofd:OFD>".encode(),
    "Doc_0/Document.xml": f"<ofd:Document {_NS}/>".encode(),
    "Doc_0/Pages/Page_0/Content.xml": f"<ofd:Page {_NS}>Fee: 1000 yuan</ofd:Page>".encode(),
}


def sealed(
    maker: Holder, signer: Holder, *, shown: Any = None, files: Mapping[str, bytes] = DOCUMENT, **more: Any
) -> bytes:
    """A sealed OFD document; ``shown`` is another seal than the signed one."""
    own = more.pop("own", None) or seal(maker, signer, **more)
    listed = "".join(
        f'<ofd:Reference FileRef="/{name}"><ofd:CheckValue>{base64.b64encode(sm2.sm3(content)).decode()}'
        "</ofd:CheckValue></ofd:Reference>"
        for name, content in files.items()
    )
    signature = (
        f'<ofd:Signature {_NS} ID="1" Type="Seal"><ofd:SignedInfo><ofd:SignatureMethod>{_SM2_WITH_SM3}'
        f'</ofd:SignatureMethod><ofd:References CheckMethod="{_SM3}">{listed}</ofd:References>'
        "<ofd:Seal><ofd:BaseLoc>Seal.esl</ofd:BaseLoc></ofd:Seal></ofd:SignedInfo>"
        "<ofd:SignedValue>SignedValue.dat</ofd:SignedValue></ofd:Signature>"
    ).encode()
    to_sign = ofd.ToSign({"version": 4, "seal": own, "at": NOW, "digest": sm2.sm3(signature), "place": f"/{PLACE}"})
    whole = ofd.SealSignature(
        {
            "to_sign": to_sign,
            "certificate": signer.certificate,
            "algorithm": _SM2_WITH_SM3,
            "signature": signer.sign(to_sign.dump()),
        }
    )
    return made.zipped(
        {
            **files,
            "Doc_0/Signs/Signatures.xml": f'<ofd:Signatures {_NS}><ofd:Signature ID="1" Type="Seal" '
            'BaseLoc="Sign_0/Signature.xml"/></ofd:Signatures>'.encode(),
            PLACE: signature,
            "Doc_0/Signs/Sign_0/SignedValue.dat": whole.dump(),
            "Doc_0/Signs/Sign_0/Seal.esl": (shown or own).dump(),
        }
    )
