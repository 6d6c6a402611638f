# SPDX-License-Identifier: Apache-2.0
"""A stamped and witnessed log with people in it, a desk that makes evidence of it, and the bench of an outsider."""

import hashlib
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import cryptography

from audit.evidence import Desk, Kept, Made, Site, Token, Wish
from audit.evidence.container import MANIFEST
from audit.merkle import CosignerKey, Note, VerifierKey
from audit.models import Reader
from audit.reader import WITNESSED
from tests.fakes.log_site import event
from tests.fakes.stamping import Stamping

OFFICER = Reader(subject="77c9a8b0-1d7e-4b5f-9e0e-2f8f5c1d7003", session="s-officer", zone="management")
# Terminal commands and characters that turn the writing round, in a name somebody chose.
HOSTILE = "Mallory\x1b[31m\u202e\u2066"
CHOSEN = (1, 2, 3, 5, 6)


class EvidenceWorld(Stamping):
    """Entries 1, 2 of one person, 3 without anything personal, 4 of another, 5 of somebody erased, 6 hostile."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.folder = folder
        self.witnesses = [CosignerKey(f"witness.example/w{n}", seed=bytes([n]) * 32) for n in (1, 2)]
        names = " ".join(f"w{n}" for n in (1, 2))
        lines = [f"witness w{n} {key.vkey}" for n, key in enumerate(self.witnesses, 1)]
        self.policy = "\n".join([*lines, f"group all-of-them all {names}", "quorum all-of-them", ""])
        self.add(subject="li", sealed={"name": "Li Xiaoming", "name_zh": "李晓明"})
        self.add(subject="li", sealed={"name": "Li Xiaoming", "name_zh": "李晓明"})
        self.add(type="gateway.decision", source="gateway", subject="", sealed={}, zone="external", object="tax",
                 decision="d0")  # fmt: skip
        self.add(subject="wang", sealed={"name": "Wang Fang"})
        self.add(subject="gone", sealed={"name": "Zhao Wu"})
        self.add(subject="mallory", sealed={"name": HOSTILE})
        self.log.integrate()
        self.site.seals.destroy("gone", self.clock.now())
        self.cosigned = self._cosign()
        self.add(subject="li", sealed={"name": "Li Xiaoming"})
        self.log.integrate()
        self.round(self.stamper())
        self.desk = self.made_desk()

    def add(self, **fields: object) -> None:
        self.log.append([event(self.clock, **fields)])

    def made_desk(self, **more: object) -> Desk:
        settings: dict[str, object] = {
            "logs": [self.kept()],
            "seals": self.site.seals,
            "site": Site(name="Sample City", policy=self.policy),
            "recorder": self.recorder,
            "clock": self.clock,
            "folder": self.folder / "evidence",
        }
        return Desk(**(settings | more))  # type: ignore[arg-type]

    def kept(self) -> Kept:
        return Kept(base=0, log=self.site.reader(), keys=self.log_keys(), stamped=self.stamped)

    def log_keys(self) -> list[VerifierKey]:
        key = self.site.key
        return [each for each in (key.vkey, key.mldsa_vkey) if each is not None]

    def stamped(self, size: int) -> Token | None:
        found = self.store.covering(size)
        return None if found is None else Token(
            note=found.note, token=found.token, at=found.at, authority=found.authority
        )  # fmt: skip

    def make(self, *, desk: Desk | None = None, indices: Sequence[int] = CHOSEN, opened: bool = True) -> Made:
        wish = Wish(places=indices, about="range:1-6", purpose="Case 17/2026", opened=opened, warrants=("w1", "w2"))
        return (desk or self.desk).make(OFFICER, wish)

    def _cosign(self) -> str:
        note = Note.parse(self.site.reader().note().encode())
        lines = [line for key in self.witnesses for line in key.cosign(note.text, self.clock.now())]
        cosigned = str(Note(note.text, (*note.signatures, *lines)))
        (self.site.folder / WITNESSED).write_text(cosigned, "utf-8")
        return cosigned


def altered(source: Path, target: Path, change: Callable[[dict[str, bytes]], object], *, listed: bool = True) -> Path:
    """The file with something changed in it; with ``listed`` the manifest says what is there now."""
    with zipfile.ZipFile(source) as whole:
        files = {info.filename: whole.read(info) for info in whole.infolist()}
    change(files)
    if listed and MANIFEST in files:
        manifest = json.loads(files.pop(MANIFEST))
        manifest["files"] = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
        files[MANIFEST] = json.dumps(manifest).encode()
    packed(target, files.items())
    return target


def packed(target: Path, files: object) -> None:
    """A ZIP of these names and contents, in their order."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as whole:
        for name, content in files:  # type: ignore[attr-defined]
            kind = zipfile.ZIP_STORED if name == "mimetype" else zipfile.ZIP_DEFLATED
            whole.writestr(zipfile.ZipInfo(name), content, kind)
    target.write_bytes(written.getvalue())


class Bench:
    """Where an outsider works: an isolated Python, in which only `cryptography` can be imported beside the library."""

    def __init__(self, folder: Path, verifier: bytes) -> None:
        folder.mkdir()
        # `cryptography` and what it is built on.
        for found in Path(cryptography.__path__[0]).parent.glob("*"):
            if found.name in {"cryptography", "cffi"} or found.name.startswith("_cffi_backend"):
                (folder / found.name).symlink_to(found)
        self._folder = folder
        self._verifier = folder / "verify_evidence.py"
        self._verifier.write_bytes(verifier)

    def check(self, commands: Mapping[str, Sequence[str]]) -> dict[str, tuple[int, str]]:
        """The exit code and what was printed, of each command."""
        program = (
            "import contextlib, io, json, sys, importlib.util\n"
            "sys.path.insert(0, sys.argv[1])\n"
            "import verify_evidence\n"
            "assert importlib.util.find_spec('flask') is None and importlib.util.find_spec('asn1crypto') is None\n"
            "answers = {}\n"
            "for name, command in json.load(sys.stdin).items():\n"
            "    said = io.StringIO()\n"
            "    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):\n"
            "        try:\n"
            "            code = verify_evidence.main(command)\n"
            "        except SystemExit as ended:\n"
            "            code = ended.code\n"
            "    answers[name] = code, said.getvalue()\n"
            "print(json.dumps(answers))\n"
        )
        answer = subprocess.run(
            [sys.executable, "-I", "-S", "-c", program, str(self._folder)],
            input=json.dumps(commands), capture_output=True, text=True, check=True,
        )  # fmt: skip
        return {name: (code, said) for name, (code, said) in json.loads(answer.stdout).items()}

    def alone(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """The program by itself, as the README says."""
        start = f"import sys, runpy; sys.path.insert(0, {str(self._folder)!r}); sys.argv = sys.argv[1:]; "
        start += "runpy.run_path(sys.argv[0], run_name='__main__')"
        command = [sys.executable, "-I", "-S", "-c", start, str(self._verifier), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)
