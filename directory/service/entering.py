# SPDX-License-Identifier: Apache-2.0
"""A batch of new records on its way in: compared with what is there, numbered, hashed, turned into changes."""

import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from audit import Event, Outcome
from core.errors import N_

from ..errors import NoSuchOrganisation, NoSuchPerson
from ..imports import Batch, NewMandate
from ..ldap import Tree, changes, entries
from ..ldap.changes import Change
from ..models import Scope
from ..slapd import SALT_LENGTH, Cost, hashed, no_password
from .events import event
from .reading import Directory

_TAKEN = N_("the directory has this already")
_UNKNOWN_ORGANISATION = N_("there is no such organisation")
_NO_AGENCY = N_("there is no such agency")
_OUTSIDE = N_("this is outside the part of the directory that you administer")


def new_id() -> str:
    """A random UUID (RFC 9562 version 4)."""
    return str(UUID(bytes=secrets.token_bytes(16), version=4))


def compare(batch: Batch, directory: Directory, within: Scope) -> None:
    """Refuse what is there already, what refers to nothing, and what its author may not enter."""
    _known(batch, directory)
    agencies = {organisation.id: organisation.agency for _, organisation in batch.organisations}
    _organisations(batch, directory, agencies)
    for line, person in batch.people:
        if person.organisation and not _is_agency(directory, person.organisation, agencies):
            batch.refuse(line, "organisation", _NO_AGENCY)
    for line, device in batch.devices:
        if device.organisation not in agencies and not _has_organisation(directory, device.organisation):
            batch.refuse(line, "organisation", _UNKNOWN_ORGANISATION)
    usernames = {person.username for _, person in batch.people}
    for line, new in batch.mandates:
        if new.username not in usernames:
            _compare_mandate(line, new, batch, directory)
        if new.mandate.organisation not in agencies and not _has_organisation(directory, new.mandate.organisation):
            batch.refuse(line, "organisation", _UNKNOWN_ORGANISATION)
    if not within.everything:
        _stay_within(batch, within)


def _known(batch: Batch, directory: Directory) -> None:
    for line, person in batch.people:
        if _has_person(directory, person.username):
            batch.refuse(line, "username", _TAKEN)
    for line, organisation in batch.organisations:
        if _has_organisation(directory, organisation.id):
            batch.refuse(line, "id", _TAKEN)
        elif directory.has_credit_code(organisation.credit_code):
            batch.refuse(line, "credit_code", _TAKEN)


def _organisations(batch: Batch, directory: Directory, agencies: dict[str, bool]) -> None:
    parents = {organisation.id: organisation.parent for _, organisation in batch.organisations}
    for line, organisation in batch.organisations:
        if not organisation.parent:
            continue
        if not _is_agency(directory, organisation.parent, agencies):
            batch.refuse(line, "parent", _NO_AGENCY)
        # What is in the directory already is part of nothing in this batch, so a circle is within it.
        above = organisation.parent
        for _ in parents:
            above = parents.get(above, "")
        if above:
            batch.refuse(line, "parent", N_("it would be a part of itself"))


def _stay_within(batch: Batch, within: Scope) -> None:
    """An agency's administrator enters its civil servants, its devices and what is to be below it."""
    new = {organisation.id: organisation.parent for _, organisation in batch.organisations if organisation.agency}
    allowed = set(within.organisations)
    for _ in new:
        allowed |= {identifier for identifier, parent in new.items() if parent in allowed}
    scope = Scope(organisations=frozenset(allowed))
    for line, organisation in batch.organisations:
        if not (organisation.agency and scope.holds(organisation.parent)):
            batch.refuse(line, "parent", _OUTSIDE)
    for line, person in batch.people:
        if not scope.holds(person.organisation):
            batch.refuse(line, "organisation", _OUTSIDE)
    for line, device in batch.devices:
        if not scope.holds(device.organisation):
            batch.refuse(line, "organisation", _OUTSIDE)
    for line, _ in batch.mandates:
        batch.refuse(line, "kind", _OUTSIDE)


def _compare_mandate(line: int, new: NewMandate, batch: Batch, directory: Directory) -> None:
    try:
        holder = directory.person_by_username(new.username)
    except NoSuchPerson:
        batch.refuse(line, "username", N_("there is no such person"))
        return
    if directory.has_mandate(holder.subject, new.mandate):
        batch.refuse(line, "scope", _TAKEN)


def number(batch: Batch, numbers: range) -> None:
    """Give register numbers in the order in which the records will be entered."""
    given = iter(numbers)
    batch.organisations = [(line, replace(item, number=next(given))) for line, item in batch.organisations]
    batch.people = [(line, replace(item, number=next(given))) for line, item in batch.people]
    batch.devices = [(line, replace(item, number=next(given))) for line, item in batch.devices]


def series(
    batch: Batch, directory: Directory, tree: Tree, *, cost: Cost, passwords: dict[str, str]
) -> tuple[Change, ...]:
    """The changes that enter the batch; organisations come first because others belong to them."""
    made = [changes.add(tree.organisation(o.id), entries.organisation_content(o)) for _, o in batch.organisations]
    for _, person in batch.people:
        password = passwords.get(person.subject)
        salt = secrets.token_bytes(SALT_LENGTH)
        value = hashed(password.encode(), salt=salt, cost=cost) if password else no_password(cost)
        made.append(changes.add(tree.person(person.subject), entries.person_content(person, password_hash=value)))
    made += [changes.add(tree.device(d.id), entries.device_content(d)) for _, d in batch.devices]
    for holder, new in _held(batch, directory):
        content = entries.mandate_content(holder, new.mandate)
        made.append(changes.add(tree.mandate(entries.mandate_id(holder, new.mandate)), content))
    return tuple(made)


def events(
    batch: Batch, directory: Directory, at: datetime, *, actor: str, acting: str, operation: str
) -> Iterator[Event]:
    """What is recorded about each new entry once all are in; ``acting`` is the name of whoever enters them."""
    for _, person in batch.people:
        yield event(
            "directory.person.created",
            Outcome.SUCCESS,
            at,
            subject=person.subject,
            actor=actor,
            operation=operation,
            attributes={"kind": person.kind.value, "proofing": person.proofing.level},
            sealed={"name": person.name_zh or person.name, "username": person.username, "actor_name": acting},
        )
    for kind, named in (
        ("organisation", [(item.id, item.name_zh or item.name) for _, item in batch.organisations]),
        ("device", [(item.id, item.name) for _, item in batch.devices]),
    ):
        for identifier, name in named:
            yield event(
                "directory.entry.created",
                Outcome.SUCCESS,
                at,
                subject=identifier,
                actor=actor,
                operation=operation,
                attributes={"kind": kind},
                sealed={"name": name},
            )
    for holder, new in _held(batch, directory):
        yield event(
            "directory.entry.created",
            Outcome.SUCCESS,
            at,
            subject=holder,
            actor=actor,
            operation=operation,
            organisation=new.mandate.organisation,
            attributes={"kind": "mandate", "scope": new.mandate.scope, "until": new.mandate.until.isoformat()},
            sealed={"username": new.username, "actor_name": acting},
        )


def _held(batch: Batch, directory: Directory) -> Iterator[tuple[str, NewMandate]]:
    """Each mandate with the subject of its holder, who is in the batch or was here before."""
    subjects = {person.username: person.subject for _, person in batch.people}
    for _, new in batch.mandates:
        yield subjects.get(new.username) or directory.person_by_username(new.username).subject, new


def _is_agency(directory: Directory, identifier: str, known: dict[str, bool]) -> bool:
    if identifier in known:
        return known[identifier]
    try:
        return directory.organisation(identifier).agency
    except NoSuchOrganisation:
        return False


def _has_person(directory: Directory, username: str) -> bool:
    try:
        directory.person_by_username(username)
    except NoSuchPerson:
        return False
    return True


def _has_organisation(directory: Directory, identifier: str) -> bool:
    try:
        directory.organisation(identifier)
    except NoSuchOrganisation:
        return False
    return True
