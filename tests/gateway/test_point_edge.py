# SPDX-License-Identifier: Apache-2.0
"""An enforcement point from outside asks through the real nginx: with its key, or with a device's certificate."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest

from gateway.config import EnforcementPoint
from tests.gateway.conftest import DEVICE, SUBJECT, City, Reply, certificate

KEY = "k" * 40
PDP = "pdp.city.localhost"
ONE: dict[str, Any] = {
    "subject": {"type": "person", "id": SUBJECT},
    "action": {"name": "access"},
    "resource": {"type": "portal", "id": "tax"},
    "context": {"zone": "external", "assurance": 1},
}
POINTS = {
    "mesh": EnforcementPoint(key=hashlib.sha256(KEY.encode()).hexdigest(), zones=("external",)),
    "gauge": EnforcementPoint(device=DEVICE, zones=("external",)),
}


@pytest.fixture(scope="module")
def pointed() -> Iterator[City]:
    folder = Path(tempfile.mkdtemp(dir="/tmp", prefix="tg-gw-"))
    city = City(folder, enforcement_points=POINTS)
    try:
        city.start()
        yield city
    finally:
        city.stop()
        shutil.rmtree(folder)


@pytest.fixture
def card(tmp_path: Path) -> tuple[Path, Path]:
    pem, key = certificate("gauge")
    (tmp_path / "card.pem").write_bytes(pem)
    (tmp_path / "card.key").write_bytes(key)
    return tmp_path / "card.pem", tmp_path / "card.key"


def _ask(city: City, path: str, document: object, *headers: tuple[str, str], **how: Any) -> Reply:
    sent = (("Content-Type", "application/json"), *headers)
    return city.get(
        f"/access/v1/{path}", method="POST", host=PDP, headers=sent, body=json.dumps(document).encode(), **how
    )


def test_with_a_key_a_batch_is_answered_and_recorded_as_it_says(pointed: City) -> None:
    key = ("Authorization", f"Bearer {KEY}")
    pointed.gateway.recorder.events.clear()
    several = {**ONE, "evaluations": [{}, {"context": {"zone": "internal"}}, {}], "options": {
        "evaluations_semantic": "deny_on_first_deny"}}  # fmt: skip
    reply = _ask(pointed, "evaluations", several, key, ("X-Request-ID", "n-17"))
    assert (reply.status, reply.get("X-Request-ID"), reply.get("Cache-Control")) == (200, "n-17", "no-store")
    assert [each["decision"] for each in reply.json()["evaluations"]] == [True, False]
    numbers = [event.decision for event in pointed.gateway.recorder.events]
    assert numbers == [reply.json()["evaluations"][0]["context"]["id"]]
    assert pointed.gateway.recorder.events[0].attributes["point"] == "mesh"


def test_with_a_certificate_it_is_known_by_tls_alone(pointed: City, card: tuple[Path, Path]) -> None:
    reply = _ask(pointed, "evaluation", ONE, certificate=card)
    assert (reply.status, reply.json()["decision"]) == (200, True)
    assert pointed.gateway.recorder.events[-1].attributes["point"] == "gauge"
    # Neither a header that says so, nor both credentials at once, nor nothing.
    said = ("Tallygate-Client-Certificate", card[0].read_text().replace("\n", "%0A"))
    assert _ask(pointed, "evaluation", ONE, said).status == 401
    assert _ask(pointed, "evaluation", ONE, ("Authorization", f"Bearer {KEY}"), certificate=card).status == 401
    refused = _ask(pointed, "evaluation", ONE)
    assert refused.status == 401
    assert refused.get("WWW-Authenticate").startswith("Bearer")
    # A certificate of somebody else is none.
    pointed.gateway.verifier.foreign = True
    try:
        assert _ask(pointed, "evaluation", ONE, certificate=card).status == 401
    finally:
        pointed.gateway.verifier.foreign = False


def test_its_description_is_signed_and_names_addresses_that_answer(pointed: City) -> None:
    told = pointed.get("/.well-known/authzen-configuration", host=PDP).json()
    here = f"https://{PDP}:{pointed.site.ports.external}"
    key = jwt.PyJWK(pointed.gateway.identities.keys()["keys"][0])
    signed = jwt.decode(told["signed_metadata"], key, algorithms=["ES256"], issuer=here)
    assert signed["policy_decision_point"] == told["policy_decision_point"] == here
    for name, address in told.items():
        if name.endswith("_endpoint"):
            path = address.removeprefix(f"{here}/access/v1/")
            assert _ask(pointed, path, ONE, ("Authorization", f"Bearer {KEY}")).status == 200, name


def test_pages_of_a_search_go_on_for_the_caller_who_began(pointed: City, card: tuple[Path, Path]) -> None:
    key = ("Authorization", f"Bearer {KEY}")
    first = _ask(pointed, "search/resource", {**ONE, "page": {"limit": 1}}, key).json()
    token = first["page"]["next_token"]
    assert token
    again = {**ONE, "page": {"limit": 1, "token": token}}
    assert _ask(pointed, "search/resource", again, key).json()["results"] != first["results"]
    assert _ask(pointed, "search/resource", again, certificate=card).status == 400
    assert _ask(pointed, "search/action", again, key).status == 400
