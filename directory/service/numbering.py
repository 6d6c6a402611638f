# SPDX-License-Identifier: Apache-2.0
"""National numbers: kept sealed, found by exactly, opened by nobody unrecorded."""

from audit import Outcome

from ..errors import BadNumber, NoSuchPerson
from ..ldap.changes import Change, Verb
from ..models import Person
from ..models_powers import national_number_is_right
from ..numbers import Numbers
from .deeds import Deed, Deeds, reasoned


class Numbering:
    """The verbs about numbers that name somebody for the whole country."""

    def __init__(self, deeds: Deeds, numbers: Numbers) -> None:
        self.numbers = numbers
        self._deeds = deeds
        self._standings = deeds.standings

    def is_known(self, number: str) -> bool:
        """Whether somebody has this national number."""
        return bool(self._holder(number))

    def person(self, number: str) -> Person:
        """Who has exactly this national number.

        Raises:
            NoSuchPerson: nobody.
        """
        found = self._holder(number)
        if not found:
            raise NoSuchPerson
        return self._standings.directory.person(found)

    def opened(self, subject: str, *, actor: str, reason: str) -> str:
        """Somebody's national number, recorded before it is told; empty if none is known.

        Raises:
            NoReason: nobody looks without saying why.
            NoSuchPerson: nobody of that name.
            RecordUnavailable: no record, no number.
            NumberSealed: it is not as it was sealed.
        """
        told = reasoned(reason)
        person = self._standings.directory.person(subject)
        sealed = self._standings.sealed_number(person.subject)
        deed = Deed(
            kind="directory.number.opened",
            subject=person.subject,
            attributes={"kind": "national number"},
            sealed=self._deeds.about(person, actor, told),
        )
        self._deeds.say(deed, Outcome.SUCCESS, actor=actor)
        return self.numbers.open(sealed, of=person.subject) if sealed else ""

    def keep(self, subject: str, number: str, *, actor: str) -> None:
        """Keep somebody's national number.

        Raises:
            BadNumber: its check character is wrong, or it is somebody else's.
            NoSuchPerson: nobody of that name.
        """
        wanted = number.strip().upper()
        if not national_number_is_right(wanted, self._standings.today()):
            raise BadNumber
        with self._deeds.alone():
            person = self._standings.directory.person(subject)
            if self._holder(wanted) not in {"", person.subject}:
                raise BadNumber
            dn = self._deeds.tree.person(person.subject)
            values = {
                "tallyNumberIndex": self.numbers.index(wanted),
                "tallyNumberSealed": self.numbers.seal(wanted, of=person.subject),
            }
            series = [Change(verb=Verb.REPLACE, dn=dn, attribute=name, value=each) for name, each in values.items()]
            deed = Deed(
                kind="directory.person.changed",
                subject=person.subject,
                attributes={"what": "national number"},
                sealed=self._deeds.about(person, actor),
            )
            self._deeds.give(series, deed, actor=actor)

    def _holder(self, number: str) -> str:
        return self._standings.by_number("people", self.numbers.index(number.strip().upper()))
