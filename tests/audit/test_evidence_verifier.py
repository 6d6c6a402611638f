# SPDX-License-Identifier: Apache-2.0
"""What an outsider finds out: a good file is proved, and whatever was done to it is found."""

import ast
import base64
import json
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from audit.evidence.verifier import verify_evidence
from audit.merkle import Checkpoint, LogKey, Note, leaf_hash, node_hash
from audit.merkle.proofs import inclusion_proof
from audit.search import Inclusion, proof_text
from audit.stamps import Question
from tests.fakes.evidence import CHOSEN, Bench, EvidenceWorld, altered, packed
from tests.fakes.time_authority import certify

Files = dict[str, bytes]
SOURCE = Path(verify_evidence.__file__)


def flip(name: str, at: int = 40) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        content = bytearray(files[name])
        content[at] ^= 1
        files[name] = bytes(content)

    return change


def put(name: str, content: bytes) -> Callable[[Files], None]:
    return lambda files: files.__setitem__(name, content)


def drop(name: str) -> Callable[[Files], object]:
    return lambda files: files.pop(name)


def without_entries(files: Files) -> None:
    for name in [name for name in files if name.split("/")[2:3] in (["entries"], ["proofs"], ["openings"])]:
        del files[name]


def moved_opening(files: Files) -> None:
    opening = json.loads(files["logs/1/openings/1.json"])
    files["logs/1/openings/2.json"] = json.dumps(opening | {"index": 2}).encode()


def other_facts(files: Files) -> None:
    opening = json.loads(files["logs/1/openings/1.json"])
    files["logs/1/openings/1.json"] = json.dumps(opening | {"facts": {"name": "Somebody Else"}}).encode()


def other_secret(files: Files) -> None:
    opening = json.loads(files["logs/1/openings/1.json"])
    files["logs/1/openings/1.json"] = json.dumps(opening | {"secret": "00" * 32}).encode()


def another_proof(files: Files) -> None:
    files["logs/1/proofs/1.tlog-proof"] = files["logs/1/proofs/2.tlog-proof"]


def renumbered_proof(files: Files) -> None:
    files["logs/1/proofs/1.tlog-proof"] = files["logs/1/proofs/2.tlog-proof"].replace(b"index 2\n", b"index 1\n")


def renamed_entry(files: Files) -> None:
    for old, new in (("entries/1.json", "entries/4.json"), ("proofs/1.tlog-proof", "proofs/4.tlog-proof")):
        files[f"logs/1/{new}"] = files.pop(f"logs/1/{old}").replace(b"index 1\n", b"index 4\n")
    files.pop("logs/1/openings/1.json")


def notes(change: Callable[[str], str]) -> Callable[[Files], None]:
    """Change the checkpoint wherever it stands."""

    def everywhere(files: Files) -> None:
        old = files["logs/1/checkpoint"].decode()
        for name, content in files.items():
            if name == "logs/1/checkpoint" or name.startswith("logs/1/proofs/"):
                files[name] = content.decode().replace(old, change(old)).encode()

    return everywhere


def of_another_log(note: str) -> str:
    """Everything is right about it but whose it is."""
    checkpoint = Checkpoint.unverified(Note.parse(note.encode()).text)
    key = LogKey(checkpoint.origin, seed=b"\x55" * 32, mldsa_seed=b"\x56" * 32)
    return checkpoint.sign(key, datetime(2026, 11, 20, tzinfo=UTC))


def without_witnesses(note: str) -> str:
    return "".join(line for line in note.splitlines(keepends=True) if "witness.example" not in line)


def twice_the_same_witness(note: str) -> str:
    lines = [line for line in note.splitlines(keepends=True) if "witness.example/w2" not in line]
    return "".join([*lines, next(line for line in lines if "witness.example/w1" in line)])


def bad_witness(note: str) -> str:
    head, _, last = note.rstrip("\n").rpartition(" ")
    raw = bytearray(base64.b64decode(last))
    raw[-1] ^= 1
    return f"{head} {base64.b64encode(bytes(raw)).decode()}\n"


# What is done to the file, and a word of what is said about it.
CHANGES: dict[str, tuple[Callable[[Files], object], bool, str]] = {
    "a flipped bit, manifest as it was": (flip("logs/1/entries/1.json"), False, "is not what the manifest says"),
    "a flipped bit": (flip("logs/1/entries/1.json"), True, "do not lead to the signed root"),
    "an opening of another entry": (moved_opening, True, "not the one the entry commits to"),
    "an opening with another secret": (other_secret, True, "not the one the entry commits to"),
    "an opening that says something else": (other_facts, True, "says something else"),
    "an opening that is no JSON": (put("logs/1/openings/1.json", b"{"), True, "not readable JSON"),
    "an opening with a name twice": (
        put("logs/1/openings/1.json", b'{"index":1,"index":1,"secret":"","facts":{}}'), True, "not readable JSON"),
    "an opening of an entry that is not there": (put("logs/1/openings/4.json", b"{}"), True, "do not belong together"),
    "the proof of another entry": (another_proof, True, "another entry"),
    "the proof of another entry under this number": (renumbered_proof, True, "do not lead"),
    "an entry under another number": (renamed_entry, True, "do not lead"),
    "a proof that is missing": (drop("logs/1/proofs/1.tlog-proof"), True, "do not belong together"),
    "a proof with its own checkpoint": (flip("logs/1/proofs/1.tlog-proof", -30), True, "entry 1"),
    "a checkpoint of another log": (notes(of_another_log), True, "has not signed"),
    "a checkpoint with another root": (notes(lambda note: note.replace("\n7\n", "\n8\n")), True, "signature"),
    "a checkpoint without witnesses": (notes(without_witnesses), True, "too few witnesses"),
    "one witness twice": (notes(twice_the_same_witness), True, "too few witnesses"),
    "a witness's signature changed": (notes(bad_witness), True, "is bad"),
    "a consistency proof changed": (flip("logs/1/time/consistency", 3), True, "time-stamp"),
    "a consistency proof left out": (put("logs/1/time/consistency", b""), True, "not of one history"),
    "a token that is none": (put("logs/1/time/token.tst", b"\x30\x00"), True, "time-stamp"),
    "a token that is cut off": (
        lambda files: put("logs/1/time/token.tst", files["logs/1/time/token.tst"][:-1])(files), True, "DER"),
    "a token with a bit flipped": (flip("logs/1/time/token.tst", -20), True, "time-stamp"),
    "a stamped checkpoint of another log": (
        lambda files: put(
            "logs/1/time/checkpoint", of_another_log(files["logs/1/time/checkpoint"].decode()).encode())(files),
        True, "has not signed"),
    "a file that the manifest does not list": (put("logs/1/entries/9.json", b"{}"), False, "lists other files"),
    "a file that is missing": (drop("report.pdf"), False, "lists other files"),
    "another report": (put("report.pdf", b"%PDF"), False, "is not what the manifest says"),
    "no manifest": (drop("META-INF/manifest.json"), False, "missing"),
    "no entries": (without_entries, True, "belong together"),
    "a path out of the folder": (put("../../etc/cron.d/x", b""), True, "does not belong here"),
    "an absolute path": (put("/etc/passwd", b""), True, "does not belong here"),
    "full-width digits in a name": (put("logs/1/entries/\uff11.json", b"{}"), True, "does not belong here"),
    "a name that turns the writing round": (put("logs/1/entries/\u202e1.json", b"{}"), True, "\\u{202e}"),
    "a name with a line break": (put("logs/1/entries/1.json\n", b"{}"), True, "does not belong here"),
    "a name with a leading zero": (put("logs/1/entries/01.json", b"{}"), True, "does not belong here"),
    "an entry that is too long": (put("logs/1/entries/1.json", b" " * 65_536), True, "too long"),
    "a bomb": (put("README.txt", bytes(300 << 20)), False, "too long"),
}  # fmt: skip


class Outsider:
    """The world, a good file, and what the outsider's program says about every altered one."""

    def __init__(self, folder: Path) -> None:
        self.world = EvidenceWorld(folder / "world")
        self.good = self.world.make().path
        with zipfile.ZipFile(self.good) as whole:
            self.bench = Bench(folder / "bench", whole.read("verify_evidence.py"))
        self.folder = folder
        (folder / "keys").write_text("".join(f"{key}\n" for key in self.world.log_keys()), "utf-8")
        (folder / "policy").write_text(self.world.policy, "utf-8")
        (folder / "roots.pem").write_bytes(self.world.authority.root.pem)
        files = {"good": self.good}
        for name, (change, listed, _) in CHANGES.items():
            files[name] = altered(self.good, folder / f"{len(files)}.asice", change, listed=listed)
        files |= {name: self._broken(name, make) for name, make in BROKEN.items()}
        files |= {name: self._stamped(name, wrong) for name, wrong in self._tokens().items()}
        commands = {name: [str(path), *self.anchors()] for name, path in files.items()}
        commands["nothing given"] = [str(self.good)]
        commands["no policy"] = [str(self.good), "--log-key", str(folder / "keys")]
        commands["one key of two"] = [str(self.good), "--log-key", str(self.world.site.key.vkey), *self.anchors()[2:]]
        commands["in Chinese"] = [str(self.good), *self.anchors(), "--lang", "zh"]
        commands["stamp taken away"] = [
            str(altered(self.good, folder / "nostamp.asice", lambda files: [
                files.pop(name) for name in list(files) if name.startswith("logs/1/time/")
            ])), *self.anchors(),
        ]  # fmt: skip
        commands["no such file"] = [str(folder / "none"), *self.anchors()]
        commands["a key that is none"] = [str(self.good), "--log-key", "log+123+abc"]
        self.said = self.bench.check(commands)

    def anchors(self) -> list[str]:
        given = {"--log-key": "keys", "--policy": "policy", "--tsa-roots": "roots.pem"}
        return [word for option, name in given.items() for word in (option, str(self.folder / name))]

    def _broken(self, name: str, make: Callable[[Path, Path], object]) -> Path:
        path = self.folder / f"broken-{len(name)}-{name[:9]}.asice"
        make(self.good, path)
        return path

    def _tokens(self) -> dict[str, dict[str, object]]:
        middle = self.world.authority.middle
        stranger = certify("Clock of the city", certify("Issuer of time", authority=True))
        code = certify("Signs code", middle, usages=(ExtendedKeyUsageOID.CODE_SIGNING,))
        both = certify("Both", middle, usages=(ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.CODE_SIGNING))
        none = certify("No usage", middle, usages=())
        late = certify("Late", middle, ends=timedelta(seconds=-5))
        low = certify("No authority", middle)
        return {
            "stamp: right": {},
            "stamp: over another root": {"imprint": b"\1" * 32},
            "stamp: by a stranger": {"signer": stranger},
            "stamp: by a signer of code": {"signer": code},
            "stamp: by a signer of both": {"signer": both},
            "stamp: by a signer of nothing": {"signer": none},
            "stamp: by an expired signer": {"signer": late},
            "stamp: by one who is no authority's": {"signer": certify("Below", low)},
            "stamp: naming another certificate": {"named": low},
            "stamp: over another digest": {"digest": b"\1" * 32},
            "stamp: with another signature": {"signature": b"\x30\x06\x02\x01\x01\x02\x01\x01"},
            "stamp: before the entries": {"at": datetime(2026, 1, 1, tzinfo=UTC)},
        }

    def _stamped(self, name: str, wrong: dict[str, object]) -> Path:
        def change(files: Files) -> None:
            text = Note.parse(files["logs/1/time/checkpoint"]).text
            question = Question.about(text, nonce=1 << 62).encode()
            answer = self.world.authority.forge(question, **wrong)
            files["logs/1/time/token.tst"] = _token(answer)

        return altered(self.good, self.folder / f"stamp-{abs(hash(name))}.asice", change)


def _token(answer: bytes) -> bytes:
    # TimeStampResp ::= SEQUENCE { status, timeStampToken }
    status, token = verify_evidence.Der(answer).parts()
    assert status.tag == 0x30
    return token.raw


def _twice(good: Path, target: Path) -> None:
    with zipfile.ZipFile(good) as whole:
        files = [(info.filename, whole.read(info)) for info in whole.infolist()]
    with pytest.warns(UserWarning, match="Duplicate"):
        packed(target, [*files, ("logs/1/entries/1.json", files[1][1])])


def _not_first(good: Path, target: Path) -> None:
    with zipfile.ZipFile(good) as whole:
        files = [(info.filename, whole.read(info)) for info in whole.infolist()]
    packed(target, [*files[1:], files[0]])


def _renamed_inside(good: Path, target: Path) -> None:
    """The name in the directory and the one before the content differ: two programs would see two files."""
    content = good.read_bytes()
    target.write_bytes(content.replace(b"logs/1/entries/1.json", b"logs/1/entries/7.json", 1))


BROKEN: dict[str, Callable[[Path, Path], object]] = {
    "zip: cut off": lambda good, target: target.write_bytes(good.read_bytes()[:-30]),
    "zip: cut in the middle": lambda good, target: target.write_bytes(good.read_bytes()[:9000]),
    "zip: something before it": lambda good, target: target.write_bytes(b"#!/bin/sh\n" + good.read_bytes()),
    "zip: a comment behind it": lambda good, target: target.write_bytes(
        good.read_bytes()[:-2] + b"\x04\x00evil"),
    "zip: a name twice": _twice,
    "zip: type not first": _not_first,
    "zip: two names for one file": _renamed_inside,
    "zip: none": lambda _good, target: target.write_bytes(b"PK"),
}  # fmt: skip


@pytest.fixture(scope="module")
def outsider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outsider]:
    folder = tmp_path_factory.mktemp("outsider")
    (folder / "world").mkdir()
    outsider = Outsider(folder)
    with closing(outsider.world):
        yield outsider


def test_a_good_file_is_proved_by_the_program_it_carries(outsider: Outsider) -> None:
    found = outsider.bench.alone(str(outsider.good), *outsider.anchors())
    assert found.returncode == 0, found.stdout + found.stderr
    for said in (
        "signed by the keys you gave: city.example/log+914b00a3, city.example/log+",
        "cosigned by w1 (",
        "cosigned by w2 (",
        "entry 1: name_zh = 李晓明",
        "says CN=Clock of the city",
        "What this does not prove:",
        "RESULT: everything in this file is proved",
    ):
        assert said in found.stdout
    assert "Zhao Wu" not in found.stdout
    assert "Wang Fang" not in found.stdout
    # What somebody chose as a name must not command the terminal of whoever checks.
    assert "\x1b" not in found.stdout
    assert "\u202e" not in found.stdout
    assert "Mallory\\u{1b}[31m\\u{202e}" in found.stdout


def test_in_chinese(outsider: Outsider) -> None:
    code, said = outsider.said["in Chinese"]
    assert code == 0
    assert "[已证明] 足够的见证方已共同签署检查点" in said
    assert "文件中的一切均已证明" in said


@pytest.mark.parametrize("name", CHANGES)
def test_whatever_was_changed_is_found(outsider: Outsider, name: str) -> None:
    code, said = outsider.said[name]
    assert code == 1, said
    assert CHANGES[name][2] in said
    assert "SOMETHING IN THIS FILE IS FALSE" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("name", BROKEN)
def test_a_zip_that_programs_could_read_in_two_ways_is_refused(outsider: Outsider, name: str) -> None:
    code, said = outsider.said[name]
    assert code == 1, said
    assert "[false] the file is whole" in said


def test_only_a_stamp_that_holds_is_believed(outsider: Outsider) -> None:
    stamps = {name: answer for name, answer in outsider.said.items() if name.startswith("stamp:")}
    assert len(stamps) == 12
    for name, (code, said) in stamps.items():
        assert code == (0 if name == "stamp: right" else 1), f"{name}\n{said}"


def test_what_was_not_given_is_only_claimed(outsider: Outsider) -> None:
    code, said = outsider.said["nothing given"]
    assert code == 2
    for claimed in ("log's keys are", "witnesses are", "authority is"):
        assert f"[could not be checked] the {claimed} only claimed" in said
    code, said = outsider.said["no policy"]
    assert code == 2
    assert "signed by the keys you gave" in said
    assert outsider.said["one key of two"][0] == 0
    assert outsider.said["stamp taken away"][0] == 2
    assert outsider.said["no such file"][0] == 1
    assert outsider.said["a key that is none"][0] == 2


def test_the_program_needs_nothing_but_cryptography_and_can_be_read_in_an_hour() -> None:
    source = SOURCE.read_text("utf-8")
    for node in ast.walk(ast.parse(source)):
        names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names = [str(node.module)]
        for name in names:
            top = name.partition(".")[0]
            assert top == "cryptography" or top in sys.stdlib_module_names
    assert not {"socket", "subprocess", "urllib", "os", "importlib"} & {
        each.name.partition(".")[0] for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Import)
        for each in node.names
    }  # fmt: skip
    words = source.partition("\nCHINESE = {")[2].partition("\n}")[0].strip().split("\n")
    assert len(_code(source)) - len(words) <= 430


def test_the_program_says_every_sentence_in_both_languages() -> None:
    said = set(verify_evidence.NOT_PROVED + verify_evidence.RESULTS)
    for node in ast.walk(ast.parse(SOURCE.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            at = {"demand": 1, "add": 1, "Wrong": 0, "otherwise": 0, "check": 0, "both": 0}.get(name, len(node.args))
            said |= {str(each.value) for each in node.args[at : at + 1] if isinstance(each, ast.Constant)}
    states = {verify_evidence.PROVED, verify_evidence.FALSE, verify_evidence.UNCHECKED}
    assert said | states == verify_evidence.CHINESE.keys()
    for sentence, chinese in verify_evidence.CHINESE.items():
        assert sentence.count("{}") == chinese.count("{}")


def _code(source: str) -> list[str]:
    """The lines that are neither empty nor a comment nor part of a docstring."""
    told: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            told |= set(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    lines = enumerate(source.split("\n"), 1)
    return [line for number, line in lines if number not in told and line.strip() and not line.strip().startswith("#")]


def test_the_known_answer_of_the_specification_as_a_proof_file(tmp_path: Path) -> None:
    """70,000 entries, audit-log.md 3.10: a proof of entry 12,345 leads to the known root under the known signature."""
    entries = [f'{{"seq": {i}, "actor": "u{i % 97}", "act": "login"}}'.encode() for i in range(70_000)]
    levels = [[leaf_hash(entry) for entry in entries]]
    while len(levels[-1]) > 1:
        below = levels[-1]
        levels.append([node_hash(below[i], below[i + 1]) for i in range(0, len(below) - 1, 2)])
    name = "audit.example.gov/log1"
    signature = "RoI4XU8T30f+IUSAEw52BFx9+9alB0WhnpjeVoNQL1vmGTT234Wm6updL1pP8vZXG9/MmesEMalfWtcnV/2KG7h4Ggo="
    note = f"{name}\n70000\nrVOlxxQqWDRLYQ1whiEw5Uu+CjMYP+TxcCsCAKfeT7Q=\n\n\u2014 {name} {signature}\n"
    path = inclusion_proof(lambda level, index: levels[level][index], 12_345, 70_000)
    proof = proof_text(Inclusion(index=12_345, path=tuple(path), checkpoint=note))
    files = {
        "mimetype": verify_evidence.MIMETYPE, "logs/1/entries/12345.json": entries[12_345],
        "logs/1/proofs/12345.tlog-proof": proof.encode(), "logs/1/checkpoint": note.encode(),
        "META-INF/manifest.json": b'{"format": "tallygate-evidence/2"}',
    }  # fmt: skip
    packed(tmp_path / "known.asice", files.items())
    box = verify_evidence.Container(tmp_path / "known.asice")
    checkpoint = verify_evidence.Checkpoint(note)
    key = verify_evidence.Key.parse(f"{name}+4682385d+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs")
    assert checkpoint.of_log([key]) == [key]
    with pytest.raises(verify_evidence.Wrong, match="not an entry of this kind"):
        # It leads to the root, and only then is it found to be no entry of ours.
        verify_evidence.check_entry(box, "logs/1/", 12_345, checkpoint)
    assert set(CHOSEN) == {1, 2, 3, 5, 6}
