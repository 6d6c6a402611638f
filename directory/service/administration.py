# SPDX-License-Identifier: Apache-2.0
"""What one administrator may see and do: all of it, or what belongs to the own agency and everything below it.

The desk has no other way to the directory and its writer, so that no page can forget to ask.

| verb                           | directory administrator | agency administrator                                   |
| ------------------------------ | ----------------------- | ------------------------------------------------------ |
| see people, devices            | all                     | those of the branch; others are not there              |
| see organisations              | all                     | those of the branch                                    |
| disable, enable people         | all                     | those of the branch who hold no role of the whole site |
| say how devices fare           | all                     | those of the branch                                    |
| change many at once            | all, with roles         | as for each one of them, without roles                 |
| import                         | all                     | civil servants, devices and agencies of the branch     |
| grant and withdraw roles       | yes                     | no                                                     |
| contractors                    | as ``Engaging`` says                                                             |
| grant entitlements             | yes                     | no                                                     |
| hire, move, leave, let go      | all                     | within the branch, as people and posts above and below |
| give and take posts            | all                     | posts of the branch without a role of the whole site   |
| enter departments and posts    | all                     | those of the branch, without roles                     |
| say what a post carries        | yes                     | no                                                     |
| representatives, mandates      | yes                     | no                                                     |
| open sealed numbers            | yes                     | no                                                     |
| see how entries were changed   | all                     | those of the branch; see ``Remembering``               |
| settle what nobody recorded    | yes                     | no                                                     |
"""

from dataclasses import dataclass
from datetime import date

from ..errors import BeyondScope, NoSuchGrant, NoSuchPerson, NoSuchPost
from ..imports import ImportReport
from ..models import (
    ROLES,
    Device,
    Mandate,
    Organisation,
    Page,
    Person,
    PersonKind,
    credit_code_is_right,
    identifier_of,
)
from ..models_powers import Entitlement, Post, Representation, Role, national_number_is_right
from ..powers import Facts, Standing, standing
from .engaging import Engaging
from .governing import Governing
from .programs import Programs
from .remembering import Remembering
from .structure import is_of_whole_site
from .sweeping import Sweeping
from .things import Things
from .unrecorded import Unrecorded


@dataclass(frozen=True, kw_only=True)
class Access:
    """What somebody may do, with what it follows from."""

    facts: Facts
    standing: Standing
    mandates: list[Mandate]
    represents: list[Representation]
    # Names of those who gave it, by subject.
    givers: dict[str, str]


class Administration(Things, Sweeping, Programs, Governing, Engaging, Remembering):
    """For one request; what is about places, devices and mandates stands in ``Things``."""

    def people(self, text: str = "", *, after: str = "", limit: int) -> Page[Person]:
        """As ``Directory.people``; an exact national number finds whose it is."""
        if national_number_is_right(text.strip().upper(), self._writer.standings.today()):
            return Page(tuple(self._by_number(text)), "")
        return self._directory.people(text, after=after, limit=limit, within=self.scope())

    def beginning(self, text: str, *, limit: int) -> tuple[Person, ...]:
        """As ``Directory.beginning``, of the own part."""
        return self._directory.beginning(text, limit=limit, within=self.scope())

    def organisations(self, text: str = "", *, after: str = "", limit: int) -> Page[Organisation]:
        """As ``Directory.organisations``; an exact credit code finds whose it is."""
        if credit_code_is_right(text.strip().upper()):
            found = self._writer.numbering.organisation(text)
            held = (self._directory.organisation(found),) if found and self.scope().holds(found) else ()
            return Page(held, "")
        return self._directory.organisations(text, after=after, limit=limit, within=self.scope())

    def devices(self, text: str = "", *, after: str = "", limit: int) -> Page[Device]:
        """As ``Directory.devices``."""
        return self._directory.devices(text, after=after, limit=limit, within=self.scope())

    def organisation(self, identifier: str) -> Organisation:
        """One organisation, for its name; names of organisations are no secret."""
        return self._directory.organisation(identifier)

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

    def grantable(self, person: Person) -> list[str]:
        """Roles of the whole site that could be given; what binds a contractor is asked for elsewhere."""
        if person.kind is not PersonKind.CIVIL_SERVANT:
            return []
        return [role for role in ROLES if role not in person.roles]

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

    def withdraw_role(self, subject: str, role: str) -> None:
        """As the writer's verb.

        Raises:
            BeyondScope: not the directory's administrator.
        """
        self._only_everything()
        self._writer.withdraw_role(subject, role, actor=self._subject)

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

    def _by_number(self, number: str) -> list[Person]:
        try:
            found = self._writer.numbering.person(number)
        except NoSuchPerson:
            return []
        return [found] if self.scope().holds(found.organisation) else []
