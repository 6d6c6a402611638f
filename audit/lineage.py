# SPDX-License-Identifier: Apache-2.0
"""A site's logs in their order: one that is written, and the closed ones before it, which stay readable and provable.

A closed log's last entry names its successor's keys; a successor's entry 0 names the size and root at which its
predecessor ended. Each log has its own origin, keys, indices, source sequences and idempotency keys. Beside its index
in its log an entry has a *place*: its index plus the sizes of all logs before. Followers and the search index count
places, so they go on over a rotation without noticing it.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from .errors import LogDamaged, NoSuchEntry, ProofRefused
from .merkle import Checkpoint, LogKey, Note, Signature, VerifierKey
from .merkle.keys import ED25519
from .merkle.tiles import WIDTH, bundle_path, unpack, width_at
from .models import Attribute, Entry, Event, Outcome
from .models_codec import decode_entry
from .reader import LogReader
from .witness import Policy, PolicyRefused

CREATED, CLOSED = "log.created", "log.closed"
LOGS = "logs.txt"
"""File of the trust root, in the site's public folder."""


@dataclass(frozen=True)
class Ancestor:
    """A closed log: how many entries lie before it in the site's logs, and how many it has."""

    reader: LogReader
    base: int
    size: int

    @property
    def end(self) -> int:
        """The first place behind it."""
        return self.base + self.size


class Past:
    """The closed logs, oldest first."""

    def __init__(self, readers: Sequence[LogReader] = ()) -> None:
        self._logs: list[Ancestor] = []
        for reader in readers:
            self._logs.append(Ancestor(reader, self.size, reader.size()))

    @property
    def logs(self) -> Sequence[Ancestor]:
        """Each of them."""
        return tuple(self._logs)

    @property
    def size(self) -> int:
        """How many places they take; the present log's entry 0 has this one."""
        return self._logs[-1].end if self._logs else 0

    def at(self, place: int) -> Ancestor | None:
        """The closed log in which a place lies; None if it is the present one."""
        return next((log for log in self._logs if place < log.end), None)

    def named(self, name: str) -> Ancestor:
        """A closed log by the last part of its origin.

        Raises:
            NoSuchEntry: there is none of that name.
        """
        for log in self._logs:
            if log.reader.name == name:
                return log
        raise NoSuchEntry

    def signer(self, origin: str) -> LogReader | None:
        """The reader of the closed log with this origin."""
        return next((log.reader for log in self._logs if log.reader.origin == origin), None)

    def first(self, present: LogReader) -> int:
        """The first place from which on everything is kept, here and in the present log.

        The end of a closed log stays when all before it is pruned, so there may be a few entries below this place.
        """
        if kept := present.first():
            return self.size + kept
        return next((log.base + kept for log in reversed(self._logs) if (kept := log.reader.first())), 0)

    def kept_from(self, place: int, present: LogReader) -> int:
        """The first entry from a place on that is kept, here or in the present log; the place itself if it is.

        Whoever reads on from there meets every entry that exists; the end of a closed log is one of them.
        """
        log = self.at(place)
        if log is None:
            return max(place, self.size + present.first())
        return max(place, log.base + log.reader.first())

    def read(self, place: int, limit: int) -> list[bytes]:
        """Entries' bytes from a place on, none beyond the log in which it lies."""
        log = self.at(place)
        return log.reader.entries_bytes(place - log.base, limit) if log is not None else []


def created(key: LogKey, at: datetime, *, after: Checkpoint | None = None) -> Event:
    """Entry 0: the log's keys, and where its predecessor ended."""
    facts = keys_of(key)
    if after is not None:
        facts |= {
            "predecessor": after.origin,
            "predecessor_size": after.size,
            "predecessor_root": base64.b64encode(after.root).decode(),
        }
    return _own(CREATED, key, at, facts)


def closed(successor: LogKey, at: datetime) -> Event:
    """The last entry of a log: who succeeds it."""
    return _own(CLOSED, successor, at, keys_of(successor))


def keys_of(key: LogKey) -> dict[str, Attribute]:
    """A log's verifier keys as facts."""
    facts: dict[str, Attribute] = {"vkey": str(key.vkey)}
    if key.mldsa_vkey is not None:
        facts["mldsa44_vkey"] = str(key.mldsa_vkey)
    return facts


def _own(kind: str, key: LogKey, at: datetime, facts: Mapping[str, Attribute]) -> Event:
    # The same key at each try: a rotation that is run again writes nothing twice.
    return Event(
        key=sha256(f"{kind}\n{key.vkey}".encode()).hexdigest()[:32],
        type=kind,
        outcome=Outcome.SUCCESS,
        at=at,
        source="audit",
        object=key.origin,
        attributes=facts,
    )


def is_closed_by(entry: Entry, successor: VerifierKey) -> bool:
    """Whether an entry is the last of a log that this one succeeds."""
    said = entry.event
    return said.type == CLOSED and said.object == successor.name and said.attributes.get("vkey") == str(successor)


def continues(entry: Entry, final: Checkpoint) -> bool:
    """Whether an entry 0 names exactly this end of its predecessor."""
    said = entry.event
    facts = (said.attributes.get(f"predecessor{what}") for what in ("", "_size", "_root"))
    return said.type == CREATED and tuple(facts) == (
        final.origin,
        final.size,
        base64.b64encode(final.root).decode(),
    )


def trust_root(logs: Sequence[tuple[LogKey, str]]) -> bytes:
    """All logs of the site in their order, as tlog-policy lines, signed by each of them."""
    lines = []
    for key, url in logs:
        lines += [f"log {vkey} {url}\n" for vkey in (key.vkey, key.mldsa_vkey) if vkey is not None]
    text = "".join([*lines, "quorum none\n"])
    signatures = tuple(Signature(key.origin, key.vkey.id, key.sign(text.encode())) for key, _url in logs)
    return str(Note(text, signatures)).encode()


def known_keys(raw: bytes, key: VerifierKey) -> list[tuple[VerifierKey, ...]]:
    """All keys of each log of a trust root, as ``known_logs``; the Ed25519 key first."""
    found: dict[str, list[VerifierKey]] = {log.name: [] for log in known_logs(raw, key)}
    for each in Policy.parse(Note.parse(raw).text.encode()).logs:
        found[each.key.name].append(each.key)
    return [tuple(sorted(keys, key=lambda each: each.type != ED25519)) for keys in found.values()]


def known_logs(raw: bytes, key: VerifierKey) -> list[VerifierKey]:
    """The logs of a trust root that the log of ``key`` signed, oldest first, by their Ed25519 keys.

    Raises:
        ProofRefused: it did not sign this, or it is no trust root.
    """
    note = Note.parse(raw)
    note.verify([key])
    try:
        return [log.key for log in Policy.parse(note.text.encode()).logs if log.key.type == ED25519]
    except PolicyRefused as error:
        raise ProofRefused(why=str(error.parameters["why"])) from error


# The bytes at a path of a log, None if there is nothing.
Fetch = Callable[[str], bytes | None]


def demand_link(
    old: Fetch, old_final: Checkpoint, new: Fetch, new_final: Checkpoint, key: VerifierKey, *, begun: bool = True
) -> None:
    """See that one log ends where the next one says, and names it. Both were verified before.

    Without ``begun`` the new one's entry 0 is pruned, and only the old one is asked.

    Raises:
        LogDamaged: they do not follow each other.
    """
    if not is_closed_by(_entry(old, old_final.size - 1, old_final.size), key):
        raise LogDamaged(index=old_final.size - 1, why=f"it does not close the log in favour of {key.name}")
    if begun and not continues(_entry(new, 0, new_final.size), old_final):
        raise LogDamaged(index=0, why=f"it does not continue {old_final.origin} at its end")


def _entry(fetch: Fetch, index: int, size: int) -> Entry:
    width = width_at(0, index // WIDTH, size)
    raw = fetch(bundle_path(index // WIDTH, width)) or fetch(bundle_path(index // WIDTH))
    if raw is None:
        raise LogDamaged(index=index, why="it is missing")
    try:
        return decode_entry(index, unpack(raw)[index % WIDTH])
    except (ProofRefused, IndexError) as error:
        raise LogDamaged(index=index, why="its bundle is cut off") from error
