# SPDX-License-Identifier: Apache-2.0
"""Departments, posts, roles and offers: what there is to be held. What a post or role gives is changed here too.

A change of a post concerns everybody who holds it, so it is judged and recorded for each of them.
"""

from collections.abc import Sequence
from dataclasses import replace

from core.errors import TallygateError

from ..errors import (
    AlreadyGiven,
    BadName,
    BeyondScope,
    NoSuchDepartment,
    NoSuchGrant,
    NoSuchOrganisation,
    RolesClash,
    StillInUse,
    TooManyPeople,
)
from ..ldap import changes, entries_powers
from ..ldap.changes import Change, Verb
from ..models import ROLES, PersonKind, identifier_of
from ..models_powers import LONGEST_TEXT, Department, Entitlement, Offer, Post, Role
from ..powers import Facts, clash
from .deeds import Deed, Deeds, listed, reasoned

MOST_HOLDERS = 200
DEEPEST = 20
"""Levels of departments below an agency."""


class Structure:
    """The verbs about what can be held."""

    def __init__(self, deeds: Deeds) -> None:
        self._deeds = deeds
        self._standings = deeds.standings

    def add_department(self, organisation: str, name: str, *, name_zh: str = "", parent: str = "", actor: str) -> str:
        """Enter a department of an agency; returns its identifier.

        Raises:
            NoSuchOrganisation: no agency of that identifier.
            NoSuchDepartment: the one above it is not one of this agency, or too far down.
            BadName: it cannot be called so.
        """
        with self._deeds.alone():
            self._agency(organisation)
            if parent and len(self._above(organisation, parent)) >= DEEPEST:
                raise NoSuchDepartment
            made = Department(
                id=self._deeds.new_id(), number=self._deeds.number(), name=_named(name),
                name_zh=_named(name_zh, empty=True), organisation=organisation, parent=parent,
            )  # fmt: skip
            dn = self._deeds.tree.entry("departments", made.id)
            self._create(made.id, "department", [changes.add(dn, entries_powers.department_content(made))], made.name,
                         organisation=organisation, actor=actor)  # fmt: skip
        return made.id

    def move_department(self, identifier: str, parent: str, *, actor: str) -> None:
        """Make a department part of another one of its agency, or of none.

        Raises:
            NoSuchDepartment: it would be a part of itself, or the other one is elsewhere.
        """
        with self._deeds.alone():
            found = self._standings.department(identifier)
            above = self._above(found.organisation, parent) if parent else []
            if found.id in above or len(above) >= DEEPEST:
                raise NoSuchDepartment
            dn = self._deeds.tree.entry("departments", found.id)
            move = Change(verb=Verb.REPLACE, dn=dn, attribute="tallyParent", value=parent, before=found.parent)
            self._deeds.give([move], Deed(
                kind="directory.entry.changed",
                subject=found.id,
                organisation=found.organisation,
                attributes={"kind": "department"},
                sealed={"before.parent": found.parent, "after.parent": parent},
            ), actor=actor)  # fmt: skip

    def remove_department(self, identifier: str, *, actor: str) -> None:
        """Remove a department that has no posts and nothing below it.

        Raises:
            StillInUse: it has.
        """
        with self._deeds.alone():
            found = self._standings.department(identifier)
            below = [each for each in self._standings.departments(found.organisation) if each.parent == found.id]
            posts = [each for each in self._standings.posts(found.organisation) if each.department == found.id]
            if below or posts:
                raise StillInUse
            self._remove("departments", found, "department", actor=actor)

    def add_post(
        self,
        organisation: str,
        name: str,
        *,
        name_zh: str = "",
        department: str = "",
        roles: Sequence[str] = (),
        actor: str,
    ) -> str:
        """Enter a post of an agency, held by nobody; returns its identifier.

        Raises:
            NoSuchOrganisation: no agency of that identifier.
            NoSuchDepartment: it is not one of this agency.
            NoSuchRole: it should carry one that is not there.
            RolesClash: it should carry two that nobody may have together.
        """
        with self._deeds.alone():
            self._agency(organisation)
            if department:
                self._above(organisation, department)
            for role in roles:
                self._standings.role(role)
            if clash(roles, self._standings.apart()):
                raise RolesClash
            made = Post(
                id=self._deeds.new_id(), number=self._deeds.number(), name=_named(name),
                name_zh=_named(name_zh, empty=True), organisation=organisation, department=department,
                roles=frozenset(roles),
            )  # fmt: skip
            dn = self._deeds.tree.entry("posts", made.id)
            self._create(made.id, "post", [changes.add(dn, entries_powers.post_content(made))], made.name,
                         organisation=organisation, actor=actor, roles=roles)  # fmt: skip
        return made.id

    def remove_post(self, identifier: str, *, actor: str) -> None:
        """Remove a post that nobody holds.

        Raises:
            StillInUse: somebody does.
        """
        with self._deeds.alone():
            found = self._standings.post(identifier)
            if self._standings.holdings(found.id):
                raise StillInUse
            self._remove("posts", found, "post", actor=actor)

    def add_to_post(self, post: str, role: str, *, actor: str, reason: str) -> None:
        """Let a post carry a role; everybody who holds it gets that.

        Raises:
            NoSuchPost, NoSuchRole: there is none.
            OwnRole: whoever does it holds the post.
            RolesClash: it carries one that nobody may have together with this.
            DutiesConflict: one of those who hold it has, or will have, a role that must be kept apart from it.
            TooManyPeople: too many hold it.
        """
        told = reasoned(reason)
        with self._deeds.alone():
            before, given = self._standings.post(post), self._standings.role(role)
            if role in before.roles:
                raise AlreadyGiven
            after = replace(before, roles=before.roles | {role})
            series = [self._of_post(Verb.INCLUDE, before, role)]
            followed: list[Deed] = []
            if clash(after.roles, self._standings.apart()):
                raise RolesClash
            for facts in self._holders(before, actor):
                posts, roles = {**facts.posts, after.id: after}, {**facts.roles, given.name: given}
                then = replace(facts, posts=posts, roles=roles)
                self._deeds.apart(then, actor=actor, act="add", post=before.id, role=role)
                series += self._deeds.settled(facts, then)
                followed.append(self._followed("granted", facts, role, before.id, actor=actor, reason=told))
            self._deeds.give(series, self._power("directory.power.added", before, role, told), *followed, actor=actor)

    def remove_from_post(self, post: str, role: str, *, actor: str, reason: str = "") -> None:
        """Let a post carry a role no longer; everybody who had it by this post alone loses it at once.

        Raises:
            NoSuchGrant: it does not carry it.
            OwnRole: whoever does it holds the post.
        """
        with self._deeds.alone():
            before = self._standings.post(post)
            if role not in before.roles:
                raise NoSuchGrant
            after = replace(before, roles=before.roles - {role})
            series: list[Change] = []
            followed: list[Deed] = []
            for facts in self._holders(before, actor):
                then = replace(facts, posts={**facts.posts, after.id: after})
                series += self._deeds.settled(facts, then)
                followed.append(self._followed("withdrawn", facts, role, before.id, actor=actor, reason=reason))
            self._deeds.take(
                [*series, self._of_post(Verb.EXCLUDE, before, role)],
                self._power("directory.power.removed", before, role, reason),
                *followed,
                actor=actor,
            )

    def add_role(
        self, name: str, *, title: str, title_zh: str = "", entitlements: Sequence[Entitlement] = (), actor: str
    ) -> None:
        """Enter a role of the site's own.

        Raises:
            BadName: not a short name, or it is the name of a kind of person.
            AlreadyGiven: there is one of that name.
        """
        with self._deeds.alone():
            if identifier_of(name) in set(PersonKind):
                raise BadName
            if self._standings.role_if_any(name):
                raise AlreadyGiven
            made = Role(
                name=name, title=_named(title), title_zh=_named(title_zh, empty=True),
                entitlements=frozenset(entitlements),
            )  # fmt: skip
            content = entries_powers.role_content(made)
            self._create("", "role", [changes.add(self._deeds.tree.role(name), content)], name, actor=actor)

    def rename_role(self, name: str, title: str, *, actor: str) -> None:
        """Call a role something else; its name and what it gives stay.

        Raises:
            NoSuchRole: there is none.
            BadName: it cannot be called so.
        """
        with self._deeds.alone():
            found, wanted = self._standings.role(name), _named(title)
            if wanted in (found.title, found.title or found.name):
                return
            dn = self._deeds.tree.role(found.name)
            self._deeds.give(
                [Change(verb=Verb.REPLACE, dn=dn, attribute="tallyTitle", value=wanted, before=found.title)],
                Deed(
                    kind="directory.entry.changed",
                    attributes={
                        "kind": "role",
                        "names": found.name,
                        "before": found.title or found.name,
                        "after": wanted,
                    },
                ),
                actor=actor,
            )

    def remove_role(self, name: str, *, actor: str) -> None:
        """Remove a role of the site's own that nobody holds and no post carries.

        Raises:
            NoSuchRole: there is none.
            BeyondScope: it is one of those that the site cannot do without.
            StillInUse: somebody has it, or will, or a post carries it.
        """
        with self._deeds.alone():
            found = self.may_remove_role(name)
            if self._standings.is_given(name):
                raise StillInUse
            self._deeds.take(
                [Change(verb=Verb.REMOVE, dn=self._deeds.tree.role(found.name))],
                Deed(kind="directory.entry.removed", attributes={"kind": "role", "names": found.name}),
                actor=actor,
            )

    def may_remove_role(self, name: str) -> Role:
        """The role, if it could be removed once nobody holds it.

        Raises:
            NoSuchRole: there is none.
            BeyondScope: it is one of those that the site cannot do without.
            StillInUse: a post carries it.
        """
        found = self._standings.role(name)
        if found.name in ROLES:
            raise BeyondScope
        if self._standings.posts_giving(name):
            raise StillInUse
        return found

    def add_offer(self, offer: Offer, *, actor: str) -> None:
        """Enter a service that an agency offers, for which mandates can be given.

        Raises:
            AlreadyGiven: there is one of that name.
        """
        with self._deeds.alone():
            checked = replace(offer, title=_named(offer.title), title_zh=_named(offer.title_zh, empty=True))
            if any(each.name == identifier_of(offer.name) for each in self._standings.offers()):
                raise AlreadyGiven
            if offer.organisation:
                self._agency(offer.organisation)
            dn = self._deeds.tree.offer(offer.name)
            self._create("", "offer", [changes.add(dn, entries_powers.offer_content(checked))], offer.name,
                         organisation=offer.organisation, actor=actor)  # fmt: skip

    def add_to_role(self, role: str, entitlement: Entitlement, *, actor: str, reason: str) -> None:
        """Let everybody who holds a role do one thing more.

        Raises:
            NoSuchRole: there is none.
            OwnRole: whoever does it holds the role.
        """
        told = reasoned(reason)
        with self._deeds.alone():
            found = self._standings.role(role)
            if entitlement in found.entitlements:
                raise AlreadyGiven
            self._not_by_holder(role, actor)
            self._deeds.give(
                [self._of_role(Verb.INCLUDE, role, entitlement)],
                self._power("directory.power.added", found, str(entitlement), told),
                actor=actor,
            )

    def remove_from_role(self, role: str, entitlement: Entitlement, *, actor: str, reason: str = "") -> None:
        """Let those who hold a role do one thing less.

        Raises:
            NoSuchGrant: it does not carry it.
        """
        with self._deeds.alone():
            found = self._standings.role(role)
            if entitlement not in found.entitlements:
                raise NoSuchGrant
            self._deeds.take(
                [self._of_role(Verb.EXCLUDE, role, entitlement)],
                self._power("directory.power.removed", found, str(entitlement), reason),
                actor=actor,
            )

    def _agency(self, organisation: str) -> None:
        if not self._standings.directory.organisation(organisation).agency:
            raise NoSuchOrganisation

    def _above(self, organisation: str, department: str) -> list[str]:
        """A department and those above it, nearest first; a circle that somebody made past us ends here."""
        found: list[str] = []
        step = department
        while step and step not in found and len(found) <= DEEPEST:
            each = self._standings.department(step)
            if each.organisation != organisation:
                raise NoSuchDepartment
            found.append(each.id)
            step = each.parent
        return found

    def _holders(self, post: Post, actor: str) -> list[Facts]:
        day = self._standings.today()
        holders = {held.holder for held in self._standings.holdings(post.id) if not held.is_over(day)}
        if actor.lower() in holders:
            self._deeds.not_oneself(self._standings.directory.person(actor), actor, act="change", post=post.id)
        if len(holders) > MOST_HOLDERS:
            raise TooManyPeople
        return [self._standings.facts(holder) for holder in sorted(holders)]

    def _not_by_holder(self, role: str, actor: str) -> None:
        if not actor:
            return
        try:
            own = self._standings.directory.person(actor)
        except TallygateError:
            return
        if role in own.roles:
            self._deeds.not_oneself(own, actor, act="change", role=role)

    def _create(
        self, subject: str, kind: str, series: list[Change], name: str, *, actor: str, organisation: str = "",
        roles: Sequence[str] = (),
    ) -> None:  # fmt: skip
        names = {"names": listed(roles)} if roles else {}
        self._deeds.give(series, Deed(
            kind="directory.entry.created",
            subject=subject,
            organisation=organisation,
            attributes={"kind": kind, **(names if subject else {"names": name})},
            sealed={"name": name} if subject else {},
        ), actor=actor)  # fmt: skip

    def _remove(self, branch: str, of: Department | Post, kind: str, *, actor: str) -> None:
        self._deeds.take(
            [Change(verb=Verb.REMOVE, dn=self._deeds.tree.entry(branch, of.id))],
            Deed(
                kind="directory.entry.removed",
                subject=of.id,
                organisation=of.organisation,
                attributes={"kind": kind},
                sealed={"before.name": of.name},
            ),
            actor=actor,
        )

    def _power(self, kind: str, of: Post | Role, what: str, reason: str) -> Deed:
        is_post = isinstance(of, Post)
        return Deed(
            kind=kind,
            subject=of.id if isinstance(of, Post) else "",
            organisation=of.organisation if isinstance(of, Post) else "",
            attributes={"kind": "post" if is_post else "role", "of": of.id if isinstance(of, Post) else of.name,
                        "what": what},
            sealed={"reason": reason} if is_post else {},
        )  # fmt: skip

    def _followed(self, verb: str, facts: Facts, role: str, post: str, *, actor: str, reason: str) -> Deed:
        return Deed(
            kind=f"directory.role.{verb}",
            subject=facts.person.subject,
            attributes={"role": role, "post": post},
            sealed=self._deeds.about(facts.person, actor, reason),
        )

    def _of_post(self, verb: Verb, post: Post, role: str) -> Change:
        dn = self._deeds.tree.entry("posts", post.id)
        return Change(verb=verb, dn=dn, attribute="tallyGives", value=role)

    def _of_role(self, verb: Verb, role: str, entitlement: Entitlement) -> Change:
        dn = self._deeds.tree.role(role)
        return Change(verb=verb, dn=dn, attribute="tallyEntitlement", value=str(entitlement))


def is_of_whole_site(post: Post) -> bool:
    """Whether a post carries a role that concerns more than one agency."""
    return bool(post.roles & set(ROLES))


def _named(text: str, *, empty: bool = False) -> str:
    """A name that can stand in the tree and on a page.

    Raises:
        BadName: too long, control characters, or none although there must be one.
    """
    name = text.strip()
    if len(name) > LONGEST_TEXT or not name.isprintable() or not (name or empty):
        raise BadName
    return name
