# SPDX-License-Identifier: Apache-2.0
"""Posts, roles, entitlements, mandates and representations given to people, and taken away.

Every path to a role comes by the same two questions: is it somebody else who gives it, and do the duties stay apart
over everything that is held or will be. Giving is recorded before it happens; taking away is committed with its record.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta

from ..errors import (
    AlreadyGiven,
    BadDays,
    BadName,
    ContractorTerms,
    NoSuchEntitlement,
    NoSuchGrant,
    NoSuchPerson,
    RoleFromPost,
    RoleNotForCitizens,
)
from ..ldap import changes, entries, entries_powers
from ..models import ROLES, Mandate, Person, PersonKind
from ..models_powers import CONTRACTOR, USUAL_DAYS, Capacity, Entitlement, Grant, Holding, Representation
from ..powers import Facts, Preview, preview
from .deeds import Deed, Deeds, listed, reasoned

ENDED = "ended"
"""Why something was taken that nobody took: its last day passed."""
OVER = "the contract ended"
"""Why an account is disabled where nobody said it."""


class Giving:
    """The verbs that give something to a person."""

    def __init__(self, deeds: Deeds, *, contractor_days: int, shut_out: Callable[[str, str, str], None]) -> None:
        """``contractor_days`` is how long a contractor's account lasts at most, until somebody renews it.

        ``shut_out`` disables an account: subject, who does it, and why.
        """
        self._deeds = deeds
        self._shut_out = shut_out
        self.contractor_days = contractor_days
        self._standings = deeds.standings

    def give_post(
        self, subject: str, post: str, *, since: date | None = None, until: date | None = None, actor: str, reason: str
    ) -> str:
        """Let somebody hold a post; returns the identifier of that.

        Raises:
            OwnRole: nobody gives a post to themselves.
            NoSuchPerson, NoSuchPost: there is none.
            RoleNotForCitizens: posts are for civil servants.
            DutiesConflict: the post carries a role that must be kept apart from another one they have.
            AlreadyGiven: they hold it.
            BadDays, NoReason: as it says.
        """
        self._deeds.another(actor, subject, act="give", post=post)
        told = reasoned(reason)
        with self._deeds.alone():
            facts, holding = self._with_post(subject, post, since, until)
            if any(each.post == holding.post and not each.is_over(holding.since) for each in facts.holdings):
                raise AlreadyGiven
            holding = replace(holding, by=actor, reason=told, number=self._deeds.number())
            after = self._holding_too(facts, holding)
            self._deeds.apart(after, actor=actor, act="give", post=holding.post)
            entry = changes.add(self._deeds.tree.entry("holdings", holding.id), entries_powers.holding_content(holding))
            self._deeds.give(
                [entry, *self._deeds.settled(facts, after)],
                Deed(
                    kind="directory.post.given",
                    subject=facts.person.subject,
                    organisation=after.posts[holding.post].organisation,
                    attributes={
                        "post": holding.post,
                        "roles": listed(after.posts[holding.post].roles),
                        **_days(holding.since, holding.until),
                    },
                    sealed=self._deeds.about(facts.person, actor, told),
                ),
                actor=actor,
            )
        return holding.id

    def take_post(self, holding: str, *, actor: str, reason: str = "", because: str = "") -> None:
        """Take a post away, at once, with every role that came by it alone.

        Raises:
            NoSuchGrant: nobody holds a post by this identifier.
            OwnRole: nobody gives up their own, for that may leave nobody to appoint the next.
            DirectoryUnavailable: what comes with the post cannot be told; disabling the person works even so.
            Pending: recorded; the server follows.
        """
        with self._deeds.alone():
            found = self._standings.holding(holding)
            self._deeds.another(actor, found.holder, act="take", post=found.post)
            facts = self._facts(found.holder)
            after = replace(facts, holdings=tuple(each for each in facts.holdings if each.id != found.id))
            post = facts.posts.get(found.post)
            self._deeds.take(
                [*self._deeds.settled(facts, after), self._removed("holdings", found.id)],
                Deed(
                    kind="directory.post.taken",
                    subject=facts.person.subject,
                    organisation=post.organisation if post else "",
                    attributes={"post": found.post, "roles": listed(post.roles if post else ()), **_because(because)},
                    sealed=self._deeds.about(facts.person, actor, reason),
                ),
                actor=actor,
            )

    def grant_role(
        self,
        subject: str,
        role: str,
        *,
        actor: str,
        reason: str,
        since: date | None = None,
        until: date | None = None,
        first: str = "",
    ) -> None:
        """Give somebody a role until a day; does nothing if they have it at least so long already.

        What binds a contractor is asked for by ``first`` and given by another; the house itself needs no second.

        Raises:
            NoSuchRole: there is none of that name.
            OwnRole: nobody grants to themselves.
            RoleNotForCitizens: roles belong to civil servants.
            DutiesConflict: they hold, or will, another role that must be kept apart from it.
            ContractorTerms: the role of a contractor, without an end that is near enough, or beside anything else.
            TwoAdministrators: the same, and nobody asked, or whoever gives it did; the attempt is recorded.
            BadDays, NoReason: as it says.
        """
        self._standings.role(role)
        self._deeds.another(actor, subject, act="grant", role=role)
        told = reasoned(reason)
        with self._deeds.alone():
            facts = self._standings.facts(subject)
            if role.startswith(CONTRACTOR):
                if actor:
                    self._deeds.two(first, actor, facts.person, act="grant", role=role)
                self.contract(facts, role, until)
            elif facts.person.kind is not PersonKind.CIVIL_SERVANT:
                raise RoleNotForCitizens
            given = self._new(facts, since, until)
            self._grant(facts, replace(given, role=role, by=actor, reason=told), actor=actor, first=first)

    def grant_entitlement(
        self,
        subject: str,
        entitlement: str,
        *,
        actor: str,
        reason: str,
        since: date | None = None,
        until: date | None = None,
    ) -> None:
        """Give somebody one entitlement until a day, past all roles.

        Raises:
            NoSuchEntitlement: no portal of that name.
            OwnRole: nobody grants to themselves.
            BadDays, NoReason: as it says.
        """
        what = self.entitlement(entitlement)
        self._deeds.another(actor, subject, act="grant")
        told = reasoned(reason)
        with self._deeds.alone():
            facts = self._standings.facts(subject)
            if contracted(facts.grants):
                raise ContractorTerms(days=self.contractor_days)
            given = self._new(facts, since, until)
            self._grant(facts, replace(given, entitlement=what, by=actor, reason=told), actor=actor)

    def withdraw_grant(self, identifier: str, *, actor: str, reason: str = "", because: str = "") -> None:
        """Take a grant back, at once; of what bound a contractor's account, with the account.

        Raises:
            NoSuchGrant: none of that identifier.
            OwnRole: nobody withdraws their own.
            Pending: recorded; the server follows.
        """
        found = self._standings.grant(identifier)
        self._deeds.another(actor, found.holder, act="withdraw")
        self._unbind(found.holder, found.role, actor=actor, reason=reason)
        with self._deeds.alone():
            found = self._standings.grant(identifier)
            facts = self._facts(found.holder)
            after = replace(facts, grants=tuple(each for each in facts.grants if each.id != found.id))
            self._deeds.take(
                [*self._deeds.settled(facts, after), self._removed("grants", found.id)],
                self._withdrawn(facts.person, found, actor=actor, reason=reason, because=because),
                actor=actor,
            )

    def withdraw_role(self, subject: str, role: str, *, actor: str, reason: str = "") -> None:
        """Take a role back that was granted, at once, and the membership whoever gave it.

        Raises:
            NoSuchRole: there is none of that name.
            RoleFromPost: a post gives it as well.
            Pending: recorded; the server follows.
        """
        self._deeds.another(actor, subject, act="withdraw", role=role)
        if role.startswith(CONTRACTOR) and role in self._standings.materialised(subject):
            self._unbind(subject, role, actor=actor, reason=reason)
        with self._deeds.alone():
            self._standings.role(role)
            facts = self._facts(subject)
            if any(role in facts.posts[each.post].roles for each in facts.holdings if each.post in facts.posts):
                raise RoleFromPost
            gone = [grant for grant in facts.grants if grant.role == role]
            after = replace(facts, grants=tuple(grant for grant in facts.grants if grant not in gone))
            leaves = changes.member(
                self._deeds.tree.role(role), self._deeds.tree.person(facts.person.subject), joins=False
            )
            made = [each for each in self._deeds.settled(facts, after) if each != leaves]
            self._deeds.take(
                [leaves, *made, *(self._removed("grants", grant.id) for grant in gone)],
                Deed(
                    kind="directory.role.withdrawn",
                    subject=facts.person.subject,
                    attributes={"role": role},
                    sealed=self._deeds.about(facts.person, actor, reason),
                ),
                actor=actor,
            )

    def grant_mandate(
        self,
        holder: str,
        *,
        organisation: str = "",
        principal: str = "",
        scope: str,
        until: date,
        actor: str,
        reason: str,
    ) -> str:
        """Let somebody act for an organisation or for another person until a day; returns its identifier.

        Raises:
            TallygateError: as ``entrust``.
        """
        whom = Mandate(
            organisation=organisation, principal=principal, scope=scope, until=until, by=actor, reason=reason
        )
        return self.entrust(holder, whom, asked_again=lambda: None)

    def entrust(
        self,
        holder: str,
        whom: Mandate,
        *,
        asked_again: Callable[[], None],
    ) -> str:
        """The same, for whoever is asked again by ``asked_again`` whether they may, with the right to change held.

        Raises:
            OwnRole: nobody makes themselves act for others.
            NoSuchPerson, NoSuchOrganisation: there is none.
            NoSuchEntitlement: no service of that name is offered.
            AlreadyGiven: they have it; what has run out is given anew.
            BadDays, NoReason: as it says.
        """
        organisation, principal, scope, until, actor = (
            whom.organisation,
            whom.principal,
            whom.scope,
            whom.until,
            whom.by,
        )
        self._deeds.another(actor, holder, act="mandate")
        told = reasoned(whom.reason)
        with self._deeds.alone():
            asked_again()
            person = self._standings.directory.person(holder)
            if bool(organisation) is bool(principal) or principal.lower() == holder.lower():
                raise NoSuchPerson
            if organisation:
                self._standings.directory.organisation(organisation)
            else:
                principal = self._standings.directory.person(principal).subject
            if scope not in {"all", *(offer.name for offer in self._standings.offers())}:
                raise NoSuchEntitlement(entitlement=scope[:64])
            if until < self._standings.today():
                raise BadDays
            mandate = Mandate(
                organisation=organisation, scope=scope, until=until, principal=principal, by=actor, reason=told,
                since=self._standings.today(),
            )  # fmt: skip
            identifier = entries.mandate_id(person.subject, mandate)
            dn = self._deeds.tree.mandate(identifier)
            known = [each for each in self._standings.mandates(person.subject) if _same(each, mandate)]
            if any(each.until >= self._standings.today() for each in known):
                raise AlreadyGiven
            old = [changes.Change(verb=changes.Verb.REMOVE, dn=dn)] if known else []
            self._deeds.give(
                [*old, changes.add(dn, entries.mandate_content(person.subject, mandate))],
                self._of_mandate("directory.mandate.granted", person, mandate, actor=actor, reason=told),
                actor=actor,
            )
        return identifier

    def withdraw_mandate(self, holder: str, mandate: Mandate, *, actor: str, reason: str = "") -> None:
        """Let somebody act no longer, at once.

        Raises:
            NoSuchGrant: they had no such mandate.
            Pending: recorded; the server follows.
        """
        with self._deeds.alone():
            person = self._standings.directory.person(holder)
            if not any(_same(each, mandate) for each in self._standings.mandates(person.subject)):
                raise NoSuchGrant
            dn = self._deeds.tree.mandate(entries.mandate_id(person.subject, mandate))
            self._deeds.take(
                [changes.Change(verb=changes.Verb.REMOVE, dn=dn)],
                self._of_mandate("directory.mandate.withdrawn", person, mandate, actor=actor, reason=reason),
                actor=actor,
            )

    def name_representative(
        self,
        subject: str,
        organisation: str,
        capacity: Capacity,
        *,
        since: date | None = None,
        until: date | None = None,
        actor: str,
        reason: str,
    ) -> str:
        """Say that somebody represents a company; returns the identifier of that.

        Raises:
            OwnRole: nobody makes themselves the representative of anything.
            AlreadyGiven: they are.
        """
        self._deeds.another(actor, subject, act="represent")
        told = reasoned(reason)
        with self._deeds.alone():
            person = self._standings.directory.person(subject)
            found = self._standings.directory.organisation(organisation)
            first, _ = self._span(since, until)
            known = self._standings.representatives(found.id)
            if any(each.holder == person.subject and each.capacity is capacity for each in known):
                raise AlreadyGiven
            made = Representation(
                id=self._deeds.new_id(), holder=person.subject, organisation=found.id, capacity=capacity, since=first,
                until=until, by=actor, reason=told,
            )  # fmt: skip
            content = entries_powers.representation_content(made, self._deeds.number())
            self._deeds.give(
                [changes.add(self._deeds.tree.entry("representatives", made.id), content)],
                self._of_representation("directory.representative.named", person, made, actor=actor, reason=told),
                actor=actor,
            )
        return made.id

    def remove_representative(self, identifier: str, *, actor: str, reason: str = "") -> None:
        """Say that somebody no longer represents a company.

        Raises:
            NoSuchGrant: nobody does by this identifier.
        """
        with self._deeds.alone():
            found = self._standings.representation(identifier)
            person = self._standings.directory.person(found.holder)
            self._deeds.take(
                [self._removed("representatives", found.id)],
                self._of_representation("directory.representative.removed", person, found, actor=actor, reason=reason),
                actor=actor,
            )

    def would_give_post(
        self, subject: str, post: str, *, since: date | None = None, until: date | None = None
    ) -> Preview:
        """What holding a post would change on its first day; changes nothing."""
        facts, holding = self._with_post(subject, post, since, until)
        after = self._holding_too(facts, holding)
        return preview(facts, after, holding.since, apart=self._standings.apart())

    def would_take_post(self, holding: str) -> Preview:
        """What taking a post away would change today; changes nothing."""
        found = self._standings.holding(holding)
        facts = self._standings.facts(found.holder)
        after = replace(facts, holdings=tuple(each for each in facts.holdings if each.id != found.id))
        return preview(facts, after, self._standings.today(), apart=self._standings.apart())

    def entitlement(self, text: str) -> Entitlement:
        """From its text.

        Raises:
            NoSuchEntitlement: not written so, or no portal of that name.
        """
        try:
            found = Entitlement.parse(text)
        except BadName as error:
            raise NoSuchEntitlement(entitlement=text[:64]) from error
        if not self._standings.has_portal(found.portal):
            raise NoSuchEntitlement(entitlement=text[:64])
        return found

    def contract(self, facts: Facts, role: str, until: date | None) -> date:
        """See that an outside worker's account has an end, one portal, and nothing that it could outlive it with.

        Returns the end.

        Raises:
            ContractorTerms: it has not.
            BadDays: it is over.
        """
        others = any(grant.what != role for grant in facts.grants) or facts.holdings
        last = self._standings.today() + timedelta(days=self.contractor_days)
        if facts.person.kind is not PersonKind.CITIZEN or others or until is None or until > last:
            raise ContractorTerms(days=self.contractor_days)
        self._span(None, until)
        return until

    def _facts(self, subject: str) -> Facts:
        return self._standings.facts(subject)

    def _with_post(self, subject: str, post: str, since: date | None, until: date | None) -> tuple[Facts, Holding]:
        facts, found = self._standings.facts(subject), self._standings.post(post)
        if facts.person.kind is not PersonKind.CIVIL_SERVANT:
            raise RoleNotForCitizens
        first, waiting = self._span(since, until)
        return facts, Holding(
            id=self._deeds.new_id(), holder=facts.person.subject, post=found.id, since=first, until=until,
            waiting=waiting,
        )  # fmt: skip

    def _holding_too(self, facts: Facts, holding: Holding) -> Facts:
        post = self._standings.post(holding.post)
        known = {name: role for name in post.roles if (role := self._standings.role_if_any(name))}
        return replace(
            facts,
            holdings=(*facts.holdings, holding),
            posts={**facts.posts, post.id: post},
            roles={**facts.roles, **known},
        )

    def _new(self, facts: Facts, since: date | None, until: date | None) -> Grant:
        last = until or (since or self._standings.today()) + timedelta(days=USUAL_DAYS)
        first, waiting = self._span(since, last)
        return Grant(id="", holder=facts.person.subject, since=first, until=last, waiting=waiting)

    def _span(self, since: date | None, until: date | None) -> tuple[date, bool]:
        today = self._standings.today()
        first = since or today
        if until is not None and until < max(first, today):
            raise BadDays
        return first, first > today

    def _grant(self, facts: Facts, given: Grant, *, actor: str, first: str = "") -> None:
        identifier = entries_powers.grant_id(facts.person.subject, given.what)
        old = next((grant for grant in facts.grants if grant.id == identifier), None)
        if old and not old.is_over(self._standings.today()):
            if old.since <= given.since and old.until >= given.until:
                return
            # One grant of a thing at a time: it goes on, with its new end and reason.
            begins = min(old.since, given.since)
            given = replace(given, since=begins, waiting=begins > self._standings.today())
        given = replace(given, id=identifier, number=self._deeds.number())
        after = replace(facts, grants=(*(grant for grant in facts.grants if grant != old), given))
        self._deeds.apart(after, actor=actor, act="grant", **({"role": given.role} if given.role else {}))
        gone = [self._removed("grants", identifier)] if old else []
        entry = changes.add(self._deeds.tree.entry("grants", given.id), entries_powers.grant_content(given))
        kind, name = _kinds(given)
        self._deeds.give(
            [*gone, entry, *self._deeds.settled(facts, after)],
            Deed(
                kind=f"directory.{kind}.granted",
                subject=facts.person.subject,
                attributes={kind: name, **_days(given.since, given.until), **({"first": first} if first else {})},
                sealed=self._deeds.about(facts.person, actor, given.reason),
            ),
            actor=actor,
        )

    def _unbind(self, subject: str, role: str, *, actor: str, reason: str) -> None:
        """Shut a contractor's account out before what binds it to its portal ends, whoever ends it, and by which way.

        Dead after this, the account is out and still bound. The other way round it would be left, bound to nothing.
        """
        if role.startswith(CONTRACTOR):
            with suppress(NoSuchPerson):
                self._shut_out(subject, actor, reason or OVER)

    def _withdrawn(self, person: Person, grant: Grant, *, actor: str, reason: str, because: str) -> Deed:
        kind, name = _kinds(grant)
        return Deed(
            kind=f"directory.{kind}.withdrawn",
            subject=person.subject,
            attributes={kind: name, **_because(because)},
            sealed=self._deeds.about(person, actor, reason),
        )

    def _of_mandate(self, kind: str, person: Person, mandate: Mandate, *, actor: str, reason: str) -> Deed:
        whom = {"principal": mandate.principal} if mandate.principal else {}
        return Deed(
            kind=kind,
            subject=person.subject,
            organisation=mandate.organisation,
            attributes={"scope": mandate.scope, "until": mandate.until.isoformat(), **whom},
            sealed=self._deeds.about(person, actor, reason),
        )

    def _of_representation(self, kind: str, person: Person, of: Representation, *, actor: str, reason: str) -> Deed:
        return Deed(
            kind=kind,
            subject=person.subject,
            organisation=of.organisation,
            attributes={"capacity": of.capacity.value, **_days(of.since, of.until)},
            sealed=self._deeds.about(person, actor, reason),
        )

    def _removed(self, branch: str, identifier: str) -> changes.Change:
        return changes.Change(verb=changes.Verb.REMOVE, dn=self._deeds.tree.entry(branch, identifier))


def contracted(grants: Iterable[Grant]) -> bool:
    """Whether these are what binds a contractor's account to its portal."""
    return any(grant.role.startswith(CONTRACTOR) for grant in grants)


def _kinds(grant: Grant) -> tuple[str, str]:
    return ("role", grant.role) if grant.role else ("entitlement", grant.what)


def _days(since: date, until: date | None) -> dict[str, str]:
    return {"since": since.isoformat(), **({"until": until.isoformat()} if until else {})}


def _because(because: str) -> dict[str, str]:
    return {"because": because} if because else {}


def _same(one: Mandate, other: Mandate) -> bool:
    return (one.organisation, one.principal, one.scope) == (other.organisation, other.principal, other.scope)


WHOLE_SITE = frozenset(ROLES)
"""Roles that concern more than one agency: no agency's administrator touches them."""
