# SPDX-License-Identifier: Apache-2.0
"""Whether a program is still let do what is done in its name: asked again for every seal, not only when it asks.

An order waits for keepers for a day, and a batch is worked off for hours. Whoever is let do it no more meanwhile, or
acts for another organisation by now, gets no seal of what waited.
"""

from collections.abc import Mapping

from core.clock import Clock

from ..agencies import AgencyStore, Doing

# What a program was let do that leads to a seal, by what the order says of its caller.
_LEADS: Mapping[str, frozenset[Doing]] = {
    "batch": frozenset({Doing.BATCH}),
    "program": frozenset({Doing.SEAL, Doing.PAPER}),
}


class Letting:
    """Answers by what the operator wrote down, as it stands at this moment."""

    def __init__(self, *, store: AgencyStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def __call__(self, client: str, organisation: str, caller: str) -> bool:
        """Whether a program may have the seal of this organisation set in this way."""
        found = self._store.program(client)
        today = self._clock.now().date()
        return found is not None and any(
            found.may(doing, on=today, organisation=organisation) for doing in _LEADS.get(caller, ())
        )
