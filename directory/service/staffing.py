# SPDX-License-Identifier: Apache-2.0
"""The part of an administrator's verbs that is about joiners, movers and leavers, and accounts to look at."""

from datetime import date

from ..errors import BadPatch, BeyondScope, NoSuchPost
from ..imports import Batch, ImportReport, NewHolding
from ..models import Page, Person, PersonKind, Proofing, username_of
from ..models_powers import Post
from ..powers import Preview
from ..scim import NewUser
from ..store import Scheduled
from .accounts import Unusual
from .deeds import reasoned
from .employing import NOTHING_CHOSEN, Choices, Leaving, Moving
from .entering import new_id
from .scoping import Scoped
from .structure import is_of_whole_site


class Staffing(Scoped):
    """As the verbs of ``Employing``, each within the administrator's part."""

    def posts_in(self, organisation: str) -> list[Post]:
        """The posts of an agency that this administrator may put somebody in; none of what is not theirs."""
        if not organisation or not self.scope().holds(organisation):
            return []
        posts = self._writer.standings.posts(organisation)
        return [post for post in posts if self.everything or not is_of_whole_site(post)]

    def hire(
        self,
        *,
        username: str,
        name: str,
        name_zh: str = "",
        mail: str = "",
        post: str,
        since: date | None = None,
        reason: str,
    ) -> tuple[str, ImportReport]:
        """Enter a civil servant and let them hold a post, from today or a day on; returns whom, or why not.

        Both are one change: a crash leaves either nothing or somebody with their post.
        Whoever begins later is entered switched off, and is let in on the first day.

        Raises:
            BeyondScope, NoSuchPost: as ``_own_post``.
        """
        wanted, today = self._own_post(post), self._writer.standings.today()
        first = max(since or today, today)
        person = Person(
            subject=new_id(), username=username_of(username), kind=PersonKind.CIVIL_SERVANT, name=name,
            name_zh=name_zh, mail=mail, organisation=wanted.organisation, enabled=first <= today, proofing=Proofing(),
        )  # fmt: skip
        held = NewHolding(
            person.subject, wanted.organisation, wanted.id, since=first if first > today else None,
            reason=reasoned(reason),
        )  # fmt: skip
        batch = Batch(people=[(1, person)], holdings=[(1, held)])
        # The first day is written down before anybody is entered: a crash in between leaves a note about nobody.
        later = self._writer.employing.note_first_day(person, first, actor=self._subject, reason=held.reason)
        report = self._writer.enter(batch, actor=self._subject, within=self.scope())
        self._writer.employing.settle_first_day(person, later, entered=not report.refused, actor=self._subject)
        return person.subject, report

    def would_hire(self, post: str, *, since: date | None) -> Preview:
        """What somebody who is hired into a post would have on the first day.

        Raises:
            BeyondScope, NoSuchPost: as ``_own_post``.
        """
        return self._writer.employing.would_hire(self._own_post(post), since=since)

    def would_be_away(self, subject: str) -> Preview:
        """As ``Employing.would_be_away``."""
        return self._writer.employing.would_be_away(self._own(subject))

    def people_where(self, where: str, *, after: str, limit: int) -> Page[Person]:
        """People of the own part whom an LDAP filter of our own making finds."""
        return self._directory.people_where(
            where or "(objectClass=inetOrgPerson)", after=after, limit=limit, within=self.scope()
        )

    def enter_user(self, of: NewUser) -> tuple[str, ImportReport]:
        """Enter an account without a post; returns whose, or why not."""
        kinds = {each.value for each in PersonKind}
        if of.kind not in kinds or (of.kind == PersonKind.CIVIL_SERVANT) is not bool(of.organisation):
            raise BadPatch(field="organization")
        person = Person(
            subject=new_id(), username=username_of(of.username), kind=PersonKind(of.kind), name=of.name,
            name_zh=of.name_zh, mail=of.mail, organisation=of.organisation, enabled=of.active,
        )  # fmt: skip
        return person.subject, self._writer.enter(Batch(people=[(1, person)]), actor=self._subject, within=self.scope())

    def change_user(
        self,
        subject: str,
        *,
        active: bool | None = None,
        name: str | None = None,
        name_zh: str | None = None,
        mail: str | None = None,
        reason: str,
    ) -> None:
        """Change names and address, then shut out or let in; what is None stays.

        Raises:
            BeyondScope: they hold a role of the whole site.
            OwnRole: nobody lets themselves in.
        """
        person = self._directory.person(self._own(subject))
        self._writer.profiles.change(person.subject, name=name, name_zh=name_zh, mail=mail, actor=self._subject)
        if active is False and person.enabled:
            self._writer.disable_person(person.subject, actor=self._subject, reason=reason)
        if active and not person.enabled:
            self._writer.enable_person(person.subject, actor=self._subject, reason=reason)

    def would_move(self, subject: str, post: str, *, since: date | None, choices: Choices) -> Moving:
        """As ``Employing.would_move``."""
        return self._writer.employing.would_move(
            self._own(subject), self._own_post(post).id, since=since, choices=choices
        )

    def move(self, subject: str, post: str, *, since: date | None, choices: Choices, reason: str) -> str:
        """As ``Employing.move``.

        Raises:
            BeyondScope: the person or the post has a role of the whole site; or a grant is to be kept, or a mandate
                to end, and it is not the directory's administrator who says so.
        """
        if choices != NOTHING_CHOSEN:
            self._only_everything()
        return self._writer.employing.move(
            self._own(subject), self._own_post(post).id, since=since, choices=choices, actor=self._subject,
            reason=reason,
        )  # fmt: skip

    def away(self, subject: str, *, since: date | None, until: date | None, reason: str) -> None:
        """As ``Employing.away``."""
        self._writer.employing.away(self._own(subject), since=since, until=until, actor=self._subject, reason=reason)

    def would_leave(self, subject: str) -> Leaving:
        """As ``Employing.would_leave``."""
        return self._writer.employing.would_leave(self._own(subject))

    def leave(self, subject: str, *, last: date | None, reason: str) -> str:
        """As ``Employing.leave``."""
        return self._writer.employing.leave(self._own(subject), last=last, actor=self._subject, reason=reason)

    def call_off(self, subject: str, scheduled: str, *, reason: str) -> None:
        """As ``Employing.call_off``."""
        self._writer.employing.call_off(self._own(subject), scheduled, actor=self._subject, reason=reason)

    def scheduled(self, subject: str = "") -> list[Scheduled]:
        """What is to happen to one person of the own part, or, for the directory's administrator, to anybody."""
        if subject:
            return self._writer.employing.scheduled(self.person(subject).subject)
        return self._writer.employing.scheduled() if self.everything else []

    def unusual(self) -> Unusual:
        """Accounts of the own part that somebody should look at."""
        return self._writer.accounts.unusual(self.scope())

    def clashes(self) -> list[tuple[str, str, Person]]:
        """Who holds two roles that must be kept apart, whichever way they came by them; of the own part."""
        scope = self.scope()
        return [each for each in self._writer.standings.clashes() if scope.holds(each[2].organisation)]

    def _own_post(self, identifier: str) -> Post:
        found = self._writer.standings.post(identifier)
        if not self.scope().holds(found.organisation):
            raise NoSuchPost
        if not self.everything and is_of_whole_site(found):
            raise BeyondScope
        return found
