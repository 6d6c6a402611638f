# SPDX-License-Identifier: Apache-2.0
"""The part of an administrator's verbs that is about reviews, duties kept apart, and proofing.

| verb                         | directory administrator | agency administrator      | owner of an access |
| ---------------------------- | ----------------------- | ------------------------- | ------------------ |
| begin a review, see it       | of anything             | of the branch             | no                 |
| decide about an access       | what has no owner, what | what they own             | what they own      |
|                              | nobody decided in time  |                           |                    |
| write rules about duties     | yes                     | no                        | no                 |
| vet, agree, refuse, withdraw | all                     | those of the branch       | no                 |
"""

from collections.abc import Iterable, Mapping
from datetime import date

from ..duties import Rule
from ..errors import BeyondScope, NoSuchCampaign, NoSuchGrant
from ..models import Page, Person
from ..models_powers import Post
from ..reviews import Campaign, Item, ItemState, ScopeKind, Tally, Undecided
from ..vetting import Evidence, Vetting, Way
from .scoping import Scoped


class Governing(Scoped):
    """As the verbs of ``Reviewing``, ``Ruling`` and ``Vetters``, each within the administrator's part."""

    def reviews(self) -> list[Campaign]:
        """The campaigns of the own part, latest end first."""
        found = self._writer.reviewing.board.campaigns()
        return [each for each in found if self._is_own(each)]

    def review(self, identifier: str) -> Campaign:
        """One campaign.

        Raises:
            NoSuchCampaign: none, or none of the branch.
        """
        found = self._writer.reviewing.campaign(identifier)
        if not self._is_own(found):
            raise NoSuchCampaign
        return found

    def start_review(
        self,
        name: str,
        *,
        scope: ScopeKind,
        of: str,
        due: date,
        owner: str,
        heads: str,
        undecided: Undecided,
        reason: str,
    ) -> str:
        """As ``Reviewing.start``; ``owner`` is told by user name.

        Raises:
            BeyondScope: it is about more than the own branch.
        """
        if not self.everything:
            if scope not in (ScopeKind.ORGANISATION, ScopeKind.BRANCH):
                raise BeyondScope
            self._own_organisation(of)
        owning = self._directory.person_by_username(owner)
        return self._writer.reviewing.start(
            name, scope=scope, of=of, due=due, owner=owning.subject, heads=heads, undecided=undecided,
            actor=self._subject, reason=reason,
        )  # fmt: skip

    def tally(self, campaign: Campaign) -> Tally:
        """How the accesses of a campaign stand."""
        return self._writer.reviewing.tally(campaign)

    def review_stuck(self, campaign: Campaign) -> int:
        """How many of its withdrawals could not be done so far."""
        return self._writer.reviewing.board.stuck(campaign.id)

    def review_items(self, campaign: Campaign, *states: ItemState, after: int, limit: int) -> list[Item]:
        """Its accesses, in order."""
        return self._writer.reviewing.board.items(campaign.id, *states, after=after, limit=limit)

    def mine_to_review(self, *, after: int = 0, limit: int) -> list[Item]:
        """What this person has to decide about, over all campaigns."""
        return self._writer.reviewing.board.waiting_for(self._subject, after=after, limit=limit)

    def review_named(self, identifier: str) -> Campaign:
        """The campaign of an access that somebody owns, for its name and day."""
        return self._writer.reviewing.campaign(identifier)

    def names_of(self, items: list[Item]) -> tuple[dict[str, Person], dict[str, Post]]:
        """As ``Reviewing.names``."""
        return self._writer.reviewing.names(items)

    def may_decide(self, item: Item) -> bool:
        """Whether this person decides about an access now."""
        if item.holder == self._subject:
            return False
        if item.state is ItemState.ESCALATED:
            return self.everything or item.owner == self._subject
        return item.state is ItemState.OPEN and (item.owner == self._subject or (self.everything and not item.owner))

    def confirm_access(self, position: int, *, reason: str) -> Item:
        """As ``Reviewing.confirm``."""
        return self._writer.reviewing.confirm(position, actor=self._subject, reason=reason, for_all=self.everything)

    def withdraw_access(self, position: int, *, reason: str) -> Item:
        """As ``Reviewing.withdraw``."""
        return self._writer.reviewing.withdraw(position, actor=self._subject, reason=reason, for_all=self.everything)

    def review_report(self, campaign: Campaign) -> Iterable[bytes]:
        """As ``Reviewing.report``."""
        return self._writer.reviewing.report(campaign)

    def duty_rules(self) -> list[Rule]:
        """Every rule of the site's own; what must be kept apart is no secret."""
        return self._writer.ruling.rules()

    def add_duty_rule(self, name: str, roles: Iterable[str], *, reason: str) -> None:
        """As ``Ruling.add``.

        Raises:
            BeyondScope: not the directory's administrator.
        """
        self._only_everything()
        self._writer.ruling.add(name, roles, actor=self._subject, reason=reason)

    def remove_duty_rule(self, identifier: str, *, reason: str) -> None:
        """As ``Ruling.remove``.

        Raises:
            BeyondScope: not the directory's administrator.
        """
        self._only_everything()
        self._writer.ruling.remove(identifier, actor=self._subject, reason=reason)

    def vet(self, subject: str, *, level: int, way: Way, kinds: Iterable[Evidence], reference: str) -> Vetting:
        """As ``Vetters.vet``.

        Raises:
            BeyondScope: they hold a role of the whole site.
        """
        return self._writer.vetters.vet(
            self._own(subject), level=level, way=way, kinds=kinds, reference=reference, actor=self._subject
        )

    def agree_to_vetting(self, identifier: str) -> Vetting:
        """As ``Vetters.agree``, of somebody of the own part."""
        self._own_vetting(identifier)
        return self._writer.vetters.agree(identifier, actor=self._subject)

    def refuse_vetting(self, identifier: str, *, reason: str) -> None:
        """As ``Vetters.refuse``, of somebody of the own part."""
        self._own_vetting(identifier)
        self._writer.vetters.refuse(identifier, actor=self._subject, reason=reason)

    def withdraw_level(self, subject: str, *, reason: str) -> None:
        """As ``Vetters.withdraw``."""
        self._writer.vetters.withdraw(self._own(subject), actor=self._subject, reason=reason)

    def vettings(self, subject: str) -> list[Vetting]:
        """Every vetting of somebody of the own part, newest first."""
        return self._writer.vetters.history(self.person(subject).subject)

    def vettings_waiting(self) -> list[tuple[Person, Vetting]]:
        """What waits for a second officer, of the own part."""
        scope = self.scope()
        return [each for each in self._writer.vetters.waiting() if scope.holds(each[0].organisation)]

    def proofings_due(self, level: int, *, after: str, limit: int) -> Page[Person]:
        """Whose proofing ends soon, of the own part."""
        return self._writer.vetters.due(level, after=after, limit=limit, within=self.scope())

    def proofing_days(self) -> Mapping[int, int]:
        """For how many days a proofing of each level counts at this site."""
        return self._writer.vetters.terms.days

    def _is_own(self, campaign: Campaign) -> bool:
        placed = campaign.scope in (ScopeKind.ORGANISATION, ScopeKind.BRANCH)
        return self.everything or (placed and self.scope().holds(campaign.of))

    def _own_vetting(self, identifier: str) -> None:
        found = self._writer.vetters.board.vetting(identifier)
        if found is None:
            raise NoSuchGrant
        self._own(found.subject)
