# SPDX-License-Identifier: Apache-2.0
"""For which organisations a person answers where documents are sealed together and kept for long.

They belong to it, or have a mandate for its seal; as the directory has it at this moment.
"""

from typing import Protocol

from core.clock import Clock
from core.errors import NotFound
from directory.models import Organisation, Person


class People(Protocol):
    """The directory as far as this needs it; strangers raise NotFound."""

    def person(self, subject: str) -> Person:
        """One person."""
        ...

    def organisation(self, identifier: str, /) -> Organisation:
        """One organisation."""
        ...


class Responsible:
    """Answers by the directory; ``mandate`` is the scope that lets a person use an organisation's seal."""

    def __init__(self, *, people: People, clock: Clock, mandate: str) -> None:
        self._people = people
        self._clock = clock
        self._scopes = frozenset({mandate, "all"})

    def organisations(self, subject: str) -> list[Organisation]:
        """Those a person answers for, their own agency first."""
        try:
            person = self._people.person(subject)
        except NotFound:
            return []
        if not person.enabled:
            return []
        today = self._clock.now().date()
        mandated = [each.organisation for each in person.mandates if each.scope in self._scopes and each.until >= today]
        found = (self._known(each) for each in dict.fromkeys((person.organisation, *mandated)) if each)
        return [each for each in found if each is not None]

    def _known(self, identifier: str) -> Organisation | None:
        try:
            return self._people.organisation(identifier)
        except NotFound:
            return None
