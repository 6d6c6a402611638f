# SPDX-License-Identifier: Apache-2.0
"""Keeps signed PDFs provable: proofs and a stamp when its issuers have spoken, and another stamp before that one ends.

A stamp ends with the certificate of its unit, or when its algorithm is no longer trusted, whichever comes first. A step
makes the document longer and never changes what was there; whoever dies in it leaves the document as it was, and the
next round does the step again.
"""

import fcntl
import hashlib
import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from audit import Event, Outcome, Recorder
from core.clock import Clock
from core.errors import TallygateError
from core.log import logger

from ..archive import REFUTED, Archived, ArchiveStore, Cause, Keeping, NoArchive, NotArchivable, Outlook, Risk, Second
from ..errors import CannotSeal, SandboxFailed
from ..models import Format, Level, Overall, Profile, Trust, Verdict
from ..pades import cms
from ..pades.archive import KEPT, TWICE
from ..proofs.keys import key_name
from ..proofs.signed_data import read
from ..sandbox import ReaderPool
from ..shelf import Facts, Limits, Shelf
from ..verdict import judge
from .commitment import Commitments
from .desk import name_of_file

# Hexadecimal digits for a time-stamp with the certificates of its unit.
_ROOM = 16384
_FOREVER = timedelta(days=36525)
# What a unit is asked to stamp only to see how long that would prove anything.
_NOTHING = b""
_STAMPED = "signature.archive.stamped"
_LEVELS = (Level.B, Level.T, Level.LT, Level.LTA)
_log = logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The site's rules of keeping."""

    # A list counts as fresh that was made this long after the document came.
    grace: timedelta
    # The next stamp is due this long before the newest ends.
    ahead: timedelta
    # Last day on which an algorithm is trusted, by its name.
    ends: Mapping[str, date]
    # Bytes of everything that is kept.
    room: int


class Archiving:
    """The verbs of depositors, the work of keeping, and the report."""

    def __init__(
        self,
        *,
        store: ArchiveStore,
        shelf: Shelf,
        readers: ReaderPool,
        trust: Callable[[], Trust],
        lists: Callable[[], Sequence[bytes]],
        # Time-stamps for the file, and for beside it by another algorithm; without the first nothing is kept.
        stamp: Callable[[bytes], bytes] | None,
        second: Callable[[bytes], bytes] | None,
        recorder: Recorder,
        commitments: Commitments,
        clock: Clock,
        lock: Path,
        rules: Rules,
    ) -> None:
        self._store = store
        self._shelf = shelf
        self._readers = readers
        self._trust = trust
        self._lists = lists
        self._stamp = stamp
        self._second = second
        self._recorder = recorder
        self._commitments = commitments
        self._clock = clock
        self._lock = lock
        self._rules = rules

    def deposit(self, owner: str, document: bytes, *, name: str, organisation: str) -> Archived:
        """Take a signed PDF in, for which an organisation answers; on disk and on the record when this returns.

        Raises:
            NoArchive: nothing here would ever be stamped.
            NotArchivable: it is not signed, not trusted, or no PDF.
            Busy, ShelfFull, RecordUnavailable: it is not taken in.
        """
        if self._stamp is None:
            raise NoArchive
        verdict = self._judged(document)
        facts = [one.facts for one in verdict.signatures if one.facts is not None]
        if verdict.format is not Format.PDF or not facts or verdict.overall is Overall.NOT_TRUSTED:
            raise NotArchivable
        identifier, now = secrets.token_hex(16), self._clock.now()
        archived = Archived(
            id=identifier,
            owner=owner,
            shelved=self._put(identifier, document, name),
            sha256=hashlib.sha256(document).hexdigest(),
            keeping=Keeping.WAITING,
            deposited_at=now,
            authorities=" ".join(sorted({one.certificate.authority for one in facts} - {""})),
            organisation=organisation,
            level=min(facts, key=lambda one: _LEVELS.index(one.level)).level.value,
        )
        self._say(archived, "signature.archive.deposited", document)
        self._store.add(archived)
        return archived

    def one(self, owner: str, identifier: str) -> Archived:
        """One of an owner's documents; raises NoSuchArchived."""
        return self._store.one(owner, identifier)

    def read(self, owner: str, identifier: str) -> bytes:
        """Its present form, with everything that proves it; the reading is recorded first.

        Raises:
            NoSuchArchived: nothing of this name, or somebody else's.
        """
        return self._handed_out(self._store.one(owner, identifier), reader="")

    def of(self, organisation: str, *, before: tuple[datetime, str] | None, limit: int) -> list[Archived]:
        """What an organisation answers for, the newest first; whoever asks was found to act for it."""
        return self._store.of(organisation, before=before, limit=limit)

    def answered_for(self, organisation: str, identifier: str) -> Archived:
        """One of an organisation's; raises NoSuchArchived."""
        return self._store.answered_for(organisation, identifier)

    def name(self, archived: Archived) -> str:
        """What its file was called."""
        return self._shelf.one(_shelf(archived.id), archived.shelved).facts.name

    def packed(self, archived: Archived, *, reader: str) -> tuple[bytes, list[Second]]:
        """Its present form and the stamps beside it, for whoever acts for its organisation; recorded first."""
        return self._handed_out(archived, reader=reader), self._store.seconds(archived)

    def judged(self, archived: Archived) -> Verdict:
        """What the site says of its present form at this moment."""
        beside = [each.token for each in self._store.seconds(archived)]
        return self._judged(self._shelf.read(_shelf(archived.id), archived.shelved), beside)

    def outlook(self, archived: Archived) -> Outlook:
        """How one stands at this moment, and why."""
        now = self._clock.now()
        if archived.keeping is Keeping.WAITING or archived.ends_at is None:
            return Outlook(risk=Risk.WAITING, silent=tuple(self._silent(archived, self._lists())))
        ends, cause = self._proved_until(archived)
        return Outlook(risk=self._risk(archived, now), ends_at=ends, cause=cause, due_at=ends - self._rules.ahead)

    def standing(self) -> dict[str, int]:
        """Numbers for the probes: how many documents are how far."""
        now = self._clock.now()
        soon = now + self._rules.ahead / 2
        counts = self._store.counts(at=now, soon=soon, over=self._ending(now), ending=self._ending(soon))
        return {f"archive_{name}": number for name, number in asdict(counts).items()}

    def _handed_out(self, archived: Archived, *, reader: str) -> bytes:
        document = self._shelf.read(_shelf(archived.id), archived.shelved)
        self._say(archived, "signature.archive.read", document, subject=reader)
        return document

    def seconds(self, owner: str, identifier: str) -> list[Second]:
        """The stamps of another algorithm beside it; raises NoSuchArchived."""
        return self._store.seconds(self._store.one(owner, identifier))

    def report(self) -> Iterator[tuple[Archived, Risk]]:
        """Every document and what threatens it at this moment."""
        now = self._clock.now()
        for each in self._store.all():
            yield each, self._risk(each, now)

    def work(self) -> int:
        """Do what is due; how many documents came a step further."""
        stamp = self._stamp
        if stamp is None:
            return 0
        done, soon = 0, self._clock.now() + self._rules.ahead
        with self._alone() as mine:
            if mine:
                gain = _Gain(lambda: self._end(stamp(_NOTHING))[0])
                for each in self._store.due(before=soon, ending=self._ending(soon)):
                    if each.keeping is Keeping.WAITING or self._gains(each, gain):
                        done += self._try(each, stamp)
        return done

    def _gains(self, archived: Archived, gain: "_Gain") -> bool:
        """Whether another stamp makes its proof last longer: not after it was lost, nor by a unit that ends sooner."""
        ends, _ = self._proved_until(archived)
        try:
            return self._risk(archived, self._clock.now()) is not Risk.LOST and gain.until() > ends
        except TallygateError as error:
            self._trouble(archived, error)
            return False

    def _trouble(self, archived: Archived, error: TallygateError) -> None:
        _log.warning("archive_step_failed", document=archived.id, code=error.code)
        if archived.trouble not in {error.code, REFUTED}:
            self._store.replace(archived, replace(archived, trouble=error.code))

    def _try(self, archived: Archived, stamp: Callable[[bytes], bytes]) -> bool:
        try:
            return self._step(archived, stamp)
        except TallygateError as error:
            self._trouble(archived, error)
            return False

    def _step(self, archived: Archived, stamp: Callable[[bytes], bytes]) -> bool:
        lists = [*self._lists()]
        if archived.keeping is Keeping.WAITING and self._silent(archived, lists):
            return False
        owner = _shelf(archived.id)
        for each in self._shelf.of(owner):
            if each.id != archived.shelved:
                # What somebody made who died before it counted.
                self._shelf.remove(owner, each.id)
        document = self._shelf.read(owner, archived.shelved)
        kept, covered, token = self._lengthened(document, lists, number=archived.stamps + 1, stamp=stamp)
        ends, algorithm = self._end(token)
        now, refuted = self._clock.now(), archived.trouble == REFUTED or self._refuted(archived, kept)
        name = self._shelf.one(owner, archived.shelved).facts.name
        after = replace(
            archived,
            shelved=self._put(archived.id, kept, name),
            sha256=hashlib.sha256(kept).hexdigest(),
            keeping=Keeping.KEPT,
            stamps=archived.stamps + 1,
            stamped_at=now,
            ends_at=ends,
            algorithm=algorithm,
            trouble=REFUTED if refuted else "",
        )
        beside = None
        if self._second is not None:
            digest = hashlib.sha256(covered).hexdigest()
            beside = Second(
                archived=archived.id, number=after.stamps, digest=digest, token=self._second(covered), at=now
            )
        self._say(after, _STAMPED, kept)
        if not self._store.replace(archived, after, beside):
            return False
        self._shelf.remove(owner, archived.shelved)
        return True

    def _refuted(self, archived: Archived, kept: bytes) -> bool:
        """Whether what the issuers said since it came, which is in it now, is that it must not be trusted."""
        if archived.keeping is not Keeping.WAITING:
            return False
        try:
            return self._judged(kept).overall is Overall.NOT_TRUSTED
        except NotArchivable:
            # It could be read when it came; whatever keeps us from reading it now says nothing of its signers.
            return False

    def _lengthened(
        self, document: bytes, lists: Sequence[bytes], *, number: int, stamp: Callable[[bytes], bytes]
    ) -> tuple[bytes, bytes, bytes]:
        """The document with what issuers say now and a stamp over all of it; what that is over, and the stamp."""
        trust = self._trust()
        shown = [
            each.public_bytes(Encoding.DER)
            for text in (*trust.issuers.values(), *trust.roots)
            for each in x509.load_pem_x509_certificates(text.encode())
        ]
        try:
            proved = self._readers.add_proofs(document, certificates=shown, lists=lists)
            # So the file itself says whether another stamp stands beside it, and one that is taken away is missed.
            field = KEPT if self._second is None else TWICE
            room = self._readers.prepare_stamp(proved, room=_ROOM, name=f"{field}{number}")
        except SandboxFailed as error:
            raise CannotSeal from error
        covered = room.document[: room.start] + room.document[room.end :]
        token = stamp(covered)
        kept = cms.put_into(room.document, start=room.start, end=room.end, content=token)
        if not kept.startswith(document):
            # The reading process touched what was there.
            raise CannotSeal
        return kept, covered, token

    def _silent(self, archived: Archived, lists: Sequence[bytes]) -> list[str]:
        """Those of its issuers that have not spoken since a while after it came."""
        issuers, since = self._trust().issuers, archived.deposited_at + self._rules.grace
        made: dict[bytes, datetime] = {}
        for each in map(x509.load_der_x509_crl, lists):
            name = each.issuer.public_bytes()
            made[name] = max(each.last_update_utc, made.get(name, each.last_update_utc))
        silent = []
        for authority in archived.authorities.split():
            issuer = x509.load_pem_x509_certificate(issuers[authority].encode()) if authority in issuers else None
            if issuer is not None and made.get(issuer.subject.public_bytes(), datetime.min.replace(tzinfo=UTC)) < since:
                silent.append(authority)
        return silent

    def _proved_until(self, archived: Archived) -> tuple[datetime, Cause]:
        """When its newest stamp ends by the rules of this moment, and by what."""
        written = archived.ends_at or self._clock.now()
        last = self._rules.ends.get(archived.algorithm)
        if last is None:
            return min(written, archived.stamped_at or written), Cause.UNNAMED
        trusted = datetime(last.year, last.month, last.day, tzinfo=UTC)
        return (trusted, Cause.ALGORITHM) if trusted <= written else (written, Cause.CERTIFICATE)

    def _ending(self, before: datetime) -> list[str]:
        """The algorithms in use that are trusted no more at a moment."""
        ends = self._rules.ends
        return sorted(
            each
            for each in self._store.algorithms()
            if each not in ends or datetime(ends[each].year, ends[each].month, ends[each].day, tzinfo=UTC) <= before
        )

    def _end(self, token: bytes) -> tuple[datetime, str]:
        """Until when a stamp proves anything, and the algorithm of its unit's key."""
        certificate = read(token).signers[0].certificate
        if certificate is None:
            raise CannotSeal
        own = x509.load_der_x509_certificate(certificate)
        algorithm = key_name(own)
        last = self._rules.ends.get(algorithm)
        if last is None:
            # Nobody has said how long it is trusted: as good as not any more.
            return self._clock.now(), algorithm
        return min(own.not_valid_after_utc, datetime(last.year, last.month, last.day, tzinfo=UTC)), algorithm

    def _risk(self, archived: Archived, now: datetime) -> Risk:
        if archived.keeping is Keeping.WAITING or archived.ends_at is None:
            return Risk.WAITING
        ends, cause = self._proved_until(archived)
        if ends < now or cause is Cause.UNNAMED:
            return Risk.LOST
        if archived.trouble == REFUTED:
            return Risk.REFUTED
        return Risk.DUE if ends - self._rules.ahead < now else Risk.NONE

    def _judged(self, document: bytes, beside: Sequence[bytes] = ()) -> Verdict:
        at = self._clock.now()
        try:
            found = self._readers.inspect(
                document, trust=self._trust(), lists=self._lists(), profile=Profile.STRICT, at=at, tokens=beside
            )
        except SandboxFailed as error:
            raise NotArchivable from error
        return judge(document, found, profile=Profile.STRICT, at=at)

    def _put(self, identifier: str, document: bytes, name: str) -> str:
        facts = Facts(name=name_of_file(name), sha256=hashlib.sha256(document).hexdigest(), signatures=1)
        limits = Limits(most=1000, most_bytes=self._rules.room, most_bytes_of_all=self._rules.room, lifetime=_FOREVER)
        return self._shelf.put(_shelf(identifier), document, facts=facts, limits=limits).id

    def _say(self, archived: Archived, type_: str, document: bytes, *, subject: str = "") -> None:
        told: dict[str, str | int | bool] = {"document": self._commitments.of(document), "stamps": archived.stamps}
        if archived.algorithm:
            told["algorithm"] = archived.algorithm
        if archived.trouble == REFUTED and type_ == _STAMPED:
            told["verdict"] = Overall.NOT_TRUSTED.value
        self._recorder.record(
            Event(
                key=secrets.token_hex(16),
                type=type_,
                outcome=Outcome.SUCCESS,
                at=self._clock.now(),
                source="signatures",
                subject=subject or archived.owner.partition(":")[2],
                object=archived.id,
                organisation=archived.organisation,
                attributes=told,
            )
        )

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True
        finally:
            os.close(descriptor)


class _Gain:
    """Until when a stamp made now would prove something; asked once, and only if somebody wants to know."""

    def __init__(self, ask: Callable[[], datetime]) -> None:
        self._ask = ask
        self._known: datetime | None = None

    def until(self) -> datetime:
        """The moment; raises what the unit's authority raises."""
        if self._known is None:
            self._known = self._ask()
        return self._known


def _shelf(identifier: str) -> str:
    return f"archive:{identifier}"
