# SPDX-License-Identifier: Apache-2.0
"""Certificates: the whole ceremony over the role's interface, and beside it lint and signature alone.

Callers wait for the checkpoint that covers their intent, so the rate is that of many at once; 32 ask here.
"""

import base64
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from ca.x509 import IssuerFacts, Locations, Subject, build, draw, profile, read_request
from ca.x509.lint import Linter, Seal

from .measure import Figure, repeat
from .place import Place

CALLERS = 32


def measured(place: Place, subject: str) -> Figure:
    """Certificates for one citizen, each with a key of its own that the same request made."""
    peer = place.context.peer("app", "ca")
    request = base64.b64encode(_request()).decode()

    def act() -> None:
        document = {
            "profile": "citizen",
            "csr": request,
            "subject": subject,
            "actor": "role:app",
            "exception": "benchmark",
        }
        peer.call("POST", "/api/v1/certificates", document=document)

    return repeat(act, seconds=place.seconds, threads=CALLERS)


def lint_and_sign(place: Place) -> Figure:
    """The two costly steps in process: draft, throw-away signature and lint, signature."""
    kind = profile("citizen")
    public = x509.load_pem_x509_certificate((place.folder / "public" / "issuers" / "people.pem").read_bytes())
    issuer = IssuerFacts(name="people", certificate=public)
    asked = read_request(_request(), keys=frozenset(kind.keys))
    known = {"country": "CN", "name": "Chen Wei", "id": "0b7e4f3a-0c4e-4c4e-9d4f-111111111111"}
    subject = Subject(name="Chen Wei", attributes=known)
    seal, key = Seal(), ec.generate_private_key(ec.SECP256R1())
    linter = Linter(seal)

    def act() -> None:
        draft = build(
            profile=kind,
            issuer=issuer,
            subject=subject,
            request=asked,
            serial=draw(0),
            locations=Locations.under("http://pki.city.localhost:8080", issuer.name),
            oid_base="2.25.1",
            at=datetime.now(UTC),
        )
        seal.forget(linter.lint(draft))
        draft.builder.sign(key, hashes.SHA256())

    return repeat(act, seconds=place.seconds / 2)


def _request() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    asked = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return asked.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
