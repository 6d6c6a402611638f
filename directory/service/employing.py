# SPDX-License-Identifier: Apache-2.0
"""Joiners, movers and leavers: each is one act, with what it would change told before, now or on a day to come.

What is to happen on a later day stands in the role's own table and is carried out by the role's house-keeping, also
after a restart. Leaving takes everything in one commit: followers of the record end sessions and tokens at once, the
certificate authority suspends what it has issued to them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Protocol

from core.errors import TallygateError
from core.log import logger

from ..errors import (
    AlreadyGiven,
    BadDays,
    DirectoryUnavailable,
    NoSuchGrant,
    NoSuchPerson,
    NotMigrated,
    RoleNotForCitizens,
)
from ..ldap import changes, entries, entries_powers
from ..ldap.changes import Change, Verb
from ..models import Mandate, Person, PersonKind
from ..models_powers import Grant, Holding, Post, Representation
from ..powers import Facts, Preview, preview
from ..store import Act, Scheduled, Store
from .deeds import Deed, Deeds, listed, reasoned

ON_LEAVE = "leave"
"""Why somebody is shut out; the certificate authority suspends what they have until they are let in again."""
_log = logger(__name__)


class Switch(Protocol):
    """Who shuts people out and lets them in."""

    def disable_person(self, subject: str, *, actor: str, reason: str, because: str = "") -> None:
        """Shut somebody out."""
        ...

    def enable_person(self, subject: str, *, actor: str, reason: str = "") -> None:
        """Let somebody in again."""
        ...

    def not_oneself(self, subject: str, actor: str, act: str) -> None:
        """See that these are two people; who tries otherwise is recorded."""
        ...


@dataclass(frozen=True)
class Choices:
    """What becomes, with a move, of what is not a post: direct grants end unless kept, the rest stays unless ended."""

    # Identifiers of grants.
    kept: frozenset[str] = frozenset()
    # Identifiers of mandates and of representations.
    ended: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, text: str) -> "Choices":
        """As ``str`` writes them."""
        words = [word.partition(":") for word in text.split()]
        return cls(
            frozenset(one for verb, _, one in words if verb == "keep"),
            frozenset(one for verb, _, one in words if verb == "end"),
        )

    def __str__(self) -> str:
        """For the table."""
        return " ".join([f"keep:{one}" for one in sorted(self.kept)] + [f"end:{one}" for one in sorted(self.ended)])


NOTHING_CHOSEN = Choices()


@dataclass(frozen=True, kw_only=True)
class Moving:
    """What a move changes, and what is asked about."""

    preview: Preview
    grants: tuple[Grant, ...] = ()
    # With their identifiers.
    mandates: tuple[tuple[str, Mandate], ...] = ()
    represents: tuple[Representation, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Leaving:
    """What goes with somebody who leaves."""

    preview: Preview
    posts: tuple[Post, ...] = ()
    grants: tuple[str, ...] = ()
    mandates: tuple[Mandate, ...] = ()
    represents: tuple[Representation, ...] = ()


class Employing:
    """The verbs; switching somebody off and on is given by the writer, which can do it without the server."""

    def __init__(self, deeds: Deeds, store: Store, *, switch: Switch) -> None:
        self._deeds = deeds
        self._standings = deeds.standings
        self._store = store
        self._switch = switch

    def would_move(
        self, subject: str, post: str, *, since: date | None = None, choices: Choices = NOTHING_CHOSEN
    ) -> Moving:
        """What moving would change on its first day, and what may be kept or ended with it; changes nothing.

        Raises:
            NoSuchPerson, NoSuchPost, RoleNotForCitizens: as ``move``.
        """
        facts = self._servant(subject)
        after, _ = self._moved(facts, self._standings.post(post), since or self._standings.today(), choices)
        held = self._standings.mandates(facts.person.subject)
        return Moving(
            preview=preview(facts, after, since or self._standings.today(), apart=self._standings.apart()),
            grants=facts.grants,
            mandates=tuple((entries.mandate_id(facts.person.subject, each), each) for each in held),
            represents=tuple(self._standings.represented_by(facts.person.subject)),
        )

    def would_leave(self, subject: str) -> Leaving:
        """What leaving would take; changes nothing.

        Raises:
            NoSuchPerson: nobody of that name.
        """
        facts = self._standings.facts(subject)
        off = Facts(person=replace(facts.person, enabled=False))
        return Leaving(
            preview=preview(facts, off, self._standings.today()),
            posts=tuple(facts.posts.values()),
            grants=tuple(sorted(each.what for each in facts.grants)),
            mandates=tuple(self._standings.mandates(facts.person.subject)),
            represents=tuple(self._standings.represented_by(facts.person.subject)),
        )

    def would_hire(self, post: Post, *, since: date | None = None) -> Preview:
        """What somebody new would have on the first day in a post; changes nothing."""
        first = max(since or self._standings.today(), self._standings.today())
        nobody = Person(
            subject=self._deeds.new_id(), username="", kind=PersonKind.CIVIL_SERVANT, name="", enabled=False
        )
        new = replace(nobody, enabled=True, organisation=post.organisation)
        after, _ = self._moved(Facts(person=new), post, first)
        return preview(Facts(person=nobody), after, first, apart=self._standings.apart())

    def would_be_away(self, subject: str) -> Preview:
        """What a leave of absence would take while it lasts; changes nothing.

        Raises:
            NoSuchPerson: nobody of that name.
        """
        facts = self._standings.facts(subject)
        off = replace(facts, person=replace(facts.person, enabled=False))
        return preview(facts, off, self._standings.today())

    def note_first_day(self, person: Person, first: date, *, actor: str, reason: str) -> str:
        """Write down that somebody who is about to be entered is let in on a day to come; empty if it is today."""
        if first <= self._standings.today():
            return ""
        made = self._scheduled(Act.BEGIN, person, first, actor=actor, reason=reason)
        self._store.schedule(made)
        return made.id

    def settle_first_day(self, person: Person, identifier: str, *, entered: bool, actor: str) -> None:
        """Record what was written down, or strike it out if nobody was entered."""
        if not identifier:
            return
        if not entered:
            self._store.unschedule(identifier)
            return
        found = next(each for each in self._store.scheduled(subject=person.subject) if each.id == identifier)
        deed = self._of(
            "directory.person.scheduled", person, actor, found.reason, act=found.act.value, day=found.day
        )  # fmt: skip
        with self._deeds.alone():
            self._deeds.give([], deed, actor=actor)

    def move(
        self,
        subject: str,
        post: str,
        *,
        since: date | None = None,
        choices: Choices = NOTHING_CHOSEN,
        actor: str,
        reason: str,
    ) -> str:
        """Let somebody hold this post and no other, now or from a day on; returns what was scheduled, if it was.

        What they were granted ends with it, but for what is chosen to be kept; mandates and representations stay, but
        for those chosen to end. What was chosen and is not there any more on the day changes nothing.

        Raises:
            OwnRole: nobody moves themselves.
            RoleNotForCitizens: posts are for civil servants.
            AlreadyGiven: they hold just this.
            DutiesConflict: the post carries roles that exclude each other.
            NoSuchPerson, NoSuchPost, BadDays, NoReason: as it says.
        """
        self._deeds.another(actor, subject, act="move", post=post)
        told = reasoned(reason)
        first = since or self._standings.today()
        if first < self._standings.today():
            raise BadDays
        if first > self._standings.today():
            facts, wanted = self._servant(subject), self._standings.post(post)
            after, _ = self._moved(facts, wanted, first, choices)
            self._deeds.apart(after, actor=actor, act="move", post=wanted.id)
            return self._schedule(
                Act.MOVE, facts.person, first, post=wanted.id, choices=str(choices), actor=actor, reason=told
            )
        with self._deeds.alone():
            facts, wanted = self._servant(subject), self._standings.post(post)
            after, holding = self._moved(facts, wanted, first, choices)
            ends = self._chosen(facts.person, choices, actor, told)
            nothing_ends = not ends and set(after.grants) == set(facts.grants)
            if nothing_ends and [each.post for each in facts.holdings] == [wanted.id]:
                raise AlreadyGiven
            self._deeds.apart(after, actor=actor, act="move", post=wanted.id)
            holding = replace(holding, by=actor, reason=told, number=self._deeds.number())
            self._move(facts, after, holding, wanted, ends, actor=actor, reason=told)
        return ""

    def away(
        self, subject: str, *, since: date | None = None, until: date | None = None, actor: str, reason: str
    ) -> None:
        """Shut somebody out while they are on leave, and let them in again after the last day, if it is known.

        Raises:
            OwnRole: nobody sends themselves on leave.
            NoSuchPerson, BadDays, NoReason: as it says.
        """
        self._deeds.another(actor, subject, act="leave")
        told, today = reasoned(reason), self._standings.today()
        first = since or today
        if first < today or (until is not None and until < first):
            raise BadDays
        person = self._standings.directory.person(subject)
        if until is not None:
            self._schedule(Act.RETURN, person, until + timedelta(days=1), actor=actor, reason=told)
        if first > today:
            self._schedule(Act.AWAY, person, first, actor=actor, reason=told)
        else:
            self._switch.disable_person(person.subject, actor=actor, reason=told, because=ON_LEAVE)

    def leave(self, subject: str, *, last: date | None = None, actor: str, reason: str) -> str:
        """Let somebody go, at once or after a last day that counts whole; returns what was scheduled, if it was.

        Their account is shut, and posts, grants, mandates and representations end. If the server does not answer they
        are shut out all the same, and the rest follows.

        Raises:
            OwnRole: nobody lets themselves go.
            NoSuchPerson, NoReason: as it says.
            BadDays: the last day is over.
            Pending: recorded and biting; the server follows.
        """
        told = reasoned(reason)
        self._switch.not_oneself(subject, actor, "let go")
        try:
            if last is not None:
                if last < self._standings.today():
                    raise BadDays
                person = self._standings.directory.person(subject)
                return self._schedule(Act.LEAVE, person, last + timedelta(days=1), actor=actor, reason=told)
            with self._deeds.alone():
                self._leave(self._standings.facts(subject), actor=actor, reason=told)
        except (DirectoryUnavailable, NotMigrated):
            person = Person(subject=subject.lower(), username="", kind=PersonKind.CIVIL_SERVANT, name="")
            self._store.schedule(self._scheduled(Act.LEAVE, person, self._standings.today(), actor=actor, reason=told))
            self._switch.disable_person(subject, actor=actor, reason=told)
        for each in self._store.scheduled(subject=subject.lower()):
            if each.act is not Act.LEAVE:
                self._store.unschedule(each.id)
        return ""

    def scheduled(self, subject: str = "") -> list[Scheduled]:
        """What is to happen, soonest first; of one person, or of all."""
        return self._store.scheduled(subject=subject)

    def call_off(self, subject: str, identifier: str, *, actor: str, reason: str) -> None:
        """Let something that was scheduled not happen.

        Raises:
            NoSuchGrant: nothing of theirs is scheduled by this identifier.
            OwnRole: nobody calls off what concerns themselves.
        """
        self._deeds.another(actor, subject, act="call off")
        told = reasoned(reason)
        found = next((each for each in self._store.scheduled(subject=subject) if each.id == identifier), None)
        if found is None:
            raise NoSuchGrant
        person = self._standings.directory.person(subject)
        deed = self._of("directory.person.called-off", person, actor, told, act=found.act.value, day=found.day)
        with self._deeds.alone():
            self._deeds.give([], deed, actor=actor)
        self._store.unschedule(identifier)

    def due(self) -> int:
        """Carry out what is due; what cannot be done stays, says why, and is tried again. Returns how much was done.

        Raises:
            DirectoryUnavailable: the server does not answer; call again later.
        """
        done = 0
        for each in self._store.due(self._standings.today()):
            if not self._store.claim(each.id, at=int(self._deeds.now().timestamp())):
                continue
            try:
                self._carry_out(each)
            except DirectoryUnavailable:
                self._store.failed(each.id, DirectoryUnavailable.code)
                raise
            except (AlreadyGiven, NoSuchPerson):
                # It has happened, before a crash or by somebody else's hand.
                self._store.unschedule(each.id)
            except TallygateError as error:
                _log.warning("scheduled_waits", act=each.act.value, code=error.code)
                self._store.failed(each.id, error.code)
            else:
                self._store.unschedule(each.id)
                done += 1
        return done

    def _carry_out(self, of: Scheduled) -> None:
        # Whoever scheduled it decided; on the day it is the role that acts, in their name.
        if of.act is Act.MOVE:
            self.move(of.subject, of.post, choices=Choices.parse(of.choices), actor=of.actor, reason=of.reason)
        elif of.act is Act.LEAVE:
            self.leave(of.subject, actor=of.actor, reason=of.reason)
        elif of.act is Act.AWAY:
            self._switch.disable_person(of.subject, actor=of.actor, reason=of.reason, because=ON_LEAVE)
        else:
            self._switch.enable_person(of.subject, actor=of.actor, reason=of.reason)

    def _servant(self, subject: str) -> Facts:
        facts = self._standings.facts(subject)
        if facts.person.kind is not PersonKind.CIVIL_SERVANT:
            raise RoleNotForCitizens
        return facts

    def _moved(self, facts: Facts, post: Post, since: date, choices: Choices = NOTHING_CHOSEN) -> tuple[Facts, Holding]:
        held = next((each for each in facts.holdings if each.post == post.id and each.holds(since)), None)
        holding = held or Holding(id=self._deeds.new_id(), holder=facts.person.subject, post=post.id, since=since)
        known = {name: role for name in post.roles if (role := self._standings.role_if_any(name))}
        after = replace(
            facts, holdings=(holding,), grants=tuple(each for each in facts.grants if each.id in choices.kept),
            posts={post.id: post}, roles={**facts.roles, **known},
            person=replace(facts.person, organisation=post.organisation, roles=frozenset({facts.person.kind.value})),
        )  # fmt: skip
        return after, holding

    def _chosen(self, person: Person, choices: Choices, actor: str, reason: str) -> list[tuple[Change, Deed]]:
        """What of somebody's mandates and representations is to end with a move, with what is recorded of each."""
        made: list[tuple[Change, Deed]] = []
        for mandate in self._standings.mandates(person.subject):
            identifier = entries.mandate_id(person.subject, mandate)
            if identifier in choices.ended:
                said = {"scope": mandate.scope, "until": mandate.until.isoformat()}
                said |= {"principal": mandate.principal} if mandate.principal else {}
                deed = self._of("directory.mandate.withdrawn", person, actor, reason, **said)
                change = Change(verb=Verb.REMOVE, dn=self._deeds.tree.mandate(identifier))
                made.append((change, replace(deed, organisation=mandate.organisation)))
        for each in self._standings.represented_by(person.subject):
            if each.id in choices.ended:
                said = {"capacity": each.capacity.value, "since": each.since.isoformat()}
                deed = self._of("directory.representative.removed", person, actor, reason, **said)
                made.append((self._removed("representatives", each.id), replace(deed, organisation=each.organisation)))
        return made

    def _move(
        self,
        facts: Facts,
        after: Facts,
        holding: Holding,
        post: Post,
        ends: list[tuple[Change, Deed]],
        *,
        actor: str,
        reason: str,
    ) -> None:
        person, tree = facts.person, self._deeds.tree
        gone = [each for each in facts.holdings if each.id != holding.id]
        lost = replace(facts, grants=tuple(each for each in facts.grants if each not in after.grants))
        series = [self._removed("holdings", each.id) for each in gone]
        series += [self._removed("grants", each.id) for each in lost.grants]
        series += [change for change, _ in ends]
        if person.organisation != post.organisation:
            dn = tree.person(person.subject)
            series.append(
                Change(
                    verb=Verb.REPLACE, dn=dn, attribute="tallyOrganisation", value=post.organisation,
                    before=person.organisation,
                )
            )  # fmt: skip
        if holding not in facts.holdings and not any(each.id == holding.id for each in facts.holdings):
            entry = tree.entry("holdings", holding.id)
            series.append(changes.add(entry, entries_powers.holding_content(holding)))
        series += self._deeds.settled(facts, after)
        deed = self._of(
            "directory.person.moved", person, actor, reason,
            **{"post": post.id, "roles": listed(post.roles), "from": person.organisation},
        )  # fmt: skip
        ended = [*self._ended(lost, gone, actor, reason), *(told for _, told in ends)]
        self._deeds.give(series, replace(deed, organisation=post.organisation), *ended, actor=actor)

    def _leave(self, facts: Facts, *, actor: str, reason: str) -> None:
        person, tree = facts.person, self._deeds.tree
        after = Facts(person=person)
        mandates = self._standings.mandates(person.subject)
        represents = self._standings.represented_by(person.subject)
        series = [changes.enabled(tree.person(person.subject), to=False), *self._deeds.settled(facts, after)]
        # Memberships of an older tree follow from no grant, and go too.
        series += [
            leaves
            for role in self._standings.materialised(person.subject)
            if (leaves := changes.member(tree.role(role), tree.person(person.subject), joins=False)) not in series
        ]
        series += [self._removed("holdings", each.id) for each in facts.holdings]
        series += [self._removed("grants", each.id) for each in facts.grants]
        series += [
            Change(verb=Verb.REMOVE, dn=tree.mandate(entries.mandate_id(person.subject, each))) for each in mandates
        ]
        series += [self._removed("representatives", each.id) for each in represents]
        off = Deed(
            kind="directory.person.disabled", subject=person.subject, sealed=self._deeds.about(person, actor, reason)
        )
        left = self._of(
            "directory.person.left", person, actor, reason, mandates=len(mandates), represents=len(represents)
        )
        self._deeds.take(series, off, left, *self._ended(facts, facts.holdings, actor, reason), actor=actor)

    def _ended(self, facts: Facts, holdings: Iterable[Holding], actor: str, reason: str) -> list[Deed]:
        """What is recorded of each thing that goes."""
        made = []
        for each in holdings:
            post = facts.posts.get(each.post)
            roles = {"roles": listed(post.roles)} if post else {}
            made.append(self._of("directory.post.taken", facts.person, actor, reason, post=each.post, **roles))
        for grant in facts.grants:
            thing = "role" if grant.role else "entitlement"
            made.append(self._of(f"directory.{thing}.withdrawn", facts.person, actor, reason, **{thing: grant.what}))
        return made

    def _schedule(
        self, act: Act, person: Person, day: date, *, post: str = "", choices: str = "", actor: str, reason: str
    ) -> str:
        """Write it down with its record."""
        made = replace(self._scheduled(act, person, day, post=post, actor=actor, reason=reason), choices=choices)
        deed = self._of("directory.person.scheduled", person, actor, reason, act=act.value, day=day.isoformat())
        with self._deeds.alone():
            self._deeds.give([], deed, actor=actor)
        self._store.schedule(made)
        return made.id

    def _scheduled(self, act: Act, person: Person, day: date, *, post: str = "", actor: str, reason: str) -> Scheduled:
        return Scheduled(
            id=self._deeds.new_id(), subject=person.subject, act=act, day=day.isoformat(), post=post, actor=actor,
            reason=reason,
        )  # fmt: skip

    def _of(self, kind: str, person: Person, actor: str, reason: str, **attributes: str | int) -> Deed:
        return Deed(
            kind=kind,
            subject=person.subject,
            attributes=attributes,
            sealed=self._deeds.about(person, actor, reason),
        )

    def _removed(self, branch: str, identifier: str) -> Change:
        return Change(verb=Verb.REMOVE, dn=self._deeds.tree.entry(branch, identifier))
