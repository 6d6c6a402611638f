# SPDX-License-Identifier: Apache-2.0
"""The edges: lists from the authority, certificates from files, the client's verbs, and the drawn seal."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from core.calls import Answer
from core.config import ConfigurationError
from core.errors import Internal, NotFound, Unavailable
from core.fresh import Fresh
from signatures.client import SignatureClient
from signatures.models import SealOrder
from signatures.pades import anchors, drawing
from signatures.service import IssuerLists, asked_from
from tests.signatures import documents
from tests.signatures.pki import City


class FakePeer:
    """Answers from a table; what is not there is down."""

    def __init__(self, answers: dict[str, Answer | Exception]) -> None:
        self._answers = answers
        self.calls: list[tuple[str, str, Any]] = []

    def call(
        self, method: str, path: str, *, document: Any = None, body: bytes | None = None, headers: Any = None
    ) -> Answer:
        self.headers = headers
        self.calls.append((method, path, document if document is not None else body))
        found = self._answers.get(path.split("?", maxsplit=1)[0], Unavailable())
        if isinstance(found, Exception):
            raise found
        return found


def test_a_list_that_cannot_be_had_is_left_out_and_the_others_are_not() -> None:
    peer: Any = FakePeer(
        {
            "/crl/people.crl": Answer(200, {}, b"list"),
            "/crl/devices.crl": NotFound(),
            # An authority whose key cannot be used answers 500.
            "/crl/infrastructure.crl": Internal(),
        }
    )
    assert IssuerLists(
        asked_from(peer), issuers=lambda: ["people", "organisations", "devices", "infrastructure"]
    )() == [b"list"]


def test_a_list_that_names_a_delta_comes_with_it() -> None:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime(2026, 11, 20, tzinfo=UTC)
    point = x509.DistributionPoint([x509.UniformResourceIdentifier("http://pki/delta.crl")], None, None, None)
    whole = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "People CA")]))
        .last_update(now)
        .next_update(now + timedelta(days=1))
        .add_extension(x509.FreshestCRL([point]), critical=False)
        .sign(key, SHA256())
        .public_bytes(Encoding.DER)
    )
    peer: Any = FakePeer(
        {"/crl/people.crl": Answer(200, {}, whole), "/crl/people-delta.crl": Answer(200, {}, b"delta")}
    )
    assert IssuerLists(asked_from(peer), issuers=lambda: ["people"])() == [whole, b"delta"]
    # A validator would refuse what it cannot read to the end, and without the delta it cannot.
    alone: Any = FakePeer({"/crl/people.crl": Answer(200, {}, whole)})
    assert IssuerLists(asked_from(alone), issuers=lambda: ["people"])() == []


def test_the_site_s_certificates_are_read_from_its_public_folder(tmp_path: Path, city: City) -> None:
    with pytest.raises(ConfigurationError):
        anchors.of_site(tmp_path)
    (tmp_path / "issuers").mkdir()
    documents.write(tmp_path, "root.pem", city.root.pem)
    documents.write(tmp_path / "issuers", "people.pem", city.people.pem)
    with pytest.raises(ConfigurationError):
        anchors.of_site(tmp_path)
    documents.write(tmp_path / "issuers", "organisations.pem", city.organisations.pem)
    assert anchors.of_site(tmp_path).signing == {"people", "organisations"}
    documents.write(tmp_path, "root.pem", b"no certificate")
    with pytest.raises(ConfigurationError):
        anchors.of_site(tmp_path)


def test_an_authority_that_comes_while_the_role_runs_is_one_of_the_site_s_at_once(tmp_path: Path, city: City) -> None:
    (tmp_path / "issuers").mkdir()
    documents.write(tmp_path, "root.pem", city.root.pem)
    for name in ("people", "organisations"):
        documents.write(tmp_path / "issuers", f"{name}.pem", city.people.pem)
    trust = Fresh(lambda: anchors.of_site(tmp_path), lambda: anchors.files_of_site(tmp_path))
    assert trust().signing == {"people", "organisations"}
    documents.write(tmp_path / "issuers", "organisations-2.pem", city.organisations.pem)
    assert trust().signing == {"people", "organisations", "organisations-2"}
    documents.write(tmp_path, "root-2.pem", city.devices.pem)
    assert trust().roots == (city.root.pem.decode(), city.devices.pem.decode())


def test_files_must_hold_a_root(tmp_path: Path, city: City) -> None:
    with pytest.raises(ConfigurationError):
        anchors.of_files([documents.write(tmp_path, "a.pem", b"")])
    with pytest.raises(ConfigurationError):
        anchors.of_files([documents.write(tmp_path, "b.pem", city.people.pem)])
    both = anchors.of_files([documents.write(tmp_path, "c.pem", city.people.pem + city.root.pem)])
    assert (len(both.roots), len(both.issuers)) == (1, 1)


def test_the_client_sends_the_order_and_returns_the_document() -> None:
    fake = FakePeer({"/api/v1/seal": Answer(200, {}, b"%PDF"), "/api/v1/seals": Answer(200, {}, b'{"serial": "1f"}')})
    peer: Any = fake
    client = SignatureClient(peer)
    order = SealOrder(document=b"x", organisation="tax-bureau", actor="a&b", caller="app", assurance=2)
    assert client.seal(order) == b"%PDF"
    assert fake.calls[0][1] == "/api/v1/seal?organisation=tax-bureau&actor=a%26b&assurance=2&zone=internal&session="
    behind = SealOrder(document=b"x", organisation="tax-bureau", caller="portal:documents", unverified_identity="h.e.r")
    assert client.seal(behind) == b"%PDF"
    # Of the person nothing is said beside the gateway's header.
    assert fake.calls[1][1] == "/api/v1/seal?organisation=tax-bureau"
    assert fake.headers == {"Content-Type": "application/pdf", "Tallygate-Identity": "h.e.r"}
    assert client.establish("tax-bureau") == "1f"


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"serial": 7}'])
def test_an_answer_that_is_none_of_ours_is_a_broken_peer(body: bytes) -> None:
    peer: Any = FakePeer({"/api/v1/seals": Answer(200, {}, body), "/api/v1/verify": Answer(200, {}, b"[]")})
    with pytest.raises(Unavailable):
        SignatureClient(peer).establish("tax-bureau")
    with pytest.raises(Unavailable):
        SignatureClient(peer).verify(b"x")


@pytest.mark.parametrize("name", ["税", "江城市税务局", "江城市" + "很长的单位名称" * 5, "", "Ünïcode 🏛"])
def test_any_name_can_be_drawn(name: str) -> None:
    drawn = drawing.seal(documents.outlines(), name_zh=name, name="Bureau " * 12)
    assert drawn.operators.isascii()
    assert drawn.width == drawn.height == pytest.approx(42 * drawing.MM)


def test_a_stamp_grows_with_its_text() -> None:
    small = drawing.stamp(documents.outlines(), ["王小明"])
    large = drawing.stamp(documents.outlines(), ["王小明 " * 12, "second line"])
    assert large.width > small.width
    assert large.height > small.height
