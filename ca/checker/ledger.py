# SPDX-License-Identifier: Apache-2.0
"""Hears the record and compares it with the tables, both ways: no certificate without its records, no record without.

Of each certificate the two commitments that the record holds of its bytes are kept, by its place; every check compares
them with the bytes again. What the record says under a serial that the tables do not know is kept apart until they do.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from audit import Entry
from core.clock import Clock

from .models import Heard
from .store import LOG, Findings

ABOUT = ("ca.certificate.",)
"""Beginnings of the types of events that are heard."""

_BEGUN, _DONE = "ca.certificate.intended", "ca.certificate.issued"
_SERIAL = re.compile(r"[1-9a-f][0-9a-f]{0,39}", re.ASCII)
_RANDOM_BITS = 136


class Ledger:
    """A follower; see ``audit.client.Follower``."""

    def __init__(self, *, findings: Findings, clock: Clock, instance: int) -> None:
        self._findings = findings
        self._clock = clock
        self._instance = instance
        self._position = 0
        self._caught_up = False

    @property
    def caught_up(self) -> bool:
        """Whether everything that the record held at our start was heard."""
        return self._caught_up

    def start(self) -> int:
        """Where to begin."""
        self._position = self._findings.mark(LOG)[0]
        return self._position

    def hear(self, entries: Sequence[Entry]) -> None:
        """Some entries in order, perhaps again; none means that there are no more.

        Raises:
            DatabaseUnavailable: they are heard again.
        """
        if not entries:
            self._caught_up = True
            return
        ours = [each for each in entries if self._ours(each)]
        known = self._findings.places(sorted({each.event.object for each in ours}))
        said: dict[int, Heard] = {}
        strays: dict[str, int] = {}
        for entry in ours:
            serial = entry.event.object
            if serial not in known:
                strays[serial] = entry.index
                continue
            place = known[serial]
            said[place] = _also(said.get(place, Heard()), entry)
        self._position = entries[-1].index + 1
        self._findings.hear(said, strays, position=self._position, at=self._clock.now())

    def _ours(self, entry: Entry) -> bool:
        event = entry.event
        if event.type not in (_BEGUN, _DONE) or event.attributes.get("act") or not _SERIAL.fullmatch(event.object):
            return False
        return int(event.object, 16) >> _RANDOM_BITS == self._instance


def _also(heard: Heard, entry: Entry) -> Heard:
    """What was heard, with what one entry says too."""
    name = "commitment" if entry.event.type == _BEGUN else "certificate"
    try:
        said = bytes.fromhex(str(entry.event.attributes.get(name, "")))
    except ValueError:
        # Kept as it cannot be right, and found when it is compared.
        said = b""
    return replace(heard, intended=said) if entry.event.type == _BEGUN else replace(heard, issued=said)
