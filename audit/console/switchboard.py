# SPDX-License-Identifier: Apache-2.0
"""What is shut now in an emergency, why and until when, and the form that asks for more; looking is recorded."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..models import Reader
from ..warrants import Scope, Shut, Switching, Warrant, Warrants
from .console import Console

LASTS = ("1h", "4h", "12h", "1d", "7d")
"""For how long the form offers to shut something; nothing stands for until it is opened again."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """One switch as the page shows it."""

    shut: Shut
    # What it was shut for; None where that was erased since, or belongs to a log that is closed.
    purpose: str | None


class Switchboard:
    """The verbs of the page."""

    def __init__(
        self,
        console: Console,
        *,
        warrants: Warrants,
        switching: Switching,
        choices: Callable[[], Sequence[str]],
    ) -> None:
        """``choices`` is everything the site has that could be shut."""
        self._console = console
        self._warrants = warrants
        self._switching = switching
        self._choices = choices

    def look(self, reader: Reader) -> tuple[list[Standing], list[str]]:
        """What is shut, and what could be.

        Raises:
            RecordUnavailable: the look could not be recorded.
        """
        standing = [Standing(shut=shut, purpose=self._purpose(shut)) for shut in self._switching.standing()]
        self._console.record("audit.warrant.read", reader, attributes={"switches": len(standing)})
        taken = {each.shut.name for each in standing}
        self._console.catch_up()
        return standing, [name for name in self._choices() if name not in taken]

    def ask(self, reader: Reader, name: str, lasts: str, purpose: str) -> Warrant:
        """Ask a second officer to let this be shut.

        Raises:
            BadScope: no name or time in its one spelling.
            NothingToShut, ShutAlready: there is nothing to do.
            TallygateError: as ``Warrants.ask``.
        """
        scope = Scope.parse(f"switch:{name}~{lasts}" if lasts else f"switch:{name}")
        self._console.catch_up()
        self._switching.sensible("shut", name)
        return self._warrants.ask(reader, "shut", scope, purpose)

    def _purpose(self, shut: Shut) -> str | None:
        said = None if shut.place is None else self._console.purpose(shut.place)
        return None if said is None else said.get("purpose", "")
