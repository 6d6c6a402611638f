# SPDX-License-Identifier: Apache-2.0
"""Makes one evidence file: everything is checked on the way in, and the making is recorded before the file goes out.

The file lies in a folder of the audit role until it was sent. What is recorded is SHA-256 of the whole file: it holds
secrets of entries or the entries' own random keys, so the hash says nothing about a person to whoever guesses.
"""

import base64
import hashlib
import json
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import load_der_pkcs7_certificates

from core.clock import Clock
from core.errors import TallygateError
from core.log import logger

from ..errors import Erased
from ..merkle import Checkpoint, Note, leaf_hash
from ..models import Attribute, Entry, Event, Outcome, Reader, Recorder
from ..models_codec import canonical, decode_entry
from ..seals import Seals
from ..search import Inclusion, proof_text, row_of
from ..witness import Policy
from .container import Container
from .covering import Covered, Covering
from .errors import NothingChosen, TooMuchChosen
from .logs import Kept, split
from .models import MOST, Grounds, Line, Made, Part, Rest, Token, Waiting, Wish, ranges
from .published import Published

Seal = Callable[[bytes, str, str], bytes | Waiting]
"""Puts the organisation's seal on a PDF for whoever the gateway's header names, under these consents."""
_VERIFIER = Path(__file__).parent / "verifier"
_log = logger(__name__)
_STALE = timedelta(hours=1)
_SAID = 30_000


@dataclass(frozen=True, kw_only=True)
class Site:
    """What a file says of the site beside its logs."""

    name: str
    # The tlog-policy file of our witnesses, as it is; empty if nobody is asked.
    policy: str = ""
    font: Path = Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc")
    font_face: int = 2


@dataclass
class _Tally:
    """What has become of the entries so far."""

    opened: int = 0
    erased: int = 0
    # Of each person whose parts were opened: how many, the first and the last.
    subjects: dict[str, tuple[int, int, int]] = field(default_factory=dict)

    def add(self, entry: Entry, part: Part) -> None:
        self.opened += part is Part.OPENED
        self.erased += part is Part.ERASED
        if part is Part.OPENED:
            count, first, _ = self.subjects.get(entry.event.subject, (0, entry.index, entry.index))
            self.subjects[entry.event.subject] = (count + 1, first, entry.index)


@dataclass(frozen=True, kw_only=True)
class _Part:
    """What goes into the file of one log."""

    kept: Kept
    indices: Sequence[int]
    covered: Covered
    tally: _Tally = field(default_factory=_Tally)


class Desk:
    """Where evidence is made."""

    def __init__(
        self,
        *,
        # Of the record, oldest first.
        logs: Sequence[Kept],
        seals: Seals,
        site: Site,
        recorder: Recorder,
        clock: Clock,
        folder: Path,
        seal: Seal | None = None,
    ) -> None:
        self._logs = tuple(logs)
        self._seals = seals
        self._site = site
        self._recorder = recorder
        self._clock = clock
        self._folder = folder
        self._seal = seal
        folder.mkdir(mode=0o700, exist_ok=True)

    def make(self, reader: Reader, wish: Wish, *, header: str = "") -> Made:
        """The finished file, recorded; ``header`` is the gateway's, with which a seal is asked for.

        Raises:
            NothingChosen: no entry.
            TooMuchChosen: too many.
            NoSuchEntry: one does not exist.
            NotPublishedYet: one is not covered by a checkpoint yet.
            LogDamaged: an entry is not what was signed.
            RecordUnavailable: the making could not be recorded; there is no file.
        """
        if not wish.places:
            raise NothingChosen
        if len(wish.places) > MOST:
            raise TooMuchChosen(most=MOST)
        self._sweep()
        parts = [self._part(reader, *each) for each in split(self._logs, wish.places)]
        path = self._folder / f"{secrets.token_hex(16)}.asice"
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                sealed = self._write(file, reader, wish, parts, header=header)
            digest = _sha256(path)
            for part in parts:
                self._record(reader, wish, digest, part)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return Made(
            path=path,
            size=path.stat().st_size,
            sha256=digest,
            entries=sum(len(part.indices) for part in parts),
            opened=sum(part.tally.opened for part in parts),
            erased=sum(part.tally.erased for part in parts),
            sealed=sealed,
        )

    def _part(self, reader: Reader, kept: Kept, indices: Sequence[int]) -> _Part:
        covering = Covering(
            log=kept.log,
            recorder=self._recorder,
            clock=self._clock,
            watched=kept.grows and bool(self._site.policy),
            stamped=kept.stamped,
            stamp=kept.stamp,
        )
        return _Part(kept=kept, indices=indices, covered=covering.cover(reader, indices))

    def _write(self, file: IO[bytes], reader: Reader, wish: Wish, parts: Sequence[_Part], *, header: str) -> bool:
        """Everything into the file; whether the report is sealed."""
        container = Container(file)
        grounds = Grounds(
            wish=wish,
            site=self._site.name,
            officer=reader.subject,
            made=self._clock.now().astimezone(UTC),
            logs=[self._rest(part) for part in parts],
            sealed=False,
        )
        with tempfile.TemporaryFile(dir=self._folder) as spool:
            for number, part in enumerate(parts):
                self._log(container, number, part, wish, spool)
            for name in ("README.txt", "verify_evidence.py"):
                container.add(name, (_VERIFIER / name).read_bytes())
            # Last: the seal on it covers them all.
            report, sealed = self._sealed_report(replace(grounds, files=container.listed), spool, header)
            container.add("report.pdf", report)
        said = [
            {
                "log": part.covered.checkpoint.origin,
                "entries": ranges(part.indices),
                "opened": part.tally.opened,
                "erased": part.tally.erased,
                "stamped": part.covered.token is not None,
                "witnessed": bool(rest.quorum),
            }
            for part, rest in zip(parts, grounds.logs, strict=True)
        ]
        container.finish({"made": grounds.made.isoformat(), "logs": said, "sealed": sealed})
        return sealed

    def _log(self, container: Container, number: int, part: _Part, wish: Wish, spool: IO[bytes]) -> None:
        """Write one log's files; a line about each entry for the report."""
        log, folder, note = part.kept.log, f"logs/{number + 1}/", part.covered.note
        prove = log.inclusion_proofs(part.covered.checkpoint.size)
        for index, raw in part.kept.raw(part.indices):
            entry = decode_entry(index, raw)
            opened, facts = self._opening(container, folder, part, entry, wish) if entry.ciphertext else (Part.NONE, {})
            proof = proof_text(Inclusion(index=index, path=tuple(prove(index)), checkpoint=note))
            container.add(f"{folder}entries/{index}.json", raw)
            container.add(f"{folder}proofs/{index}.tlog-proof", proof.encode())
            part.tally.add(entry, opened)
            said = {"log": number, "index": index, "entry": raw.decode(), "part": opened.value, "facts": dict(facts)}
            spool.write(json.dumps(said).encode() + b"\n")
        container.add(f"{folder}checkpoint", note.encode())
        container.add(f"{folder}keys", "".join(f"{key}\n" for key in part.kept.keys).encode())
        if self._site.policy:
            container.add(f"{folder}policy", self._site.policy.encode())
        if part.covered.token is not None:
            _time(container, f"{folder}time/", log, part.covered.token, part.covered.checkpoint)

    def _opening(
        self, container: Container, folder: str, part: _Part, entry: Entry, wish: Wish
    ) -> tuple[Part, Mapping[str, str]]:
        try:
            found = self._seals.opening(entry)
        except Erased:
            return Part.ERASED, {}
        row = row_of(entry)
        if not (wish.opened and wish.covers(replace(row, index=row.index + part.kept.base))):
            return Part.CLOSED, {}
        opening = {"index": entry.index, "secret": found.secret.hex(), "facts": dict(found.facts)}
        container.add(f"{folder}openings/{entry.index}.json", canonical(opening))
        return Part.OPENED, found.facts

    def _sealed_report(self, grounds: Grounds, spool: IO[bytes], header: str) -> tuple[bytes, bool]:
        """The report, with a seal where one can be had; where not, the report itself says that it has none."""
        if self._seal is not None and header:
            try:
                report, consents = self._report(replace(grounds, sealed=True), spool), " ".join(grounds.wish.warrants)
                found = self._seal(report, header, consents)
            except TallygateError as error:
                _log.warning("report_not_sealed", code=error.code, exc_info=error)
            else:
                if not isinstance(found, Waiting):
                    return found, True
                # The officer fetches the sealed one there; this file leaves now, and says so.
                grounds = replace(grounds, waits_at=found.address)
        return self._report(grounds, spool), False

    def _report(self, grounds: Grounds, spool: IO[bytes]) -> bytes:
        def lines() -> Iterator[Line]:
            spool.seek(0)
            for said in spool:
                yield _line(said)

        # Fonts and everything that draws with them: of use to whoever makes evidence, and to nobody before.
        from core.paper import Face  # noqa: PLC0415

        from .paper import Catalogue, write  # noqa: PLC0415

        face = Face(self._site.font, face=self._site.font_face)
        with closing(face), tempfile.TemporaryFile(dir=self._folder) as file:
            write(file, grounds, lines, face=face, catalogue=Catalogue())
            file.seek(0)
            return file.read()

    def _rest(self, part: _Part) -> Rest:
        covered, checkpoint = part.covered, part.covered.checkpoint
        policy = Policy.parse(self._site.policy.encode()) if self._site.policy else None
        cosigned = policy.cosigned(Note.parse(covered.note.encode())) if policy else {}
        return Rest(
            indices=part.indices,
            origin=checkpoint.origin,
            size=checkpoint.size,
            root=checkpoint.root,
            keys=[f"{key.name}+{key.id.hex()} ({_KINDS[key.type]})" for key in part.kept.keys],
            witnesses=[f"{name} ({at:%Y-%m-%d %H:%M:%S} UTC)" for name, at in cosigned.items()],
            quorum=policy.satisfied(cosigned.keys()) if policy else None,
            token=covered.token,
            witnesses_silent=covered.witnesses_silent,
            authority_silent=covered.authority_silent,
        )

    def _record(self, reader: Reader, wish: Wish, digest: str, part: _Part) -> None:
        tally, log = part.tally, part.covered.checkpoint.origin.rpartition("/")[2]
        parts = _parts(ranges(part.indices))
        for number, indices in enumerate(parts, 1):
            said: dict[str, Attribute] = {
                # The indices are those of this log.
                "log": log,
                "indices": indices,
                "count": len(part.indices),
                "opened": tally.opened,
                "erased": tally.erased,
                "about": wish.about,
                "warrants": " ".join(wish.warrants),
            }
            if len(parts) > 1:
                said |= {"part": number, "parts": len(parts)}
            sealed = {"purpose": wish.purpose} if wish.purpose and reader.subject else {}
            self._recorder.record(self._event("audit.evidence.made", reader, digest, said, sealed=sealed))
        for subject, (count, first, last) in tally.subjects.items():
            said = {"log": log, "count": count, "first": first, "last": last}
            self._recorder.record(self._event("audit.evidence.opened", reader, digest, said, subject=subject))

    def _event(
        self,
        kind: str,
        reader: Reader,
        digest: str,
        said: Mapping[str, Attribute],
        *,
        subject: str = "",
        sealed: Mapping[str, str] | None = None,
    ) -> Event:
        return Event(
            key=secrets.token_hex(16),
            type=kind,
            outcome=Outcome.SUCCESS,
            at=self._clock.now(),
            source="audit",
            subject=subject or reader.subject,
            actor=reader.subject,
            object=digest,
            session=reader.session,
            zone=reader.zone,
            decision=reader.decision,
            attributes={**said, "reader": reader.role} if reader.role else said,
            sealed=sealed or {},
        )

    def _sweep(self) -> None:
        """Files that a killed process left behind."""
        for path in self._folder.glob("*.asice"):
            age = self._clock.now() - datetime.fromtimestamp(path.stat().st_mtime, UTC)
            if age > _STALE:
                path.unlink(missing_ok=True)


_KINDS = {1: "Ed25519", 4: "Ed25519", 6: "ML-DSA-44"}


def _line(said: bytes) -> Line:
    document = json.loads(said)
    raw = document["entry"].encode()
    row = row_of(decode_entry(document["index"], raw))
    part = Part(document["part"])
    return Line(log=document["log"], row=row, leaf=leaf_hash(raw), part=part, facts=document["facts"])


def _time(container: Container, folder: str, log: Published, token: Token, checkpoint: Checkpoint) -> None:
    stamped = log.opened(token.note)
    path = log.consistency_proof(*sorted((checkpoint.size, stamped.size)))
    container.add(f"{folder}checkpoint", token.note.encode())
    container.add(f"{folder}token.tst", token.token)
    container.add(f"{folder}consistency", "".join(f"{_base64(node)}\n" for node in path).encode())
    certificates = load_der_pkcs7_certificates(token.token)
    container.add(f"{folder}certificates.pem", b"".join(each.public_bytes(Encoding.PEM) for each in certificates))


def _parts(indices: str) -> list[str]:
    """Pieces that each fit into one entry, cut at commas."""
    parts = [""]
    for each in indices.split(","):
        if len(parts[-1]) + len(each) >= _SAID:
            parts.append("")
        parts[-1] += f",{each}" if parts[-1] else each
    return parts


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
