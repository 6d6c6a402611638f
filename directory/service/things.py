# SPDX-License-Identifier: Apache-2.0
"""The part of an administrator's verbs that is about places, devices, representatives, mandates and numbers."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date

from ..errors import NoSuchDepartment, NoSuchEntitlement, NoSuchGrant, NoSuchPerson, NoSuchPost
from ..imports import Batch, ImportReport
from ..models import Device, DeviceState, Mandate, Organisation, Person, identifier_of
from ..models_powers import Capacity, Department, Offer, Post, Representation
from ..systems import Program
from .entering import new_id
from .outsiders import Speaker
from .provisioning import Standing as PortalStanding
from .scoping import Scoped
from .structure import is_of_whole_site

MOST_HOLDERS = 20
"""Of one post, on one page."""


class Things(Scoped):
    """As the writer's verbs, each within the administrator's part."""

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

    def move_department(self, organisation: str, department: str, parent: str) -> None:
        """As ``Structure.move_department``.

        Raises:
            NoSuchOrganisation: none of the branch.
            NoSuchDepartment: it is another agency's.
        """
        self._own_organisation(organisation)
        if self._writer.standings.department(department).organisation != organisation:
            raise NoSuchDepartment
        self._writer.structure.move_department(department, parent, actor=self._subject)

    def change_post(self, organisation: str, post: str, role: str, *, carries: bool, reason: str) -> None:
        """Let a post carry a role, or no longer.

        Raises:
            BeyondScope: not the directory's administrator.
            NoSuchPost: it is another agency's.
        """
        self._only_everything()
        if self._writer.standings.post(post).organisation != organisation:
            raise NoSuchPost
        change = self._writer.structure.add_to_post if carries else self._writer.structure.remove_from_post
        change(post, role, actor=self._subject, reason=reason)

    def representatives(self, organisation: str) -> list[tuple[Person, Representation]]:
        """Who represents a company, with the person; for an agency's administrator there are none."""
        found = self._writer.standings.representatives(organisation) if self.everything else []
        return [(self._directory.person(each.holder), each) for each in found[:MOST_HOLDERS]]

    def name_representative(
        self, organisation: str, username: str, capacity: Capacity, *, until: date | None, reason: str
    ) -> str:
        """As ``Giving.name_representative``, of somebody told by user name; returns whom.

        Raises:
            BeyondScope: not the directory's administrator.
        """
        self._only_everything()
        person = self._directory.person_by_username(username)
        self._writer.giving.name_representative(
            person.subject, organisation, capacity, until=until, actor=self._subject, reason=reason
        )
        return person.subject

    def remove_representative(self, organisation: str, identifier: str, *, reason: str) -> None:
        """As ``Giving.remove_representative``.

        Raises:
            BeyondScope: not the directory's administrator.
            NoSuchGrant: it is another company's.
        """
        self._only_everything()
        if self._writer.standings.representation(identifier).organisation != organisation:
            raise NoSuchGrant
        self._writer.giving.remove_representative(identifier, actor=self._subject, reason=reason)

    def remove_department(self, organisation: str, department: str) -> None:
        """As ``Structure.remove_department``.

        Raises:
            NoSuchOrganisation: none of the branch.
            NoSuchDepartment: it is another agency's.
        """
        self._own_organisation(organisation)
        if self._writer.standings.department(department).organisation != organisation:
            raise NoSuchDepartment
        self._writer.structure.remove_department(department, actor=self._subject)

    def remove_post(self, organisation: str, post: str) -> None:
        """As ``Structure.remove_post``.

        Raises:
            NoSuchOrganisation: none of the branch.
            BeyondScope: it carries a role of the whole site.
            NoSuchPost: it is another agency's.
        """
        self._own_organisation(organisation)
        found = self._writer.standings.post(post)
        if found.organisation != organisation:
            raise NoSuchPost
        if is_of_whole_site(found):
            self._only_everything()
        self._writer.structure.remove_post(post, actor=self._subject)

    def enter_organisation(self, made: Organisation) -> ImportReport:
        """Enter a company or an agency, as one line of an import would."""
        return self._writer.enter(Batch(organisations=[(1, made)]), actor=self._subject, within=self.scope())

    def enter_device(self, made: Device) -> ImportReport:
        """Enter a device, as one line of an import would; whoever owns it is told by user name."""
        owner = self._directory.person_by_username(made.owner).subject if made.owner else ""
        device = replace(made, id=new_id(), owner=owner)
        return self._writer.enter(Batch(devices=[(1, device)]), actor=self._subject, within=self.scope())

    def add_role(self, name: str, title: str, title_zh: str, entitlements: Sequence[str]) -> None:
        """As ``Structure.add_role``.

        Raises:
            BeyondScope: not the directory's administrator.
            NoSuchEntitlement: no portal of that name.
        """
        self._only_everything()
        given = [self._writer.giving.entitlement(each) for each in entitlements]
        self._writer.structure.add_role(name, title=title, title_zh=title_zh, entitlements=given, actor=self._subject)

    def add_offer(self, offer: Offer) -> None:
        """As ``Structure.add_offer``.

        Raises:
            BeyondScope: not the directory's administrator.
            NoSuchEntitlement: no portal of that name.
        """
        self._only_everything()
        if offer.portal and not self._writer.standings.has_portal(identifier_of(offer.portal)):
            raise NoSuchEntitlement(entitlement=offer.portal)
        self._writer.structure.add_offer(offer, actor=self._subject)

    def principals(self, mandates: Sequence[Mandate]) -> dict[str, Person]:
        """For whom somebody acts, for their names; those who are not there any more are left out."""
        found: dict[str, Person] = {}
        for each in mandates:
            if each.principal and each.principal not in found:
                with suppress(NoSuchPerson):
                    found[each.principal] = self._directory.person(each.principal)
        return found

    def offers(self) -> list[Offer]:
        """What mandates can be given for."""
        return self._writer.standings.offers()

    def grant_mandate(self, subject: str, whom: str, scope: str, *, until: date, reason: str) -> None:
        """As ``Giving.grant_mandate``; ``whom`` is an organisation's identifier, or a person's user name after ``@``.

        Raises:
            BeyondScope: not the directory's administrator.
        """
        self._only_everything()
        principal = self._directory.person_by_username(whom[1:]).subject if whom.startswith("@") else ""
        self._writer.giving.grant_mandate(
            subject, organisation="" if principal else whom, principal=principal, scope=scope, until=until,
            actor=self._subject, reason=reason,
        )  # fmt: skip

    def withdraw_mandate(self, subject: str, *, organisation: str, principal: str, scope: str, reason: str) -> None:
        """As ``Giving.withdraw_mandate``.

        Raises:
            BeyondScope: not the directory's administrator.
            NoSuchGrant: they had no such mandate.
        """
        self._only_everything()
        mandate = Mandate(organisation=organisation, principal=principal, scope=scope, until=date.max)
        self._writer.giving.withdraw_mandate(subject, mandate, actor=self._subject, reason=reason)

    def number(self, subject: str, *, reason: str) -> str:
        """As ``Numbering.opened``.

        Raises:
            BeyondScope: not the directory's administrator.
        """
        self._only_everything()
        return self._writer.numbering.opened(subject, actor=self._subject, reason=reason)

    def code(self, organisation: str, *, reason: str) -> str:
        """As ``Numbering.code``.

        Raises:
            BeyondScope: not the directory's administrator.
        """
        self._only_everything()
        return self._writer.numbering.code(organisation, actor=self._subject, reason=reason)

    def set_device_state(self, identifier: str, state: DeviceState, *, reason: str) -> None:
        """As the writer's verb."""
        self._writer.set_device_state(self._own_device(identifier), state, actor=self._subject, reason=reason)

    def disable_device(self, identifier: str) -> None:
        """As the writer's verb."""
        self._writer.disable_device(self._own_device(identifier), actor=self._subject)

    def enable_device(self, identifier: str) -> None:
        """As the writer's verb."""
        self._writer.enable_device(self._own_device(identifier), actor=self._subject)

    def software(self) -> list[Speaker]:
        """Devices that may read by LDAP.

        Raises:
            BeyondScope: not the directory's administrator.
        """
        self._only_everything()
        return self._writer.outsiders.all()

    def let_read(
        self, device: str, rights: Sequence[str], scopes: Sequence[str], *, until: date, reason: str
    ) -> Speaker:
        """As ``Outsiders.let``.

        Raises:
            BeyondScope: not the directory's administrator.
        """
        self._only_everything()
        return self._writer.outsiders.let(device, rights, scopes, until=until, actor=self._subject, reason=reason)

    def rotate_software(self, old: str, new: str, *, last: date, reason: str) -> Speaker:
        """As ``Outsiders.rotate``.

        Raises:
            BeyondScope: not the directory's administrator.
        """
        self._only_everything()
        return self._writer.outsiders.rotate(old, new, last=last, actor=self._subject, reason=reason)

    def close_software(self, device: str, *, reason: str) -> None:
        """As ``Outsiders.close``.

        Raises:
            BeyondScope: not the directory's administrator.
        """
        self._only_everything()
        self._writer.outsiders.close(device, actor=self._subject, reason=reason)

    def portals(self) -> list[PortalStanding]:
        """How portals stand that are told of accounts.

        Raises:
            BeyondScope: not the directory's administrator.
        """
        self._only_everything()
        return self._writer.provisioning.standing()

    def portal_again(self, name: str) -> None:
        """As ``Provisioning.again``.

        Raises:
            BeyondScope: not the directory's administrator.
            NoSuchEntitlement: no such portal is told of accounts.
        """
        self._only_everything()
        self._writer.provisioning.again(name)

    def programs(self) -> list[Program]:
        """Programs that keep a part of the directory.

        Raises:
            BeyondScope: not the directory's administrator.
        """
        self._only_everything()
        return self._writer.enrolling.all()

    def let_program(
        self, client: str, organisations: Sequence[str], doings: Sequence[str], *, until: date, reason: str
    ) -> Program:
        """As ``Enrolling.let``.

        Raises:
            BeyondScope: not the directory's administrator.
        """
        self._only_everything()
        return self._writer.enrolling.let(
            client, organisations=organisations, doings=doings, until=until, actor=self._subject, reason=reason
        )

    def end_program(self, client: str, *, reason: str) -> None:
        """As ``Enrolling.end``.

        Raises:
            BeyondScope: not the directory's administrator.
        """
        self._only_everything()
        self._writer.enrolling.end(client, actor=self._subject, reason=reason)
