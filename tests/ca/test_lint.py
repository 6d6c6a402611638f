# SPDX-License-Identifier: Apache-2.0
"""The rules, asked only where they can have an answer, find exactly what pkilint finds, in the same order."""

import random
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pkilint.document import SubstrateDecodingFailedError
from pkilint.pkix import certificate
from pkilint.validation import ValidatorContainer

from ca.models import IssueRequest
from ca.service import CertificateAuthority
from ca.x509.lint import IndexedRules, pkilint_rules
from tests.fakes.people import CLERK, COMPANY, KIOSK

from .world import World, ask, loaded, request_for

MUTATIONS = 150


@pytest.fixture(scope="module")
def rules() -> tuple[ValidatorContainer, IndexedRules]:
    return pkilint_rules(), IndexedRules(pkilint_rules())


def _found(rules: Any, der: bytes) -> list[tuple[str, str, list[str]]] | str:
    """Which rule said what about which node; a fresh document each time, since rules decode into it."""
    document = certificate.RFC5280Certificate("draft", der, "certificate")
    try:
        document.decode()
    except SubstrateDecodingFailedError as error:
        return str(error)
    return [
        (result.validator.name, result.node.path, [str(each) for each in result.finding_descriptions])
        for result in rules.validate(document.root)
    ]


def _certificates(world: World, authority: CertificateAuthority) -> list[bytes]:
    wishes = [
        ask("citizen"),
        ask("citizen-signing"),
        ask("civil-servant", subject=CLERK.subject),
        ask("organisation-seal", subject=COMPANY.id),
        ask("device-client", subject=KIOSK.id),
        IssueRequest(
            profile="server",
            csr=request_for(),
            subject="nginx",
            actor="role:app",
            actor_roles=frozenset({"role:app"}),
            hosts=("localhost", "a.city.localhost", "127.0.0.1"),
        ),
        ask("timestamp", subject="clock", actor="role:app", roles=frozenset({"role:app"})),
    ]
    public = world.site.public
    made = [loaded(authority.issue(wish)) for wish in wishes]
    made += [x509.load_pem_x509_certificate(path.read_bytes()) for path in _public(public)]
    return [each.public_bytes(Encoding.DER) for each in made]


def _public(public: Path) -> list[Path]:
    return [public / "root.pem", *sorted((public / "issuers").glob("*.pem"))]


def test_the_same_is_found_in_every_certificate_of_ours(
    world: World, authority: CertificateAuthority, rules: tuple[ValidatorContainer, IndexedRules]
) -> None:
    whole, indexed = rules
    for der in _certificates(world, authority):
        said = _found(whole, der)
        assert isinstance(said, list)
        assert len(said) > 30
        # Twice: what was kept from the first time answers like the first time.
        assert said == _found(indexed, der) == _found(indexed, der)


def test_the_same_is_found_in_spoilt_certificates(
    world: World, authority: CertificateAuthority, rules: tuple[ValidatorContainer, IndexedRules]
) -> None:
    whole, indexed = rules
    chance = random.Random(20261121)  # noqa: S311 - seeded, so that a failure repeats
    read = 0
    for der in _certificates(world, authority)[::3]:
        for _ in range(MUTATIONS):
            spoilt = bytearray(der)
            for _ in range(chance.randrange(1, 4)):
                spoilt[chance.randrange(len(spoilt))] = chance.randrange(256)
            said = _found(whole, bytes(spoilt))
            assert said == _found(indexed, bytes(spoilt))
            read += isinstance(said, list) and any(findings for _, _, findings in said)
    # Enough of them were still certificates, with something to find.
    assert read > MUTATIONS
