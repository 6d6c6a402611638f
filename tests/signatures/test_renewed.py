# SPDX-License-Identifier: Apache-2.0
"""Issuers renew their certificates and keep their keys: one that counts is found, one that was ended stays so."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from signatures.formats import inspect
from signatures.models import Overall, Profile, Trust, Verdict
from signatures.pades.grounds import Grounds
from signatures.trustlists import Entry, TrustList, merged
from signatures.verdict import judge
from tests.signatures import documents, made, stamper
from tests.signatures.pki import DAY, EDGE, NOW, Authority, City, Leaf

SIGNED, RENEWED = NOW - 20 * DAY, NOW - 10 * DAY


def again(of: Authority, by: Authority, *, before: datetime = EDGE, after: datetime = NOW + 900 * DAY) -> Any:
    """Another certificate of the same key."""
    builder = x509.CertificateBuilder(
        by.subject, of.subject, of.key.public_key(), x509.random_serial_number(), before, after
    )
    for each in of.certificate.extensions:
        builder = builder.add_extension(each.value, critical=each.critical)
    return builder.sign(by.key, hashes.SHA256())


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


def _look(document: bytes, trust: Trust, city: City) -> Verdict:
    found = inspect(document, grounds=Grounds(trust, city.lists()), profile=Profile.STRICT, at=NOW)
    return judge(document, found, profile=Profile.STRICT, at=NOW)


def _listed(*entries: Entry) -> Trust:
    found = TrustList(name="harbour", number=1, issued=NOW - DAY, next_issue=NOW + DAY, entries=entries)
    return found.trust()


@pytest.mark.parametrize("way", [1, -1])
def test_of_several_of_one_key_one_that_counts_is_found(way: int, city: City, leaf: Leaf) -> None:
    own = city.trust()
    issuer, root = (again(each, city.root, after=RENEWED) for each in (city.organisations, city.root))
    issuers = [("organisations-1", _pem(issuer)), *own.issuers.items()]
    roots = [_pem(root), *own.roots]
    trust = Trust(
        roots=tuple(roots[::way]),
        issuers=dict(issuers[::way]),
        signing=own.signing | {"organisations-1"},
    )
    for document in (documents.sealed(documents.permit(), leaf), made.cades(made.LETTER, [leaf])):
        assert _look(document, trust, city).overall is Overall.TRUSTED


def test_it_is_the_one_that_counted_when_it_was_proved_to_be_signed(city: City, leaf: Leaf) -> None:
    own, stamped = city.trust(), made.cades(made.LETTER, [leaf], at=SIGNED, by=stamper.unit(city.people))
    new = again(city.organisations, city.root, before=RENEWED)
    old = again(city.organisations, city.root, after=RENEWED)
    both = {"organisations": _pem(new), "organisations-1": _pem(old), "people": own.issuers["people"]}
    for issuers, code in ((both, "issuer_trusted"), ({**both, "organisations-1": _pem(new)}, "issuer_broken")):
        trust = replace(own, issuers=issuers, signing=frozenset(issuers))
        assert _look(stamped, trust, city).signatures[0].issuer.code == code


def test_what_ours_ended_does_not_go_on_by_another_certificate_of_its_key(city: City, leaf: Leaf) -> None:
    ended = Entry(certificate=made.own(city.organisations.certificate), authority="x", signs=True, until=NOW - DAY)
    ours = _listed(Entry(certificate=made.own(city.root.certificate)), ended)
    other = again(city.organisations, city.root)
    within = made.cades(made.LETTER, [Leaf(leaf.key, leaf.certificate, _pem(other).encode())])
    assert _look(within, ours, city).signatures[0].issuer.code == "issuer_broken"
    theirs = _listed(Entry(certificate=made.own(other), only="sign"))
    joined = merged([("", ours), ("harbour", theirs)])
    assert _look(made.cades(made.LETTER, [leaf]), joined, city).signatures[0].issuer.code == "issuer_broken"


def test_nobody_speaks_for_a_key_of_which_ours_speaks(city: City) -> None:
    device, other = city.devices.leaf("Router"), again(city.devices, City().root)
    for entry in (
        Entry(certificate=made.own(other), only="sign"),
        Entry(certificate=made.own(other), authority="machines", signs=True),
    ):
        joined = merged([("", city.trust()), ("harbour", _listed(entry))])
        verdict = _look(made.cades(made.LETTER, [device]), joined, city)
        assert verdict.signatures[0].issuer.code == "wrong_purpose"
