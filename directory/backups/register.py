# SPDX-License-Identifier: Apache-2.0
"""The register on disk, entry by entry: loaded from a dump, brought to a moment by the server's notes, compared.

One file of SQLite that is thrown away afterwards, so that a register of any size needs little memory. Each entry knows
the number of its last change, so a note that is in the dump already changes nothing.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

from .ldif import Entry, Values, entries, instant, mods

# What the server writes by itself; two registers that differ in nothing else are the same.
_BOOKKEEPING = frozenset({
    "structuralobjectclass", "entryuuid", "creatorsname", "createtimestamp", "entrycsn", "modifiersname",
    "modifytimestamp", "memberof", "contextcsn",
})  # fmt: skip
_COMMIT_EVERY = 5_000


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One entry that two registers do not agree about."""

    # ``added``, ``removed`` or ``changed``.
    verb: str
    dn: str
    attributes: tuple[str, ...] = ()
    # Whether a switched off entry comes back switched on.
    lets_in: bool = False


class Register:
    """Entries by name."""

    def __init__(self, path: Path | str) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.executescript(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"
            "CREATE TABLE entry (place INTEGER PRIMARY KEY, key TEXT UNIQUE NOT NULL, dn TEXT NOT NULL,"
            " body TEXT NOT NULL);"
            "CREATE TABLE renamed (old TEXT PRIMARY KEY, dn TEXT NOT NULL);"
            "CREATE TABLE held (key TEXT NOT NULL, held TEXT NOT NULL, PRIMARY KEY (key, held)) WITHOUT ROWID"
        )
        # The last change that is in here.
        self.newest = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def load(self, pieces: Iterable[bytes]) -> int:
        """Take in a dump; returns how many entries it has."""
        count = 0
        self._connection.execute("BEGIN")
        for entry in entries(pieces):
            self._put(entry)
            self.newest = max(self.newest, entry.text("entryCSN"))
            count += 1
            if count % _COMMIT_EVERY == 0:
                self._connection.executescript("COMMIT; BEGIN")
        self._connection.execute("COMMIT")
        return count

    def advance(self, notes: Iterable[Entry], *, to: datetime | None) -> int:
        """Make every change that was made up to a moment, in the order of the notes; returns how many were new."""
        made = 0
        self._connection.execute("BEGIN")
        for note in notes:
            csn = note.text("entryCSN")
            at = instant(csn)
            if not note.text("reqType") or at is None or (to is not None and at > to):
                continue
            made += self._make(note, csn)
        self._connection.execute("COMMIT")
        return made

    def settle(self) -> None:
        """Let memberships be as the groups say, of whoever is there; the server does not note what follows."""
        self._connection.execute("BEGIN")
        self._connection.execute("DELETE FROM held")
        for entry in list(self._groups()):
            members = [self._present(value.decode("utf-8")) for value in entry.all("member")]
            kept = list(dict.fromkeys(dn for dn in members if dn))
            others = [(name, value) for name, value in entry.values if name.lower() != "member"]
            self._put(Entry(entry.dn, others + [("member", dn.encode("utf-8")) for dn in kept]))
            rows = [(_key(dn), entry.dn) for dn in kept]
            self._connection.executemany("INSERT OR IGNORE INTO held VALUES (?, ?)", rows)
        self._connection.execute("COMMIT")

    def entries(self) -> Iterator[Entry]:
        """All of them, those above before those below."""
        for key, dn, body in self._connection.execute("SELECT key, dn, body FROM entry ORDER BY place"):
            values = [(name, value) for name, value in _values(body) if name.lower() != "memberof"]
            groups = self._connection.execute("SELECT held FROM held WHERE key = ? ORDER BY held", (key,))
            yield Entry(dn, values + [("memberOf", group.encode("utf-8")) for (group,) in groups])

    def ldif(self) -> Iterator[bytes]:
        """As slapadd takes it."""
        for entry in self.entries():
            yield entry.lines()

    def differences(self, other: "Register") -> Iterator[Difference]:
        """What would become of this one, were the other one put in its place."""
        for dn, body in self._connection.execute("SELECT dn, body FROM entry ORDER BY key"):
            now, then = Entry(dn, _values(body)), other.find(dn)
            if then is None:
                yield Difference(verb="removed", dn=dn)
            elif changed := _changed(now, then):
                lets_in = (now.text("tallyEnabled"), then.text("tallyEnabled")) == ("FALSE", "TRUE")
                yield Difference(verb="changed", dn=dn, attributes=changed, lets_in=lets_in)
        for dn, body in other.rows():
            if self.find(dn) is None:
                is_on = Entry(dn, _values(body)).text("tallyEnabled") == "TRUE"
                yield Difference(verb="added", dn=dn, lets_in=is_on)

    def rows(self) -> Iterator[tuple[str, str]]:
        """Names and contents."""
        yield from self._connection.execute("SELECT dn, body FROM entry ORDER BY key")

    def find(self, dn: str) -> Entry | None:
        """One entry."""
        row = self._connection.execute("SELECT dn, body FROM entry WHERE key = ?", (_key(dn),)).fetchone()
        return Entry(row[0], _values(row[1])) if row else None

    def _make(self, note: Entry, csn: str) -> bool:
        verb, dn = note.text("reqType"), note.text("reqDN")
        there = self.find(dn)
        if there is not None and there.text("entryCSN") >= csn:
            return False
        if verb == "add":
            values = [(mod.attribute, mod.value) for mod in mods(note) if mod.attribute and mod.value is not None]
            self._put(Entry(dn, values))
        elif there is None:
            return False
        elif verb == "delete":
            self._connection.execute("DELETE FROM entry WHERE key = ?", (_key(dn),))
        elif verb == "modify":
            self._put(Entry(dn, _modified(there.values, note)))
        elif verb == "modrdn":
            self._rename(there, note)
        self.newest = max(self.newest, csn)
        return True

    def _rename(self, entry: Entry, note: Entry) -> None:
        rdn, above = note.text("reqNewRDN"), note.text("reqNewSuperior") or entry.dn.partition(",")[2]
        dn, values = f"{rdn},{above}", _modified(entry.values, note)
        if note.text("reqDeleteOldRDN") == "TRUE":
            old_name, _, old_value = entry.dn.partition(",")[0].partition("=")
            with suppress(ValueError):
                values.remove((old_name, old_value.encode("utf-8")))
        name, _, value = rdn.partition("=")
        if (name, value.encode("utf-8")) not in values:
            values.append((name, value.encode("utf-8")))
        self._connection.execute("UPDATE renamed SET dn = ? WHERE dn = ?", (dn, entry.dn))
        self._connection.execute("INSERT OR REPLACE INTO renamed VALUES (?, ?)", (_key(entry.dn), dn))
        self._connection.execute("UPDATE entry SET key = ?, dn = ? WHERE key = ?", (_key(dn), dn, _key(entry.dn)))
        self._put(Entry(dn, values))

    def _present(self, dn: str) -> str:
        """The name under which somebody is there now, empty if they are not."""
        row = self._connection.execute("SELECT dn FROM renamed WHERE old = ?", (_key(dn),)).fetchone()
        found = self.find(row[0] if row else dn) or self.find(dn)
        return found.dn if found else ""

    def _groups(self) -> Iterator[Entry]:
        for dn, body in self._connection.execute("SELECT dn, body FROM entry WHERE body LIKE '%\"member\"%'"):
            yield Entry(dn, _values(body))

    def _put(self, entry: Entry) -> None:
        body = json.dumps([[name, value.decode("latin-1")] for name, value in entry.values], ensure_ascii=False)
        self._connection.execute(
            "INSERT INTO entry (key, dn, body) VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET dn = ?2, body = ?3",
            (_key(entry.dn), entry.dn, body),
        )


def _modified(values: Values, note: Entry) -> Values:
    """The values after one change. Setting an attribute begins anew; every further line of it adds."""
    left, begun = list(values), ""
    for mod in mods(note):
        name = mod.attribute.lower()
        of_it = [pair for pair in left if pair[0].lower() == name]
        if (mod.act == "=" and begun != name) or (mod.act == "-" and mod.value is None):
            left = [pair for pair in left if pair[0].lower() != name]
        begun = name if mod.act == "=" else ""
        if mod.value is None:
            continue
        if mod.act == "-":
            exact = (pair for pair in of_it if pair[1] == mod.value)
            alike = (pair for pair in of_it if pair[1].lower() == mod.value.lower())
            gone = next(exact, None) or next(alike, None)
            if gone is not None:
                left.remove(gone)
        else:
            left.append((mod.attribute, mod.value))
    return left


def _changed(now: Entry, then: Entry) -> tuple[str, ...]:
    one, other = ({(n.lower(), v) for n, v in each.values if n.lower() not in _BOOKKEEPING} for each in (now, then))
    names = {name: None for name, _ in sorted(one ^ other)}
    return tuple(names)


def _values(body: str) -> Values:
    return [(name, value.encode("latin-1")) for name, value in json.loads(body)]


def _key(dn: str) -> str:
    return dn.lower()
