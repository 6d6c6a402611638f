# SPDX-License-Identifier: Apache-2.0
"""The check itself: stretches of certificates by place, new ones at once and everything again in sweeps.

A stretch is read in one go, examined without the database, and its findings are kept together with the place that was
reached, so that a process that dies goes on where it was. Memory holds one stretch and a few revocation lists.
"""

import hashlib
import hmac
import secrets
import threading
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric import rsa

from audit import Event, Outcome, encode_event
from core.clock import Clock

from .examining import Issuer, Scene, commitment, examine, read_issuers
from .ledger import Ledger
from .linting import rules_of_today
from .models import Finding, Kept, Look, Report, Row
from .reading import Parsed
from .rules import read_rules
from .status import Lists, answered, live_question, on_list, plain_questions
from .store import NEW, SWEEP, Findings

STRETCH = 100
_NEIGHBOURS = 64
_SETTLED = timedelta(minutes=5)
"""After this long an issuance has ended and its records are in the log, if they ever come."""
_SIGNED = ("signed", "delivered")
_RANDOM_BITS = 136


class Published(Protocol):
    """What is published about certificates, as anybody gets it."""

    def live(self, issuer: str, request: bytes) -> bytes:
        """An OCSP answer made now."""
        ...

    def kept(self, issuer: str, request: bytes) -> bytes | None:
        """An answer made beforehand, as the proxy serves it; None if there is none."""
        ...


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the checker is told about its site."""

    public: Path
    profiles: Path
    blocklists: Sequence[Path]
    oid_base: str
    origin: str
    country: str
    domain: str
    instance: int


class KeptAnswers:
    """Answers as files, found by the address of a GET request (RFC 6960 appendix A.1)."""

    def __init__(self, folder: Path, live: Callable[[str, bytes], bytes]) -> None:
        self._folder = folder
        self._live = live

    def live(self, issuer: str, request: bytes) -> bytes:
        """An OCSP answer made now."""
        return self._live(issuer, request)

    def kept(self, issuer: str, request: bytes) -> bytes | None:
        """The file, if there is one."""
        try:
            return (self._folder / issuer / b64encode(request).decode("ascii")).read_bytes()
        except OSError:
            return None


class Checker:
    """Collaborators by keyword; ``nudge`` is called after each commit that put a record in the outbox."""

    def __init__(
        self,
        *,
        findings: Findings,
        ledger: Ledger,
        facts: Facts,
        published: Published,
        clock: Clock,
        nudge: Callable[[], None] = lambda: None,
    ) -> None:
        self._findings = findings
        self._ledger = ledger
        self._facts = facts
        self._published = published
        self._clock = clock
        self._nudge = nudge
        # One stretch at a time: the operator's check and the one in the background go on with each other's work.
        self._one = threading.Lock()
        self._lint = rules_of_today()
        self._lists = Lists(findings.newest_list)
        self._scene = self._read_scene()
        self._seen: tuple[object, ...] = ()
        self._blocked: frozenset[str] = frozenset()

    def look(self) -> Look:
        """How it stands."""
        return self._findings.look()

    def open(self, *, after: int = 0, limit: int = 50) -> list[Kept]:
        """Findings that are not settled."""
        return self._findings.open(after=after, limit=limit)

    def check_new(self) -> Report:
        """One stretch of what was issued since the last one.

        Raises:
            Unavailable: the database did not answer; the place stays.
        """
        with self._one:
            return self._stretch(self._findings.mark(NEW)[0], NEW, until=self._clock.now() - _SETTLED)

    def begin(self) -> None:
        """Begin a sweep over everything, or go on with the one under way."""
        self._findings.begin_sweep(at=self._clock.now())

    def sweep(self) -> Report:
        """One stretch of the sweep under way; the last one settles what only the record knows, and ends it.

        Raises:
            Unavailable: the database did not answer; the place stays.
        """
        with self._one:
            report = self._stretch(self._findings.mark(SWEEP)[0], SWEEP, until=self._clock.now() - _SETTLED)
        if report.ended:
            counted = self._findings.sweep() or (0, 0)
            told = self._event("ca.check.swept", attributes={"checked": counted[0], "found": counted[1]})
            self._findings.end_sweep(at=self._clock.now(), note=(told.key, encode_event(told)))
            self._nudge()
        return report

    def sweep_due(self, every: timedelta) -> bool:
        """Whether a sweep is under way, or the last one ended so long ago."""
        look = self._findings.look()
        return look.began is not None or look.ended is None or self._clock.now() - look.ended >= every

    def _stretch(self, after: int, mark: str, *, until: datetime) -> Report:
        rows = self._findings.rows(after, STRETCH)
        settled = []
        for row in rows:
            if row.created > until:
                break
            settled.append(row)
        place = settled[-1].position if settled else after
        ended = len(settled) < len(rows) or len(rows) < STRETCH
        self._look_again()
        found = list(self._examined(settled, after))
        about = [row.serial for row in settled]
        if ended and mark == SWEEP:
            strays = [Finding("unstored", serial) for serial, _ in self._findings.strays()]
            if self._ledger.caught_up:
                found += strays
                about += [each.about for each in self.open(limit=10_000) if each.code == "unstored"]
        self._keep(found, about, (mark, place), len(settled), sweep=mark == SWEEP)
        return Report(after=place, checked=len(settled), findings=found, ended=ended)

    def _keep(
        self, found: Sequence[Finding], about: Sequence[str], mark: tuple[str, int], checked: int, *, sweep: bool
    ) -> None:
        unique = {(each.code, each.about): each for each in found}
        notes = {}
        for each in unique.values():
            facts = {"code": each.code, "issuer": each.issuer, "profile": each.profile}
            told = self._event(
                "ca.check.found",
                outcome=Outcome.FAILURE,
                about=each.about,
                attributes={name: value for name, value in facts.items() if value},
            )
            notes[each.code, each.about] = (told.key, encode_event(told))
        self._findings.keep(
            unique.values(),
            notes,
            at=self._clock.now(),
            mark=mark,
            checked=about,
            sweep=(checked, len(unique)) if sweep else None,
        )
        if unique:
            self._nudge()

    def _examined(self, rows: Sequence[Row], after: int) -> Iterator[Finding]:
        self._lists.begin()
        at, waiting = self._clock.now(), self._findings.waiting()
        neighbours = self._findings.serials_before(after, _NEIGHBOURS)[::-1]
        double = self._findings.double([row.serial for row in rows])
        released = self._findings.released_after([row.serial for row in rows])
        hashes = []
        for row in rows:
            if row.state in ("abandoned", "reserved"):
                if row.der:
                    yield self._finding(row, "state", "given up, and signed all the same")
                continue
            yield from (self._finding(row, *each) for each in self._recorded(row, waiting=waiting))
            if row.serial in double:
                yield self._finding(row, "serial-double", "")
            yield from self._published_of(row, released.get(row.serial), at)
            if row.state not in _SIGNED:
                continue
            parsed, wrong = examine(row, self._scene, neighbours)
            neighbours = [*neighbours[-_NEIGHBOURS + 1 :], int(row.serial, 16)]
            yield from (self._finding(row, *each) for each in wrong)
            if parsed is not None:
                hashes.append(parsed.key_hash)
                yield from (self._finding(row, *each) for each in self._key_of(row, parsed, at))
            rule = self._scene.rules.get(row.profile)
            if rule is not None and parsed is not None:
                yield from (self._finding(row, "lint", code) for code in self._lint.findings(row.der, rule))
        shared = self._findings.shared(list(dict.fromkeys(hashes)))
        yield from (self._finding(row, "key-shared", "") for row in rows if row.key_hash in shared)

    def _recorded(self, row: Row, *, waiting: bool) -> Iterator[tuple[str, str]]:
        """Whether the record holds what it must, and of these very bytes."""
        heard = row.heard
        if not row.der or row.state not in _SIGNED:
            # Who died between keeping the bytes and recording the intent has signed nothing.
            return
        if self._ledger.caught_up:
            if heard.intended is None:
                yield "unrecorded", "the record holds no intent"
            if heard.issued is None and not waiting:
                yield "unrecorded", "the record holds no outcome"
        if heard.issued is not None and not _keeps(heard.issued, row, row.der):
            yield "commitment", "other bytes than the record says were signed"
        if heard.intended is not None and not _keeps(heard.intended, row, _tbs(row.der)):
            yield "commitment", "other bytes than the record says were intended"

    def _published_of(self, row: Row, released: datetime | None, at: datetime) -> Iterator[Finding]:
        issuer = self._scene.issuers.get(row.issuer)
        if issuer is None or row.not_after < at or issuer.certificate.not_after < at:
            return
        said = on_list(row, self._lists.of(row, issuer), released=released, at=at)
        yield from (self._finding(row, *each) for each in said)
        yield from (self._finding(row, *each) for each in self._asked(row, issuer, at))

    def _asked(self, row: Row, issuer: Issuer, at: datetime) -> Iterator[tuple[str, str]]:
        live = self._published.live(row.issuer, live_question(row, issuer.certificate))
        yield from answered(row, live, issuer, at=at)
        for question in plain_questions(row, issuer.certificate):
            kept = self._published.kept(row.issuer, question)
            if kept is not None:
                yield from answered(row, kept, issuer, at=at, cached=True)

    def _key_of(self, row: Row, parsed: Parsed, at: datetime) -> Iterator[tuple[str, str]]:
        alive = row.withdrawn != "revoked" and row.not_after >= at
        if alive and (row.blocked or self._listed(parsed)):
            yield "key-blocked", "known to be compromised, and not revoked"

    def _listed(self, parsed: Parsed) -> bool:
        if parsed.key_hash in self._blocked:
            return True
        return isinstance(parsed.key, rsa.RSAPublicKey) and _modulus(parsed.key) in self._blocked

    def _look_again(self) -> None:
        """What reviewed files and authorities say is read again when one of them changed."""
        seen = _states([self._facts.profiles, self._facts.public], self._facts.blocklists)
        if seen != self._seen:
            self._scene = self._read_scene()
            self._blocked = frozenset(_lines(self._facts.blocklists))
            self._seen = seen

    def _read_scene(self) -> Scene:
        facts = self._facts
        return Scene(
            rules=read_rules(facts.profiles, oid_base=facts.oid_base),
            issuers=read_issuers(facts.public),
            origin=facts.origin,
            country=facts.country,
            domain=facts.domain,
            instance=facts.instance,
        )

    def _finding(self, row: Row, code: str, detail: str) -> Finding:
        return Finding(code, row.serial, detail, row.issuer, row.profile)

    def _event(
        self,
        kind: str,
        *,
        outcome: Outcome = Outcome.SUCCESS,
        about: str = "",
        attributes: Mapping[str, str | int | bool],
    ) -> Event:
        return Event(
            key=secrets.token_hex(16),
            type=kind,
            outcome=outcome,
            at=self._clock.now(),
            source="ca",
            object=about,
            attributes=dict(attributes),
        )


def _keeps(said: bytes, row: Row, content: bytes) -> bool:
    return hmac.compare_digest(said, commitment(row.commitment_key, content))


def _tbs(der: bytes) -> bytes:
    """The first element inside, cut out by its length; what cannot be cut is found elsewhere."""
    start = _header(der, 0)
    return der[start : _end(der, start)] if start else b""


def _header(der: bytes, place: int) -> int:
    if len(der) < place + 2:
        return 0
    length = der[place + 1]
    return place + 2 + (length & 0x7F if length & 0x80 else 0)


def _end(der: bytes, place: int) -> int:
    start = _header(der, place)
    if not start:
        return place
    length = der[place + 1]
    return start + (int.from_bytes(der[place + 2 : start], "big") if length & 0x80 else length)


def _modulus(key: rsa.RSAPublicKey) -> str:
    said = f"Modulus={key.public_numbers().n:X}\n"
    return hashlib.sha1(said.encode(), usedforsecurity=False).hexdigest()[20:]


def _lines(paths: Iterable[Path]) -> Iterator[str]:
    for path in paths:
        for line in path.read_text("ascii").splitlines():
            said = line.strip().lower()
            if said and not said.startswith("#"):
                yield said


def _states(folders: Iterable[Path], files: Iterable[Path]) -> tuple[object, ...]:
    paths = [path for folder in folders for path in (*folder.rglob("*.toml"), *folder.rglob("*.pem"))]
    return tuple((str(path), path.stat().st_mtime_ns) for path in sorted([*paths, *files]))
