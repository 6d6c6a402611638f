# SPDX-License-Identifier: Apache-2.0
"""What devices send, and what they are told."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.hazmat.primitives.serialization.pkcs7 import load_der_pkcs7_certificates
from werkzeug.test import TestResponse

from ca.models import IssueRequest
from ca.x509 import der
from ca.x509.signing import algorithm_identifier
from core.calls import CALLER_HEADER, SECRET_HEADER
from tests.ca.sites import SECRETS, Site
from tests.ca.world import World, new_key
from tests.fakes.people import KIOSK, OFFICER

DECRYPT_KEY, SHARED_KEY = "1.2.840.113549.1.9.16.2.54", "1.2.840.113549.1.9.16.2.37"
"""Attributes that ask for a generated key to be closed: to a key of the device's, and by one that both know."""
HOST = "kiosk.city.localhost"
URN = x509.UniformResourceIdentifier(f"urn:uuid:{KIOSK.id}")


def csr(
    key: ec.EllipticCurvePrivateKey | None = None,
    *,
    subject: x509.Name | None = None,
    alternatives: list[x509.GeneralName] | None = None,
    attributes: dict[str, bytes] | None = None,
) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject or x509.Name([]))
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    for oid, value in (attributes or {}).items():
        builder = builder.add_attribute(x509.ObjectIdentifier(oid), value)
    return builder.sign(key or new_key(), hashes.SHA256()).public_bytes(Encoding.DER)


def wishing(key: rsa.RSAPrivateKey, attributes: Mapping[str, bytes]) -> bytes:
    """A request with attributes as they stand in DER, which no builder writes."""
    said = [der.sequence(der.oid(each), der.tlv(0x31, value)) for each, value in attributes.items()]
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    info = der.sequence(der.integer(0), der.sequence(), public, der.tlv(0xA0, b"".join(sorted(said))))
    signature = key.sign(info, padding.PKCS1v15(), hashes.SHA256())
    return der.sequence(info, algorithm_identifier(key.public_key()), der.bits(signature))


def like(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey | None = None) -> bytes:
    """A request with a certificate's names."""
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return csr(key, subject=certificate.subject, alternatives=list(names))


@dataclass
class Devices:
    site: Site

    @property
    def world(self) -> World:
        return self.site.world

    def enrolment(self, label: str = "device-client", *, hosts: tuple[str, ...] = (), uses: int = 1) -> tuple[str, str]:
        made, secret = self.site.est.enrolments.make(
            device=KIOSK.id, label=label, hosts=list(hosts), uses=uses, officer=OFFICER.subject
        )
        return made.id, secret

    def certificate(self, *, key: ec.EllipticCurvePrivateKey | None = None) -> x509.Certificate:
        """One the device has, not made by EST."""
        wish = IssueRequest(
            profile="device-client",
            csr=csr(key),
            subject=KIOSK.id,
            actor=OFFICER.subject,
            actor_roles=frozenset({"ra-officer"}),
        )
        return x509.load_pem_x509_certificate(self.site.authority.issue(wish).certificate)

    def send(
        self,
        path: str,
        body: bytes | None = None,
        *,
        basic: tuple[str, str] | None = None,
        certificate: x509.Certificate | None = None,
        raw: bool = False,
        secure: bool = True,
        headers: dict[str, str] | None = None,
    ) -> TestResponse:
        sent = {
            CALLER_HEADER: "nginx",
            SECRET_HEADER: base64.b64encode(SECRETS["nginx"]).decode(),
            "X-Forwarded-Proto": "https" if secure else "http",
            "X-Forwarded-For": "192.0.2.7",
            "Host": "est.city.localhost",
        }
        if basic:
            sent["Authorization"] = "Basic " + base64.b64encode(":".join(basic).encode()).decode()
        if certificate:
            sent["Tallygate-Client-Certificate"] = quote(certificate.public_bytes(Encoding.PEM).decode())
        if body is not None:
            sent["Content-Type"] = "application/pkcs10"
        content = body if raw or body is None else base64.encodebytes(body)
        return self.site.client().open(
            f"/.well-known/est/{path}",
            method="GET" if body is None else "POST",
            headers={**sent, **(headers or {})},
            data=content,
            base_url="https://est.city.localhost" if secure else "http://est.city.localhost",
        )


def made(response: TestResponse) -> x509.Certificate:
    """The one certificate of a good answer."""
    assert response.status_code == 200, response.text
    assert response.content_type == "application/pkcs7-mime; smime-type=certs-only"
    (found,) = load_der_pkcs7_certificates(base64.b64decode(response.data))
    return found


def refused(response: TestResponse, status: int) -> str:
    """The sentence of a refusal."""
    assert response.status_code == status, (response.status_code, response.text)
    assert response.content_type == "text/plain; charset=utf-8"
    return response.text
