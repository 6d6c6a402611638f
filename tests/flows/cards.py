# SPDX-License-Identifier: Apache-2.0
"""Cards for people of the city, made as at the registration desk: the key never leaves the person's machine."""

import re
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509 import ocsp

from tests.flows.city import City
from tests.flows.knocking import person, post

_PASSWORD = "x" * 16


@dataclass(frozen=True)
class Card:
    """A certificate with its key, for a browser (with its password beside) and for a program."""

    serial: str
    p12: Path
    pem: Path


def answered(city: City, card: Card) -> ocsp.OCSPResponse | None:
    """What the authority says of it to everybody, by OCSP; None while it is away."""
    leaf = x509.load_pem_x509_certificates(card.pem.read_bytes())[0]
    issuer = x509.load_pem_x509_certificate((city.folder / "public" / "issuers" / "people.pem").read_bytes())
    question = ocsp.OCSPRequestBuilder().add_certificate(leaf, issuer, hashes.SHA256()).build()
    headers = {"Content-Type": "application/ocsp-request"}
    place, sent = city.url("pki", "/ocsp/people", "plain"), question.public_bytes(Encoding.DER)
    found = city.http().post(place, data=sent, headers=headers, timeout=30)
    return ocsp.load_der_ocsp_response(found.content) if found.ok else None


def on_list(city: City, card: Card) -> bool:
    """Whether the authority's whole revocation list holds it."""
    der = city.http().get(city.url("pki", "/crl/people.crl", "plain"), timeout=30).content
    return x509.load_der_x509_crl(der).get_revoked_certificate_by_serial_number(int(card.serial, 16)) is not None


def certified(city: City, username: str, folder: Path, *, profile: str = "civil-servant") -> Card:
    """By a registration officer, who has seen the person's documents."""
    key = ec.generate_private_key(ec.SECP256R1())
    csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    at = city.url("ca", "/issue", "management")
    officer = person(city, "sun.li", at)
    done = post(officer, officer.get(at), "/issue", profile=profile, subject=username, evidence="documents",
                reference="file 77", csr=csr.public_bytes(Encoding.PEM).decode())  # fmt: skip
    found = re.search(r"/certificates/([0-9a-f]+)", f"{done.url} {done.text}")
    assert done.status_code == 200, done.text
    assert found
    pem = officer.get(city.url("ca", f"/certificates/{found[1]}.pem", "management")).content
    first, *chain = x509.load_pem_x509_certificates(pem)
    made = Card(found[1], folder / "card.p12", folder / "card.pem")
    sealed = BestAvailableEncryption(_PASSWORD.encode())
    made.p12.write_bytes(pkcs12.serialize_key_and_certificates(b"card", key, first, chain or None, sealed))
    made.p12.with_suffix(".password").write_text(_PASSWORD, "utf-8")
    made.pem.write_bytes(pem + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return made
