# SPDX-License-Identifier: Apache-2.0
"""What somebody may do and why, read from the tree; only the writer's identity sees all of it."""

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import date
from typing import TypeVar

from core.clock import Clock

from ..errors import BadName, NoSuchDepartment, NoSuchGrant, NoSuchPerson, NoSuchPost, NoSuchRole, TooManyPeople
from ..ldap import Entry, Pool, Tree, entries, entries_powers, names
from ..models import APART, EVERYWHERE, IDENTIFIER, LONGEST_NAME, Mandate, Page, Person, PersonKind, Scope, subject_of
from ..models_powers import (
    Department,
    Entitlement,
    Grant,
    Holding,
    Offer,
    Post,
    Representation,
    Role,
    last_days,
)
from ..powers import Facts, Standing, memberships, standing
from ..slapd import MODEL
from .reading import Directory

N = TypeVar("N")
_AT_ONCE = 100
MOST = 400
"""Of what one person, post or agency has; a search of the writer is answered with at most 500 entries."""


class Standings:
    """Questions about posts, roles, grants and what follows from them; safe to share between threads."""

    def __init__(
        self,
        *,
        directory: Directory,
        pool: Pool,
        tree: Tree,
        clock: Clock,
        apart: Callable[[], frozenset[frozenset[str]]] = lambda: APART,
    ) -> None:
        """``apart`` tells which pairs of roles nobody may hold, at the moment."""
        self.directory = directory
        self.apart = apart
        self._pool = pool
        self._tree = tree
        self._clock = clock

    def today(self) -> date:
        """The day that counts, in UTC."""
        return self._clock.now().date()

    def facts(self, subject: str) -> Facts:
        """Everything from which a person's access follows.

        Raises:
            NoSuchPerson: nobody of that name.
        """
        return self.facts_of(self.directory.person(subject))

    def facts_of(self, person: Person) -> Facts:
        """The same, of somebody who has been read already."""
        held = names.equal("tallyHolder", person.subject)
        holdings = tuple(self._all("holdings", held, entries_powers.HOLDING, entries_powers.holding))
        grants = tuple(self._all("grants", held, entries_powers.GRANT, entries_powers.grant))
        posts = {post.id: post for post in self._posts({each.post for each in holdings})}
        wanted = {grant.role for grant in grants if grant.role}.union(*(post.roles for post in posts.values()))
        roles = {role.name: role for role in map(self.role_if_any, sorted(wanted)) if role}
        return Facts(person=person, holdings=holdings, grants=grants, posts=posts, roles=roles)

    def standing(self, subject: str) -> Standing:
        """What somebody may do today, with every chain that leads to it.

        Raises:
            NoSuchPerson: nobody of that name.
        """
        return standing(self.facts(subject), self.today())

    def materialised(self, subject: str) -> dict[str, date | None]:
        """The memberships as they stand in the tree, each with the last day that readers hold it for."""
        entry = self._pool.read(self._tree.person(subject_of(subject)), entries.PERSON)
        if entry is None:
            return {}
        last = last_days(entry.text("tallyRolesUntil"))
        return {role: last.get(role) for role in entries.groups(entry, self._tree)}

    def last_days(self, subject: str) -> str:
        """What stands beside the memberships about their ends."""
        entry = self._pool.read(self._tree.person(subject_of(subject)), ["tallyRolesUntil"])
        return entry.text("tallyRolesUntil") if entry else ""

    def post(self, identifier: str) -> Post:
        """One post.

        Raises:
            NoSuchPost: none of that identifier.
        """
        entry = self._read("posts", identifier, entries_powers.POST)
        if entry is None:
            raise NoSuchPost
        return entries_powers.post(entry)

    def department(self, identifier: str) -> Department:
        """One department.

        Raises:
            NoSuchDepartment: none of that identifier.
        """
        entry = self._read("departments", identifier, entries_powers.DEPARTMENT)
        if entry is None:
            raise NoSuchDepartment
        return entries_powers.department(entry)

    def departments(self, organisation: str) -> list[Department]:
        """The departments of an agency, in order of register number."""
        where = names.equal("tallyOrganisation", organisation)
        return self._all("departments", where, entries_powers.DEPARTMENT, entries_powers.department)

    def posts(self, organisation: str) -> list[Post]:
        """The posts of an agency, in order of register number."""
        where = names.equal("tallyOrganisation", organisation)
        return self._all("posts", where, entries_powers.POST, entries_powers.post)

    def posts_giving(self, role: str) -> list[Post]:
        """The posts that carry a role."""
        return self._all("posts", names.equal("tallyGives", role), entries_powers.POST, entries_powers.post)

    def holdings(self, post: str) -> list[Holding]:
        """Who holds a post, held, or will."""
        where = names.equal("tallyPost", post)
        return self._all("holdings", where, entries_powers.HOLDING, entries_powers.holding)

    def all_holdings(self) -> Iterator[Holding]:
        """Every post that is held, was not taken away since it ended, or will be."""
        for entry in self._pool.walk(self._tree.branch("holdings"), "(tallyHolder=*)", entries_powers.HOLDING):
            yield entries_powers.holding(entry)

    def holdings_after(self, number: int, *, limit: int) -> list[Holding]:
        """Posts that are held, held no longer or not yet, by register number from one on."""
        where = names.every("(tallyHolder=*)", names.beyond("tallyNumber", number))
        found = self._pool.search(self._tree.branch("holdings"), where, entries_powers.HOLDING, limit=limit)
        return [entries_powers.holding(entry) for entry in found]

    def grants_after(self, number: int, *, limit: int) -> list[Grant]:
        """Grants, by register number from one on."""
        where = names.every("(tallyHolder=*)", names.beyond("tallyNumber", number))
        found = self._pool.search(self._tree.branch("grants"), where, entries_powers.GRANT, limit=limit)
        return [entries_powers.grant(entry) for entry in found]

    def organisations_of(self, subjects: set[str]) -> dict[str, str]:
        """The agencies of these people."""
        if not subjects:
            return {}
        where = names.any_of("tallySubject", sorted(subjects))
        found = self._pool.search(
            self._tree.branch("people"), where, ["tallySubject", "tallyOrganisation"], limit=len(subjects)
        )
        return {entry.text("tallySubject"): entry.text("tallyOrganisation") for entry in found}

    def holdings_of(self, subjects: Sequence[str]) -> list[Holding]:
        """Which posts these people hold, held or will hold; of a few people."""
        where = names.any_of("tallyHolder", subjects)
        return self._some("holdings", where, entries_powers.HOLDING, entries_powers.holding)

    def has_organisation(self, identifier: str) -> bool:
        """Whether there is such an organisation."""
        return bool(identifier) and self._pool.read(self._tree.organisation(identifier), ["tallyId"]) is not None

    def holding(self, identifier: str) -> Holding:
        """That somebody holds a post.

        Raises:
            NoSuchGrant: nobody does by this identifier.
        """
        entry = self._read("holdings", identifier, entries_powers.HOLDING)
        if entry is None:
            raise NoSuchGrant
        return entries_powers.holding(entry)

    def grant(self, identifier: str) -> Grant:
        """One grant.

        Raises:
            NoSuchGrant: none of that identifier.
        """
        entry = self._read("grants", identifier, entries_powers.GRANT)
        if entry is None:
            raise NoSuchGrant
        return entries_powers.grant(entry)

    def role(self, name: str) -> Role:
        """One role.

        Raises:
            NoSuchRole: none of that name.
        """
        found = self.role_if_any(name)
        if found is None:
            raise NoSuchRole(role=name[:LONGEST_NAME])
        return found

    def is_given(self, role: str) -> bool:
        """Whether somebody is a member of a role, in time or not, or was granted it."""
        member = names.equal("memberOf", self._tree.role(role))
        granted = names.equal("tallyRoleName", role)
        return bool(
            self._pool.search(self._tree.branch("people"), member, ["tallySubject"], limit=1)
            or self._pool.search(self._tree.branch("grants"), granted, ["tallyId"], limit=1)
        )

    def group_name(self, role: str) -> str:
        """The name in the tree of a role's group."""
        return self._tree.role(role)

    def granted(self, role: str) -> list[Grant]:
        """Every grant of a role, over or not."""
        return self._all("grants", names.equal("tallyRoleName", role), entries_powers.GRANT, entries_powers.grant)

    def role_if_any(self, name: str) -> Role | None:
        """One role, or none of that name."""
        if len(name) > LONGEST_NAME or not IDENTIFIER.match(name):
            return None
        entry = self._pool.read(self._tree.role(name), entries_powers.ROLE)
        return entries_powers.role(entry) if entry else None

    def roles(self) -> list[Role]:
        """Every role there is."""
        found = self._all("roles", "(objectClass=tallyRole)", entries_powers.ROLE, entries_powers.role)
        return sorted(found, key=lambda role: role.name)

    def offers(self) -> list[Offer]:
        """Every service that is offered."""
        return self._all("offers", "(objectClass=tallyOffer)", entries_powers.OFFER, entries_powers.offer)

    def has_portal(self, name: str) -> bool:
        """Whether the site has a portal of this name."""
        return self._pool.read(self._tree.portal(name), ["cn"]) is not None

    def by_number(self, branch: str, index: str) -> str:
        """The identifier of the entry that has a number, told by its keyed index; empty for none."""
        found = self._pool.search(
            self._tree.branch(branch), names.equal("tallyNumberIndex", index), ["tallySubject", "tallyId"], limit=1
        )
        return next((entry.text("tallySubject") or entry.text("tallyId") for entry in found), "")

    def numbers_known(self, branch: str, indices: Collection[str]) -> frozenset[str]:
        """Those of these keyed indices that an entry has; a hundred in one question."""
        wanted, found = sorted(set(indices)), set[str]()
        for begin in range(0, len(wanted), _AT_ONCE):
            where = names.any_of("tallyNumberIndex", wanted[begin : begin + _AT_ONCE])
            there = self._pool.search(self._tree.branch(branch), where, ["tallyNumberIndex"], limit=_AT_ONCE)
            found.update(entry.text("tallyNumberIndex") for entry in there)
        return frozenset(found)

    def sealed_number(self, subject: str) -> str:
        """Somebody's national number as it is kept; empty for none."""
        entry = self._pool.read(self._tree.person(subject_of(subject)), ["tallyNumberSealed"])
        return entry.text("tallyNumberSealed") if entry else ""

    def contact(self, subject: str) -> dict[str, str]:
        """Where somebody is called and in which language.

        Raises:
            NoSuchPerson: nobody of that name.
        """
        names = ("telephoneNumber", "preferredLanguage")
        entry = self._pool.read(self._tree.person(subject_of(subject)), list(names))
        if entry is None:
            raise NoSuchPerson
        return {name: entry.text(name) for name in names}

    def sealed_code(self, organisation: str) -> str:
        """An organisation's credit code as it is kept; empty for none, and for one that stands in clear."""
        entry = self._pool.read(self._tree.organisation(organisation), ["tallyNumberSealed"])
        return entry.text("tallyNumberSealed") if entry else ""

    def codes_in_clear(self, limit: int) -> list[tuple[str, str]]:
        """Organisations whose credit code an earlier release wrote in clear; some of them, if there are many."""
        found = self._pool.search(
            self._tree.branch("organisations"), "(tallyCreditCode=*)", ["tallyId", "tallyCreditCode"], limit=limit
        )
        return [(entry.text("tallyId"), entry.text("tallyCreditCode")) for entry in found]

    def representatives(self, organisation: str) -> list[Representation]:
        """Who represents a company."""
        return self._represent(names.equal("tallyOrganisation", organisation))

    def represented_by(self, subject: str) -> list[Representation]:
        """Which companies somebody represents."""
        return self._represent(names.equal("tallyHolder", subject))

    def representation(self, identifier: str) -> Representation:
        """That somebody represents a company.

        Raises:
            NoSuchGrant: nobody does by this identifier.
        """
        entry = self._read("representatives", identifier, entries_powers.REPRESENTATION)
        if entry is None:
            raise NoSuchGrant
        return entries_powers.representation(entry)

    def mandates(self, subject: str) -> list[Mandate]:
        """For whom somebody may act, with who gave it and why; those that have run out too."""
        return self._mandates(names.equal("tallyHolder", subject))

    def mandates_for(self, principal: str) -> list[Mandate]:
        """Who may act for a person today."""
        found = self._mandates(names.equal("tallyPrincipal", principal))
        return [each for each in found if each.until >= self.today()]

    def mandates_of_organisation(self, organisation: str) -> list[Mandate]:
        """Who may act for an organisation today."""
        found = self._mandates(names.equal("tallyOrganisation", organisation))
        return [each for each in found if each.until >= self.today()]

    def reaches(
        self, what: str | Entitlement, *, after: str = "", limit: int = 50, within: Scope = EVERYWHERE
    ) -> Page[Person]:
        """Who has a role or an entitlement today, in order of register number; the disabled have nothing."""
        roles, granted = self._reaching(what)
        where = "".join([*(self._has_role(role) for role in sorted(roles)), names.any_of("tallySubject", granted)])
        where = f"(|{where})"
        page = self.directory.people_where(
            names.every("(tallyEnabled=TRUE)", where), after=after, limit=limit, within=within
        )
        # A membership may be over before anybody has taken it away.
        held = tuple(person for person in page.items if person.roles & roles or person.subject in granted)
        return Page(held, page.after)

    def clashes(self) -> list[tuple[str, str, Person]]:
        """Everybody who holds two roles that must be kept apart, whichever way they came by them."""
        found: list[tuple[str, str, Person]] = []
        for one, other in sorted(tuple(sorted(pair)) for pair in self.apart()):
            both = names.every(*(names.equal("memberOf", self._tree.role(role)) for role in (one, other)))
            found += [(one, other, person) for person in self.directory.people_where(both, limit=MOST).items]
        return found

    def expected(self, facts: Facts) -> dict[str, date | None]:
        """The memberships that somebody should have today."""
        return memberships(facts, self.today())

    def holders(self) -> Iterator[str]:
        """Subjects of everybody who holds a post or a grant, some more than once."""
        for branch in ("holdings", "grants"):
            for entry in self._pool.walk(self._tree.branch(branch), "(tallyHolder=*)", ["tallyHolder"]):
                yield entry.text("tallyHolder")

    def missing_branches(self) -> tuple[str, ...]:
        """The branches that a tree of an earlier release lacks."""
        return tuple(name for name in MODEL if self._pool.read(self._tree.branch(name), ["ou"]) is None)

    def over(self) -> tuple[list[Holding], list[Grant]]:
        """What has ended and still stands in the tree; some of it, if there is much."""
        where = f"(&{names.until_day('tallyUntil', self.today())}(!{names.from_day('tallyUntil', self.today())}))"
        return (
            self._some("holdings", where, entries_powers.HOLDING, entries_powers.holding),
            self._some("grants", where, entries_powers.GRANT, entries_powers.grant),
        )

    def due(self) -> tuple[list[Holding], list[Grant]]:
        """What has begun and has not taken effect; some of it, if there is much."""
        where = names.every("(tallyWaiting=TRUE)", names.until_day("tallyFrom", self.today()))
        return (
            self._some("holdings", where, entries_powers.HOLDING, entries_powers.holding),
            self._some("grants", where, entries_powers.GRANT, entries_powers.grant),
        )

    def _reaching(self, what: str | Entitlement) -> tuple[frozenset[str], list[str]]:
        """The roles that lead there, and the subjects of those who were granted it."""
        if isinstance(what, str):
            return frozenset({what}), []
        carrying = names.equal("tallyEntitlement", str(what))
        roles = self._all("roles", carrying, entries_powers.ROLE, entries_powers.role)
        given = self._all("grants", carrying, entries_powers.GRANT, entries_powers.grant)
        holders = {each.holder for each in given if each.holds(self.today())}
        return frozenset(role.name for role in roles), sorted(holders)

    def _has_role(self, role: str) -> str:
        if role in set(PersonKind):
            return names.equal("objectClass", "tallyCitizen" if role == PersonKind.CITIZEN else "tallyCivilServant")
        return names.equal("memberOf", self._tree.role(role))

    def _posts(self, identifiers: set[str]) -> list[Post]:
        if not identifiers:
            return []
        where = names.any_of("tallyId", sorted(identifiers))
        return self._all("posts", where, entries_powers.POST, entries_powers.post)

    def _represent(self, where: str) -> list[Representation]:
        return self._all("representatives", where, entries_powers.REPRESENTATION, entries_powers.representation)

    def _mandates(self, where: str) -> list[Mandate]:
        return self._all("mandates", where, entries_powers.MANDATE, entries.mandate)

    def _read(self, branch: str, identifier: str, wanted: tuple[str, ...]) -> Entry | None:
        try:
            return self._pool.read(self._tree.entry(branch, subject_of(identifier)), wanted)
        except BadName:
            return None

    def _all(self, branch: str, where: str, wanted: tuple[str, ...], model: Callable[[Entry], N]) -> list[N]:
        found = self._pool.search(self._tree.branch(branch), where, wanted, limit=MOST + 1)
        if len(found) > MOST:
            raise TooManyPeople
        return [model(entry) for entry in found]

    def _some(self, branch: str, where: str, wanted: tuple[str, ...], model: Callable[[Entry], N]) -> list[N]:
        return [model(entry) for entry in self._pool.search(self._tree.branch(branch), where, wanted, limit=MOST)]
