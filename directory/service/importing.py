# SPDX-License-Identifier: Apache-2.0
"""A file of any length on its way in, read piece by piece: first looked through whole, then entered in pieces.

A line that cannot be right by itself, or that repeats another, refuses the whole file before anything is entered. Then
each piece is one recorded undertaking, whole or absent whenever the power goes; between two pieces other verbs have
their turn. What is there already and says the same is passed over, so a file is given again after a crash. What is
there and says something else, or refers to nothing, is refused by its line, and the others are entered.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from io import TextIOWrapper
from itertools import islice
from typing import BinaryIO, Protocol

from core.db import OutboxFull
from core.errors import N_

from ..errors import UnreadableImport
from ..imports import Batch, Refusal, Row, csv_rows, ldif_rows, parse, repeated
from ..imports.records import TWICE
from .entering import new_id

PIECE = 500
"""Lines in one undertaking."""
_WAITING = 4_000
"""Outcomes that may wait for the record, or changes that the watch has not seen, before the next piece."""
_PAUSE = 0.05
_PATIENCE = 1_200
"""Pauses without one outcome taken."""
_ROUNDS = (
    frozenset({"organisation", "agency"}),
    frozenset({"department"}),
    frozenset({"post"}),
    frozenset({"citizen", "civil-servant", "device"}),
    frozenset({"mandate"}),
)
"""What refers to something comes after it, wherever it stands in the file."""


@dataclass(frozen=True, kw_only=True)
class Course:
    """How far it has got; ``entered`` counts people, organisations and everything else."""

    entered: int = 0
    # There already, and the same.
    there: int = 0
    refused: int = 0


class Entering(Protocol):
    """The writer, as far as it is needed here."""

    def enter_new(self, batch: Batch, *, actor: str) -> tuple[int, int, tuple[Refusal, ...]]:
        """Enter what is new: how many those are, how many were there, and what was refused."""
        ...


class Importing:
    """Enters files; ``waiting`` is how much the role has still to bring to the record and to hold against it."""

    def __init__(self, writer: Entering, *, waiting: Callable[[], int], pause: Callable[[float], None]) -> None:
        self._writer = writer
        self._waiting = waiting
        self._pause = pause

    def enter(
        self, file: BinaryIO, kind: str, *, refuse: Callable[[Refusal], None], tell: Callable[[Course], None]
    ) -> Course:
        """Enter what a file of this kind, ``csv`` or ``ldif``, holds.

        ``refuse`` is told of each line that is not entered, ``tell`` how far it has got after each piece.

        Raises:
            UnreadableImport: it is no such file, or too much of it is unlike one; nothing was entered.
            OutboxFull: the record takes nothing; what was entered stays, and the file may be given again.
            Pending: a piece is recorded and is finished when the server answers again; the file may be given again.
        """
        refused = 0
        for refusal in _look_through(file, kind):
            refuse(refusal)
            refused += 1
        if refused:
            return Course(refused=refused)
        course = Course()
        for kinds in _ROUNDS:
            for rows in _pieces(row for row in _rows(file, kind) if row.kind in kinds):
                self._let_record_follow()
                entered, there, against = self._writer.enter_new(parse(rows, new_id=new_id), actor="")
                for refusal in against:
                    refuse(refusal)
                course = replace(
                    course, entered=course.entered + entered, there=course.there + there,
                    refused=course.refused + len({each.line for each in against}),
                )  # fmt: skip
                tell(course)
        return course

    def _let_record_follow(self) -> None:
        """Wait until the role has brought most of what is waiting to the record."""
        fewest, patience = self._waiting(), _PATIENCE
        while (waiting := self._waiting()) > _WAITING:
            patience = _PATIENCE if waiting < fewest else patience - 1
            fewest = min(fewest, waiting)
            if not patience:
                raise OutboxFull
            self._pause(_PAUSE)


def _look_through(file: BinaryIO, kind: str) -> Iterator[Refusal]:
    seen: set[bytes] = set()
    empty = True
    for rows in _pieces(_rows(file, kind)):
        empty = False
        batch = parse(rows, new_id=new_id)
        yield from batch.refused
        devices = [(line, f"{each.organisation} {each.name}") for line, each in batch.devices]
        known = {refusal.line for refusal in batch.refused}
        for line, name, _ in repeated(batch, seen):
            if line not in known:
                yield Refusal(line, name, TWICE)
        yield from (Refusal(line, "name", TWICE) for line in _twice(devices, seen))
    if empty:
        raise UnreadableImport(why=N_("it is empty"))


def _twice(devices: Iterable[tuple[int, str]], seen: set[bytes]) -> Iterator[int]:
    for line, told in devices:
        mark = b"device " + told.encode()
        if mark in seen:
            yield line
        seen.add(mark)


def _rows(file: BinaryIO, kind: str) -> Iterator[Row]:
    """From the beginning; the file stays open for the next time."""
    read = {"csv": csv_rows, "ldif": ldif_rows}.get(kind)
    if read is None:
        raise UnreadableImport(why=N_("its name must end with .csv or .ldif"))
    file.seek(0)
    lines = TextIOWrapper(file, encoding="utf-8-sig", newline="")
    try:
        yield from read(lines)
    except UnicodeDecodeError as error:
        raise UnreadableImport(why=N_("it is not encoded in UTF-8")) from error
    finally:
        lines.detach()


def _pieces(rows: Iterable[Row]) -> Iterator[list[Row]]:
    given = iter(rows)
    while piece := list(islice(given, PIECE)):
        yield piece
