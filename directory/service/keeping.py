# SPDX-License-Identifier: Apache-2.0
"""What keeps the tree true over the years: ends and beginnings carried out, drift found and mended, old trees migrated.

Memberships are worked out and written down once, so that every reader has its answer in one question. This is the
other half of that bargain: whatever differs from what posts and grants say is found here.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

from ..errors import NoSuchGrant, NoSuchPerson, NotMigrated
from ..ldap import Tree, changes, entries_powers
from ..ldap.changes import Change, Verb
from ..models import Person
from ..models_powers import USUAL_DAYS, Grant, Holding, last_days_text
from ..powers import clash, ever
from .deeds import Deed, Deeds
from .giving import ENDED, Giving
from .numbering import Numbering

PAGE = 200
BEGUN, MENDED, LEGACY = "begun", "mended", "held before grants were kept"


@dataclass(frozen=True, kw_only=True)
class Drift:
    """How one person's memberships differ from what posts and grants say."""

    person: Person
    missing: tuple[str, ...] = ()
    # Nobody gave these.
    excess: tuple[str, ...] = ()
    # The days beside them are wrong.
    days: bool = False


@dataclass(frozen=True, kw_only=True)
class Migration:
    """What an older tree lacks."""

    branches: tuple[str, ...] = ()
    # Memberships that no grant explains, by subject.
    grants: tuple[tuple[Person, str], ...] = ()
    # Organisations whose credit code stands in clear.
    codes: tuple[str, ...] = ()

    @property
    def is_needed(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.branches or self.grants or self.codes)


class Keeping:
    """Duties and the operator's commands."""

    def __init__(self, deeds: Deeds, giving: Giving, numbering: Numbering) -> None:
        self._deeds = deeds
        self._giving = giving
        self._numbering = numbering
        self._standings = deeds.standings

    def end(self) -> int:
        """Take away what is over; readers have refused it since midnight. Returns how much that was.

        Raises:
            DirectoryUnavailable: the server does not answer; call again later.
        """
        holdings, grants = self._standings.over()
        done = 0
        for holding in holdings:
            done += self._ended(self._giving.take_post, holding.id)
        for grant in grants:
            done += self._ended(self._giving.withdraw_grant, grant.id)
        return done

    def begin(self) -> int:
        """Let take effect what begins today or began while we were off. Returns how much that was.

        Raises:
            DirectoryUnavailable: the server does not answer; call again later.
        """
        holdings, grants = self._standings.due()
        for holding in holdings:
            self._begin(holding, "holdings")
        for grant in grants:
            self._begin(grant, "grants")
        return len(holdings) + len(grants)

    def drifts(self) -> Iterator[Drift]:
        """Everybody whose memberships differ from what posts and grants say.

        Raises:
            DirectoryUnavailable: the server does not answer.
        """
        for person in self._concerned():
            found = self._drift(person)
            if found is not None:
                yield found

    def mend(self) -> list[Drift]:
        """Make memberships follow from posts and grants again, each with its record; returns what was found.

        What is missing and would bring duties together that must be kept apart is left, for somebody has to decide.

        Raises:
            NotMigrated: there are memberships from before grants were kept, which would all be taken for mistakes.
        """
        if self.migration().branches:
            raise NotMigrated
        found = list(self.drifts())
        for drift in found:
            with self._deeds.alone():
                again = self._drift(self._standings.directory.person(drift.person.subject))
                if again is not None:
                    self._mend(again)
        return found

    def migration(self) -> Migration:
        """What an older tree lacks; changes nothing."""
        branches = self._standings.missing_branches()
        codes = tuple(identifier for identifier, _ in self._standings.codes_in_clear(PAGE))
        if "grants" in branches:
            people = self._standings.directory.everybody("(memberOf=*)")
            given = [(person, role) for person in people for role in sorted(self._materialised(person))]
            return Migration(branches=branches, grants=tuple(given), codes=codes)
        return Migration(branches=branches, codes=codes)

    def migrate(self, *, until: date | None = None) -> Migration:
        """Bring an older tree forward: its branches, and a grant for every membership from before there were grants.

        Each of those grants ends, so that somebody has to say again that it is needed. Credit codes in clear are
        sealed, a page of them at a time. A crash midway is finished at the next start: a page is one change.
        """
        first = self._migrate(until)
        found, last = first, first
        while len(last.codes) == PAGE:
            last = self._migrate(until)
            found = replace(found, codes=found.codes + last.codes)
        return found

    def _migrate(self, until: date | None) -> Migration:
        with self._deeds.alone(migrating=True):
            found, tree = self.migration(), self._deeds.tree
            if not found.is_needed:
                return found
            today = self._standings.today()
            last = until or today + timedelta(days=USUAL_DAYS)
            series = [_branch(tree, name) for name in found.branches]
            followed = []
            for person, role in found.grants:
                grant = Grant(
                    id=entries_powers.grant_id(person.subject, role), holder=person.subject, role=role, since=today,
                    until=last, reason=LEGACY, number=self._deeds.number(),
                )  # fmt: skip
                series.append(changes.add(tree.entry("grants", grant.id), entries_powers.grant_content(grant)))
                followed.append(self._of_role("directory.role.granted", person, role, LEGACY, until=last))
            for person in dict.fromkeys(person for person, _ in found.grants):
                held = self._materialised(person)
                text = last_days_text(dict.fromkeys(held, last))
                dn = tree.person(person.subject)
                series.append(changes.last_days(dn, text, before=self._standings.last_days(person.subject)))
            for identifier, code in self._standings.codes_in_clear(PAGE):
                series += self._numbering.sealing(identifier, code)
            counts = {"branches": len(found.branches), "grants": len(found.grants), "numbers": len(found.codes)}
            self._deeds.give(series, Deed(kind="directory.tree.migrated", attributes=counts), *followed, actor="")
        return found

    def _begin(self, given: Holding | Grant, branch: str) -> None:
        with self._deeds.alone():
            facts = self._standings.facts(given.holder)
            held = facts.holdings if branch == "holdings" else facts.grants
            if not any(each.id == given.id and each.waiting for each in held):
                return
            dn = self._deeds.tree.entry(branch, given.id)
            effective = Change(verb=Verb.REPLACE, dn=dn, attribute="tallyWaiting", value="", before="TRUE")
            if isinstance(given, Holding):
                kind, what = "directory.post.given", {"post": given.post, "roles": ""}
            else:
                thing = "role" if given.role else "entitlement"
                kind, what = f"directory.{thing}.granted", {thing: given.what}
            deed = Deed(
                kind=kind,
                subject=facts.person.subject,
                attributes={**{name: value for name, value in what.items() if value}, "because": BEGUN},
                sealed=self._deeds.about(facts.person, ""),
            )
            # What will have followed from it yesterday is nothing, so everything that follows today is settled anew.
            without = replace(
                facts,
                holdings=tuple(each for each in facts.holdings if each.id != given.id),
                grants=tuple(each for each in facts.grants if each.id != given.id),
            )
            self._deeds.give([*self._deeds.settled(without, facts), effective], deed, actor="")

    @staticmethod
    def _ended(take: Callable[..., None], identifier: str) -> int:
        try:
            take(identifier, actor="", because=ENDED)
        except (NoSuchGrant, NoSuchPerson):
            # Somebody else was quicker, or the person is gone.
            return 0
        return 1

    def _concerned(self) -> Iterator[Person]:
        """Everybody who is a member of something, or should be."""
        seen: set[str] = set()
        for person in self._standings.directory.everybody("(memberOf=*)"):
            seen.add(person.subject)
            yield person
        for subject in self._standings.holders():
            if subject not in seen:
                seen.add(subject)
                try:
                    yield self._standings.directory.person(subject)
                except NoSuchPerson:
                    continue

    def _drift(self, person: Person) -> Drift | None:
        facts = self._standings.facts_of(person)
        held, wanted = self._materialised(person), self._standings.expected(facts)
        missing, excess = wanted.keys() - held.keys(), held.keys() - wanted.keys()
        days = any(held[role] != wanted[role] for role in held.keys() & wanted.keys())
        if not (missing or excess or days):
            return None
        return Drift(person=person, missing=tuple(sorted(missing)), excess=tuple(sorted(excess)), days=days)

    def _mend(self, drift: Drift) -> None:
        person, tree = drift.person, self._deeds.tree
        dn = tree.person(person.subject)
        facts = self._standings.facts_of(person)
        text = last_days_text(self._standings.expected(facts))
        old = self._standings.last_days(person.subject)
        days = [changes.last_days(dn, text, before=old)] if text != old else []
        for role in drift.excess:
            leaves = changes.member(tree.role(role), dn, joins=False)
            self._deeds.take([leaves], self._of_role("directory.role.withdrawn", person, role, MENDED), actor="")
        joins = [changes.member(tree.role(role), dn, joins=True) for role in drift.missing]
        if clash({*ever(facts, self._standings.today()), *person.roles} - set(drift.excess), self._standings.apart()):
            return
        deeds = [self._of_role("directory.role.granted", person, role, MENDED) for role in drift.missing]
        if joins:
            self._deeds.give([*days, *joins], deeds[0], *deeds[1:], actor="")
        elif days:
            changed = Deed(
                kind="directory.person.changed",
                subject=person.subject,
                attributes={"what": "last days of roles"},
                sealed=self._deeds.about(person, ""),
            )
            self._deeds.give(days, changed, actor="")

    def _materialised(self, person: Person) -> dict[str, date | None]:
        return self._standings.materialised(person.subject)

    def _of_role(self, kind: str, person: Person, role: str, because: str, *, until: date | None = None) -> Deed:
        last = {"until": until.isoformat()} if until else {}
        return Deed(
            kind=kind,
            subject=person.subject,
            attributes={"role": role, "because": because, **last},
            sealed=self._deeds.about(person, ""),
        )


def _branch(tree: Tree, name: str) -> Change:
    return changes.add(tree.branch(name), {"objectClass": ["organizationalUnit"], "ou": [name]})
