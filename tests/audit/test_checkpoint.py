# SPDX-License-Identifier: Apache-2.0
"""Keys, signed notes and checkpoints: known answers, and what a verifier must refuse."""

import base64
from datetime import UTC, datetime

import pytest

from audit import ProofRefused
from audit.merkle import EMPTY_ROOT, Checkpoint, LogKey, Note, VerifierKey
from audit.merkle.keys import COSIGNATURE_ED25519
from audit.merkle.note import Signature

NAME = "audit.example.gov/log1"
LINE = "\u2014 a AAAAAAA=\n".encode()
AT = datetime(2026, 11, 20, tzinfo=UTC)
ROOT = base64.b64decode("rVOlxxQqWDRLYQ1whiEw5Uu+CjMYP+TxcCsCAKfeT7Q=")
VKEY = "audit.example.gov/log1+4682385d+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs"
SIGNATURE = "RoI4XU8T30f+IUSAEw52BFx9+9alB0WhnpjeVoNQL1vmGTT234Wm6updL1pP8vZXG9/MmesEMalfWtcnV/2KG7h4Ggo="


@pytest.fixture
def key() -> LogKey:
    return LogKey(NAME, seed=b"\x07" * 32, mldsa_seed=b"\x08" * 32)


@pytest.fixture
def note(key: LogKey) -> str:
    return Checkpoint(NAME, 70_000, ROOT).sign(key, AT)


def refused(raw: bytes | str, key: LogKey) -> None:
    with pytest.raises(ProofRefused):
        Checkpoint.verified(raw.encode() if isinstance(raw, str) else raw, [key.vkey])


def test_known_verifier_key(key: LogKey) -> None:
    assert str(key.vkey) == VKEY
    assert VerifierKey.parse(VKEY + "\n") == key.vkey


def test_known_key_id_of_a_witness() -> None:
    seed = LogKey("witness.example/w1", seed=b"\x09" * 32)
    assert VerifierKey("witness.example/w1", COSIGNATURE_ED25519, seed.vkey.public).id.hex() == "24b5d9fe"


def test_known_signature(note: str) -> None:
    assert note.startswith(
        f"{NAME}\n70000\nrVOlxxQqWDRLYQ1whiEw5Uu+CjMYP+TxcCsCAKfeT7Q=\n\n\u2014 {NAME} {SIGNATURE}\n"
    )


def test_both_signatures_verify(key: LogKey, note: str) -> None:
    assert key.mldsa_vkey is not None
    second = VerifierKey.parse(str(key.mldsa_vkey))
    checkpoint = Checkpoint.verified(note.encode(), [key.vkey, second])
    assert checkpoint == Checkpoint(NAME, 70_000, ROOT)
    assert checkpoint.verify_cosignature(Note.parse(note.encode()), second) == AT


def test_a_log_without_the_second_key_signs_once() -> None:
    key = LogKey(NAME, seed=b"\x07" * 32)
    parsed = Note.parse(Checkpoint(NAME, 0, EMPTY_ROOT).sign(key, AT).encode())
    assert len(parsed.signatures) == 1
    with pytest.raises(ValueError, match="no second key"):
        key.cosign(b"")


def test_a_missing_or_foreign_second_signature_is_noticed(key: LogKey, note: str) -> None:
    other = LogKey(NAME, seed=b"\x07" * 32, mldsa_seed=b"\x01" * 32)
    assert other.mldsa_vkey is not None
    with pytest.raises(ProofRefused, match="proof_refused"):
        Checkpoint.verified(note.encode(), [key.vkey, other.mldsa_vkey])
    assert key.mldsa_vkey is not None
    parsed = Note.parse(note.encode())
    moved = Note(parsed.text.replace("70000", "70001"), parsed.signatures)
    with pytest.raises(ProofRefused):
        Checkpoint.unverified(moved.text).verify_cosignature(moved, key.mldsa_vkey)


def test_unknown_signatures_are_ignored(key: LogKey, note: str) -> None:
    grease = str(Signature("somebody.else", b"\x01\x02\x03\x04", b"grease"))
    same_name = str(Signature(NAME, b"\x01\x02\x03\x04", b"grease"))
    assert Checkpoint.verified((note + grease + same_name).encode(), [key.vkey]).size == 70_000


def test_a_known_key_with_a_bad_signature_spoils_the_note(key: LogKey, note: str) -> None:
    refused(note + str(Signature(NAME, key.vkey.id, b"\x00" * 64)), key)


@pytest.mark.parametrize(
    ("old", "new"),
    [("70000", "70001"), (NAME + "\n7", "other.example/log\n7"), ("rVO", "rVP"), ("70000", "070000"), ("70000", "-1")],
)
def test_a_changed_text_is_refused(key: LogKey, note: str, old: str, new: str) -> None:
    refused(note.replace(old, new, 1), key)


def test_another_log_with_its_own_good_signature_is_refused(key: LogKey) -> None:
    other = LogKey("other.example/log", seed=b"\x03" * 32)
    refused(Checkpoint("other.example/log", 0, EMPTY_ROOT).sign(other, AT), key)


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"\n", b"text only\n", b"a\nb\n\n", b"\xff\xfe\n\n" + LINE, b"a\x00\n\n" + LINE, b"a\n\n- a AAAAAAA=\n",
        b"a\n\n" + LINE.replace(b"AAAAAAA=", b"AAAA"), b"a\n\n" + LINE.replace(b" a ", b" a+b "), b"a\n\n" + LINE[:-1],
        b"a\n\n" + LINE.replace(b"AAAAAAA=", b"!!!!"), b"a\r\n\n" + LINE, b"a\n\n" + LINE * 101,
    ],
)  # fmt: skip
def test_malformed_notes_are_refused(raw: bytes, key: LogKey) -> None:
    with pytest.raises(ProofRefused):
        Note.parse(raw)
    refused(raw, key)


def test_a_note_splits_at_its_last_empty_line() -> None:
    parsed = Note.parse(b"one\n\ntwo\n\n\xe2\x80\x94 a AAAAAAA=\n")
    assert parsed.text == "one\n\ntwo\n"
    assert str(parsed).encode() == b"one\n\ntwo\n\n\xe2\x80\x94 a AAAAAAA=\n"


@pytest.mark.parametrize("text", ["a\n1\n", "a\n1\nAAAA\n", "a\n1\n!\n", "a\nx\nAAAA\n", "a\n\nAAAA\n", ""])
def test_what_is_not_a_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(ProofRefused):
        Checkpoint.unverified(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "a+b", "a+00000000+!!", VKEY.replace("4682385d", "4682385e"), VKEY.replace("audit", "audi t"),
        VKEY[:-4], VKEY.replace("+A", "+B"), "a+00000000+", "+" + VKEY.partition("+")[2],
    ],
)  # fmt: skip
def test_malformed_verifier_keys_are_refused(text: str) -> None:
    with pytest.raises(ProofRefused):
        VerifierKey.parse(text)


@pytest.mark.parametrize("origin", ["", "a b", "a+b", "a\u00a0b", "a\nb"])
def test_an_origin_must_fit_into_a_signature_line(origin: str) -> None:
    with pytest.raises(ValueError, match="origin"):
        LogKey(origin, seed=b"\x01" * 32)
