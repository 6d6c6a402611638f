# SPDX-License-Identifier: Apache-2.0
"""A directory of three people, an agency, a company and two devices, held in memory."""

import datetime as dt
from dataclasses import replace

from directory import Device, NoSuchDevice, NoSuchOrganisation, NoSuchPerson, Organisation, Person, PersonKind, Proofing

CITIZEN = Person(
    subject="0b3a4cbe-7d12-4b6e-9a51-3f6d2c8e1a01",
    username="wang.xiaoming",
    kind=PersonKind.CITIZEN,
    name="Wang Xiaoming",
    name_zh="王小明",
)
CLERK = Person(
    subject="1c4b5dcf-8e23-4c7f-8b62-407e3d9f2b02",
    username="li.na",
    kind=PersonKind.CIVIL_SERVANT,
    name="Li Na",
    name_zh="李娜",
    organisation="tax-bureau",
)
OFFICER = Person(
    subject="2d5c6ed0-9f34-4d80-9c73-518f4ea03c03",
    username="zhao.min",
    kind=PersonKind.CIVIL_SERVANT,
    name="Zhao Min",
    organisation="tax-bureau",
    roles=frozenset({"ra-officer"}),
    proofing=Proofing(level=3, date=dt.date(2026, 1, 5)),
)
AGENCY = Organisation(
    id="tax-bureau", name="Tax Bureau", name_zh="税务局", credit_code="11100000000000001A", agency=True
)
COMPANY = Organisation(
    id="lotus-trading", name="Lotus Trading", name_zh="荷花贸易有限公司", credit_code="91100000000000002B", agency=False
)
KIOSK = Device(id="3e6d7fe1-a045-4e91-8d84-62905fb14d04", name="Kiosk 7", organisation="tax-bureau", enabled=True)


class SmallDirectory:
    """The read verbs of the directory over a handful of entries that tests may replace."""

    def __init__(self) -> None:
        self.people = {each.subject: each for each in (CITIZEN, CLERK, OFFICER)}
        self.organisations = {each.id: each for each in (AGENCY, COMPANY)}
        self.devices = {KIOSK.id: KIOSK}

    def disable(self, subject: str) -> None:
        self.people[subject] = replace(self.people[subject], enabled=False)

    def person(self, subject: str) -> Person:
        if subject not in self.people:
            raise NoSuchPerson
        return self.people[subject]

    def person_by_username(self, username: str) -> Person:
        for each in self.people.values():
            if each.username == username:
                return each
        raise NoSuchPerson

    def organisation(self, identifier: str) -> Organisation:
        if identifier not in self.organisations:
            raise NoSuchOrganisation
        return self.organisations[identifier]

    def device(self, identifier: str) -> Device:
        if identifier not in self.devices:
            raise NoSuchDevice
        return self.devices[identifier]
