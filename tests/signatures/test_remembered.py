# SPDX-License-Identifier: Apache-2.0
"""What is remembered of certificates answers as if nothing were: at every moment, for every file, on the same day."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from asn1crypto import crl
from hypothesis import given
from hypothesis import strategies as st
from pyhanko.sign.validation import generic_cms

from signatures.formats import inspect
from signatures.models import Chain, Inspection, Level, Profile, Revocation, Trust
from signatures.pades import paths
from signatures.pades.grounds import Grounds
from signatures.proofs.remembered import Remembered
from tests.signatures import documents, matrix
from tests.signatures.pki import DAY, NOW, City, Leaf

_SECOND = timedelta(seconds=1)
_STATES = ("healthy", "expired", "revoked after", "suspended", "stamp bad")


@pytest.fixture(autouse=True)
def remembering(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[list[object]]:
    """As a reading process does it; the ways that were gone to their end."""
    caplog.set_level("CRITICAL")
    gone: list[object] = []
    whole = paths._validate

    async def counted(cert: object, *given: object, **named: object) -> object:
        gone.append(cert)
        return await whole(cert, *given, **named)

    monkeypatch.setattr(paths, "_validate", counted)
    monkeypatch.setattr(generic_cms, "validate_cert_usage", paths.validate_cert_usage)
    yield gone
    assert generic_cms.validate_cert_usage is paths.validate_cert_usage


def look(document: bytes, grounds: Grounds, at: datetime = NOW) -> Inspection:
    return inspect(document, grounds=grounds, profile=Profile.STRICT, at=at, content=None)


def opinions(found: Inspection) -> tuple[Chain, Revocation, bool]:
    one = found.signatures[0]
    return one.certificate.chain, one.certificate.revocation, one.library_trusts


def test_every_state_is_answered_alike_by_who_remembers_what_came_before(remembering: list[object]) -> None:
    """Files of the matrix one after the other, and each once more later, against whoever sees it for the first time."""
    makers, later = matrix.Makers(), NOW + timedelta(minutes=7)
    for case in _STATES:
        samples = [makers.sample("pdf", level, case) for level in (Level.B, Level.LTA)]
        shared = Grounds(makers.trust, samples[0].lists)
        found = [look(each.document, shared) for each in samples]
        ways = len(remembering)
        again = [look(each.document, shared, later) for each in samples]
        assert len(remembering) == ways, case
        anew = [look(each.document, Grounds(makers.trust, samples[0].lists), later) for each in samples]
        assert found == again == anew, case


def test_a_second_document_of_the_same_signer_does_not_go_the_way_again(
    city: City, leaf: Leaf, remembering: list[object]
) -> None:
    grounds = Grounds(city.trust(), city.lists())
    for number in range(3):
        document = documents.sealed(documents.permit().replace(b"Permit", b"Perm%02d" % number), leaf)
        assert opinions(look(document, grounds, NOW + number * _SECOND)) == (Chain.TRUSTED, Revocation.GOOD, True)
    assert len(remembering) == 1


def edges(city: City, leaf: Leaf) -> dict[str, datetime]:
    """Where something ends or begins, all on lists and certificates that stay as they are."""
    own = leaf.certificate
    return {
        "begins": own.not_valid_before_utc,
        "ends": own.not_valid_after_utc,
        "list made": NOW - timedelta(minutes=5),
        "list overdue": NOW + DAY,
        "revoked": city.organisations.revoked_at,
    }


@pytest.mark.parametrize("which", ["begins", "ends", "list made", "list overdue", "revoked"])
def test_an_instant_that_counts_bites_though_nothing_else_changed(which: str, city: City) -> None:
    leaf = city.organisations.leaf("Soon", before=NOW - timedelta(hours=2), after=NOW + timedelta(hours=3))
    document = documents.sealed(documents.permit(), leaf)
    if which == "revoked":
        city.organisations.revoke(leaf)
        city.organisations.revoked_at = NOW + timedelta(hours=1)
    try:
        grounds, edge = Grounds(city.trust(), city.lists()), edges(city, leaf)[which]
    finally:
        city.organisations.revoked.clear()
        city.organisations.revoked_at = NOW - DAY
    told = set()
    for step in (-60, -1, 0, 1, 60, -60):
        at = edge + step * _SECOND
        found = look(document, grounds, at)
        anew = Grounds(city.trust(), grounds._readable)
        assert found == look(document, anew, at), step
        one = found.signatures[0]
        in_time = one.certificate.not_before <= at <= one.certificate.not_after
        told.add((*opinions(found), in_time))
    assert len(told) > 1


def test_an_issuer_that_a_document_brings_along_helps_that_document_alone(city: City, leaf: Leaf) -> None:
    stranger = City()
    own = stranger.seal()
    both = replace(city.trust(), roots=(*city.trust().roots, stranger.root.pem.decode()))
    grounds = Grounds(both, [*city.lists(), *stranger.lists()])
    with_it = documents.sealed(documents.permit(), own)
    without = documents.sealed(documents.permit(), Leaf(own.key, own.certificate, b""))
    for _ in range(2):
        assert opinions(look(with_it, grounds))[::2] == (Chain.TRUSTED, True)
        assert opinions(look(without, grounds))[::2] == (Chain.UNKNOWN, False)


def test_what_an_issuer_was_asked_for_one_document_is_not_remembered_for_others(city: City, leaf: Leaf) -> None:
    document = documents.sealed(documents.permit(), leaf)
    grounds = Grounds(city.trust(), city.lists())
    city.organisations.revoke(leaf)
    asked = grounds.knowing([city.organisations.crl(at=NOW + timedelta(minutes=2))])
    city.organisations.revoked.clear()
    for at in (NOW, NOW + timedelta(minutes=1)):
        assert opinions(look(document, grounds, at))[1:] == (Revocation.GOOD, True)
        assert opinions(look(document, asked, at))[1:] == (Revocation.REVOKED, False)


def test_a_list_without_an_end_is_gone_through_anew_each_time(
    city: City, leaf: Leaf, remembering: list[object]
) -> None:
    """The library has a rule of its own for how long such a list is good, and it is not ours to know it."""
    listed = crl.CertificateList.load(city.organisations.crl())
    listed["tbs_cert_list"]["next_update"] = None
    grounds = Grounds(city.trust(), [*city.lists(), listed.dump(force=True)])
    document = documents.sealed(documents.permit(), leaf)
    for _ in range(2):
        look(document, grounds)
    assert len(remembering) == 2


_MINUTES = st.integers(-50, 50)


@given(st.lists(_MINUTES, max_size=6), _MINUTES, _MINUTES)
def test_an_answer_is_given_only_where_every_comparison_turns_out_alike(
    instants: list[int], first: int, then: int
) -> None:
    known = [NOW + timedelta(minutes=each) for each in instants]

    def answer(at: datetime) -> tuple[bool, ...]:
        return tuple(at < each for each in known) + tuple(at <= each for each in known)

    memory: Remembered[tuple[bool, ...]] = Remembered(4)
    one, other = (NOW + timedelta(minutes=each) for each in (first, then))
    memory.keep("key", (one,), answer(one), instants=known)
    for near in (timedelta(0), _SECOND, -_SECOND):
        found = memory.find("key", (other + near,))
        assert found is None or found == answer(other + near)
    between = sum(min(first, then) <= each <= max(first, then) for each in instants)
    assert (memory.find("key", (other,)) is None) == bool(between)


def test_the_memory_has_an_end_and_names_are_whole() -> None:
    memory: Remembered[str] = Remembered(2)
    for key in ("a", "b"):
        memory.keep(key, (NOW,), key, instants=[NOW - DAY])
    assert memory.find("a", (NOW,)) == "a"
    memory.keep("c", (NOW,), "c", instants=[])
    assert [memory.find(each, (NOW,)) for each in "abc"] == ["a", None, "c"]
    # One moment is not two.
    assert memory.find("a", (NOW, NOW)) is None


def test_trust_that_changes_is_other_grounds(city: City, leaf: Leaf) -> None:
    document = documents.sealed(documents.permit(), leaf)
    assert opinions(look(document, Grounds(city.trust(), city.lists())))[0] is Chain.TRUSTED
    nobody = Trust(roots=(City().root.pem.decode(),), issuers={})
    assert opinions(look(document, Grounds(nobody, city.lists())))[::2] == (Chain.UNKNOWN, False)
