# SPDX-License-Identifier: Apache-2.0
"""National numbers and credit codes: kept sealed, found by exactly, opened by nobody unrecorded."""

from collections.abc import Iterable

from audit import Outcome

from ..errors import BadNumber, NoSuchOrganisation, NoSuchPerson
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

    def known(self, branch: str, numbers: Iterable[str]) -> frozenset[str]:
        """Those of these national numbers (``people``) or credit codes (``organisations``) that somebody has."""
        by_index = {self.numbers.index(_spelt(each)): each for each in numbers}
        return frozenset(by_index[index] for index in self._standings.numbers_known(branch, by_index))

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

    def organisation(self, code: str) -> str:
        """Which organisation has exactly this credit code; empty for none."""
        return self._standings.by_number("organisations", self.numbers.index(code.strip().upper()))

    def code(self, identifier: str, *, actor: str = "", reason: str) -> str:
        """An organisation's credit code, recorded before it is told; empty if none is known.

        Raises:
            NoReason: nobody looks without saying why.
            NoSuchOrganisation: none of that identifier.
            RecordUnavailable: no record, no code.
            NumberSealed: it is not as it was sealed.
        """
        told = reasoned(reason)
        found = self._standings.directory.organisation(identifier)
        sealed = self._standings.sealed_code(found.id)
        deed = Deed(
            kind="directory.number.opened",
            subject=found.id,
            organisation=found.id,
            attributes={"kind": "credit code"},
            sealed={"name": found.name_zh or found.name, "reason": told},
        )
        self._deeds.say(deed, Outcome.SUCCESS, actor=actor)
        # An earlier release wrote it in clear.
        return self.numbers.open(sealed, of=found.id) if sealed else found.credit_code

    def code_if_any(self, identifier: str, *, reason: str) -> str:
        """The same, for the certificate authority; empty too for what is no organisation."""
        try:
            return self.code(identifier, reason=reason)
        except NoSuchOrganisation:
            return ""

    def sealing(self, identifier: str, code: str) -> list[Change]:
        """The changes that seal a code which stands in clear."""
        dn = self._deeds.tree.organisation(identifier)
        values = {
            "tallyNumberIndex": self.numbers.index(code),
            "tallyNumberSealed": self.numbers.seal(code, of=identifier),
            "tallyCreditCode": "",
        }
        before = {"tallyCreditCode": code}
        return [
            Change(verb=Verb.REPLACE, dn=dn, attribute=name, value=each, before=before.get(name, ""))
            for name, each in values.items()
        ]

    def _holder(self, number: str) -> str:
        return self._standings.by_number("people", self.numbers.index(_spelt(number)))


def _spelt(number: str) -> str:
    return number.strip().upper()
