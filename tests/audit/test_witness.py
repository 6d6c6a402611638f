# SPDX-License-Identifier: Apache-2.0
"""Being a witness: every check of C2SP tlog-witness in its order, and what a log gets for signing two histories."""

import base64
import hashlib
import struct
import threading
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from werkzeug.test import TestResponse

from audit.merkle import EMPTY_ROOT, Checkpoint, CosignerKey, LogKey, Note, Signature, consistency_proof, root_hash
from audit.witness import Outdated, Witness, WitnessStore
from audit.witness.store import MOST_CONTRADICTIONS, Cosigned
from audit.witness.submission import submission
from tests.fakes.audit_console import WITNESSED, ConsoleFake
from tests.fakes.clock import ManualClock

LEAVES = [hashlib.sha256(bytes([i])).digest() for i in range(40)]
OTHER = [*LEAVES[:4], *(hashlib.sha256(b"x" + bytes([i])).digest() for i in range(36))]
NAME = "city.localhost/witness"


@pytest.fixture
def fake(tmp_path: Path) -> ConsoleFake:
    return ConsoleFake(tmp_path)


def root(size: int, leaves: Sequence[bytes] = LEAVES) -> bytes:
    return root_hash(leaves[:size])


def proof(old: int, new: int, leaves: Sequence[bytes] = LEAVES) -> list[bytes]:
    def node(level: int, index: int) -> bytes:
        return root_hash(leaves[index << level : (index + 1) << level])

    return consistency_proof(node, old, new) if old else []


def signed(size: int, leaves: Sequence[bytes] = LEAVES, key: LogKey = WITNESSED) -> str:
    return Checkpoint(key.origin, size, root(size, leaves)).sign(key, ManualClock().now())


def add(fake: ConsoleFake, body: bytes | str) -> TestResponse:
    return fake.client().post("/witness/add-checkpoint", data=body)


def good(fake: ConsoleFake, old: int, new: int, leaves: Sequence[bytes] = LEAVES) -> TestResponse:
    return add(fake, submission(old, proof(old, new, leaves), signed(new, leaves)))


def test_a_first_checkpoint_and_its_successors_are_cosigned(fake: ConsoleFake) -> None:
    for old, new in ((0, 3), (3, 3), (3, 8), (8, 21), (21, 40)):
        answer = good(fake, old, new)
        assert answer.status_code == 200, answer.text
        assert answer.text.startswith("\u2014 city.localhost/witness ")
        assert answer.text.endswith("\n")


def test_the_cosignatures_have_the_bytes_of_the_specification(fake: ConsoleFake) -> None:
    # Read with nothing of ours: C2SP tlog-cosignature, both types.
    answer = good(fake, 0, 5)
    text = f"other.example/log\n5\n{base64.b64encode(root(5)).decode()}\n"
    first, second, empty = answer.text.split("\n")
    assert empty == ""
    now = int(fake.clock.now().timestamp())
    ed25519 = Ed25519PrivateKey.from_private_bytes(b"\x09" * 32).public_key()
    mldsa = MLDSA44PrivateKey.from_seed_bytes(b"\x0a" * 32).public_key()
    dash, name, encoded = first.split(" ")
    raw = base64.b64decode(encoded)
    assert (dash, name, len(raw)) == ("\u2014", NAME, 4 + 8 + 64)
    assert raw[:4] == hashlib.sha256(NAME.encode() + b"\n\x04" + ed25519.public_bytes_raw()).digest()[:4]
    assert struct.unpack(">Q", raw[4:12]) == (now,)
    ed25519.verify(raw[12:], f"cosignature/v1\ntime {now}\n{text}".encode())
    dash, name, encoded = second.split(" ")
    raw = base64.b64decode(encoded)
    assert (dash, name, len(raw)) == ("\u2014", NAME, 4 + 8 + 2420)
    assert raw[:4] == hashlib.sha256(NAME.encode() + b"\n\x06" + mldsa.public_bytes_raw()).digest()[:4]
    message = b"subtree/v1\n\x00" + bytes([len(NAME)]) + NAME.encode() + struct.pack(">Q", now)
    message += bytes([17]) + b"other.example/log" + struct.pack(">QQ", 0, 5) + root(5)
    mldsa.verify(raw[12:], message)


def test_extension_lines_are_under_the_cosignature(fake: ConsoleFake) -> None:
    text = Checkpoint(WITNESSED.origin, 3, root(3)).text + "an extension\n"
    note = str(Note(text, (Signature(WITNESSED.origin, WITNESSED.vkey.id, WITNESSED.sign(text.encode())),)))
    answer = add(fake, submission(0, [], note))
    assert answer.status_code == 200
    raw = base64.b64decode(answer.text.split("\n")[0].split(" ")[2])
    key = Ed25519PublicKey.from_public_bytes(fake.witness._key.vkey.public)
    key.verify(raw[12:], f"cosignature/v1\ntime {int(fake.clock.now().timestamp())}\n{text}".encode())


def test_the_known_key_of_the_specification() -> None:
    key = CosignerKey("witness.example/w1", seed=b"\x09" * 32)
    assert key.vkey.id.hex() == "24b5d9fe"
    assert key.vkeys == (key.vkey,)
    assert key.mldsa_vkey is None
    with pytest.raises(ValueError, match="name"):
        CosignerKey("a b", seed=b"\x09" * 32)


STRANGER = LogKey("stranger.example/log", seed=b"\x01" * 32)
IMPOSTOR = LogKey("other.example/log", seed=b"\x01" * 32)


def _note(name: str) -> str:
    notes = {
        "good": signed(8),
        "stranger's": signed(8, key=STRANGER),
        "impostor's": signed(8, key=IMPOSTOR),
        "forged beside": signed(8) + str(Signature(WITNESSED.origin, WITNESSED.vkey.id, b"\x00" * 64)),
        "smaller": signed(2),
        "another history": signed(8, OTHER),
        "another history of the same size": signed(5, OTHER),
    }
    return notes[name]


@pytest.mark.parametrize(
    ("note", "old", "hashes", "status"),
    [
        ("stranger's", 5, [], 404),
        # What is asked first is answered first.
        ("stranger's", 9, [], 404),
        ("impostor's", 5, [], 403),
        ("impostor's", 9, [], 403),
        ("forged beside", 5, proof(5, 8), 403),
        ("good", 9, [], 400),
        ("good", 0, [], 409),
        ("good", 3, proof(3, 8), 409),
        ("good", 8, [], 409),
        ("good", 5, [], 422),
        ("good", 5, proof(5, 8)[:-1], 422),
        ("good", 5, [*proof(5, 8), b"\x00" * 32], 422),
        ("good", 5, proof(4, 8), 422),
        ("another history", 5, proof(5, 8, OTHER), 422),
        ("another history of the same size", 5, [], 422),
        ("smaller", 2, [], 409),
        ("good", 5, proof(5, 8), 200),
    ],
)
def test_each_check_has_its_answer(fake: ConsoleFake, note: str, old: int, hashes: list[bytes], status: int) -> None:
    assert good(fake, 0, 5).status_code == 200
    before = fake.witness.latest(hashlib.sha256(b"other.example/log").hexdigest())
    answer = add(fake, submission(old, hashes, _note(note)))
    assert answer.status_code == status, answer.text
    if status == 409:
        assert answer.text == "5\n"
        assert answer.content_type == "text/x.tlog.size"
    if status != 200:
        assert fake.witness.latest(hashlib.sha256(b"other.example/log").hexdigest()) == before


def test_who_knows_nothing_learns_the_size_from_zero(fake: ConsoleFake) -> None:
    assert good(fake, 0, 13).status_code == 200
    answer = add(fake, submission(0, [], signed(20)))
    assert (answer.status_code, answer.text) == (409, "13\n")
    assert good(fake, 13, 20).status_code == 200


def test_an_empty_log_has_one_root(fake: ConsoleFake) -> None:
    empty = Checkpoint(WITNESSED.origin, 0, EMPTY_ROOT).sign(WITNESSED, fake.clock.now())
    wrong = Checkpoint(WITNESSED.origin, 0, b"\x01" * 32).sign(WITNESSED, fake.clock.now())
    assert add(fake, submission(0, [], wrong)).status_code == 422
    assert add(fake, submission(0, [b"\x00" * 32], signed(3))).status_code == 422
    assert add(fake, submission(0, [], empty)).status_code == 200
    assert good(fake, 0, 3).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"", b"\n\n", b"old 0\n\n", b"old 0", b"old 0\n\n\xff", b"old 0\n" + signed(3).encode(),
        b"old 00\n\n" + signed(3).encode(), b"old -1\n\n" + signed(3).encode(), b"old 1e3\n\n" + signed(3).encode(),
        b"Old 0\n\n" + signed(3).encode(), b"old  0\n\n" + signed(3).encode(), b"old 0 \n\n" + signed(3).encode(),
        b"old 0\r\n\r\n" + signed(3).encode(), b"old 9223372036854775808\n\n" + signed(3).encode(),
        b"old 0\nAAAA\n\n" + signed(3).encode(), b"old 0\n!\n\n" + signed(3).encode(), b"\xff\n\n" + signed(3).encode(),
        b"old 0\n" + b"A" * 43 + b"=\n" * 1 + b"\n" + b"rubbish\n\n\xe2\x80\x94 a AAAAAAA=\n",
        b"old 0\n" + (b"A" * 43 + b"=\n") * 64 + b"\n" + signed(3).encode(),
        b"old 0\n\nother.example/log\n9999999999999999999\n" + b"A" * 43 + b"=\n\n\xe2\x80\x94 a AAAAAAA=\n",
    ],
)  # fmt: skip
def test_what_is_no_submission_is_refused(fake: ConsoleFake, body: bytes) -> None:
    answer = add(fake, body)
    assert answer.status_code == 400, answer.text
    assert (answer.json or {})["code"] == "bad_submission"


def test_a_submission_without_end_is_refused(fake: ConsoleFake) -> None:
    assert add(fake, b"old 0\n\n" + b"a" * (129 * 1024)).status_code == 413


def test_whoever_watches_a_log_finds_what_was_cosigned(fake: ConsoleFake) -> None:
    digest = hashlib.sha256(b"other.example/log").hexdigest()
    for nothing in (digest, digest.upper(), "00" * 32, "x"):
        assert fake.public(f"/witness/{nothing}/checkpoint").status_code == 404
    stranger = str(Signature("somebody.else", b"\x01\x02\x03\x04", b"grease"))
    lines = add(fake, submission(0, [], signed(7) + stranger)).text
    shown = fake.public(f"/witness/{digest}/checkpoint")
    assert shown.status_code == 200
    assert shown.headers["Cache-Control"] == "public, max-age=1"
    # The lines of the log's keys that are known here and ours, and nobody else's.
    log = str(Note.parse(signed(7).encode()).signatures[0])
    assert shown.text == Note.parse(signed(7).encode()).text + "\n" + log + lines
    checkpoint = Checkpoint.verified(shown.data, [WITNESSED.vkey])
    for key in fake.witness._key.vkeys:
        assert checkpoint.verify_cosignature(Note.parse(shown.data), key) == fake.clock.now().replace(microsecond=0)


def test_what_was_cosigned_is_known_after_a_restart(fake: ConsoleFake, tmp_path: Path) -> None:
    assert good(fake, 0, 9).status_code == 200
    fake.witness._store.close()
    again = ConsoleFake(tmp_path)
    assert (good(again, 0, 12).status_code, good(again, 0, 12).text) == (409, "9\n")
    assert good(again, 9, 12).status_code == 200


def test_a_log_that_signs_two_histories_is_recorded_once_and_kept_in_bounds(fake: ConsoleFake) -> None:
    assert good(fake, 0, 5).status_code == 200
    for _ in range(3):
        assert add(fake, submission(5, [], _note("another history of the same size"))).status_code == 422
    [said] = fake.log.events
    assert (said.type, said.object) == ("audit.witness.contradicted", "other.example/log")
    assert said.attributes == {"size": 5, "root": root(5, OTHER).hex()}
    [kept] = fake.witness._store.contradictions()
    # With the log's signatures on it, which anybody can check.
    assert Checkpoint.verified(kept.note.encode(), [WITNESSED.vkey]).root == root(5, OTHER)
    for number in range(MOST_CONTRADICTIONS + 5):
        lie = Checkpoint(WITNESSED.origin, 5, bytes([number]) * 32).sign(WITNESSED, fake.clock.now())
        assert add(fake, submission(5, [], lie)).status_code == 422
    assert len(fake.witness._store.contradictions()) == MOST_CONTRADICTIONS
    assert len(fake.log.events) == MOST_CONTRADICTIONS
    # The history that came first goes on.
    assert good(fake, 5, 9).status_code == 200


def test_somebody_elses_bad_proof_is_no_accusation(fake: ConsoleFake) -> None:
    assert good(fake, 0, 5).status_code == 200
    assert add(fake, submission(5, [b"\x00" * 32], signed(8))).status_code == 422
    assert fake.witness._store.contradictions() == []
    assert fake.log.events == []


def test_a_contradiction_is_kept_also_when_it_cannot_be_recorded(fake: ConsoleFake) -> None:
    assert good(fake, 0, 5).status_code == 200
    fake.log.down = True
    assert add(fake, submission(5, [], _note("another history of the same size"))).status_code == 422
    assert len(fake.witness._store.contradictions()) == 1


def test_a_checkpoint_sent_again_and_again_costs_no_write(fake: ConsoleFake) -> None:
    first = good(fake, 0, 5)
    fake.clock.advance(timedelta(seconds=30))
    assert good(fake, 5, 5).data == first.data
    fake.clock.advance(timedelta(seconds=31))
    later = good(fake, 5, 5)
    assert later.status_code == 200
    assert later.data != first.data


def test_a_clock_set_back_dates_no_larger_tree_before_a_smaller_one(fake: ConsoleFake) -> None:
    def time_of(answer: TestResponse) -> int:
        return int.from_bytes(base64.b64decode(answer.text.split("\n")[0].split(" ")[2])[4:12], "big")

    first = time_of(good(fake, 0, 5))
    fake.clock.advance(timedelta(hours=-2))
    assert time_of(good(fake, 5, 9)) >= first


def test_of_two_that_race_one_wins_and_nothing_is_rolled_back(fake: ConsoleFake) -> None:
    assert good(fake, 0, 5).status_code == 200
    last = fake.witness._store.last(WITNESSED.origin)
    assert last is not None
    # Both found the same state; the slower one comes to a state that has moved.
    assert fake.witness._store.replace(last, Cosigned(last.origin, 9, root(9), last.note, last.at))
    assert not fake.witness._store.replace(last, Cosigned(last.origin, 7, root(7), last.note, last.at))
    assert not fake.witness._store.replace(None, Cosigned(last.origin, 3, root(3), last.note, last.at))
    now = fake.witness._store.last(WITNESSED.origin)
    assert now is not None
    assert now.size == 9


def test_many_at_once_leave_one_line_of_history(fake: ConsoleFake) -> None:
    assert good(fake, 0, 1).status_code == 200
    statuses: list[int] = []

    def climb(step: int) -> None:
        for _ in range(12):
            last = fake.witness._store.last(WITNESSED.origin)
            old = last.size if last else 0
            if old + step > len(LEAVES):
                return
            statuses.append(good(fake, old, old + step).status_code)

    threads = [threading.Thread(target=climb, args=(step,)) for step in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(statuses) <= {200, 409}
    assert statuses.count(200) > 5
    last = fake.witness._store.last(WITNESSED.origin)
    assert last is not None
    assert last.root == root(last.size)


def test_the_loser_of_a_race_hears_the_winners_size(fake: ConsoleFake, monkeypatch: pytest.MonkeyPatch) -> None:
    assert good(fake, 0, 5).status_code == 200
    store = fake.witness._store
    taken = store.replace

    def overtaken(last: Cosigned | None, new: Cosigned) -> bool:
        assert last is not None
        assert taken(last, Cosigned(last.origin, 20, root(20), last.note, last.at))
        return taken(last, new)

    monkeypatch.setattr(store, "replace", overtaken)
    with pytest.raises(Outdated) as outdated:
        fake.witness.add_checkpoint(submission(5, proof(5, 9), signed(9)))
    assert outdated.value.parameters == {"size": 20}


@pytest.fixture
def quantum_safe(fake: ConsoleFake, tmp_path: Path) -> Iterator[Witness]:
    """Knows the log by its second key alone."""
    key = WITNESSED.mldsa_vkey
    assert key is not None
    store = WitnessStore.open(tmp_path / "second.db")
    own = CosignerKey("w", seed=b"\x01" * 32)
    yield Witness(key=own, logs=[key], store=store, recorder=fake.log, clock=fake.clock)
    store.close()


def test_a_log_may_be_known_by_its_quantum_safe_key_alone(quantum_safe: Witness) -> None:
    assert quantum_safe.origins == ["other.example/log"]
    assert quantum_safe.add_checkpoint(submission(0, [], signed(3)))
