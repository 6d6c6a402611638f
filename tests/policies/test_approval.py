# SPDX-License-Identifier: Apache-2.0
"""Where the site names security administrators, two of them sign or nothing comes into force, whoever has which key."""

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from audit import Outcome
from policies import BundleRefused, NothingToRelease
from policies.approval import PREFIX, Approval, approve, approving, read_approval
from policies.bundle import (
    CURRENT,
    JOURNAL,
    SHADOW,
    Manifest,
    demand_shadow,
    digests,
    end_shadow,
    history,
    put_in_shadow,
    read_approvals,
    read_current,
    release,
)
from policies.bundle.manifest import TRIED
from policies.config import SHIPPED
from policies.errors import NeverTried, TriedTooShort
from policies.models import Code, Past
from policies.replay import disagreements
from policies.service import PolicyEngine
from tests.fakes.recorder import ListRecorder

from .conftest import AT, Ask

KEYS = {name: Ed25519PrivateKey.generate() for name in ("qian", "sun", "li")}
ADMINISTRATORS = {
    name: base64.b64encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
    for name, key in KEYS.items()
}
FILES = {"a.cedar": "ab" * 32}


def signed(*names: str, files: dict[str, str] | None = None, sequence: int = 1, trial: str = "") -> list[Approval]:
    made = FILES if files is None else files
    return [approve(made, sequence=sequence, administrator=name, key=KEYS[name], trial=trial) for name in names]


def words(approvals: list[Approval]) -> dict[str, str]:
    return {each.administrator: each.signature for each in approvals}


def test_who_signed_is_who_holds_the_key() -> None:
    good = words(signed("qian", "sun"))
    assert approving(FILES, good, sequence=1, administrators=ADMINISTRATORS) == {"qian", "sun"}
    # Another's word under one's name, a word for other files or another number, a stranger, and what is no signature.
    for wrong in (
        {"qian": good["sun"], "sun": good["qian"]},
        words(signed("qian", "sun", files={"a.cedar": "cd" * 32})),
        words(signed("qian", "sun", sequence=2)),
        words(signed("qian", "sun", trial="untried:now")),
        words(signed("qian", "sun", trial="tried:60")),
        {"zhao": good["qian"]},
        {"qian": "no", "sun": "", "li": "AAAA"},
    ):
        assert approving(FILES, wrong, sequence=1, administrators=ADMINISTRATORS) == frozenset()


def test_one_key_under_two_names_is_one_administrator() -> None:
    twice = {"qian": ADMINISTRATORS["qian"], "qian-again": ADMINISTRATORS["qian"]}
    given = {name: approve(FILES, sequence=1, administrator=name, key=KEYS["qian"]).signature for name in twice}
    assert len(approving(FILES, given, sequence=1, administrators=twice)) == 1
    # Base64 has four spellings of 32 bytes.
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    spelt = [f"{twice['qian'][:-2]}{each}=" for each in digits]
    same = [each for each in spelt if base64.b64decode(each) == base64.b64decode(twice["qian"])]
    assert len(same) == 4
    for twice["qian-again"] in same:
        assert len(approving(FILES, given, sequence=1, administrators=twice)) == 1


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b"\xff", b'{"administrator": 1, "sequence": 1, "signature": ""}',
                b'{"administrator": "a", "sequence": true, "signature": ""}',
                *(f'{{"administrator": "a", "sequence": 1, "signature": "", "trial": "{said}"}}'.encode() for said in (
                    "tried:0", "tried:060", "tried:-1", "tried:1e9", "tried:99999999", "untried:", "untried:two words",
                    "none", "untried", "tried:\uff11"))]
)  # fmt: skip
def test_what_is_no_approval_is_refused(content: bytes) -> None:
    with pytest.raises(BundleRefused):
        read_approval(content)


Put = Callable[..., Manifest]


def test_what_was_signed_and_overtaken_by_another_release_is_signed_again(
    put: Put, recorder: ListRecorder, shipped_files: dict[str, bytes]
) -> None:
    """Two proposals of the same base; the second would undo the first, unseen by whoever signed it."""
    first, urgent, stale = ({**shipped_files, "access.cedar": text} for text in (b"// 1", b"// urgent", b"// stale"))
    put(first, signed("qian", "sun", files=digests(first)))
    withdrawn = signed("qian", "sun", files=digests(stale), sequence=2, trial="untried:now")
    put(urgent, signed("sun", "li", files=digests(urgent), sequence=2, trial="untried:now"))
    before = len(recorder.events)
    with pytest.raises(BundleRefused) as refused:
        put(stale, withdrawn)
    assert "signed as release 2, and 2 is in force" in refused.value.detail
    assert len(recorder.events) == before
    again = signed("qian", "li", files=digests(stale), sequence=3, trial="untried:now")
    # Old words in the same folder do no harm, and do not count.
    assert put(stale, [*withdrawn, *again]).approved_as == 3
    assert put(first, signed("qian", "sun", files=digests(first))).approved_as == 1


@pytest.fixture
def put(tmp_path: Path, key: Ed25519PrivateKey, recorder: ListRecorder, monkeypatch: pytest.MonkeyPatch) -> Put:
    # That what fails its cases is not released is shown elsewhere, and takes most of the time.
    monkeypatch.setattr("policies.bundle.proving.demand", lambda _source: None)

    def released(
        files: dict[str, bytes], approvals: list[Approval], *, administrators: bool = True, at: datetime = AT
    ) -> Manifest:
        return release(
            tmp_path / "p",
            files,
            key=key,
            journal=tmp_path / JOURNAL,
            recorder=recorder,
            at=at,
            actor="maker",
            approvals=approvals,
            administrators=ADMINISTRATORS if administrators else None,
        )

    return released


@pytest.mark.parametrize("names", [(), ("qian",)])
def test_too_few_signatures_release_nothing_and_record_nothing(
    put: Put, recorder: ListRecorder, shipped_files: dict[str, bytes], names: tuple[str, ...]
) -> None:
    with pytest.raises(BundleRefused) as refused:
        put(shipped_files, signed(*names, files=digests(shipped_files)))
    assert "2 security administrators" in refused.value.detail
    assert recorder.events == []


def test_two_signatures_are_in_the_bundle_and_every_reader_asks_for_them(
    tmp_path: Path, put: Put, key: Ed25519PrivateKey, shipped_files: dict[str, bytes]
) -> None:
    folder, public = tmp_path / "p", key.public_key()
    made = put(shipped_files, signed("qian", "sun", files=digests(shipped_files)))
    assert set(made.approvals) == {"qian", "sun"}
    assert read_current(folder, public, administrators=ADMINISTRATORS)[0] == made
    # Whoever has the release key alone puts nothing in force.
    put(dict(shipped_files) | {"access.cedar": b""}, [], administrators=False)
    with pytest.raises(BundleRefused):
        read_current(folder, public, administrators=ADMINISTRATORS)
    with pytest.raises(BundleRefused):
        PolicyEngine.load(folder, public, administrators=ADMINISTRATORS)


def test_going_back_needs_no_new_signatures_and_going_on_does(
    tmp_path: Path, put: Put, key: Ed25519PrivateKey, shipped_files: dict[str, bytes]
) -> None:
    folder, public = tmp_path / "p", key.public_key()
    first = signed("qian", "sun", files=digests(shipped_files))
    put(shipped_files, first)
    other = dict(shipped_files) | {"access.cedar": b"// none"}
    with pytest.raises(BundleRefused):
        put(other, first)
    put(other, signed("sun", "li", files=digests(other), sequence=2, trial="untried:INC-1"))
    back = put(shipped_files, first)
    assert (back.sequence, back.approved_as) == (3, 1)
    assert read_current(folder, public, administrators=ADMINISTRATORS)[0] == back
    assert [set(each.approvals) for each in history(folder, public)] == [
        {"qian", "sun"},
        {"sun", "li"},
        {"qian", "sun"},
    ]
    assert [each.trial for each in history(folder, public)] == ["", "untried:INC-1", ""]
    # A word for a number that is to come is none now.
    with pytest.raises(BundleRefused):
        put(other, signed("sun", "li", files=digests(other), sequence=7))


def test_what_is_signed_says_whether_it_was_tried_and_how_long(
    tmp_path: Path, put: Put, key: Ed25519PrivateKey, recorder: ListRecorder, shipped_files: dict[str, bytes]
) -> None:
    """Whoever orders the release, and whoever holds the policy key, skips no trial that two people demanded."""
    folder, journal = tmp_path / "p", tmp_path / JOURNAL
    put(shipped_files, signed("qian", "sun", files=digests(shipped_files)))
    other = dict(shipped_files) | {"access.cedar": b"// other"}

    def word(trial: str, *names: str) -> list[Approval]:
        return signed(*(names or ("qian", "sun")), files=digests(other), sequence=2, trial=trial)

    recorder.events.clear()
    for skipped in (word(""), word("tried:600")):
        with pytest.raises(NeverTried):
            put(other, skipped)
    # One of them alone says that it needs no trial, and neither can speak for the other.
    for mixed in (word("untried:now", "qian") + word("", "sun"), word("untried:now", "qian") + word("tried:1", "sun")):
        with pytest.raises(BundleRefused):
            put(other, mixed)
    relabelled = [replace(each, trial="untried:now") for each in word("tried:600")]
    with pytest.raises(BundleRefused):
        put(other, relabelled)
    assert recorder.events == []
    put_in_shadow(folder, other, key=key, journal=journal, recorder=recorder, at=AT, actor="maker")
    with pytest.raises(TriedTooShort) as short:
        put(other, word("tried:600"), at=AT + timedelta(seconds=599))
    assert short.value.parameters == {"seconds": 599, "demanded": 600}
    made = put(other, word("tried:600"), at=AT + timedelta(seconds=600))
    assert made.trial == "tried:600"
    assert recorder.events[-1].attributes["trial"] == "tried:600"
    assert read_current(folder, key.public_key(), administrators=ADMINISTRATORS)[0] == made
    # The policy key alone cannot say afterwards that it needed none.
    lied = replace(made, trial="untried:now").canonical()
    signature = base64.b64encode(key.sign(b"tallygate policy bundle\n" + lied))
    (folder / CURRENT).write_bytes(lied + b"\n" + signature + b"\n")
    with pytest.raises(BundleRefused):
        read_current(folder, key.public_key(), administrators=ADMINISTRATORS)


def test_without_a_trial_if_both_signed_that_and_the_reason_is_recorded(
    tmp_path: Path, put: Put, recorder: ListRecorder, shipped_files: dict[str, bytes]
) -> None:
    put(shipped_files, signed("qian", "sun", files=digests(shipped_files)))
    other = dict(shipped_files) | {"access.cedar": b"// other"}
    put(other, signed("qian", "sun", files=digests(other), sequence=2, trial="untried:INC-17"))
    begun = recorder.events[-2]
    assert (begun.outcome, begun.attributes["without_shadow"]) == (Outcome.INTENDED, "INC-17")
    assert not (tmp_path / JOURNAL).exists()


def test_a_trial_that_is_over_lasted_until_its_end_was_signed(
    tmp_path: Path, put: Put, key: Ed25519PrivateKey, recorder: ListRecorder, shipped_files: dict[str, bytes]
) -> None:
    folder, later = tmp_path / "p", AT + timedelta(days=1)
    how: dict[str, Any] = {"key": key, "journal": tmp_path / JOURNAL, "recorder": recorder, "actor": "maker"}
    put(shipped_files, signed("qian", "sun", files=digests(shipped_files)))
    other = dict(shipped_files) | {"access.cedar": b"// other"}
    tried = put_in_shadow(folder, other, at=AT, **how)
    end_shadow(folder, at=AT + timedelta(seconds=60), **how)
    public, proof = key.public_key(), folder / tried.version / ".tried-until"
    demand_shadow(folder, other, public, at=later, trial="tried:60")
    with pytest.raises(TriedTooShort):
        demand_shadow(folder, other, public, at=later, trial="tried:61")
    # Nobody makes it longer by hand; without its end it lasted no time.
    whole = proof.read_bytes()
    moved = later.isoformat().encode() + whole[whole.index(b"\n") :]
    for forged in (whole.replace(b"T", b"T2", 1), moved, b"", b"\xff"):
        proof.write_bytes(forged)
        with pytest.raises(TriedTooShort):
            demand_shadow(folder, other, public, at=later, trial="tried:1")
        demand_shadow(folder, other, public, at=later)


def test_what_is_in_force_unsigned_is_released_again_with_signatures(put: Put, shipped_files: dict[str, bytes]) -> None:
    put(shipped_files, [], administrators=False)
    approvals = signed("qian", "sun", files=digests(shipped_files), sequence=2)
    assert put(shipped_files, approvals).sequence == 2
    with pytest.raises(NothingToRelease):
        put(shipped_files, approvals)


def test_approvals_lie_hidden_in_the_source(tmp_path: Path) -> None:
    for each in signed("qian", "sun"):
        (tmp_path / f"{PREFIX}{each.administrator}.json").write_bytes(each.written())
    assert read_approvals(tmp_path) == tuple(signed("qian", "sun"))


# In shadow


Tried = Callable[..., Manifest]


@pytest.fixture
def tried(
    bundle: Path,
    key: Ed25519PrivateKey,
    recorder: ListRecorder,
    shipped_files: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> Tried:
    """The shipped policies in shadow, with another file of that name."""
    monkeypatch.setattr("policies.bundle.proving.demand", lambda _source: None)

    def put_there(access: bytes) -> Manifest:
        files, journal = dict(shipped_files) | {"access.cedar": access}, bundle.parent / JOURNAL
        return put_in_shadow(bundle, files, key=key, journal=journal, recorder=recorder, at=AT, actor="maker")

    return put_there


ACCESS = (SHIPPED / "access.cedar").read_bytes()
STRICT = ACCESS.replace(b'context.assurance >= 1\n};\n\n@id("office', b'context.assurance >= 2\n};\n\n@id("office')


def test_what_is_tried_in_shadow_decides_nothing_and_its_disagreements_are_told(
    bundle: Path, key: Ed25519PrivateKey, tried: Tried, recorder: ListRecorder, ask: Ask
) -> None:
    assert STRICT != ACCESS
    engine = PolicyEngine.load(bundle, key.public_key(), remembered=10)
    made = tried(STRICT)
    assert [(each.type, each.outcome) for each in recorder.events[-2:]] == [
        ("policy.tried", Outcome.INTENDED),
        ("policy.tried", Outcome.SUCCESS),
    ]
    assert engine.decide(ask()).shadow is None
    assert not engine.reload()
    # Remembered or not, it is compared each time.
    for _ in range(2):
        answer = engine.decide(ask())
        assert (answer.allowed, answer.shadow) == (True, (made.version, Code.ASSURANCE))
    assert engine.decide(ask(assurance=2)).shadow is None
    assert engine.decide(ask(assurance=0)).shadow is None
    how: dict[str, Any] = {
        "key": key,
        "journal": bundle.parent / JOURNAL,
        "recorder": recorder,
        "at": AT,
        "actor": "maker",
    }
    assert end_shadow(bundle, **how) == made.version
    assert (recorder.events[-1].type, recorder.events[-1].object) == ("policy.trial.ended", made.version)
    # Only once: nothing is tried any more.
    assert end_shadow(bundle, **how) == ""
    assert recorder.types().count("policy.trial.ended") == 1
    engine.reload()
    assert engine.decide(ask()).shadow is None


def test_what_was_never_tried_is_not_released_and_what_was_in_force_needs_no_trial(
    bundle: Path, key: Ed25519PrivateKey, tried: Tried, recorder: ListRecorder, shipped_files: dict[str, bytes]
) -> None:
    stricter = {**shipped_files, "access.cedar": STRICT}
    demand_shadow(bundle, shipped_files, key.public_key(), at=AT)
    with pytest.raises(NeverTried):
        demand_shadow(bundle, stricter, key.public_key(), at=AT)
    tried(STRICT)
    demand_shadow(bundle, stricter, key.public_key(), at=AT)
    # Another one is tried, and later none: what was tried once stays known.
    tried(ACCESS)
    end_shadow(bundle, key=key, journal=bundle.parent / JOURNAL, recorder=recorder, at=AT, actor="maker")
    demand_shadow(bundle, stricter, key.public_key(), at=AT)
    other = {**shipped_files, "access.cedar": STRICT + b"// more"}
    with pytest.raises(NeverTried):
        demand_shadow(bundle, other, key.public_key(), at=AT)
    # A proof that another key signed proves nothing.
    forged = bundle / "0-000000000000"
    forged.mkdir()
    content = (bundle / tried(STRICT + b"// more").version / "access.cedar").read_bytes()
    assert content == STRICT + b"// more"
    (forged / ".tried").write_bytes((bundle / SHADOW).read_bytes().replace(b"maker", b"other"))
    (bundle / SHADOW).unlink()
    with pytest.raises(NeverTried):
        demand_shadow(bundle, other, key.public_key(), at=AT)


def test_a_bundle_in_shadow_cannot_be_moved_into_force_nor_one_in_force_into_shadow(
    bundle: Path, key: Ed25519PrivateKey, tried: Tried, ask: Ask
) -> None:
    engine, current = PolicyEngine.load(bundle, key.public_key()), (bundle / CURRENT).read_bytes()
    tried(ACCESS)
    (bundle / CURRENT).write_bytes((bundle / SHADOW).read_bytes())
    with pytest.raises(BundleRefused):
        engine.reload()
    (bundle / SHADOW).write_bytes(current)
    (bundle / CURRENT).write_bytes(current)
    assert not engine.reload()
    assert engine.decide(ask()).allowed


def test_a_broken_bundle_in_shadow_harms_nobody(
    bundle: Path,
    key: Ed25519PrivateKey,
    tried: Tried,
    ask: Ask,
    *,
    recorder: ListRecorder,
    shipped_files: dict[str, bytes],
) -> None:
    engine = PolicyEngine.load(bundle, key.public_key())
    tried(b"permit (")
    assert not engine.reload()
    assert engine.decide(ask()).allowed
    made = tried(ACCESS)
    (bundle / made.version / "access.cedar").write_bytes(b"forged")
    engine.reload()
    assert engine.decide(ask()).allowed
    # One that fails as nobody foresaw keeps no release from taking effect.
    odd = {
        **json.loads((bundle / SHADOW).read_bytes().partition(b"\n")[0]),
        "version": "0-odd",
        "files": ["access.cedar"],
    }
    said = json.dumps(odd).encode()
    (bundle / SHADOW).write_bytes(said + b"\n" + base64.b64encode(key.sign(TRIED + said)) + b"\n")
    again = {**shipped_files, "access.cedar": shipped_files["access.cedar"] + b"// again\n"}
    release(
        bundle, again, key=key, journal=bundle.parent / JOURNAL, recorder=recorder, at=AT, actor="maker",
        without_shadow="test",
    )  # fmt: skip
    assert engine.reload()
    assert engine.sequence == 2


def test_disagreements_are_told_by_route_group_and_zone_and_of_the_newest_candidate_only(ask: Ask) -> None:
    def one(subject: str, *shadow: str, allowed: bool = True) -> Past:
        return Past(request=ask(subject=subject), allowed=allowed, reasons=(), shadow=shadow)

    told = disagreements(
        [
            one("a", "0-new", "assurance"),
            one("b", "0-new", "assurance"),
            one("b"),
            one("c", "0-old", "role"),
            one("d", "0-new", "allowed", allowed=False),
        ]
    )
    assert [(each.resource, each.group, each.from_zone, each.gains, each.times, each.subjects) for each in told] == [
        ("tax", "citizen", "external", False, 2, 2),
        ("tax", "citizen", "external", True, 1, 1),
    ]
    assert told[0].because == ("0-new",)
