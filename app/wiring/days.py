# SPDX-License-Identifier: Apache-2.0
"""What begins and ends in the directory with the days, carried out while the role runs."""

from collections.abc import Callable
from datetime import date

from directory.service import DirectoryWriter

_EVERY = 30
"""Turns of the house between looks for what begins and what is over."""


class Days:
    """Looked after once each turn of the house."""

    def __init__(self, keeper: DirectoryWriter, done: Callable[[str, Callable[[], object]], object]) -> None:
        """``done`` does a piece of work by its name, and lets no error of it stop the others."""
        self._keeper = keeper
        self._done = done
        self._turn = 0
        self._day = date.min

    def turn(self) -> None:
        """Carry out what is due, every so many turns.

        On a new day at once: what nobody decides about again, such as an open tunnel, ends with the record of it.
        """
        today = self._keeper.standings.today()
        if today != self._day or self._turn % _EVERY == 0:
            self._day = today
            self._carry_out(self._keeper)
        self._turn += 1

    def _carry_out(self, keeper: DirectoryWriter) -> None:
        # Readers refuse by themselves what is over; this takes it out and records that.
        self._done("begin", keeper.keeping.begin)
        self._done("end", keeper.keeping.end)
        self._done("employment", keeper.employing.due)
        self._done("proofings", keeper.vetters.tend)
        self._done("reviews", keeper.reviewing.tend)
        self._done("software", keeper.outsiders.end)
        self._done("programs", keeper.enrolling.end_due)
