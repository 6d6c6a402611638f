# SPDX-License-Identifier: Apache-2.0
"""Events that come a second time: the same event has the same place, and another under its key is refused.

Many are compared at once: the entries of a bundle are read together, and the keys of sealed parts looked for together.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from core.errors import TallygateError
from core.log import logger

from ..errors import Erased, KeyReused, LogDamaged, RecordUnavailable
from ..merkle import leaf_hash
from ..merkle.tiles import WIDTH
from ..models import Entry
from ..models_codec import Draft, decode_event
from ..press import SHAPES
from ..seals import Seals

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an event stands in the log, for good."""

    index: int
    leaf: bytes


def places_of(
    drafts: Sequence[tuple[Draft, int]], *, read: Callable[[int, int], list[bytes]], seals: Seals
) -> list[Place | TallygateError]:
    """The places of events whose keys stand at these indices, if they are the same events."""
    known = _reread({index for _draft, index in drafts}, read)
    opened = dict(zip(known, seals.open_all([entry for entry, _leaf in known.values()]), strict=True))
    answers: list[Place | TallygateError] = []
    for draft, index in drafts:
        if index not in known or isinstance(opened[index], LogDamaged):
            # Its entry is on disk and cannot be read now. That concerns this event alone, not the batch around it.
            _log.error("place_not_told", key=draft.key)
            answers.append(RecordUnavailable())
            continue
        entry, leaf = known[index]
        answers.append(Place(index, leaf) if _same(entry, opened[index], draft) else KeyReused())
    return answers


def _reread(wanted: set[int], read: Callable[[int, int], list[bytes]]) -> dict[int, tuple[Entry, bytes]]:
    """Entries and their hashes, without those that cannot be read."""
    known: dict[int, tuple[Entry, bytes]] = {}
    for _bundle, group in groupby(sorted(wanted), lambda index: index // WIDTH):
        indices = list(group)
        raws: list[bytes] = []
        try:
            while len(raws) <= indices[-1] - indices[0]:
                start = indices[0] + len(raws)
                raws += read(start, indices[-1] + 1 - start) or [b""]
            for index in indices:
                raw = raws[index - indices[0]]
                known[index] = SHAPES.entry(index, raw), leaf_hash(raw)
        except TallygateError as error:
            _log.error("entries_not_read", first=indices[0], exc_info=error)
    return known


def _same(entry: Entry, opened: Mapping[str, str] | TallygateError, draft: Draft) -> bool:
    event = decode_event(draft.encoded)
    if entry.event != replace(event, sealed={}) or bool(entry.ciphertext) != bool(event.sealed):
        return False
    # Of an erased person's entry the header agrees, and nobody can tell the rest apart any more.
    return isinstance(opened, Erased) or opened == event.sealed
