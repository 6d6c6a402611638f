# SPDX-License-Identifier: Apache-2.0
"""OCSP answers: one certificate's status over plain HTTP by POST, made beforehand and given out by the role."""

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from .measure import Figure, wrk
from .place import Place

CONNECTIONS = 16


def measured(place: Place, certificate: Path) -> Figure:
    """Relying parties that ask about one civil servant's card."""
    site = place.context.site
    [card, *_] = x509.load_pem_x509_certificates(certificate.read_bytes())
    issuer = x509.load_pem_x509_certificate((place.folder / "public" / "issuers" / "people.pem").read_bytes())
    question = ocsp.OCSPRequestBuilder().add_certificate(card, issuer, hashes.SHA256()).build()
    return wrk(
        place.url("plain", "/ocsp/people"),
        seconds=place.seconds,
        connections=CONNECTIONS,
        headers={"Host": site.host("pki"), "Content-Type": "application/ocsp-request"},
        body=question.public_bytes(Encoding.DER),
    )
