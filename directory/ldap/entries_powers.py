# SPDX-License-Identifier: Apache-2.0
"""Entries of departments, posts, roles, grants and the like turned into models, and models into what is entered."""

from datetime import UTC, date, datetime
from uuid import NAMESPACE_URL, uuid5

from ..models_powers import (
    Capacity,
    Department,
    Entitlement,
    Grant,
    Holding,
    Offer,
    Post,
    Representation,
    Role,
)
from .connection import Entry
from .entries import Content, filled, time, truth

DEPARTMENT = ("tallyId", "tallyNumber", "cn", "tallyNameZh", "tallyOrganisation", "tallyParent")
POST = ("tallyId", "tallyNumber", "cn", "tallyNameZh", "tallyOrganisation", "tallyDepartment", "tallyGives")
_GIVEN = (
    "tallyId", "tallyNumber", "tallyHolder", "tallyFrom", "tallyUntil", "tallyGrantedBy", "tallyReason", "tallyWaiting",
)  # fmt: skip
HOLDING = (*_GIVEN, "tallyPost")
GRANT = (*_GIVEN, "tallyRoleName", "tallyEntitlement")
REPRESENTATION = (*_GIVEN, "tallyOrganisation", "tallyCapacity")
ROLE = ("cn", "tallyTitle", "tallyNameZh", "tallyEntitlement")
OFFER = ("cn", "tallyTitle", "tallyNameZh", "tallyOrganisation", "tallyPortalName")
MANDATE = (
    "tallyId", "tallyHolder", "tallyOrganisation", "tallyPrincipal", "tallyScope", "tallyUntil", "tallyGrantedBy",
    "tallyReason", "tallyFrom",
)  # fmt: skip


def grant_id(holder: str, what: str) -> str:
    """The same for the same holder and the same thing, so that it is found even while the server is down."""
    return str(uuid5(NAMESPACE_URL, f"grant:{holder}:{what}"))


def department(entry: Entry) -> Department:
    """A department from its entry."""
    return Department(
        id=entry.text("tallyId"),
        number=int(entry.text("tallyNumber") or 0),
        name=entry.text("cn"),
        name_zh=entry.text("tallyNameZh"),
        organisation=entry.text("tallyOrganisation"),
        parent=entry.text("tallyParent"),
    )


def post(entry: Entry) -> Post:
    """A post from its entry."""
    return Post(
        id=entry.text("tallyId"),
        number=int(entry.text("tallyNumber") or 0),
        name=entry.text("cn"),
        name_zh=entry.text("tallyNameZh"),
        organisation=entry.text("tallyOrganisation"),
        department=entry.text("tallyDepartment"),
        roles=frozenset(entry.texts("tallyGives")),
    )


def role(entry: Entry) -> Role:
    """A role from its entry."""
    return Role(
        name=entry.text("cn"),
        title=entry.text("tallyTitle"),
        title_zh=entry.text("tallyNameZh"),
        entitlements=frozenset(map(Entitlement.parse, entry.texts("tallyEntitlement"))),
    )


def offer(entry: Entry) -> Offer:
    """A service that is offered, from its entry."""
    return Offer(
        name=entry.text("cn"),
        title=entry.text("tallyTitle"),
        title_zh=entry.text("tallyNameZh"),
        organisation=entry.text("tallyOrganisation"),
        portal=entry.text("tallyPortalName"),
    )


def holding(entry: Entry) -> Holding:
    """That a post is held, from its entry."""
    return Holding(
        id=entry.text("tallyId"),
        number=int(entry.text("tallyNumber") or 0),
        holder=entry.text("tallyHolder"),
        post=entry.text("tallyPost"),
        since=_day(entry, "tallyFrom") or date.min,
        until=_day(entry, "tallyUntil"),
        by=entry.text("tallyGrantedBy"),
        reason=entry.text("tallyReason"),
        waiting=entry.text("tallyWaiting") == "TRUE",
    )


def grant(entry: Entry) -> Grant:
    """A grant from its entry; one that does not say when it ends has ended."""
    entitlement = entry.text("tallyEntitlement")
    return Grant(
        id=entry.text("tallyId"),
        number=int(entry.text("tallyNumber") or 0),
        holder=entry.text("tallyHolder"),
        role=entry.text("tallyRoleName"),
        entitlement=Entitlement.parse(entitlement) if entitlement else None,
        since=_day(entry, "tallyFrom") or date.min,
        until=_day(entry, "tallyUntil") or date.min,
        by=entry.text("tallyGrantedBy"),
        reason=entry.text("tallyReason"),
        waiting=entry.text("tallyWaiting") == "TRUE",
    )


def representation(entry: Entry) -> Representation:
    """That somebody represents a company, from its entry."""
    return Representation(
        id=entry.text("tallyId"),
        holder=entry.text("tallyHolder"),
        organisation=entry.text("tallyOrganisation"),
        capacity=Capacity(entry.text("tallyCapacity")),
        since=_day(entry, "tallyFrom") or date.min,
        until=_day(entry, "tallyUntil"),
        by=entry.text("tallyGrantedBy"),
        reason=entry.text("tallyReason"),
    )


def department_content(of: Department) -> Content:
    """What is entered for a new department."""
    return filled({
        "objectClass": ["tallyDepartmentEntry"],
        "tallyId": [of.id],
        "tallyNumber": [str(of.number)],
        "cn": [of.name],
        "tallyNameZh": [of.name_zh],
        "tallyOrganisation": [of.organisation],
        "tallyParent": [of.parent],
    })  # fmt: skip


def post_content(of: Post) -> Content:
    """What is entered for a new post."""
    return filled({
        "objectClass": ["tallyPostEntry"],
        "tallyId": [of.id],
        "tallyNumber": [str(of.number)],
        "cn": [of.name],
        "tallyNameZh": [of.name_zh],
        "tallyOrganisation": [of.organisation],
        "tallyDepartment": [of.department],
        "tallyGives": sorted(of.roles),
    })  # fmt: skip


def role_content(of: Role) -> Content:
    """What is entered for a new role that nobody holds yet."""
    return filled({
        "objectClass": ["tallyRole"],
        "cn": [of.name],
        "tallyTitle": [of.title],
        "tallyNameZh": [of.title_zh],
        "tallyEntitlement": sorted(map(str, of.entitlements)),
    })  # fmt: skip


def offer_content(of: Offer) -> Content:
    """What is entered for a new service."""
    return filled({
        "objectClass": ["tallyOffer"],
        "cn": [of.name],
        "tallyTitle": [of.title],
        "tallyNameZh": [of.title_zh],
        "tallyOrganisation": [of.organisation],
        "tallyPortalName": [of.portal],
    })  # fmt: skip


def holding_content(of: Holding) -> Content:
    """What is entered when somebody is given a post."""
    return _given(of, "tallyHolding", tallyPost=of.post)


def grant_content(of: Grant) -> Content:
    """What is entered for a new grant."""
    entitlement = str(of.entitlement) if of.entitlement else ""
    return _given(of, "tallyGrant", tallyRoleName=of.role, tallyEntitlement=entitlement)


def representation_content(of: Representation, number: int) -> Content:
    """What is entered when somebody comes to represent a company."""
    return _given(
        Holding(
            id=of.id,
            holder=of.holder,
            post="",
            since=of.since,
            until=of.until,
            by=of.by,
            reason=of.reason,
            number=number,
        ),
        "tallyRepresentation",
        tallyOrganisation=of.organisation,
        tallyCapacity=of.capacity.value,
    )


def _given(of: Holding | Grant, kind: str, **more: str) -> Content:
    return filled({
        "objectClass": [kind],
        "tallyId": [of.id],
        "tallyNumber": [str(of.number)],
        "tallyHolder": [of.holder],
        "tallyFrom": [time(of.since)],
        "tallyUntil": [time(of.until)],
        "tallyGrantedBy": [of.by],
        "tallyReason": [of.reason],
        "tallyWaiting": [truth(of.waiting)] if of.waiting else [""],
        **{name: [value] for name, value in more.items()},
    })  # fmt: skip


def _day(entry: Entry, attribute: str) -> date | None:
    text = entry.text(attribute)
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).date() if text else None
