# SPDX-License-Identifier: Apache-2.0
"""Reviews: whoever answers for an access confirms or withdraws it by a day, and the result is sealed.

A campaign is collected page by page, waits for its owners, and is closed by the house on the day after its last. Each
step is kept before the next begins and may be made twice with the effect of once, so that a crash at any line is made
good by the next turn. The seal is the digest of the report in an entry of the record: its proof shows that it stood so
when the campaign ended.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from audit import Outcome
from core.errors import TallygateError
from core.log import logger

from ..errors import (
    BadDays,
    BadName,
    DecidedAlready,
    DirectoryUnavailable,
    NoSuchCampaign,
    NoSuchGrant,
    NoSuchPerson,
    NoSuchPost,
    NotTheOwner,
    Pending,
)
from ..models import EVERYWHERE, Person, Scope, identifier_of
from ..models_powers import LONGEST_TEXT, Grant, Holding, Post
from ..reviews import Board, Campaign, Item, ItemState, Kind, ScopeKind, Stage, Tally, Undecided, report
from .deeds import Deed, Deeds, reasoned
from .giving import Giving
from .letters import Letters

PAGE = 400
UNDECIDED = "undecided"
"""Why something was taken that no owner decided about."""
REMIND_BEFORE = (7, 1, 0)
"""Days before the last one on which owners who still have something to decide are reminded."""
_log = logger(__name__)


@dataclass
class _Known:
    """What was looked up while one page is collected."""

    posts: dict[str, Post | None] = field(default_factory=dict)
    people: dict[str, str] = field(default_factory=dict)
    heads: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)


class Reviewing:
    """The verbs; safe to share between threads."""

    def __init__(
        self,
        deeds: Deeds,
        giving: Giving,
        board: Board,
        *,
        letters: Letters,
    ) -> None:
        self._deeds = deeds
        self._standings = deeds.standings
        self._giving = giving
        self.board = board
        self._letters = letters

    def start(
        self,
        name: str,
        *,
        scope: ScopeKind,
        of: str,
        due: date,
        owner: str,
        heads: str = "",
        undecided: Undecided,
        actor: str,
        reason: str,
    ) -> str:
        """Begin a campaign; returns its identifier. What it is about is collected by the next turns of the house.

        Raises:
            BadName, NoReason: as it says.
            BadDays: the last day is over.
            NoSuchOrganisation, NoSuchRole, NoSuchEntitlement, NoSuchPerson: there is none.
        """
        told, called = reasoned(reason), name.strip()
        if not called or len(called) > LONGEST_TEXT or not called.isprintable():
            raise BadName
        if due < self._standings.today():
            raise BadDays
        self._exists(scope, of)
        if heads:
            self._standings.role(heads)
        owning = self._standings.directory.person(owner)
        made = Campaign(
            id=self._deeds.new_id(), name=called, scope=scope, of=of, due=due, heads=heads, owner=owning.subject,
            undecided=undecided, by=actor, reason=told,
        )  # fmt: skip
        self._say("directory.review.begun", made, Outcome.SUCCESS, actor=actor, reason=told)
        self.board.begin(made)
        return made.id

    def campaign(self, identifier: str) -> Campaign:
        """One campaign.

        Raises:
            NoSuchCampaign: none of that identifier.
        """
        found = self.board.campaign(identifier)
        if found is None:
            raise NoSuchCampaign
        return found

    def collect(self) -> int:
        """Go on collecting, one page of one campaign; returns how many campaigns are still to be collected."""
        going = self.board.campaigns(Stage.COLLECTING)
        if going:
            self._collect(going[-1])
        return len(going)

    def confirm(self, position: int, *, actor: str, reason: str, for_all: bool = False) -> Item:
        """Say that an access is to stay. ``for_all``: as the directory's administrator, for what no owner decides.

        Raises:
            NoSuchGrant: there is no such access under review.
            NotTheOwner: somebody else decides, or they hold it themselves; the attempt is recorded.
            DecidedAlready: by whoever decides, or the last day is over.
            NoReason: as it says.
        """
        return self._decide(position, ItemState.CONFIRMED, actor=actor, reason=reason, for_all=for_all)

    def withdraw(self, position: int, *, actor: str, reason: str, for_all: bool = False) -> Item:
        """Take an access away, at once.

        Raises:
            NoSuchGrant, NotTheOwner, DecidedAlready, NoReason: as ``confirm``.
            Pending: decided and recorded; the server follows.
        """
        found = self._decide(position, ItemState.WITHDRAWING, actor=actor, reason=reason, for_all=for_all)
        try:
            self._take(found)
        except DirectoryUnavailable as error:
            raise Pending from error
        return found

    def tend(self) -> int:
        """Carry out what was decided, remind owners, end what is over. Returns how much was done.

        Raises:
            DirectoryUnavailable: the server does not answer; call again later.
        """
        done = self._carry_out()
        today = self._standings.today()
        for each in self.board.campaigns(Stage.OPEN):
            if each.due < today:
                self.board.end(each, at=int(self._deeds.now().timestamp()), reason=UNDECIDED)
            elif (each.due - today).days in REMIND_BEFORE:
                done += self._remind(each, today)
        for each in self.board.campaigns(Stage.CLOSING):
            done += self._close(each)
        return done

    def tally(self, campaign: Campaign) -> Tally:
        """How its accesses stand."""
        return self.board.tally(campaign.id)

    def report(self, campaign: Campaign) -> Iterable[bytes]:
        """The result as it is sealed, line by line."""
        return report(campaign, self.board.all_items(campaign.id))

    def names(self, items: Sequence[Item]) -> tuple[dict[str, Person], dict[str, Post]]:
        """Who holds what is shown, and the posts."""
        people: dict[str, Person] = {}
        posts: dict[str, Post] = {}
        for each in items:
            if each.holder not in people:
                try:
                    people[each.holder] = self._standings.directory.person(each.holder)
                except NoSuchPerson:
                    continue
            if each.kind is Kind.POST and each.what not in posts:
                try:
                    posts[each.what] = self._standings.post(each.what)
                except NoSuchPost:
                    continue
        return people, posts

    def _exists(self, scope: ScopeKind, of: str) -> None:
        if scope in (ScopeKind.ORGANISATION, ScopeKind.BRANCH):
            self._standings.directory.organisation(of)
        elif scope is ScopeKind.ROLE:
            self._standings.role(of)
        else:
            self._giving.entitlement(f"{identifier_of(of)}/any")

    def _collect(self, of: Campaign) -> None:
        known, within = _Known(), self._within(of)
        if of.branch is Kind.POST:
            held = self._standings.holdings_after(of.after, limit=PAGE)
            found = self._of_holdings(of, held, known, within)
            over = len(held) < PAGE
            after = 0 if over else max(each.number for each in held)
            branch = Kind.GRANT if over else Kind.POST
            self.board.collected(of, found, branch=branch, after=after, done=False)
            return
        given = self._standings.grants_after(of.after, limit=PAGE)
        found = self._of_grants(of, given, known, within)
        over = len(given) < PAGE
        after = of.after if over else max(each.number for each in given)
        self.board.collected(of, found, branch=Kind.GRANT, after=after, done=over)

    def _within(self, of: Campaign) -> Scope:
        if of.scope is ScopeKind.BRANCH:
            return self._standings.directory.branch(of.of)
        return Scope(organisations=frozenset({of.of})) if of.scope is ScopeKind.ORGANISATION else EVERYWHERE

    def _of_holdings(self, of: Campaign, held: Sequence[Holding], known: _Known, within: Scope) -> list[Item]:
        today, carrying = self._standings.today(), self._carrying(of)
        found = []
        for each in held:
            post = self._post(each.post, known)
            if post is None or each.is_over(today) or not within.holds(post.organisation):
                continue
            if carrying is not None and not post.roles & carrying:
                continue
            owner = self._owner(of, each.holder, post, known)
            found.append(
                Item(
                    campaign=of.id, kind=Kind.POST, access=each.id, holder=each.holder, what=post.id,
                    organisation=post.organisation, owner=owner,
                )
            )  # fmt: skip
        return found

    def _of_grants(self, of: Campaign, given: Sequence[Grant], known: _Known, within: Scope) -> list[Item]:
        today, carrying = self._standings.today(), self._carrying(of)
        wanted = [each for each in given if not each.is_over(today) and _is_about(of, each, carrying)]
        places = self._standings.organisations_of({each.holder for each in wanted})
        return [
            Item(
                campaign=of.id, kind=Kind.GRANT, access=each.id, holder=each.holder, what=each.what,
                organisation=places.get(each.holder, ""), owner=self._owner(of, each.holder, None, known),
            )
            for each in wanted
            if within.everything or within.holds(places.get(each.holder, ""))
        ]  # fmt: skip

    def _carrying(self, of: Campaign) -> frozenset[str] | None:
        """The roles that the campaign is about; None if it is about places."""
        if of.scope is ScopeKind.ROLE:
            return frozenset({of.of})
        if of.scope is ScopeKind.PORTAL:
            roles = self._standings.roles()
            return frozenset(role.name for role in roles if any(each.portal == of.of for each in role.entitlements))
        return None

    def _post(self, identifier: str, known: _Known) -> Post | None:
        if identifier not in known.posts:
            try:
                known.posts[identifier] = self._standings.post(identifier)
            except NoSuchPost:
                known.posts[identifier] = None
        return known.posts[identifier]

    def _owner(self, of: Campaign, holder: str, post: Post | None, known: _Known) -> str:
        """Who decides: the head of the department, else whom the campaign names, never the holder."""
        heads = self._heads(of, post, known) if post is not None and of.heads else ()
        return next((each for each in (*heads, of.owner) if each != holder), "")

    def _heads(self, of: Campaign, post: Post, known: _Known) -> tuple[str, ...]:
        place = (post.organisation, post.department)
        if place not in known.heads:
            today = self._standings.today()
            known.heads[place] = tuple(
                sorted(
                    held.holder
                    for each in self._standings.posts(post.organisation)
                    if of.heads in each.roles and each.department == post.department
                    for held in self._standings.holdings(each.id)
                    if held.holds(today)
                )
            )
        return known.heads[place]

    def _decide(self, position: int, state: ItemState, *, actor: str, reason: str, for_all: bool) -> Item:
        told, found = reasoned(reason), self.board.item(position)
        if found is None:
            raise NoSuchGrant
        campaign = self.campaign(found.campaign)
        may = found.owner == actor or (for_all and (not found.owner or found.state is ItemState.ESCALATED))
        verb = "confirmed" if state is ItemState.CONFIRMED else "withdrawn"
        if not may or found.holder == actor:
            self._say_of(f"directory.review.{verb}", found, Outcome.DENIED, actor=actor, reason=told)
            raise NotTheOwner
        if found.state not in (ItemState.OPEN, ItemState.ESCALATED) or (
            found.state is ItemState.OPEN
            and (campaign.stage is not Stage.OPEN or campaign.due < self._standings.today())
        ):
            raise DecidedAlready
        # On record before it counts; whoever dies in between decides again, which the record then tells twice.
        self._say_of(f"directory.review.{verb}", found, Outcome.SUCCESS, actor=actor, reason=told)
        if not self.board.decide(found, state, by=actor, at=int(self._deeds.now().timestamp()), reason=told):
            raise DecidedAlready
        return replace(found, decided_by=actor, reason=told)

    def _carry_out(self) -> int:
        done, after = 0, 0
        while found := self.board.withdrawing(after=after, limit=PAGE):
            for each in found:
                try:
                    self._take(each)
                    done += 1
                except DirectoryUnavailable:
                    raise
                except TallygateError as error:
                    _log.warning("review_withdrawal_waits", code=error.code, item=each.position)
                    self.board.failed(each.position, error.code)
            after = found[-1].position
        return done

    def _take(self, of: Item) -> None:
        # Whoever started the campaign decided what becomes of the undecided.
        actor = of.decided_by or self.campaign(of.campaign).by
        take = self._giving.take_post if of.kind is Kind.POST else self._giving.withdraw_grant
        try:
            take(of.access, actor="" if actor == of.holder else actor, reason=of.reason, because="review")
        except NoSuchGrant:
            # It has been taken already, before a crash or by somebody else's hand.
            pass
        except Pending:
            # Committed with its record; the journal finishes it.
            self.board.withdrawn(of.position)
            raise
        self.board.withdrawn(of.position)

    def _remind(self, of: Campaign, today: date) -> int:
        if of.reminded == today.isoformat():
            return 0
        left = self.board.owners_waiting(of.id)
        # Each letter has the key of its campaign, owner and day: whoever dies in here tells nobody twice.
        for owner, count in left.items():
            if not owner:
                continue
            try:
                person = self._standings.directory.person(owner)
            except NoSuchPerson:
                continue
            self._letters.of_review(person, of, count, today)
        what: dict[str, str | int] = {"owners": len(left), "open": sum(left.values()), "due": of.due.isoformat()}
        self._say("directory.review.reminded", of, Outcome.SUCCESS, actor="role:directory", reason="", **what)
        return int(self.board.reminded(of.id, today))

    def _close(self, of: Campaign) -> int:
        tally = self.tally(of)
        if tally.withdrawing:
            # What cannot be taken away yet is not yet the result.
            return 0
        digest = hashlib.sha256()
        for line in self.report(of):
            digest.update(line)
        seal = digest.hexdigest()
        what: dict[str, str | int] = {
            "confirmed": tally.confirmed,
            "withdrawn": tally.withdrawn,
            "escalated": tally.late,
            "digest": seal,
        }
        self._say("directory.review.sealed", of, Outcome.SUCCESS, actor="role:directory", reason="", **what)
        self.board.close(of.id, seal=seal)
        return 1

    def _say(self, kind: str, of: Campaign, outcome: Outcome, *, actor: str, reason: str, **what: str | int) -> None:
        begun = {"scope": of.scope.value, "of": of.of, "due": of.due.isoformat(), "undecided": of.undecided.value}
        attributes = what or begun
        sealed = {"name": of.name, "reason": reason} if reason else {}
        deed = Deed(kind=kind, subject=of.id, attributes=attributes, sealed=sealed)
        self._deeds.say(deed, outcome, actor=actor)

    def _say_of(self, kind: str, of: Item, outcome: Outcome, *, actor: str, reason: str) -> None:
        deed = Deed(
            kind=kind,
            subject=of.holder,
            organisation=of.organisation,
            attributes={"campaign": of.campaign, "kind": of.kind.value, "what": of.what},
            sealed={"reason": reason},
        )
        self._deeds.say(deed, outcome, actor=actor)


def _is_about(of: Campaign, grant: Grant, carrying: frozenset[str] | None) -> bool:
    if carrying is None or grant.role in carrying:
        return True
    return of.scope is ScopeKind.PORTAL and grant.entitlement is not None and grant.entitlement.portal == of.of
