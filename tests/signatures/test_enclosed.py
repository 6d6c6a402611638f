# SPDX-License-Identifier: Apache-2.0
"""A PDF that is signed as so many bytes is searched for what it hides as one that carries its signature itself."""

from collections.abc import Callable, Mapping

import pytest

from signatures.formats import facts, inspect
from signatures.models import Overall, Profile, Verdict
from signatures.pades.grounds import Grounds
from signatures.sandbox import ReaderPool
from signatures.verdict import judge
from tests.signatures import documents, made, wrappings
from tests.signatures.pki import NOW, City, Leaf
from tests.signatures.test_hidden import OUTSIDE, TOLD, draft

Enclose = Callable[[bytes, Leaf], tuple[bytes, bytes | None]]


def _asic(content: bytes, leaf: Leaf) -> tuple[bytes, None]:
    files = {"permit.pdf": content, "plan.txt": b"plan"}
    return made.asic(files, lambda listed: made.cades(listed, [leaf], detached=True)), None


ENCLOSED: Mapping[str, Enclose] = {
    "cms": lambda content, leaf: (made.cades(content, [leaf]), None),
    "cms detached": lambda content, leaf: (made.cades(content, [leaf], detached=True), content),
    "jws": lambda content, leaf: (made.jws(content, leaf), None),
    "jws detached": lambda content, leaf: (made.jws(content, leaf, detached=True), content),
    "jades": lambda content, leaf: (made.jades(content, leaf), None),
    "asic": _asic,
    "asic with xades": lambda content, leaf: (made.asic_xades({"permit.pdf": content}, leaf), None),
    "xades": lambda content, leaf: (wrappings.in_base64(leaf, content), None),
}


def _look(sample: tuple[bytes, bytes | None], city: City) -> Verdict:
    document, content = sample
    grounds = Grounds(city.trust(), city.lists())
    found = inspect(document, grounds=grounds, profile=Profile.STRICT, at=NOW, content=content)
    return judge(document, found, profile=Profile.STRICT, at=NOW, content=content)


def _codes(verdict: Verdict) -> list[str]:
    return [each.code for each in verdict.problems]


@pytest.mark.parametrize("kind", ENCLOSED)
def test_what_it_hides_is_told_and_changes_nothing(kind: str, city: City, leaf: Leaf) -> None:
    plain, told = (draft(TOLD[name][0]) for name in ("nothing", "a button that starts"))
    for content, codes in ((plain, ["stamp_missing"]), (told, ["stamp_missing", "hidden_leads"])):
        verdict = _look(ENCLOSED[kind](content, leaf), city)
        assert (verdict.overall, _codes(verdict)) == (Overall.TRUSTED, codes)


@pytest.mark.parametrize("kind", ENCLOSED)
def test_what_it_shows_from_another_file_is_not_signed(kind: str, city: City, leaf: Leaf) -> None:
    verdict = _look(ENCLOSED[kind](draft(OUTSIDE["a picture elsewhere"]), leaf), city)
    (one,) = verdict.signatures
    assert (verdict.overall, one.unchanged.code) == (Overall.CANNOT_TELL, "partly_signed")
    assert one.unchanged.words.parameters == {"files": "evil.png"}


def test_what_stands_after_its_end_is_told(city: City, leaf: Leaf) -> None:
    evil = b"4 0 obj\n<< /Length 4 >>\nstream\nevil\nendstream\nendobj\ntrailer\n<< /Root 1 0 R >>\n"
    for more, codes in ((b"\r\n\0 ", []), (evil, ["hidden_after"]), (evil + b"%%EOF\n", ["hidden_after"])):
        verdict = _look(ENCLOSED["cms"](draft({}) + more, leaf), city)
        assert verdict.overall is Overall.TRUSTED
        assert [each for each in _codes(verdict) if each != "hidden_unopened"] == ["stamp_missing", *codes]


def test_one_that_cannot_be_opened_is_signed_all_the_same_and_that_is_said(city: City, leaf: Leaf) -> None:
    whole = draft({})
    for content in (documents.encrypted(whole), whole[: whole.rindex(b"startxref")], b"%PDF-1.7 and no more"):
        verdict = _look(ENCLOSED["cms detached"](content, leaf), city)
        assert (verdict.overall, _codes(verdict)) == (Overall.TRUSTED, ["stamp_missing", "hidden_unopened"])


def test_signatures_of_its_own_are_not_judged_and_that_is_said(city: City, leaf: Leaf, sealed: bytes) -> None:
    for content in (sealed, documents.one_byte_changed(sealed), documents.form_removed(sealed)):
        verdict = _look(ENCLOSED["cms"](content, leaf), city)
        assert (verdict.overall, _codes(verdict)) == (Overall.TRUSTED, ["stamp_missing", "hidden_signatures"])


def test_where_the_search_ends_is_said(city: City, leaf: Leaf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "_MOST_ENCLOSED", 2)
    for number, codes in ((2, ["stamp_missing"]), (3, ["stamp_missing", "hidden_unsearched"])):
        files = {f"{each}.pdf": draft({}) for each in range(number)}
        assert _codes(_look((made.asic_xades(files, leaf), None), city)) == codes


def test_locked_in_it_is_searched_alike(city: City, leaf: Leaf, readers: ReaderPool) -> None:
    for name in ("cms", "asic"):
        document, content = ENCLOSED[name](draft(TOLD["a button that starts"][0]), leaf)
        found = readers.inspect(
            document, trust=city.trust(), lists=city.lists(), profile=Profile.STRICT, at=NOW, content=content
        )
        assert found.hidden == ("leads",)


def test_a_report_is_not_alone_in_an_evidence_file(city: City, sealed: bytes) -> None:
    document = made.evidence(sealed, {"permit.pdf": draft(TOLD["a button that starts"][0])})
    assert "hidden_leads" in _codes(_look((document, None), city))
