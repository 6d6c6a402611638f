# SPDX-License-Identifier: Apache-2.0
"""Entries of the tree turned into models, and models into what is entered; what a role may not see stays empty."""

from datetime import UTC, date, datetime
from uuid import NAMESPACE_URL, uuid5

from ..models import Device, DeviceState, Mandate, Organisation, Person, PersonKind, Proofing
from ..models_powers import CONTRACTOR, last_days
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
    "tallyRolesUntil",
    "tallyReleased",
)
ORGANISATION = ("tallyId", "tallyNumber", "o", "tallyNameZh", "tallyCreditCode", "tallyAgency", "tallyParent")
DEVICE = ("tallyId", "tallyNumber", "cn", "tallyOrganisation", "tallyEnabled", "tallyState", "tallyHolder")
MANDATE = ("tallyOrganisation", "tallyScope", "tallyUntil")
WHOLE_MANDATE = (*MANDATE, "tallyHolder", "tallyPrincipal")

Content = dict[str, list[str]]


def person(entry: Entry, mandates: tuple[Mandate, ...], tree: Tree, today: date) -> Person:
    """A person from their entry.

    Roles are their kind, and the groups that they are a member of and whose time is not over today, whether or not
    anybody has taken them out already. An account that was bound to a portal until yesterday is shut out: what binds it
    must not end before the account does.
    """
    given = groups(entry, tree)
    held = _in_time(given, entry, today)
    unbound = any(role.startswith(CONTRACTOR) for role in given if role not in held)
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
        roles=frozenset({kind.value, *held}),
        mandates=mandates,
        proofing=Proofing(
            level=_number(entry, "tallyProofingLevel"),
            date=_date(entry.text("tallyProofingDate")),
            evidence=entry.text("tallyProofingEvidence"),
        ),
        clearance=_number(entry, "tallyClearance"),
        enabled=entry.text("tallyEnabled") == "TRUE" and not unbound,
        released=entry.text("tallyReleased") == "TRUE",
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
    state = DeviceState(entry.text("tallyState") or DeviceState.ENROLLED)
    return Device(
        id=entry.text("tallyId"),
        number=_number(entry, "tallyNumber"),
        name=entry.text("cn"),
        organisation=entry.text("tallyOrganisation"),
        enabled=entry.text("tallyEnabled") == "TRUE" and not state.is_out,
        state=state,
        owner=entry.text("tallyHolder"),
    )


def mandate(entry: Entry) -> Mandate:
    """A mandate from its entry."""
    return Mandate(
        organisation=entry.text("tallyOrganisation"),
        scope=entry.text("tallyScope"),
        until=_date(entry.text("tallyUntil")) or date.min,
        principal=entry.text("tallyPrincipal"),
        by=entry.text("tallyGrantedBy"),
        reason=entry.text("tallyReason"),
        holder=entry.text("tallyHolder"),
        since=_date(entry.text("tallyFrom")),
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
        "tallyProofingDate": [time(of.proofing.date)],
        "tallyProofingEvidence": [of.proofing.evidence],
        "tallyClearance": [str(of.clearance)] if servant else [""],
        "tallyEnabled": [truth(of.enabled)],
        "userPassword": [password_hash],
    }
    return filled(content)


def organisation_content(of: Organisation) -> Content:
    """What is entered for a new organisation."""
    content = {
        "objectClass": ["tallyOrganisationEntry"],
        "tallyId": [of.id],
        "tallyNumber": [str(of.number)],
        "o": [of.name],
        "tallyNameZh": [of.name_zh],
        "tallyCreditCode": [of.credit_code],
        "tallyAgency": [truth(of.agency)],
        "tallyParent": [of.parent],
    }
    return filled(content)


def device_content(of: Device) -> Content:
    """What is entered for a new device."""
    return filled(
        {
            "objectClass": ["tallyDevice"],
            "tallyId": [of.id],
            "tallyNumber": [str(of.number)],
            "cn": [of.name],
            "tallyOrganisation": [of.organisation],
            "tallyEnabled": [truth(of.enabled)],
            "tallyState": [of.state],
            "tallyHolder": [of.owner],
        }
    )


def role_content(name: str) -> Content:
    """What is entered for a role that nobody holds yet."""
    return {"objectClass": ["tallyRole"], "cn": [name]}


def mandate_id(holder: str, of: Mandate) -> str:
    """The same for the same holder, organisation or person, and scope, so that one mandate is never entered twice."""
    whom = f"person:{of.principal}" if of.principal else of.organisation
    return str(uuid5(NAMESPACE_URL, f"mandate:{holder}:{whom}:{of.scope}"))


def mandate_content(holder: str, of: Mandate) -> Content:
    """What is entered for a new mandate."""
    return filled(
        {
            "objectClass": ["tallyMandate"],
            "tallyId": [mandate_id(holder, of)],
            "tallyHolder": [holder],
            "tallyOrganisation": [of.organisation],
            "tallyScope": [of.scope],
            "tallyFrom": [time(of.since)],
            "tallyUntil": [time(of.until)],
            "tallyPrincipal": [of.principal],
            "tallyGrantedBy": [of.by],
            "tallyReason": [of.reason],
        }
    )


def groups(entry: Entry, tree: Tree) -> list[str]:
    """The roles whose groups somebody is a member of, in time or not."""
    tail = f",{tree.branch('roles')}".lower()
    names = [name.lower() for name in entry.texts("memberOf")]
    return [name.removesuffix(tail).removeprefix("cn=") for name in names if name.endswith(tail)]


def _in_time(roles: list[str], entry: Entry, today: date) -> list[str]:
    last = last_days(entry.text("tallyRolesUntil"))
    return [role for role in roles if last.get(role, today) >= today]


def _number(entry: Entry, attribute: str) -> int:
    return int(entry.text(attribute) or 0)


def _date(text: str) -> date | None:
    # Generalized time (RFC 4517 section 3.3.13), always written by us as midnight UTC.
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).date() if text else None


def time(day: date | None) -> str:
    """Midnight of a day as generalized time; empty for none."""
    return day.strftime("%Y%m%d000000Z") if day else ""


def truth(value: bool) -> str:  # noqa: FBT001 - the value itself is what is written
    """A truth value as the tree writes it."""
    return "TRUE" if value else "FALSE"


def filled(content: Content) -> Content:
    """Without what is empty."""
    return {name: values for name, values in content.items() if values not in ([], [""])}
