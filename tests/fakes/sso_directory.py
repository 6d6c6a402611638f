# SPDX-License-Identifier: Apache-2.0
"""A directory of a few people and their cards, for sign-on's tests; refuses as the real ones do."""

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from core.errors import Unauthenticated, Unavailable
from directory import (
    Mandate,
    NoSuchOrganisation,
    NoSuchPerson,
    Organisation,
    Person,
    PersonKind,
    Proofing,
    WrongCredentials,
)
from directory.errors import BadName, KnownPassword, NoSuchGrant, NotRepresenting, WeakPassword
from tests.fakes.clock import ManualClock

LI = "5b7f2f6e-6a1c-4a57-9d0e-0c1f6f0a1111"
COMPANY = "bright"
TODAY = ManualClock().now().date()
WANG = "8d7a1a52-1c55-4f0b-8a3e-77aa00aa2222"


def person(subject: str, username: str, name: str, name_zh: str, *, kind: PersonKind, proofing: int) -> Person:
    return Person(
        subject=subject,
        username=username,
        kind=kind,
        name=name,
        name_zh=name_zh,
        mail=f"{username}@city.example",
        organisation="tax-office" if kind is PersonKind.CIVIL_SERVANT else "",
        roles=frozenset({kind.value}),
        proofing=Proofing(level=proofing),
    )


class FakeDirectory:
    """People by subject; everybody's password is ``correct horse`` and their user name."""

    def __init__(self) -> None:
        self.people = {
            LI: person(LI, "li.na", "Li Na", "李娜", kind=PersonKind.CITIZEN, proofing=2),
            WANG: person(WANG, "wang.wei", "Wang Wei", "王伟", kind=PersonKind.CIVIL_SERVANT, proofing=3),
        }
        self.mandates: list[Mandate] = []
        self.passwords: dict[str, str] = {}
        self.contacts: dict[str, dict[str, str]] = {}
        self.down = False
        self.asked = 0

    def authenticate(self, username: str, password: str) -> Person:
        self.asked += 1
        if self.down:
            raise Unavailable
        for found in self.people.values():
            if found.username == username and found.enabled and password == self._password(found):
                return found
        raise WrongCredentials

    def person(self, subject: str) -> Person:
        if self.down:
            raise Unavailable
        if subject not in self.people:
            raise NoSuchPerson
        return self.people[subject]

    def organisation(self, identifier: str) -> Organisation:
        if identifier != COMPANY:
            raise NoSuchOrganisation
        return Organisation(id=COMPANY, name="Bright Ltd", name_zh="明亮公司", credit_code="", agency=False)

    def mandates_of(self, holder: str) -> list[Mandate]:
        if self.down:
            raise Unavailable
        return [each for each in self.mandates if each.holder == holder and each.until >= TODAY]

    def mandates_for(self, principal: str) -> list[Mandate]:
        if self.down:
            raise Unavailable
        return [each for each in self.mandates if each.principal == principal and each.until >= TODAY]

    def person_by_username(self, username: str) -> Person:
        if self.down:
            raise Unavailable
        found = [each for each in self.people.values() if each.username == username.strip().lower()]
        if not found:
            raise NoSuchPerson
        return found[0]

    def entry(self, subject: str) -> dict[str, str]:
        found = self.person(subject)
        contact = self.contacts.get(subject, {"telephone": "", "language": ""})
        said = {"username": found.username, "name": found.name, "name_zh": found.name_zh, "mail": found.mail}
        return {
            **said,
            "organisation": found.organisation,
            **contact,
            "proofing": str(found.proofing.level),
            "proofed": "",
        }

    def change(self, subject: str, *, mail: str, telephone: str, language: str) -> bool:
        before = self.entry(subject)
        if mail and "@" not in mail:
            raise BadName
        self.people[subject] = replace(self.people[subject], mail=mail)
        self.contacts[subject] = {"telephone": telephone, "language": language}
        return self.entry(subject) != before

    def change_password(self, subject: str, current: str, password: str) -> None:
        if current != self._password(self.person(subject)):
            raise WrongCredentials
        self.recover(subject, password)

    def recover(self, subject: str, password: str) -> None:
        self.person(subject)
        if len(password) < 12:
            raise WeakPassword
        if password == "password1234":
            raise KnownPassword
        self.passwords[subject] = password

    def _password(self, person: Person) -> str:
        return self.passwords.get(person.subject, f"correct horse {person.username}")

    def disable(self, subject: str) -> None:
        self.people[subject] = replace(self.people[subject], enabled=False)

    def enable(self, subject: str) -> None:
        self.people[subject] = replace(self.people[subject], enabled=True)


class FakeEntrusting:
    """The directory's doors for mandates that people give themselves: the legal representative of Bright is Wang."""

    def __init__(self, directory: FakeDirectory) -> None:
        self._directory = directory
        self.refuses: Exception | None = None

    def page(self, subject: str) -> dict[str, Any]:
        mandates = self._directory.mandates
        company = {"id": COMPANY, "name": "Bright Ltd", "name_zh": "明亮公司", "capacity": "legal", "may_give": True}
        of_company = [self._told(each) for each in mandates if each.organisation == COMPANY]
        return {
            "held": [self._told(each) for each in self._directory.mandates_of(subject)],
            "given": [self._told(each) for each in self._directory.mandates_for(subject)],
            "companies": [{**company, "mandates": of_company}] if subject == WANG else [],
            "services": [{"name": "tax", "title": "Taxes", "title_zh": "税务"}],
            "latest": "2029-01-01",
        }

    def give(self, subject: str, holder: str, *, organisation: str, scope: str, until: str, reason: str) -> None:
        if self.refuses is not None:
            raise self.refuses
        if organisation and subject != WANG:
            raise NotRepresenting
        given = Mandate(
            organisation=organisation,
            principal="" if organisation else subject,
            holder=holder,
            scope=scope,
            until=date.fromisoformat(until),
            by=subject,
            reason=reason,
        )
        self._directory.mandates.append(given)

    def end(self, subject: str, holder: str, *, organisation: str, principal: str, scope: str) -> None:
        wanted = (holder, organisation, principal, scope)
        found = [
            each
            for each in self._directory.mandates
            if (each.holder, each.organisation, each.principal, each.scope) == wanted
            and (subject in (holder, principal) or (organisation and subject == WANG))
        ]
        if not found:
            raise NoSuchGrant
        self._directory.mandates.remove(found[0])

    def _told(self, of: Mandate) -> dict[str, str]:
        def names(who: str, subject: str) -> dict[str, str]:
            found = self._directory.people.get(subject)
            return {f"{who}_name": found.name if found else "", f"{who}_name_zh": found.name_zh if found else ""}

        return {
            "organisation": of.organisation,
            "organisation_name": "Bright Ltd" if of.organisation else "",
            "organisation_name_zh": "明亮公司" if of.organisation else "",
            "principal": of.principal,
            "holder": of.holder,
            "service": of.scope,
            "since": "",
            "until": of.until.isoformat(),
            **names("principal", of.principal),
            **names("holder", of.holder),
            **names("by", of.by),
        }


@dataclass(frozen=True)
class FakeCard:
    serial: str
    subject: str


@dataclass
class FakeCards:
    """Certificates are the words ``card SERIAL SUBJECT``; all others are refused."""

    withdrawn: set[str] = field(default_factory=set)
    down: bool = False

    def verify(self, certificate_pem: bytes, *, at: datetime) -> FakeCard:  # noqa: ARG002 - these cards never expire
        words = certificate_pem.decode("utf-8", "replace").split()
        if len(words) != 3 or words[0] != "card":
            raise Unauthenticated
        return FakeCard(serial=words[1], subject=words[2])

    def good(self, serial: str) -> bool:
        if self.down:
            raise Unavailable
        return serial not in self.withdrawn
