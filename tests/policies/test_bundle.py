# SPDX-License-Identifier: Apache-2.0
"""A bundle is in force only as it was signed, only after it was recorded, and never after a newer one."""

import base64
import json
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit import Outcome, RecordUnavailable, Wait
from audit.models import Event, Receipt
from policies import BundleRefused, NothingToRelease, PoliciesUnusable
from policies.bundle import (
    CURRENT,
    JOURNAL,
    Manifest,
    history,
    read_current,
    read_manifest,
    read_version,
    release,
    replay,
)
from policies.service import PolicyEngine
from tests.fakes.recorder import ListRecorder

from .conftest import AT, Ask


def changed(files: dict[str, bytes]) -> dict[str, bytes]:
    return {**files, "access.cedar": files["access.cedar"] + b"\n// one more remark\n"}


def test_a_release_is_recorded_before_and_after(bundle: Path, recorder: ListRecorder, key: Ed25519PrivateKey) -> None:
    manifest = read_manifest(bundle, key.public_key())
    assert [(event.type, event.outcome, event.object) for event in recorder.events] == [
        ("policy.released", Outcome.INTENDED, manifest.version),
        ("policy.released", Outcome.SUCCESS, manifest.version),
    ]
    assert {event.actor for event in recorder.events} == {"maker"}


def test_what_was_released_decides(bundle: Path, key: Ed25519PrivateKey, ask: Ask) -> None:
    engine = PolicyEngine.load(bundle, key.public_key())
    decision = engine.decide(ask())
    assert decision.allowed
    assert decision.version == engine.version == "1-" + engine.version[2:]


def test_no_record_no_release(tmp_path: Path, key: Ed25519PrivateKey, shipped_files: dict[str, bytes]) -> None:
    recorder = ListRecorder()
    recorder.down = True
    with pytest.raises(RecordUnavailable):
        release(
            tmp_path / "p", shipped_files, key=key, journal=tmp_path / JOURNAL, recorder=recorder, at=AT, actor="maker"
        )
    assert not (tmp_path / "p").exists()


class _DownAfterIntent(ListRecorder):
    def record(self, event: Event, *, wait: Wait = Wait.SEQUENCED) -> Receipt:
        if event.outcome is Outcome.SUCCESS and not self.down:
            raise RecordUnavailable
        self.down = False
        return super().record(event, wait=wait)


def test_a_release_cut_off_before_its_outcome_is_finished_by_trying_again(
    tmp_path: Path, key: Ed25519PrivateKey, shipped_files: dict[str, bytes]
) -> None:
    broken, recorder = _DownAfterIntent(), ListRecorder()
    with pytest.raises(RecordUnavailable):
        release(
            tmp_path / "p", shipped_files, key=key, journal=tmp_path / JOURNAL, recorder=broken, at=AT, actor="maker"
        )
    recorder.events = broken.events
    for _ in range(2):
        with pytest.raises(NothingToRelease):
            release(
                tmp_path / "p",
                shipped_files,
                key=key,
                journal=tmp_path / JOURNAL,
                recorder=recorder,
                at=AT + timedelta(hours=1),
                actor="other",
            )
    assert [event.outcome for event in recorder.events] == [Outcome.INTENDED, Outcome.SUCCESS]


def test_policies_that_fail_their_own_cases_are_not_released(
    tmp_path: Path, key: Ed25519PrivateKey, recorder: ListRecorder, shipped_files: dict[str, bytes]
) -> None:
    forbids = shipped_files["forbids.cedar"].replace(b"unless { principal.enabled }", b"unless { true }")
    with pytest.raises(PoliciesUnusable, match="expected disabled"):
        release(
            tmp_path / "p",
            {**shipped_files, "forbids.cedar": forbids},
            key=key,
            journal=tmp_path / JOURNAL,
            recorder=recorder,
            at=AT,
            actor="maker",
        )
    assert recorder.events == []


COLUMNS = b"who,action,what,from,assurance,flags,expect,step_up,because"


@pytest.mark.parametrize("name", ["schema.cedarschema", "zones.toml", "cases.toml", "cases.csv"])
def test_a_release_lacking_a_file_is_refused(
    tmp_path: Path, key: Ed25519PrivateKey, recorder: ListRecorder, shipped_files: dict[str, bytes], name: str
) -> None:
    rest = {k: v for k, v in shipped_files.items() if k != name}
    with pytest.raises(PoliciesUnusable):
        release(tmp_path / "p", rest, key=key, journal=tmp_path / JOURNAL, recorder=recorder, at=AT, actor="maker")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("cases.csv", b"who,action\n"),
        ("cases.csv", b""),
        ("cases.csv", b"\xff"),
        ("cases.csv", b'%s\ncitizen,access,tax,external,1,,allowed,,"portal\ncitizen,access,tax\n' % COLUMNS),
        ("cases.csv", b'%s\n"%s"\n' % (COLUMNS, b"a" * 140_000)),
        ("cases.toml", b"who = 3"),
        ("access.cedar", b"\xff"),
    ],
)
def test_a_release_with_an_unreadable_file_is_refused(
    tmp_path: Path,
    key: Ed25519PrivateKey,
    shipped_files: dict[str, bytes],
    name: str,
    content: bytes,
) -> None:
    with pytest.raises(PoliciesUnusable):
        release(
            tmp_path / "p",
            {**shipped_files, name: content},
            key=key,
            journal=tmp_path / JOURNAL,
            recorder=ListRecorder(),
            at=AT,
            actor="maker",
        )


@pytest.mark.parametrize("line", ["ghost,access,tax,external,1,,allowed,,", "citizen,access,tax,external,x,,allowed,,"])
def test_a_case_about_nobody_or_nothing_is_refused(shipped_files: dict[str, bytes], tmp_path: Path, line: str) -> None:
    files = {**shipped_files, "cases.csv": shipped_files["cases.csv"] + line.encode()}
    with pytest.raises(PoliciesUnusable, match=r"cases.csv line"):
        release(
            tmp_path / "p",
            files,
            key=Ed25519PrivateKey.generate(),
            journal=tmp_path / JOURNAL,
            recorder=ListRecorder(),
            at=AT,
            actor="maker",
        )


def test_every_changed_byte_of_a_file_is_noticed(bundle: Path, key: Ed25519PrivateKey) -> None:
    manifest, files = read_current(bundle, key.public_key())
    for name in files:
        path = bundle / manifest.version / name
        original = path.read_bytes()
        path.write_bytes(original[:-1] + bytes([original[-1] ^ 1]))
        with pytest.raises(BundleRefused, match="changed after"):
            PolicyEngine.load(bundle, key.public_key())
        path.write_bytes(original)
    assert PolicyEngine.load(bundle, key.public_key()).version


def test_a_changed_manifest_is_refused(bundle: Path, key: Ed25519PrivateKey) -> None:
    path = bundle / CURRENT
    path.write_bytes(path.read_bytes().replace(b'"sequence":1', b'"sequence":9'))
    with pytest.raises(BundleRefused, match="signature"):
        PolicyEngine.load(bundle, key.public_key())


@pytest.mark.parametrize("content", [b"", b"{}", b"{}\n", b"{}\n!!!\n", b"{}\nAAAA\n"])
def test_an_unsigned_manifest_is_refused(bundle: Path, key: Ed25519PrivateKey, content: bytes) -> None:
    (bundle / CURRENT).write_bytes(content)
    with pytest.raises(BundleRefused):
        PolicyEngine.load(bundle, key.public_key())


def test_another_key_s_bundle_is_refused(bundle: Path) -> None:
    with pytest.raises(BundleRefused):
        PolicyEngine.load(bundle, Ed25519PrivateKey.generate().public_key())


@pytest.mark.parametrize("signed", [b"[]", b"{}", b"3", b"nonsense"])
def test_a_signed_manifest_that_is_none_is_refused(bundle: Path, key: Ed25519PrivateKey, signed: bytes) -> None:
    signature = base64.b64encode(key.sign(b"tallygate policy bundle\n" + signed))
    (bundle / CURRENT).write_bytes(signed + b"\n" + signature)
    with pytest.raises(BundleRefused):
        PolicyEngine.load(bundle, key.public_key())


@pytest.mark.parametrize("change", [{"version": "../1"}, {"files": {"../x": "00"}}, {"format": "2"}, {"sequence": "1"}])
def test_a_signed_manifest_that_leads_astray_is_refused(
    bundle: Path, key: Ed25519PrivateKey, change: dict[str, object]
) -> None:
    manifest, _ = read_current(bundle, key.public_key())
    document = {**json.loads(manifest.canonical()), **change}
    signed = Manifest(**document).canonical()
    (bundle / CURRENT).write_bytes(
        signed + b"\n" + base64.b64encode(key.sign(b"tallygate policy bundle\n" + signed)) + b"\n"
    )
    with pytest.raises(BundleRefused):
        PolicyEngine.load(bundle, key.public_key())


def test_a_missing_bundle_or_file_is_refused(tmp_path: Path, bundle: Path, key: Ed25519PrivateKey) -> None:
    with pytest.raises(BundleRefused):
        PolicyEngine.load(tmp_path / "nowhere", key.public_key())
    manifest = read_manifest(bundle, key.public_key())
    (bundle / manifest.version / "access.cedar").unlink()
    with pytest.raises(BundleRefused):
        PolicyEngine.load(bundle, key.public_key())


def test_a_newer_release_is_loaded_and_an_older_one_refused(
    bundle: Path,
    key: Ed25519PrivateKey,
    recorder: ListRecorder,
    shipped_files: dict[str, bytes],
    ask: Ask,
) -> None:
    engine = PolicyEngine.load(bundle, key.public_key())
    shutil.copytree(bundle, bundle.parent / "yesterday")
    assert engine.reload() is False
    release(
        bundle,
        changed(shipped_files),
        key=key,
        journal=bundle.parent / JOURNAL,
        recorder=recorder,
        at=AT,
        actor="maker",
    )
    assert engine.reload() is True
    assert engine.version.startswith("2-")
    shutil.copy(bundle.parent / "yesterday" / CURRENT, bundle / CURRENT)
    with pytest.raises(BundleRefused, match="not newer"):
        engine.reload()
    assert engine.version.startswith("2-")
    assert engine.decide(ask()).allowed
    with pytest.raises(BundleRefused, match="not newer"):
        PolicyEngine.load(bundle, key.public_key(), at_least=2)


def test_a_broken_newer_release_leaves_the_old_in_force(
    bundle: Path, key: Ed25519PrivateKey, recorder: ListRecorder, shipped_files: dict[str, bytes], ask: Ask
) -> None:
    engine = PolicyEngine.load(bundle, key.public_key())
    manifest = release(
        bundle,
        changed(shipped_files),
        key=key,
        journal=bundle.parent / JOURNAL,
        recorder=recorder,
        at=AT,
        actor="maker",
    )
    (bundle / manifest.version / "zones.toml").write_bytes(b"")
    with pytest.raises(BundleRefused):
        engine.reload()
    assert engine.version.startswith("1-")
    assert engine.decide(ask()).allowed


def test_the_same_files_are_not_released_twice(
    bundle: Path, key: Ed25519PrivateKey, recorder: ListRecorder, shipped_files: dict[str, bytes]
) -> None:
    before = list(recorder.events)
    with pytest.raises(NothingToRelease):
        release(
            bundle, shipped_files, key=key, journal=bundle.parent / JOURNAL, recorder=recorder, at=AT, actor="maker"
        )
    assert recorder.events == before


def test_a_release_that_was_not_tried_and_dies_is_told_again_in_the_same_words(
    bundle: Path, key: Ed25519PrivateKey, recorder: ListRecorder, shipped_files: dict[str, bytes]
) -> None:
    class Dying(ListRecorder):
        def record(self, event: Event, *, wait: Wait = Wait.SEQUENCED) -> Receipt:
            super().record(event, wait=wait)
            raise RecordUnavailable

    journal, dying, before = bundle.parent / JOURNAL, Dying(), len(recorder.events)
    with pytest.raises(RecordUnavailable):
        release(
            bundle, changed(shipped_files), key=key, journal=journal, recorder=dying, at=AT, actor="maker",
            without_shadow="an emergency\nin two lines",
        )  # fmt: skip
    assert replay(bundle, key=key.public_key(), journal=journal, recorder=recorder)
    # The log takes one thing under one key: the very same is no second entry, another one is refused.
    told = recorder.events[before:]
    assert [each.outcome for each in told] == [Outcome.INTENDED, Outcome.FAILURE]
    assert told[0] == dying.events[0]
    assert not journal.exists()


def test_others_can_read_the_bundle(bundle: Path) -> None:
    assert all(path.stat().st_mode & 0o004 for path in bundle.rglob("*"))


def test_an_earlier_version_is_put_in_force_again_as_a_newer_one(
    bundle: Path, key: Ed25519PrivateKey, recorder: ListRecorder, shipped_files: dict[str, bytes]
) -> None:
    public, journal = key.public_key(), bundle.parent / JOURNAL
    engine = PolicyEngine.load(bundle, public)
    first = engine.version
    second = release(
        bundle, changed(shipped_files), key=key, journal=journal, recorder=recorder, at=AT, actor="maker"
    ).version
    assert engine.reload()
    assert [each.version for each in history(bundle, public)] == [second, first]
    files = read_version(bundle, first, public)
    assert files == shipped_files
    third = release(
        bundle, files, key=key, journal=journal, recorder=recorder, at=AT + timedelta(hours=1), actor="maker"
    ).version
    assert engine.reload()
    assert (engine.version, read_current(bundle, public)[1]) == (third, shipped_files)
    assert third.startswith("3-")
    assert [each.version for each in history(bundle, public)] == [third, second, first]


def test_only_what_was_in_force_and_is_as_it_was_can_come_back(
    bundle: Path, key: Ed25519PrivateKey, recorder: ListRecorder, shipped_files: dict[str, bytes]
) -> None:
    public = key.public_key()
    first = read_manifest(bundle, public).version
    release(
        bundle, changed(shipped_files), key=key, journal=bundle.parent / JOURNAL, recorder=recorder, at=AT, actor="a"
    )
    for version in ("2-000000000000", "..", ".", "", f"../policies/{first}", f"{first}/"):
        with pytest.raises(BundleRefused, match="never in force"):
            read_version(bundle, version, public)
    # A copy of the proof under another name proves nothing.
    shutil.copytree(bundle / first, bundle / "9-forged")
    assert len(history(bundle, public)) == 2
    (bundle / first / "access.cedar").write_bytes(b"permit (principal, action, resource);")
    with pytest.raises(BundleRefused, match="changed after"):
        read_version(bundle, first, public)
    proof = bundle / first / ".manifest"
    proof.write_bytes(proof.read_bytes().replace(b'"sequence":1', b'"sequence":7'))
    with pytest.raises(BundleRefused, match="never in force"):
        read_version(bundle, first, public)
