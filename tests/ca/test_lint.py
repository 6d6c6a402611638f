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

from ca.ceremony.authorities import Hall
from ca.models import AuthorityName, IssueRequest
from ca.service import CertificateAuthority, self_request
from ca.x509 import (
    PROFILES,
    Algorithm,
    Hosts,
    IssuerFacts,
    Locations,
    Subject,
    build,
    draw,
    generate,
    read_request,
    throw_away,
)
from ca.x509.lint import IndexedRules, Linter, Seal, pkilint_rules
from tests.fakes.people import CITIZEN, CLERK, COMPANY, KIOSK

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


@pytest.mark.parametrize("algorithm", [each for each in Algorithm if each is not Algorithm.RSA4096])
def test_every_profile_passes_under_an_authority_of_every_algorithm(world: World, algorithm: Algorithm) -> None:
    """RSA-4096 differs from RSA-3072 in nothing that a rule reads, and its keys take half a minute."""
    ml_dsa = algorithm is Algorithm.ML_DSA_65
    linter, at = Linter(Seal()), world.clock.now().replace(microsecond=0)
    hall = Hall(site=world.site, settings=world.settings, linter=linter, at=at)
    key = throw_away(algorithm)
    root = hall.root(AuthorityName("root", ml_dsa), key=key)
    known = {
        "country": "CN",
        "domain": "city.localhost",
        "id": CITIZEN.subject,
        "name": "王小明",
        "name-latin": "Wang Xiaoming",
        "username": "wang.xiaoming",
        "organisation": "税务局",
        "number": "11100000000000001A",
        "host": "x.city.localhost",
    }
    own = Algorithm.ML_DSA_65 if ml_dsa else Algorithm.P256
    for kind in PROFILES.values():
        if own.value not in kind.keys:
            # A login by a browser's certificate, where OpenSSL cannot read ML-DSA yet.
            continue
        issuer = hall.issuer(AuthorityName(kind.issuers[0], ml_dsa), root, key=key)
        hosts = ("x.city.localhost", "localhost", "127.0.0.1") if kind.hosts is Hosts.REQUIRED else ()
        draft = build(
            profile=kind,
            issuer=IssuerFacts(name=kind.issuers[0], certificate=issuer.certificate),
            subject=Subject(name="王小明", attributes=known, hosts=hosts),
            request=read_request(self_request(generate(own)), keys=frozenset(kind.keys)),
            serial=draw(1),
            locations=Locations.under("http://pki.city.localhost:8080", kind.issuers[0]),
            oid_base="2.999",
            at=at,
        )
        assert linter.lint(draft).tbs
