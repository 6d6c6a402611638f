# SPDX-License-Identifier: Apache-2.0
"""OCSP answers: one certificate's status over plain HTTP, made beforehand or signed for a nonce."""

import base64
from pathlib import Path
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from .measure import Figure, wrk
from .place import Place

CONNECTIONS = 16
POST, GET, NONCE = "post", "get", "nonce"
"""By the role from what was made beforehand, by nginx from its file, by the role with a signature of its own."""


def measured(place: Place, certificate: Path, *, way: str = POST) -> Figure:
    """Relying parties that ask about one civil servant's card."""
    site = place.context.site
    [card, *_] = x509.load_pem_x509_certificates(certificate.read_bytes())
    issuer = x509.load_pem_x509_certificate((place.folder / "public" / "issuers" / "people.pem").read_bytes())
    question = ocsp.OCSPRequestBuilder().add_certificate(card, issuer, hashes.SHA256())
    if way == NONCE:
        question = question.add_extension(x509.OCSPNonce(bytes(32)), critical=False)
    body = question.build().public_bytes(Encoding.DER)
    path = f"/{quote(base64.b64encode(body).decode(), safe='')}" if way == GET else ""
    return wrk(
        place.url("plain", f"/ocsp/people{path}"),
        seconds=place.seconds,
        connections=CONNECTIONS,
        headers={"Host": site.host("pki"), **({} if way == GET else {"Content-Type": "application/ocsp-request"})},
        body=None if way == GET else body,
    )
