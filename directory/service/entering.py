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
from ..ldap import Tree, changes, entries, entries_powers
from ..ldap.changes import Change
from ..models import ROLES, Organisation, Person, Scope
from ..models_powers import Holding, Post
from ..numbers import Numbers
from ..powers import clash
from ..slapd import SALT_LENGTH, Cost, hashed, no_password
from .events import event
from .reading import Directory
from .standings import Standings

TAKEN = N_("the directory has this already")
_UNKNOWN_ORGANISATION = N_("there is no such organisation")
_NO_AGENCY = N_("there is no such agency")
_OUTSIDE = N_("this is outside the part of the directory that you administer")


def new_id() -> str:
    """A random UUID (RFC 9562 version 4)."""
    return str(UUID(bytes=secrets.token_bytes(16), version=4))


class _Organisations:
    """Those of the batch and those that are there, each asked for once."""

    def __init__(self, batch: Batch, directory: Directory) -> None:
        self._directory = directory
        # Whether it is an agency; None for one that is not there.
        self._known: dict[str, bool | None] = {each.id: each.agency for _, each in batch.organisations}

    def has(self, identifier: str) -> bool:
        """Whether there is or will be such an organisation."""
        return self._find(identifier) is not None

    def has_agency(self, identifier: str) -> bool:
        """The same, and it is an agency."""
        return bool(self._find(identifier))

    def _find(self, identifier: str) -> bool | None:
        if identifier not in self._known:
            try:
                self._known[identifier] = self._directory.organisation(identifier).agency
            except NoSuchOrganisation:
                self._known[identifier] = None
        return self._known[identifier]


def leave_out_what_is_there(batch: Batch, directory: Directory, standings: Standings) -> int:
    """Take no notice of what the directory has already and tells the same; how many those are."""
    there = directory.named(person.username for _, person in batch.people)
    lines = {line for line, person in batch.people if _same(person, there.get(person.username))}
    lines |= {line for line, each in batch.organisations if _is_there(each, directory)}
    lines |= {line for line, each in batch.devices if directory.has_device(each.organisation, each.name)}
    agencies = {each.organisation for _, each in batch.departments} | {post.organisation for _, post in batch.posts}
    named = {("department", org, each.name) for org in sorted(agencies) for each in standings.departments(org)}
    named |= {("post", org, post.name) for org in sorted(agencies) for post in standings.posts(org)}
    lines |= {line for line, each in batch.departments if ("department", each.organisation, each.name) in named}
    lines |= {line for line, post in batch.posts if ("post", post.organisation, post.name) in named}
    holders = directory.named(new.username for _, new in batch.mandates)
    for line, new in batch.mandates:
        holder = holders.get(new.username)
        if holder is not None and directory.has_mandate(holder.subject, new.mandate):
            lines.add(line)
    batch.leave_out(lines)
    return len(lines)


def _same(one: Person, other: Person | None) -> bool:
    """Whether an entry is what an earlier run of the same file entered, or was made of it since."""
    told = (one.kind, one.name, one.name_zh, one.mail, one.organisation)
    return other is not None and told == (other.kind, other.name, other.name_zh, other.mail, other.organisation)


def _is_there(one: Organisation, directory: Directory) -> bool:
    try:
        other = directory.organisation(one.id)
    except NoSuchOrganisation:
        return False
    return (one.name, one.name_zh, one.agency, one.parent) == (other.name, other.name_zh, other.agency, other.parent)


def compare(batch: Batch, directory: Directory, within: Scope) -> None:
    """Refuse what is there already, what refers to nothing, and what its author may not enter."""
    _known(batch, directory)
    organisations = _Organisations(batch, directory)
    _organisations(batch, organisations)
    for line, person in batch.people:
        if person.organisation and not organisations.has_agency(person.organisation):
            batch.refuse(line, "organisation", _NO_AGENCY)
    for line, device in batch.devices:
        if not organisations.has(device.organisation):
            batch.refuse(line, "organisation", _UNKNOWN_ORGANISATION)
    usernames = {person.username for _, person in batch.people}
    for line, new in batch.mandates:
        if new.username not in usernames:
            _compare_mandate(line, new, batch, directory)
        if not organisations.has(new.mandate.organisation):
            batch.refuse(line, "organisation", _UNKNOWN_ORGANISATION)
    if not within.everything:
        _stay_within(batch, within)


def _known(batch: Batch, directory: Directory) -> None:
    there = directory.named(person.username for _, person in batch.people)
    for line, person in batch.people:
        if person.username in there:
            batch.refuse(line, "username", TAKEN)
    for line, organisation in batch.organisations:
        if _has_organisation(directory, organisation.id):
            batch.refuse(line, "id", TAKEN)
        elif directory.has_credit_code(organisation.credit_code):
            batch.refuse(line, "credit_code", TAKEN)


def _organisations(batch: Batch, organisations: _Organisations) -> None:
    parents = {organisation.id: organisation.parent for _, organisation in batch.organisations}
    for line, organisation in batch.organisations:
        if not organisation.parent:
            continue
        if not organisations.has_agency(organisation.parent):
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
        batch.refuse(line, "scope", TAKEN)


def number(batch: Batch, numbers: range) -> None:
    """Give register numbers in the order in which the records will be entered."""
    given = iter(numbers)
    batch.organisations = [(line, replace(item, number=next(given))) for line, item in batch.organisations]
    batch.people = [(line, replace(item, number=next(given))) for line, item in batch.people]
    batch.devices = [(line, replace(item, number=next(given))) for line, item in batch.devices]
    batch.departments = [(line, replace(item, number=next(given))) for line, item in batch.departments]
    batch.posts = [(line, replace(item, number=next(given))) for line, item in batch.posts]


def series(
    batch: Batch,
    directory: Directory,
    tree: Tree,
    *,
    cost: Cost,
    passwords: dict[str, str],
    numbers: Numbers,
) -> tuple[Change, ...]:
    """The changes that enter the batch; organisations come first because others belong to them."""
    made = [changes.add(tree.organisation(o.id), _sealed(o, numbers)) for _, o in batch.organisations]
    for _, person in batch.people:
        password = passwords.get(person.subject)
        salt = secrets.token_bytes(SALT_LENGTH)
        value = hashed(password.encode(), salt=salt, cost=cost) if password else no_password(cost)
        content = entries.person_content(person, password_hash=value)
        if person.subject in batch.numbers:
            _, told = batch.numbers[person.subject]
            content["tallyNumberIndex"] = [numbers.index(told)]
            content["tallyNumberSealed"] = [numbers.seal(told, of=person.subject)]
        made.append(changes.add(tree.person(person.subject), content))
    made += [changes.add(tree.device(d.id), entries.device_content(d)) for _, d in batch.devices]
    for holder, new in _held(batch, directory):
        content = entries.mandate_content(holder, new.mandate)
        made.append(changes.add(tree.mandate(entries.mandate_id(holder, new.mandate)), content))
    return tuple(made)


def _sealed(of: Organisation, numbers: Numbers) -> entries.Content:
    """What is entered of an organisation; its credit code as index and seal."""
    content = entries.organisation_content(replace(of, credit_code=""))
    if of.credit_code:
        content["tallyNumberIndex"] = [numbers.index(of.credit_code)]
        content["tallyNumberSealed"] = [numbers.seal(of.credit_code, of=of.id)]
    return content


def posts_held(batch: Batch, standings: Standings, tree: Tree, *, actor: str, numbers: range) -> list[Change]:
    """The changes that enter departments and posts, and let new people hold posts."""
    made = [
        changes.add(tree.entry("departments", d.id), entries_powers.department_content(d)) for _, d in batch.departments
    ]
    made += [changes.add(tree.entry("posts", p.id), entries_powers.post_content(p)) for _, p in batch.posts]
    known = {post.id: post for _, post in batch.posts}
    given = iter(numbers)
    for _, new in batch.holdings:
        post = known.get(new.post) or standings.post(new.post)
        holding = Holding(
            id=new_id(), holder=new.subject, post=post.id, since=new.since or standings.today(), by=actor,
            reason=new.reason, number=next(given), waiting=new.since is not None and new.since > standings.today(),
        )  # fmt: skip
        made.append(changes.add(tree.entry("holdings", holding.id), entries_powers.holding_content(holding)))
        dn = tree.person(new.subject)
        if not holding.waiting:
            made += [changes.member(tree.role(role), dn, joins=True) for role in sorted(post.roles)]
    return made


def place(batch: Batch, directory: Directory, standings: Standings, within: Scope) -> None:
    """Look up what departments and posts are a part of and which posts are held, by name in their agency."""
    organisations = _Organisations(batch, directory)
    named = _named(batch, standings)
    departments = []
    for line, each in batch.departments:
        if not organisations.has_agency(each.organisation):
            batch.refuse(line, "organisation", _NO_AGENCY)
        elif not within.holds(each.organisation):
            batch.refuse(line, "organisation", _OUTSIDE)
        departments.append((line, replace(each, parent=_part(batch, line, named, each.organisation, each.parent))))
    batch.departments = departments
    _no_circles(batch)
    posts = []
    for line, post in batch.posts:
        if not organisations.has_agency(post.organisation):
            batch.refuse(line, "organisation", _NO_AGENCY)
        elif not within.holds(post.organisation):
            batch.refuse(line, "organisation", _OUTSIDE)
        posts.append((line, replace(post, department=_part(batch, line, named, post.organisation, post.department))))
    batch.posts = posts
    _hold(batch, standings, within)


def _named(batch: Batch, standings: Standings) -> dict[tuple[str, str], str]:
    """Departments by agency and name."""
    asked = {each.organisation for _, each in batch.departments} | {post.organisation for _, post in batch.posts}
    found = {(each.organisation, each.name): each.id for org in sorted(asked) for each in standings.departments(org)}
    for line, each in batch.departments:
        if (each.organisation, each.name) in found:
            batch.refuse(line, "name", TAKEN)
    return found | {(each.organisation, each.name): each.id for _, each in batch.departments}


def _part(batch: Batch, line: int, named: dict[tuple[str, str], str], organisation: str, name: str) -> str:
    if not name:
        return ""
    found = named.get((organisation, name), "")
    if not found:
        batch.refuse(line, "department", N_("there is no such department in this agency"))
    return found


def _no_circles(batch: Batch) -> None:
    above = {each.id: each.parent for _, each in batch.departments}
    for line, each in batch.departments:
        step = each.parent
        for _ in above:
            step = above.get(step, "")
        if step:
            batch.refuse(line, "department", N_("it would be a part of itself"))


def _hold(batch: Batch, standings: Standings, within: Scope) -> None:
    new = {(post.organisation, post.name): post for _, post in batch.posts}
    there: dict[str, dict[str, list[Post]]] = {}
    held = []
    for line, holding in batch.holdings:
        agency = holding.organisation
        if agency not in there:
            there[agency] = {}
            for post in standings.posts(agency):
                there[agency].setdefault(post.name, []).append(post)
        found = [
            *there[agency].get(holding.post, ()),
            *(post for posts in there[agency].values() for post in posts if post.id == holding.post),
            *([new[agency, holding.post]] if (agency, holding.post) in new else ()),
        ]
        if len(found) != 1:
            batch.refuse(line, "post", N_("there is no such post in this agency, or more than one"))
        elif not within.everything and found[0].roles & set(ROLES):
            batch.refuse(line, "post", _OUTSIDE)
        elif clash(found[0].roles, standings.apart()):
            batch.refuse(line, "post", N_("this post carries two roles that nobody may hold together"))
        else:
            held.append((line, replace(holding, post=found[0].id)))
    batch.holdings = held


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
        ("organisation", [(item.id, item.name_zh or item.name, "") for _, item in batch.organisations]),
        ("device", [(item.id, item.name, item.organisation) for _, item in batch.devices]),
        ("department", [(item.id, item.name_zh or item.name, item.organisation) for _, item in batch.departments]),
        ("post", [(item.id, item.name_zh or item.name, item.organisation) for _, item in batch.posts]),
    ):
        for identifier, name, organisation in named:
            yield event(
                "directory.entry.created",
                Outcome.SUCCESS,
                at,
                subject=identifier,
                actor=actor,
                operation=operation,
                organisation=organisation,
                attributes={"kind": kind},
                sealed={"name": name},
            )
    names = {person.subject: person.name_zh or person.name for _, person in batch.people}
    for _, holding in batch.holdings:
        yield event(
            "directory.post.given",
            Outcome.SUCCESS,
            at,
            subject=holding.subject,
            actor=actor,
            operation=operation,
            organisation=holding.organisation,
            attributes={"post": holding.post, **({"since": holding.since.isoformat()} if holding.since else {})},
            sealed={"name": names.get(holding.subject, ""), "actor_name": acting, "reason": holding.reason},
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


def _has_organisation(directory: Directory, identifier: str) -> bool:
    try:
        directory.organisation(identifier)
    except NoSuchOrganisation:
        return False
    return True
