# SPDX-License-Identifier: Apache-2.0
"""What officers, services and citizens may read of the record; every reading is recorded before it is answered.

A search is made, its number of hits is recorded, and only then it is shown: if the record cannot be kept, nothing
is. An entry that is opened is read from the log itself, never from the index, and proven on the way.

An officer's words in a search are sealed under the officer's own key. Opening an entry is recorded as being about
the person the entry is about, who therefore finds it in their own record.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence

from core.clock import Clock
from core.db import DatabaseUnavailable
from core.errors import TallygateError
from core.log import logger

from ..errors import LogDamaged, NoSuchEntry
from ..indexer import Indexer
from ..models import Attribute, Entry, Event, Outcome, Reader, Recorder
from ..search import (
    Evidence,
    IndexDamaged,
    LogView,
    NameTokens,
    NoSuchTile,
    Query,
    Row,
    SearchTooLong,
    TileAddress,
    UnknownCursor,
    Vocabulary,
    check,
    proof_text,
    row_of,
)
from ..search.words import told
from ..store import IndexStore
from ..warrants import Scope, Warrant, Warrants
from ..witness import WitnessStatus
from .asking import asked_of, personal, span_of
from .facts import PublicFacts
from .models import Hit, Opened, Page
from .opening import Openings, Scopes

_log = logger(__name__)
UNKNOWN = -1
"""Lag of an index that cannot be written: how much of the record is not in it cannot be said."""
AROUND = 5
"""Entries of a session that are shown before and after one."""
_CATCH_UP_BATCHES = 8
"""How much a search reads before it answers; more lag than that is shown on the page instead."""


class Console(PublicFacts):
    """The verbs of reading."""

    def __init__(
        self,
        *,
        log: LogView,
        index: IndexStore,
        indexer: Indexer,
        names: NameTokens,
        recorder: Recorder,
        clock: Clock,
        warrants: Warrants,
        scopes: Scopes,
        witnesses: Callable[[], WitnessStatus | None] = lambda: None,
        vocabulary: Vocabulary | None = None,
    ) -> None:
        super().__init__(log)
        self._vocabulary = vocabulary or Vocabulary(told())
        self._warrants = warrants
        self.scopes = scopes
        self._witnesses = witnesses
        self._index = index
        self._indexer = indexer
        self._names = names
        self._recorder = recorder
        self._clock = clock

    def search(self, reader: Reader, query: Query, *, unseal: bool = True) -> Page:
        """The newest entries that match, with the personal parts that this officer's warrants cover.

        Raises:
            UnknownCursor: the log is not that long.
            RecordUnavailable: the search could not be recorded.
        """
        lag = self.catch_up()
        if query.after is not None and query.after > self._log.size():
            raise UnknownCursor
        persons, words = self.persons(query.person), self._words(query)
        rows, survey = self._index.answer(query, persons, words)
        shown = rows[: query.limit]
        openings = self.openings(reader)
        hits = [self.hit(row, openings) if unseal else Hit(row=row, sealed={}) for row in shown]
        self.record(
            "audit.read" if reader.role else "audit.searched",
            reader,
            attributes=asked_of(query)
            | span_of(shown)
            | openings.told()
            | {"hits": survey.counted, "persons": len(persons)},
            sealed=personal(query) if reader.subject else {},
        )
        return Page(
            hits=hits,
            total=survey.counted,
            more=survey.more,
            next=shown[-1].index if len(rows) > query.limit else None,
            lag=lag,
            survey=survey,
            damaged=self._index.damaged(),
        )

    def open(self, reader: Reader, index: int) -> Opened:
        """One entry and its proof, checked; its personal part if a warrant of this officer covers it.

        Raises:
            NoSuchEntry: the log is not that long; asking is recorded all the same.
            LogDamaged: the entry's bytes do not lead to the signed root.
            RecordUnavailable: the opening could not be recorded.
        """
        openings = self.openings(reader)
        opened: list[tuple[Mapping[str, str] | None, Warrant | None]] = []

        def unsealed(entry: Entry) -> dict[str, Attribute]:
            sealed, warrant = openings.sealed(entry)
            opened.append((sealed, warrant))
            return openings.told()

        entry, raw, evidence = self._read(reader, index, part="entry", told=unsealed)
        [(sealed, warrant)] = opened
        row = row_of(entry)
        before, after = self._around(entry)
        return Opened(
            entry=entry,
            row=row,
            sealed=sealed,
            hidden=warrant is None and bool(sealed is not None and entry.ciphertext),
            pseudonym=openings.pseudonym(row),
            warrant=warrant,
            raw=raw,
            evidence=evidence,
            before=before,
            after=after,
        )

    def raw(self, reader: Reader, index: int) -> bytes:
        """The bytes that were hashed; raises as ``open``."""
        return self._read(reader, index, part="raw")[1]

    def proof(self, reader: Reader, index: int) -> str:
        """The proof as a C2SP file; raises as ``open``."""
        self._read(reader, index, part="proof")
        return proof_text(self._log.prove(index))

    def own(self, reader: Reader, subject: str, index: int) -> tuple[bytes, str]:
        """One entry about a person and its proof as a C2SP file, for that person; checked before they are told.

        Raises:
            NoSuchEntry: the log is not that long, or the entry is about somebody else.
            LogDamaged: the entry's bytes do not lead to the signed root.
            RecordUnavailable: the reading could not be recorded.
        """
        entry, raw, _evidence = self._read(reader, index, part="own")
        if entry.event.subject != subject:
            raise NoSuchEntry
        return raw, proof_text(self._log.prove(index))

    def one(self, reader: Reader, index: int) -> tuple[Row, bytes]:
        """One entry's clear header and its bytes, checked; raises as ``open``."""
        entry, raw, _evidence = self._read(reader, index, part="change")
        return row_of(entry), raw

    def history(self, reader: Reader, subject: str, *, after: int | None, limit: int) -> Sequence[Row]:
        """What the record holds about one person, for that person.

        Raises:
            RecordUnavailable: the reading could not be recorded.
        """
        self.catch_up()
        rows = self._index.about(subject, after=after, limit=limit)
        self.record("audit.read", reader, subject=subject, attributes={"view": "own", "hits": len(rows)})
        return rows

    def bundle(self, reader: Reader, address: TileAddress, log: str = "") -> bytes:
        """The entries of one bundle, for mirrors, and for officers with a warrant; recorded as a range.

        ``log`` names a closed log; the present one has no name here.

        Raises:
            NoSuchEntry: there is no closed log of that name.
            NoSuchTile: no published checkpoint implies it.
            WarrantNeeded: the officer holds none that lets these entries out.
            RecordUnavailable: the reading could not be recorded.
        """
        implied = address.implied_by(self._log.tree_size(log))
        found = self._log.bundle(address.index, address.width, log) if implied else None
        if found is None:
            raise NoSuchTile
        told: dict[str, Attribute] = {"first": address.first, "count": address.width}
        if log:
            told["log"] = log
        if not reader.role:
            told["warrant"] = self.letting_out(reader, self._log.base(log) + address.first, address.width)
        self.record("audit.read", reader, attributes=told)
        return found

    def letting_out(self, reader: Reader, first: int, count: int) -> str:
        """The warrant that lets this officer take these entries out, which are named by their places.

        Raises:
            WarrantNeeded: the officer holds none.
        """
        last = first + count - 1
        scope = Scope("range", f"{first}-{last}")
        return self._warrants.demand(reader, "export", scope, covered=_holding(first, last)).id

    def quorum(self) -> WitnessStatus | None:
        """How our witnesses stand; None where none are asked."""
        return self._witnesses()

    def witnesses(self, reader: Reader) -> WitnessStatus | None:
        """The same for an officer, whose look is recorded.

        Raises:
            RecordUnavailable: the look could not be recorded.
        """
        self.record("audit.searched", reader, attributes={"view": "witnesses"})
        return self._witnesses()

    def standing(self) -> Mapping[str, int]:
        """What a probe tells: whether enough witnesses cosign, and how many entries lie beyond what they have."""
        status = self._witnesses()
        if status is None:
            return {}
        return {"witness_quorum": int(status.met), "witness_behind": max(0, self._log.tree_size() - status.witnessed)}

    def ready(self) -> None:
        """Raise while nothing could be read."""
        self._index.check()
        self._log.checkpoint()

    def _read(
        self,
        reader: Reader,
        index: int,
        *,
        part: str,
        told: Callable[[Entry], Mapping[str, Attribute]] = lambda _entry: {},
    ) -> tuple[Entry, bytes, Evidence]:
        try:
            found = self._log.read(index, 1) if index < self._log.size() else ()
            if not found:
                raise NoSuchEntry
            raw = self._log.raw(index)
            inclusion = self._log.prove(index)
            size, root = self._log.opened_checkpoint(inclusion.checkpoint)
            evidence = check(raw, inclusion, size=size, root=root)
            more = told(found[0])
        except TallygateError as error:
            self._opened(reader, index, part=part, subject="", failed=error.code)
            raise
        self._opened(reader, index, part=part, subject=found[0].event.subject, more=more)
        return found[0], raw, evidence

    def _opened(
        self,
        reader: Reader,
        index: int,
        *,
        part: str,
        subject: str,
        failed: str = "",
        more: Mapping[str, Attribute] | None = None,
    ) -> None:
        attributes: dict[str, Attribute] = {"part": part, **(more or {})}
        if failed:
            attributes["reason"] = failed
        outcome = Outcome.FAILURE if failed else Outcome.SUCCESS
        self.record("audit.opened", reader, subject=subject, what=str(index), attributes=attributes, outcome=outcome)

    def catch_up(self) -> int | None:
        """Read on in the log; the lag that is left, None if a damaged entry stopped it, UNKNOWN if the index did."""
        try:
            return self._indexer.catch_up(batches=_CATCH_UP_BATCHES)
        except LogDamaged as error:
            # What was indexed before stays searchable: now is when officers need it.
            _log.error("index_stopped", exc_info=error)
            return None
        except (IndexDamaged, DatabaseUnavailable) as error:
            _log.warning("index_stopped", code=error.code)
            return UNKNOWN

    def clear(self, index: int) -> Event | None:
        """The header of an entry, to compare something with; None while it is not published. Shows nothing."""
        found = self._log.read(index, 1) if index < self._log.size() else ()
        return found[0].event if found else None

    def line(self, index: int, openings: Openings) -> Hit | None:
        """One entry as in a list; None while it is not published. Whoever shows it has recorded that before."""
        found = self._log.read(index, 1) if index < self._log.size() else ()
        return self.hit(row_of(found[0]), openings) if found else None

    def persons(self, person: str) -> frozenset[str]:
        """Whom a name or identifier stands for."""
        return self._index.subjects(self._names.token(person)) | {person} if person else frozenset()

    def _around(self, entry: Entry) -> tuple[Sequence[Row], Sequence[Row]]:
        """The session around an entry; nothing while the index does not answer, for the entry itself needs no index."""
        try:
            return self._index.around(entry.event.session, entry.index, AROUND) if entry.event.session else ((), ())
        except (IndexDamaged, SearchTooLong, DatabaseUnavailable) as error:
            _log.warning("session_not_found", code=error.code)
            return (), ()

    def _words(self, query: Query) -> list[str]:
        """The question for each phrase: as a word of the clear header or the sealed part, or of a code's name."""
        asked = []
        for phrase in query.phrases:
            either = [self._names.words.asks(phrase), *self._vocabulary.asks(phrase)]
            asked.append("(" + " OR ".join(one for one in either if one) + ")")
        return asked

    def purpose(self, place: int) -> Mapping[str, str] | None:
        """The sealed part of a request for consent, which the second officer decides by; None if it was erased."""
        try:
            entry = self._log.read(place, 1)[0]
            return self._log.unseal(entry) if entry.event.type == "audit.warrant.asked" else None
        except LogDamaged as error:
            _log.error("entry_damaged", index=place, exc_info=error)
            return None

    def openings(self, reader: Reader) -> Openings:
        """What this officer may see of personal parts now; ``told`` belongs into the record of what is shown."""
        return Openings(self._warrants, self.scopes, self._log, self._names, reader)

    def hit(self, row: Row, openings: Openings) -> Hit:
        """A line of a list, with what the officer may see of its personal part."""
        try:
            return openings.hit(row)
        except LogDamaged as error:
            # The rest of the page stands; opening this entry reports the damage.
            _log.error("entry_damaged", index=row.index, exc_info=error)
            return Hit(row=row, sealed={}, pseudonym=openings.pseudonym(row))

    def record(
        self,
        kind: str,
        reader: Reader,
        *,
        attributes: Mapping[str, Attribute],
        subject: str = "",
        what: str = "",
        sealed: Mapping[str, str] | None = None,
        outcome: Outcome = Outcome.SUCCESS,
    ) -> None:
        """Put into the record what was read and by whom; nothing may be shown before this returns.

        Raises:
            RecordUnavailable: the log took nothing.
        """
        self._recorder.record(
            Event(
                key=secrets.token_hex(16),
                type=kind,
                outcome=outcome,
                at=self._clock.now(),
                source="audit",
                subject=subject or reader.subject,
                actor=reader.subject,
                object=what,
                session=reader.session,
                zone=reader.zone,
                decision=reader.decision,
                attributes={**attributes, "reader": reader.role} if reader.role else attributes,
                sealed=sealed or {},
            )
        )


def _holding(first: int, last: int) -> Callable[[Scope], bool]:
    """Tells whether a range holds all of these entries."""

    def holds(scope: Scope) -> bool:
        if scope.kind != "range":
            return False
        begin, _, end = scope.value.partition("-")
        return int(begin) <= first and last <= int(end)

    return holds
