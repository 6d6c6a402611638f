# SPDX-License-Identifier: Apache-2.0
"""What one part holds, compared with what it was given."""

from collections import Counter
from collections.abc import Sequence

from ..search import Indexed
from ..search.rows import stamp
from .part import Part
from .rows import DAY, ENTRY, HOUR, KINDS, counted, named, values_of

_STRETCH = 16_384
"""Facts that are held in memory at once while the counters are counted again."""


def differs(part: Part, entries: Sequence[Indexed]) -> int | None:
    """The first of consecutive entries that it holds otherwise than it was given; None if all are the same.

    Looked at are the header, the words, the facts and the names; the counters by ``miscounted``.
    """
    first, last = entries[0].row.index, entries[-1].row.index
    bad = {*_other_headers(part, entries), *_other_words(part, entries, first, last)}
    with part.reading() as connection:
        for entry in entries:
            if any(
                not connection.execute(
                    "SELECT count(*) FROM namesake WHERE token = ? AND subject = ?", (token, entry.row.subject)
                ).fetchone()[0]
                for token in entry.names
            ):
                bad.add(entry.row.index)
    return min(bad, default=None)


def miscounted(part: Part) -> bool:
    """Whether the counters are not those of the facts; only of a closed part, which stays as it is."""
    extent = part.extent()
    counted: dict[int, Counter[tuple[int, int]]] = {HOUR: Counter(), DAY: Counter()}
    for upper in range(extent.next - 1, extent.first - 1, -_STRETCH):
        facts = part.facts_file.read(range(upper, max(extent.first - 1, upper - _STRETCH), -1))
        for grain, sums in counted.items():
            sums.update((at - at % grain, kind) for at, kind, _code in facts)
    with part.reading() as connection:
        return any(
            counted[grain] != {(at, kind): times for at, kind, times in connection.execute(f"SELECT * FROM {table}")}  # noqa: S608
            for table, grain in (("hour", HOUR), ("day", DAY))
        )


def _other_headers(part: Part, entries: Sequence[Indexed]) -> set[int]:
    columns = ", ".join((*ENTRY, "sealed"))
    first, last = entries[0].row.index, entries[-1].row.index
    facts = part.facts_file.read(range(last, first - 1, -1))[::-1]
    with part.reading() as connection:
        statement = f"SELECT {columns} FROM entry WHERE place BETWEEN ? AND ?"  # noqa: S608
        held = {row[0]: row for row in connection.execute(statement, (first, last))}
        kinds = named(connection, f"SELECT id, {KINDS} FROM kind", {kind for _at, kind, _code in facts})  # noqa: S608
        objects = named(connection, "SELECT id, text FROM code", {code for _at, _kind, code in facts})
    return {
        entry.row.index
        for entry, (at, kind, code) in zip(entries, facts, strict=True)
        if held.get(entry.row.index) != (*values_of(entry.row), entry.sealed)
        or (at, kinds[kind], objects[code]) != (stamp(entry.row.at), counted(entry.row), (entry.row.object,))
    }


def _other_words(part: Part, entries: Sequence[Indexed], first: int, last: int) -> set[int]:
    wanted: dict[str, set[int]] = {}
    for entry in entries:
        for word in f"{entry.marks} {entry.sealed}".split():
            wanted.setdefault(word, set()).add(entry.row.index)
    bad: set[int] = set()
    with part.reading() as connection:
        for word, places in wanted.items():
            found = connection.execute(
                "SELECT rowid FROM word WHERE word MATCH ? AND rowid >= ? AND rowid <= ?",
                (f'"{word}"', first, last),
            )
            bad |= places ^ {place for (place,) in found}
    return bad
