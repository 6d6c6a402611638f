# SPDX-License-Identifier: Apache-2.0
"""Entries of the tree turned into models, and models into what is entered; what a role may not see stays empty."""

from datetime import UTC, date, datetime
from uuid import NAMESPACE_URL, uuid5

from ..models import Device, Mandate, Organisation, Person, PersonKind, Proofing
from .connection import Entry
from .names import Tree

PERSON = (
    "objectClass",
    "tallySubject",
    "tallyNumber",
    "uid",
    "cn",
    "tallyNameZh",
    "mail",
    "tallyOrganisation",
    "tallyProofingLevel",
    "tallyProofingDate",
    "tallyProofingEvidence",
    "tallyClearance",
    "tallyEnabled",
    "memberOf",
)
ORGANISATION = ("tallyId", "tallyNumber", "o", "tallyNameZh", "tallyCreditCode", "tallyAgency", "tallyParent")
DEVICE = ("tallyId", "tallyNumber", "cn", "tallyOrganisation", "tallyEnabled")
MANDATE = ("tallyOrganisation", "tallyScope", "tallyUntil")

Content = dict[str, list[str]]


def person(entry: Entry, mandates: tuple[Mandate, ...], tree: Tree) -> Person:
    """A person from their entry; roles are the groups they are a member of, and their kind."""
    classes = {name.lower() for name in entry.texts("objectClass")}
    kind = PersonKind.CIVIL_SERVANT if "tallycivilservant" in classes else PersonKind.CITIZEN
    return Person(
        subject=entry.text("tallySubject"),
        number=_number(entry, "tallyNumber"),
        username=entry.text("uid"),
        kind=kind,
        name=entry.text("cn"),
        name_zh=entry.text("tallyNameZh"),
        mail=entry.text("mail"),
        organisation=entry.text("tallyOrganisation"),
        roles=frozenset({kind.value, *_roles(entry, tree)}),
        mandates=mandates,
        proofing=Proofing(
            level=_number(entry, "tallyProofingLevel"),
            date=_date(entry.text("tallyProofingDate")),
            evidence=entry.text("tallyProofingEvidence"),
        ),
        clearance=_number(entry, "tallyClearance"),
        enabled=entry.text("tallyEnabled") == "TRUE",
    )


def organisation(entry: Entry) -> Organisation:
    """An organisation from its entry."""
    return Organisation(
        id=entry.text("tallyId"),
        number=_number(entry, "tallyNumber"),
        name=entry.text("o"),
        name_zh=entry.text("tallyNameZh"),
        credit_code=entry.text("tallyCreditCode"),
        agency=entry.text("tallyAgency") == "TRUE",
        parent=entry.text("tallyParent"),
    )


def device(entry: Entry) -> Device:
    """A device from its entry."""
    return Device(
        id=entry.text("tallyId"),
        number=_number(entry, "tallyNumber"),
        name=entry.text("cn"),
        organisation=entry.text("tallyOrganisation"),
        enabled=entry.text("tallyEnabled") == "TRUE",
    )


def mandate(entry: Entry) -> Mandate:
    """A mandate from its entry."""
    return Mandate(
        organisation=entry.text("tallyOrganisation"),
        scope=entry.text("tallyScope"),
        until=_date(entry.text("tallyUntil")) or date.min,
    )


def person_content(of: Person, *, password_hash: str = "") -> Content:
    """What is entered for a new person; roles and mandates are entries of their own."""
    servant = of.kind is PersonKind.CIVIL_SERVANT
    content = {
        "objectClass": ["tallyCivilServant" if servant else "tallyCitizen"],
        "tallySubject": [of.subject],
        "tallyNumber": [str(of.number)],
        "uid": [of.username],
        "cn": [of.name],
        # inetOrgPerson wants a family name; which part of a name that is differs between languages.
        "sn": [of.name],
        "tallyNameZh": [of.name_zh],
        "mail": [of.mail],
        "tallyOrganisation": [of.organisation],
        "tallyProofingLevel": [str(of.proofing.level)],
        "tallyProofingDate": [_time(of.proofing.date)],
        "tallyProofingEvidence": [of.proofing.evidence],
        "tallyClearance": [str(of.clearance)] if servant else [""],
        "tallyEnabled": [_truth(of.enabled)],
        "userPassword": [password_hash],
    }
    return _filled(content)


def organisation_content(of: Organisation) -> Content:
    """What is entered for a new organisation."""
    content = {
        "objectClass": ["tallyOrganisationEntry"],
        "tallyId": [of.id],
        "tallyNumber": [str(of.number)],
        "o": [of.name],
        "tallyNameZh": [of.name_zh],
        "tallyCreditCode": [of.credit_code],
        "tallyAgency": [_truth(of.agency)],
        "tallyParent": [of.parent],
    }
    return _filled(content)


def device_content(of: Device) -> Content:
    """What is entered for a new device."""
    return {
        "objectClass": ["tallyDevice"],
        "tallyId": [of.id],
        "tallyNumber": [str(of.number)],
        "cn": [of.name],
        "tallyOrganisation": [of.organisation],
        "tallyEnabled": [_truth(of.enabled)],
    }


def role_content(name: str) -> Content:
    """What is entered for a role that nobody holds yet."""
    return {"objectClass": ["tallyRole"], "cn": [name]}


def mandate_id(holder: str, of: Mandate) -> str:
    """The same for the same holder, organisation and scope, so that one mandate is never entered twice."""
    return str(uuid5(NAMESPACE_URL, f"mandate:{holder}:{of.organisation}:{of.scope}"))


def mandate_content(holder: str, of: Mandate) -> Content:
    """What is entered for a new mandate."""
    return {
        "objectClass": ["tallyMandate"],
        "tallyId": [mandate_id(holder, of)],
        "tallyHolder": [holder],
        "tallyOrganisation": [of.organisation],
        "tallyScope": [of.scope],
        "tallyUntil": [_time(of.until)],
    }


def _roles(entry: Entry, tree: Tree) -> list[str]:
    tail = f",{tree.branch('roles')}".lower()
    names = [name.lower() for name in entry.texts("memberOf")]
    return [name.removesuffix(tail).removeprefix("cn=") for name in names if name.endswith(tail)]


def _number(entry: Entry, attribute: str) -> int:
    return int(entry.text(attribute) or 0)


def _date(text: str) -> date | None:
    # Generalized time (RFC 4517 section 3.3.13), always written by us as midnight UTC.
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).date() if text else None


def _time(day: date | None) -> str:
    return day.strftime("%Y%m%d000000Z") if day else ""


def _truth(value: bool) -> str:  # noqa: FBT001 - the value itself is what is written
    return "TRUE" if value else "FALSE"


def _filled(content: Content) -> Content:
    return {name: values for name, values in content.items() if values != [""]}
