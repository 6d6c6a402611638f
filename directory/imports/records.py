# SPDX-License-Identifier: Apache-2.0
"""Rows checked one by one: each becomes a record to enter, or refusals that name the line, the field and the reason."""

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, fields
from datetime import date
from hashlib import blake2b
from typing import TypeVar

from core.errors import N_

from ..errors import BadName
from ..models import (
    Device,
    Mandate,
    Organisation,
    Person,
    PersonKind,
    Proofing,
    credit_code_is_right,
    identifier_of,
    username_of,
)
from ..models_powers import Department, Post, national_number_is_right

_REQUIRED = {
    "citizen": ("username", "name"),
    "civil-servant": ("username", "name", "organisation"),
    "department": ("name", "organisation"),
    "post": ("name", "organisation"),
    "organisation": ("id", "name", "credit_code"),
    "agency": ("id", "name", "credit_code"),
    "device": ("name", "organisation"),
    "mandate": ("username", "organisation", "scope", "until"),
}
_PROOFING = ("proofing_level", "proofing_date", "proofing_evidence")
_OPTIONAL = {
    "citizen": ("name_zh", "mail", "national_number", *_PROOFING),
    "civil-servant": ("name_zh", "mail", "clearance", "national_number", "post", *_PROOFING),
    # Of which department, by its name.
    "department": ("name_zh", "department"),
    "post": ("name_zh", "department"),
    "organisation": ("name_zh",),
    "agency": ("name_zh", "parent"),
    "device": (),
    "mandate": (),
}
FIELDS = frozenset(name for table in (_REQUIRED, _OPTIONAL) for names in table.values() for name in names)
SCOPES = ("all", "tax", "social", "seal")

N = TypeVar("N")

_LONGEST = 120
# Nobody is born later; the reader of a file has no clock.
_LATEST = date(2199, 12, 31)
_HIGHEST_LEVEL = 3
_MAIL = re.compile(r"[^@\s]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+\Z")

TWICE = N_("an earlier line has the same")
BROKEN_ROW = N_("this line has fields it cannot have")


@dataclass(frozen=True)
class Refusal:
    """Why a line is not imported; ``why`` is a catalogue key."""

    line: int
    field: str
    why: str


@dataclass(frozen=True)
class Row:
    """One line of a table or one entry of an LDIF file; ``fields`` holds what is not empty."""

    line: int
    kind: str
    fields: dict[str, str]
    # What is wrong with the line as such; its fields are then not looked at.
    broken: Refusal | None = None


@dataclass(frozen=True)
class ImportReport:
    """What came of an import: either everything was entered, or nothing and ``refused`` says why."""

    people: int
    organisations: int
    devices: int
    mandates: int
    departments: int = 0
    posts: int = 0
    holdings: int = 0
    refused: tuple[Refusal, ...] = ()

    @property
    def entered(self) -> int:
        """All together."""
        more = self.departments + self.posts + self.holdings
        return self.people + self.organisations + self.devices + self.mandates + more


@dataclass(frozen=True)
class NewMandate:
    """A mandate and the user name of its holder."""

    username: str
    mandate: Mandate


@dataclass(frozen=True)
class NewHolding:
    """A post that somebody new is to hold, by its name in their agency until it is known by its identifier."""

    subject: str
    organisation: str
    post: str
    # First day, if it is to come, and why.
    since: date | None = None
    reason: str = "import"


@dataclass
class Batch:
    """Records that are entered together or not at all, each with the line it came from."""

    people: list[tuple[int, Person]] = field(default_factory=list)
    organisations: list[tuple[int, Organisation]] = field(default_factory=list)
    devices: list[tuple[int, Device]] = field(default_factory=list)
    mandates: list[tuple[int, NewMandate]] = field(default_factory=list)
    # What they are a part of is told by its name at first, and by its identifier once it has been looked up.
    departments: list[tuple[int, Department]] = field(default_factory=list)
    posts: list[tuple[int, Post]] = field(default_factory=list)
    holdings: list[tuple[int, NewHolding]] = field(default_factory=list)
    # National numbers, by subject.
    numbers: dict[str, tuple[int, str]] = field(default_factory=dict)
    refused: list[Refusal] = field(default_factory=list)

    def refuse(self, line: int, name: str, why: str) -> None:
        """Note why a line cannot be entered."""
        self.refused.append(Refusal(line, name, why))

    def copy(self) -> "Batch":
        """The same records, of which some may be changed or left out."""
        lists = {each.name: getattr(self, each.name).copy() for each in fields(self)}
        return Batch(**lists)

    def leave_out(self, lines: Collection[int]) -> None:
        """Take no notice of what these lines hold."""
        gone = frozenset(lines)
        self.people = _without(self.people, gone)
        self.organisations = _without(self.organisations, gone)
        self.devices = _without(self.devices, gone)
        self.mandates = _without(self.mandates, gone)
        self.departments = _without(self.departments, gone)
        self.posts = _without(self.posts, gone)
        self.holdings = _without(self.holdings, gone)
        self.numbers = {subject: each for subject, each in self.numbers.items() if each[0] not in gone}

    def report(self) -> ImportReport:
        """All or nothing."""
        if self.refused:
            return ImportReport(0, 0, 0, 0, refused=tuple(sorted(self.refused, key=lambda refusal: refusal.line)))
        return ImportReport(
            len(self.people),
            len(self.organisations),
            len(self.devices),
            len(self.mandates),
            len(self.departments),
            len(self.posts),
            len(self.holdings),
        )


def _without(records: list[tuple[int, N]], lines: frozenset[int]) -> list[tuple[int, N]]:
    return [each for each in records if each[0] not in lines]


def parse(rows: list[Row], *, new_id: Callable[[], str]) -> Batch:
    """Turn rows into records; what the directory already holds is not looked at here."""
    batch = Batch()
    for row in rows:
        before = len(batch.refused)
        _shape(row, batch)
        if len(batch.refused) == before:
            _record(row, batch, new_id)
    for line, name, _ in repeated(batch, set()):
        batch.refuse(line, name, TWICE)
    return batch


def _shape(row: Row, batch: Batch) -> None:
    if row.broken:
        batch.refused.append(row.broken)
        return
    if row.kind not in _REQUIRED:
        batch.refuse(row.line, "kind", N_("this is not a kind of entry"))
        return
    for name in _REQUIRED[row.kind]:
        if name not in row.fields:
            batch.refuse(row.line, name, N_("it is missing"))
    allowed = {*_REQUIRED[row.kind], *_OPTIONAL[row.kind]}
    for name, value in row.fields.items():
        if name not in allowed:
            batch.refuse(row.line, name, BROKEN_ROW)
        elif len(value) > _LONGEST or not value.isprintable():
            batch.refuse(row.line, name, N_("it is too long or holds control characters"))


def _record(row: Row, batch: Batch, new_id: Callable[[], str]) -> None:
    reader = _Reader(row, batch)
    before = len(batch.refused)
    if row.kind in ("citizen", "civil-servant"):
        person = Person(
            subject=new_id(),
            username=reader.username(),
            kind=PersonKind(row.kind),
            name=reader.text("name"),
            name_zh=reader.text("name_zh"),
            mail=reader.mail(),
            organisation=reader.identifier("organisation") if row.kind == "civil-servant" else "",
            proofing=Proofing(
                level=reader.level("proofing_level"),
                date=reader.day("proofing_date"),
                evidence=reader.text("proofing_evidence"),
            ),
            clearance=reader.level("clearance"),
        )
        if person.proofing.level and person.proofing.date is None:
            batch.refuse(row.line, "proofing_date", N_("a proofing level needs its date"))
        batch.people.append((row.line, person))
        if number := reader.national_number():
            batch.numbers[person.subject] = (row.line, number)
        if post := reader.text("post"):
            batch.holdings.append((row.line, NewHolding(person.subject, person.organisation, post)))
    elif row.kind in ("organisation", "agency"):
        organisation = Organisation(
            id=reader.identifier("id"),
            name=reader.text("name"),
            name_zh=reader.text("name_zh"),
            credit_code=reader.credit_code(),
            agency=row.kind == "agency",
            parent=reader.identifier("parent") if reader.text("parent") else "",
        )
        batch.organisations.append((row.line, organisation))
    elif row.kind == "department":
        department = Department(
            id=new_id(),
            name=reader.text("name"),
            name_zh=reader.text("name_zh"),
            organisation=reader.identifier("organisation"),
            parent=reader.text("department"),
        )
        batch.departments.append((row.line, department))
    elif row.kind == "post":
        post_ = Post(
            id=new_id(),
            name=reader.text("name"),
            name_zh=reader.text("name_zh"),
            organisation=reader.identifier("organisation"),
            department=reader.text("department"),
        )
        batch.posts.append((row.line, post_))
    elif row.kind == "device":
        device = Device(
            id=new_id(), name=reader.text("name"), organisation=reader.identifier("organisation"), enabled=True
        )
        batch.devices.append((row.line, device))
    else:
        until = reader.day("until")
        mandate = Mandate(organisation=reader.identifier("organisation"), scope=reader.scope(), until=until or date.min)
        batch.mandates.append((row.line, NewMandate(reader.username(), mandate)))
    if len(batch.refused) > before:
        # A record with a bad field is of no use to the checks that compare lines.
        for kept in (
            batch.people,
            batch.organisations,
            batch.devices,
            batch.mandates,
            batch.departments,
            batch.posts,
            batch.holdings,
        ):
            while kept and kept[-1][0] == row.line:
                kept.pop()


class _Reader:
    """The fields of one row; what cannot be right is refused in the batch and answered by an empty value."""

    def __init__(self, row: Row, batch: Batch) -> None:
        self._row = row
        self._batch = batch

    def text(self, name: str) -> str:
        return self._row.fields.get(name, "")

    def username(self) -> str:
        try:
            return username_of(self.text("username"))
        except BadName:
            return self._refuse("username", N_("a user name has letters a to z, digits, dots and hyphens"))

    def identifier(self, name: str) -> str:
        try:
            return identifier_of(self.text(name))
        except BadName:
            return self._refuse(name, N_("an identifier has letters a to z, digits and hyphens"))

    def mail(self) -> str:
        text = self.text("mail")
        return text if not text or _MAIL.match(text) else self._refuse("mail", N_("this is no mail address"))

    def level(self, name: str) -> int:
        text = self.text(name) or "0"
        if text.isascii() and text.isdigit() and int(text) <= _HIGHEST_LEVEL:
            return int(text)
        self._refuse(name, N_("it must be a number from 0 to 3"))
        return 0

    def day(self, name: str) -> date | None:
        text = self.text(name)
        try:
            day = date.fromisoformat(text) if text else None
        except ValueError:
            day = None
        # Python reads other ways of writing a day too, week numbers among them.
        if text != (day.isoformat() if day else ""):
            self._refuse(name, N_("it must be a day written as 2026-11-20"))
            return None
        return day

    def national_number(self) -> str:
        number = self.text("national_number").upper()
        if number and not national_number_is_right(number, _LATEST):
            return self._refuse("national_number", N_("the check digit is wrong"))
        return number

    def credit_code(self) -> str:
        code = self.text("credit_code").upper()
        return code if credit_code_is_right(code) else self._refuse("credit_code", N_("the check digit is wrong"))

    def scope(self) -> str:
        scope = self.text("scope")
        return scope if scope in SCOPES else self._refuse("scope", N_("it must be one of all, tax, social, seal"))

    def _refuse(self, name: str, why: str) -> str:
        self._batch.refuse(self._row.line, name, why)
        return ""


def repeated(batch: Batch, seen: set[bytes]) -> Iterator[tuple[int, str, str]]:
    """Line, field and value of what an earlier line has; ``seen`` remembers what was there before this batch."""
    pairs = [(line, "username", person.username) for line, person in batch.people]
    for line, organisation in batch.organisations:
        pairs += [(line, "id", organisation.id), (line, "credit_code", organisation.credit_code)]
    pairs += [(line, "national_number", number) for line, number in batch.numbers.values()]
    pairs += [(line, "name", f"department {each.organisation} {each.name}") for line, each in batch.departments]
    pairs += [(line, "name", f"post {each.organisation} {each.name}") for line, each in batch.posts]
    for line, new in batch.mandates:
        pairs.append((line, "scope", f"{new.username} {new.mandate.organisation} {new.mandate.scope}"))
    for line, name, value in pairs:
        # Eight bytes of each, so that the names of a million lines have room.
        mark = blake2b(f"{name} {value}".encode(), digest_size=8).digest()
        if mark in seen:
            yield line, name, value
        seen.add(mark)
