# SPDX-License-Identifier: Apache-2.0
"""What one administrator may see and do: all of it, or what belongs to the own agency and everything below it.

The desk has no other way to the directory and its writer, so that no page can forget to ask.

| verb                           | directory administrator | agency administrator                                   |
| ------------------------------ | ----------------------- | ------------------------------------------------------ |
| see people, devices            | all                     | those of the branch; others are not there              |
| see organisations              | all                     | those of the branch                                    |
| disable, enable people         | all                     | those of the branch who hold no role of the whole site |
| disable, enable devices        | all                     | those of the branch                                    |
| import                         | all                     | civil servants, devices and agencies of the branch     |
| grant and withdraw roles       | yes                     | no                                                     |
| grant entitlements             | yes                     | no                                                     |
| give and take posts            | all                     | posts of the branch without a role of the whole site   |
| enter departments and posts    | all                     | those of the branch, without roles                     |
| settle what nobody recorded    | yes                     | no                                                     |
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from ..errors import BeyondScope, NoSuchDevice, NoSuchGrant, NoSuchOrganisation, NoSuchPerson, NoSuchPost
from ..imports import ImportReport
from ..models import (
    ADMINISTRATOR,
    AGENCY_ADMINISTRATOR,
    EVERYWHERE,
    ROLES,
    Device,
    Mandate,
    Organisation,
    Page,
    Person,
    Scope,
    identifier_of,
)
from ..models_powers import Department, Entitlement, Post, Representation, Role
from ..powers import Facts, Standing, standing
from .structure import is_of_whole_site
from .unrecorded import Unrecorded
from .writing import DirectoryWriter

MOST_HOLDERS = 20
"""Of one post, on one page."""


@dataclass(frozen=True, kw_only=True)
class Access:
    """What somebody may do, with what it follows from."""

    facts: Facts
    standing: Standing
    mandates: list[Mandate]
    represents: list[Representation]
    # Names of those who gave it, by subject.
    givers: dict[str, str]


class Administration:
    """For one request; ``roles`` are those the gateway vouches for."""

    def __init__(self, writer: DirectoryWriter, *, subject: str, roles: frozenset[str]) -> None:
        self._writer = writer
        self._directory = writer.directory
        self._subject = subject
        self.everything = ADMINISTRATOR in roles

    def scope(self) -> Scope:
        """The part of the directory, as the directory itself says now.

        Raises:
            NoSuchPerson: the administrator is not in the directory.
            DirectoryUnavailable: it does not answer; only whoever has everything can go on then.
        """
        if self.everything:
            return EVERYWHERE
        own = self._directory.person(self._subject)
        if not (own.enabled and AGENCY_ADMINISTRATOR in own.roles and own.organisation):
            return Scope()
        return self._directory.branch(own.organisation)

    def people(self, text: str = "", *, after: str = "", limit: int) -> Page[Person]:
        """As ``Directory.people``."""
        return self._directory.people(text, after=after, limit=limit, within=self.scope())

    def organisations(self, text: str = "", *, after: str = "", limit: int) -> Page[Organisation]:
        """As ``Directory.organisations``."""
        return self._directory.organisations(text, after=after, limit=limit, within=self.scope())

    def devices(self, text: str = "", *, after: str = "", limit: int) -> Page[Device]:
        """As ``Directory.devices``."""
        return self._directory.devices(text, after=after, limit=limit, within=self.scope())

    def person(self, subject: str) -> Person:
        """One person.

        Raises:
            NoSuchPerson: nobody, or nobody of the branch.
        """
        person = self._directory.person(subject)
        if not self.scope().holds(person.organisation):
            raise NoSuchPerson
        return person

    def organisation(self, identifier: str) -> Organisation:
        """One organisation, for its name; names of organisations are no secret."""
        return self._directory.organisation(identifier)

    def may_change(self, person: Person) -> bool:
        """Whether this administrator may disable and enable somebody whom they may see."""
        return self.everything or not person.roles & set(ROLES)

    def disable_person(self, subject: str, *, reason: str) -> None:
        """As the writer's verb.

        Raises:
            BeyondScope: they hold a role of the whole site.
        """
        self._writer.disable_person(self._own(subject), actor=self._subject, reason=reason)

    def enable_person(self, subject: str, *, reason: str) -> None:
        """As the writer's verb.

        Raises:
            BeyondScope: they hold a role of the whole site.
        """
        self._writer.enable_person(self._own(subject), actor=self._subject, reason=reason)

    def grant_role(self, subject: str, role: str, *, reason: str, until: date | None = None) -> None:
        """As the writer's verb.

        Raises:
            BeyondScope: not the directory's administrator.
        """
        self._only_everything()
        self._writer.grant_role(subject, role, actor=self._subject, reason=reason, until=until)

    def access(self, person: Person) -> Access:
        """What somebody of the own part may do, and why; those who gave it are told by name."""
        standings = self._writer.standings
        facts = standings.facts_of(person)
        givers = {each.by for each in facts.holdings if each.by} | {each.by for each in facts.grants if each.by}
        return Access(
            facts=facts,
            standing=standing(facts, standings.today()),
            mandates=standings.mandates(person.subject),
            represents=standings.represented_by(person.subject),
            givers={by: self._directory.called(by) or by for by in sorted(givers)},
        )

    def reaches(self, what: str, *, after: str = "", limit: int) -> Page[Person]:
        """Who of the own part has a role or an entitlement today.

        Raises:
            BadName: it can be neither.
        """
        wanted = Entitlement.parse(what) if "/" in what else identifier_of(what)
        return self._writer.standings.reaches(wanted, after=after, limit=limit, within=self.scope())

    def roles(self) -> list[Role]:
        """Every role; what roles there are is no secret."""
        return self._writer.standings.roles()

    def places(self, identifier: str) -> tuple[Organisation, list[Department], list[Post]]:
        """An organisation with its departments and posts.

        Raises:
            NoSuchOrganisation: none, or none of the branch.
        """
        self._own_organisation(identifier)
        found, standings = self._directory.organisation(identifier), self._writer.standings
        return found, standings.departments(found.id), standings.posts(found.id)

    def holders(self, posts: list[Post]) -> dict[str, list[Person]]:
        """Who holds each of these posts today; only people of the own part."""
        standings, scope = self._writer.standings, self.scope()
        found: dict[str, list[Person]] = {}
        for post in posts:
            held = [each.holder for each in standings.holdings(post.id) if each.holds(standings.today())]
            people = [self._directory.person(holder) for holder in held[:MOST_HOLDERS]]
            found[post.id] = [person for person in people if scope.holds(person.organisation)]
        return found

    def posts_to_give(self, person: Person) -> list[Post]:
        """The posts of somebody's agency that this administrator may give them."""
        if not person.organisation:
            return []
        posts = self._writer.standings.posts(person.organisation)
        return [post for post in posts if self.everything or not is_of_whole_site(post)]

    def give_post(
        self, subject: str, post: str, *, since: date | None = None, until: date | None = None, reason: str
    ) -> str:
        """As ``Giving.give_post``.

        Raises:
            BeyondScope: the post carries a role of the whole site, or the person holds one.
            NoSuchPost: it lies in another branch.
        """
        found = self._writer.standings.post(post)
        if not self.scope().holds(found.organisation):
            raise NoSuchPost
        if not self.everything and is_of_whole_site(found):
            raise BeyondScope
        return self._writer.giving.give_post(
            self._own(subject), found.id, since=since, until=until, actor=self._subject, reason=reason
        )

    def take_post(self, subject: str, holding: str, *, reason: str) -> None:
        """As ``Giving.take_post``.

        Raises:
            BeyondScope: the person holds a role of the whole site.
            NoSuchGrant: it is not theirs.
        """
        if self._writer.standings.holding(holding).holder != self._own(subject):
            raise NoSuchGrant
        self._writer.giving.take_post(holding, actor=self._subject, reason=reason)

    def grant_entitlement(self, subject: str, entitlement: str, *, until: date | None = None, reason: str) -> None:
        """As ``Giving.grant_entitlement``.

        Raises:
            BeyondScope: not the directory's administrator.
        """
        self._only_everything()
        self._writer.giving.grant_entitlement(subject, entitlement, until=until, actor=self._subject, reason=reason)

    def withdraw_grant(self, subject: str, grant: str, *, reason: str) -> None:
        """As ``Giving.withdraw_grant``.

        Raises:
            BeyondScope: not the directory's administrator.
            NoSuchGrant: it is not theirs.
        """
        self._only_everything()
        if self._writer.standings.grant(grant).holder != subject.lower():
            raise NoSuchGrant
        self._writer.giving.withdraw_grant(grant, actor=self._subject, reason=reason)

    def add_department(self, organisation: str, name: str, *, name_zh: str = "", parent: str = "") -> str:
        """As ``Structure.add_department``.

        Raises:
            NoSuchOrganisation: none of the branch.
        """
        self._own_organisation(organisation)
        return self._writer.structure.add_department(
            organisation, name, name_zh=name_zh, parent=parent, actor=self._subject
        )

    def add_post(
        self, organisation: str, name: str, *, name_zh: str = "", department: str = "", roles: Sequence[str] = ()
    ) -> str:
        """As ``Structure.add_post``.

        Raises:
            NoSuchOrganisation: none of the branch.
            BeyondScope: with a role, and not by the directory's administrator.
        """
        self._own_organisation(organisation)
        if roles:
            self._only_everything()
        return self._writer.structure.add_post(
            organisation, name, name_zh=name_zh, department=department, roles=roles, actor=self._subject
        )

    def withdraw_role(self, subject: str, role: str) -> None:
        """As the writer's verb.

        Raises:
            BeyondScope: not the directory's administrator.
        """
        self._only_everything()
        self._writer.withdraw_role(subject, role, actor=self._subject)

    def disable_device(self, identifier: str) -> None:
        """As the writer's verb."""
        self._writer.disable_device(self._own_device(identifier), actor=self._subject)

    def enable_device(self, identifier: str) -> None:
        """As the writer's verb."""
        self._writer.enable_device(self._own_device(identifier), actor=self._subject)

    def import_csv(self, data: bytes) -> ImportReport:
        """As the writer's verb; what is not of the branch is refused with its line."""
        return self._writer.import_csv(data, actor=self._subject, within=self.scope())

    def import_ldif(self, data: bytes) -> ImportReport:
        """As the writer's verb; what is not of the branch is refused with its line."""
        return self._writer.import_ldif(data, actor=self._subject, within=self.scope())

    @property
    def unrecorded(self) -> Unrecorded:
        """What nobody recorded.

        Raises:
            BeyondScope: not the directory's administrator.
        """
        self._only_everything()
        return self._writer.unrecorded

    def _own_organisation(self, identifier: str) -> None:
        if not self.scope().holds(identifier):
            raise NoSuchOrganisation

    def _only_everything(self) -> None:
        if not self.everything:
            raise BeyondScope

    def _own(self, subject: str) -> str:
        # Whoever has everything is not asked for the person, so that taking away works while the server is down.
        if not self.everything and not self.may_change(self.person(subject)):
            raise BeyondScope
        return subject

    def _own_device(self, identifier: str) -> str:
        if not self.everything and not self.scope().holds(self._directory.device(identifier).organisation):
            raise NoSuchDevice
        return identifier
