# SPDX-License-Identifier: Apache-2.0
"""Who has an account at which portal follows from entitlements; portals are told of it, and shut who is gone.

What happens to a person is heard in the record and makes their rows due; everybody is compared from time to time, so
that nothing that was missed or changed at the portal stays. A row says how far its account has got. Whoever dies after
telling a portal and before noting it finds the account again by its external identifier, so nothing is doubled.

An account is announced in the record before the portal is told, and its outcome is written in one transaction with the
row. Shutting an account waits for nothing but the portal, and is tried until the portal has said yes.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from audit import Event, Outcome
from core.errors import TallygateError
from core.log import logger

from ..config import PortalAccounts
from ..errors import NoSuchEntitlement, NoSuchPerson
from ..models_powers import Entitlement
from ..powers import standing
from ..provisioning import Account, Ledger, Remote, RemoteFailed, Stage, Wish, document, external
from ..provisioning.documents import digest
from ..provisioning.remote import BUSY, CHANGED, GONE, TAKEN, UNAUTHORISED, UNREACHABLE, identifier
from .deeds import Deed, Deeds
from .standings import Standings

HEARD = (
    "directory.person.created",
    "directory.person.changed",
    "directory.person.disabled",
    "directory.person.enabled",
    "directory.person.moved",
    "directory.person.left",
    "directory.role.",
    "directory.post.",
    "directory.entitlement.",
)
"""Beginnings of the event types after which somebody's accounts are looked at."""
WIDE = ("directory.power.added", "directory.power.removed")
"""The event types after which everybody is compared, for a role may give something else."""
_SOON = 60
"""Seconds until then, so that many such changes are one comparison."""
_PAGE = 400
_FIRST_PAUSE, _LONGEST_PAUSE = 2, 300
"""Seconds after a failure; each further one doubles them."""
_DOUBLINGS = 11
_WHOLE = frozenset({UNREACHABLE, UNAUTHORISED, BUSY})
_DONE: Any = {"due": 0, "attempts": 0, "failed": ""}
_log = logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How one portal stands, for the desk."""

    name: str
    target: PortalAccounts
    accounts: Mapping[Stage, int]
    failing: tuple[tuple[Account, str], ...]
    # When everybody was last compared, in epoch seconds; 0: never.
    compared: int
    # Accounts there that we did not make.
    strangers: int


class Provisioning:
    """The verbs; one process at a time does ``work``, all may note."""

    def __init__(
        self,
        deeds: Deeds,
        ledger: Ledger,
        targets: Mapping[str, PortalAccounts],
        *,
        key: bytes,
        remote: Callable[[PortalAccounts], Remote],
    ) -> None:
        """``key`` makes the identifiers by which portals know people, ``remote`` the way to one portal."""
        self._deeds = deeds
        self._standings: Standings = deeds.standings
        self._ledger = ledger
        self._targets = targets
        self._key = key
        self._remote = remote
        self._groups: dict[tuple[str, str], str] = {}

    def hear(self, events: Iterable[Event]) -> None:
        """Look again at whoever something happened to; hearing twice does no harm."""
        heard = list(events)
        if any(each.type in WIDE for each in heard):
            self._compare_soon()
        subjects = {each.subject for each in heard if each.subject and each.type.startswith(HEARD)}
        if subjects and self._targets:
            self._note(sorted(subjects))

    def standing(self) -> list[Standing]:
        """How every portal stands."""
        found = []
        for name, target in sorted(self._targets.items()):
            compared, strangers = self._ledger.standing(name)
            failing = tuple((each, self._called(each.subject)) for each in self._ledger.failing(name))
            count = self._ledger.count(name)
            found.append(
                Standing(
                    name=name, target=target, accounts=count, failing=failing, compared=compared, strangers=strangers
                )
            )
        return found

    def accounts(self, subject: str) -> list[Account]:
        """Where somebody has an account, as far as we know."""
        return [each for each in self._ledger.of(subject) if each.portal in self._targets]

    def again(self, name: str) -> None:
        """Try now what failed, and compare everybody at the next turn.

        Raises:
            NoSuchEntitlement: no such portal is told of accounts.
        """
        if name not in self._targets:
            raise NoSuchEntitlement
        self._ledger.note(name, [each.subject for each in self._ledger.failing(name)], at=self._at())
        _, strangers = self._ledger.standing(name)
        self._ledger.compared(name, at=0, strangers=strangers)

    def work(self, is_over: Callable[[], bool] = lambda: False) -> int:
        """Compare where that is due, then tell portals what is due; how many accounts were looked at."""
        done = 0
        for name, target in self._targets.items():
            if self._ledger.waits(name, _WHOLE, at=self._at()):
                continue
            compared, _ = self._ledger.standing(name)
            try:
                way = self._remote(target)
            except (TallygateError, RemoteFailed) as error:
                # One portal that cannot be reached as it is set up keeps no other one waiting.
                _log.error("portal_unreachable", portal=name, code=error.code)
                continue
            if self._at() - compared >= target.compare_every.total_seconds():
                self._compare(name, target, way)
            for each in self._ledger.due(name, at=self._at()):
                if is_over():
                    return done
                code = self._settle(name, target, way, each)
                done += 1
                if code in _WHOLE:
                    # It is the portal and not this account: nobody else's is tried before this one's turn comes again.
                    break
        return done

    def _compare_soon(self) -> None:
        for name, target in self._targets.items():
            compared, strangers = self._ledger.standing(name)
            soon = self._at() - int(target.compare_every.total_seconds()) + _SOON
            if compared > soon:
                self._ledger.compared(name, at=soon, strangers=strangers)

    def _compare(self, name: str, target: PortalAccounts, way: Remote) -> None:
        """Let everybody be looked at who should have an account or has one, and what the portal holds otherwise."""
        self._note(sorted(self._entitled(target.portal or name)), only=name)
        known: dict[str, Account] = {}
        after = ""
        while rows := self._ledger.pages(name, after=after):
            self._ledger.note(name, [each.subject for each in rows], at=self._at())
            known |= {external(self._key, name, target, each.subject): each for each in rows}
            after = rows[-1].subject
        try:
            strangers = self._differs(way, known)
        except RemoteFailed as error:
            _log.warning("portal_not_compared", portal=name, code=error.code)
            strangers = self._ledger.standing(name)[1]
        self._ledger.compared(name, at=self._at(), strangers=strangers)

    def _differs(self, way: Remote, known: Mapping[str, Account]) -> int:
        """Have those told anew whose account the portal holds otherwise; how many accounts are not ours."""
        strangers, there = 0, set()
        for each in way.all():
            mine = known.get(str(each.get("externalId", "")))
            if mine is None:
                strangers += 1
                continue
            there.add(mine.subject)
            if mine.stage is not Stage.UNTOLD and each.get("active") is not (mine.stage is Stage.ACTIVE):
                self._stale(mine)
        for mine in known.values():
            if mine.remote and mine.subject not in there:
                self._stale(mine)
        return strangers

    def _stale(self, of: Account) -> None:
        """Tell the portal anew, whatever it took before."""
        (held,) = (each for each in self._ledger.of(of.subject) if each.portal == of.portal)
        stage = Stage.ACTIVE if held.stage is Stage.INACTIVE else held.stage
        self._ledger.keep(held, replace(held, digest="", stage=stage, due=self._at()))

    def _entitled(self, portal: str) -> set[str]:
        """Whoever may have business at the portal; each is looked at closely before anything is told."""
        found = set[str]()
        for role in self._standings.roles():
            after = "" if any(each.portal == portal for each in role.entitlements) else None
            while after is not None:
                page = self._standings.reaches(role.name, after=after, limit=_PAGE)
                found |= {each.subject for each in page.items}
                after = page.after or None
        number = 0
        while grants := self._standings.grants_after(number, limit=_PAGE):
            found |= {each.holder for each in grants if each.entitlement and each.entitlement.portal == portal}
            number = grants[-1].number
        return found

    def _wish(self, name: str, target: PortalAccounts, subject: str) -> Wish:
        try:
            facts = self._standings.facts(subject)
        except NoSuchPerson:
            return Wish(active=False)
        has, portal = standing(facts, self._standings.today()), target.portal or name
        mine = sorted(str(each) for each in has.entitlements if each.portal == portal)
        if not mine:
            return Wish(active=False)
        groups = {
            role: facts.roles[role].title or role
            for role in has.roles
            if role in facts.roles and _of_portal(facts.roles[role].entitlements, portal)
        }
        known_as = external(self._key, name, target, subject)
        return Wish(
            active=True,
            document=document(facts.person, target, known_as=known_as, entitlements=mine),
            groups=groups if target.groups else {},
        )

    def _settle(self, name: str, target: PortalAccounts, way: Remote, row: Account) -> str:
        """Tell the portal what it lacks of one account; why it failed, empty if it did not."""
        wish = self._wish(name, target, row.subject)
        told = digest({**wish.document, "groups": sorted(wish.groups)})
        if wish.active and row.stage is Stage.ACTIVE and row.digest == told:
            self._ledger.keep(row, replace(row, **_DONE))
            return ""
        if not wish.active and row.stage is Stage.INACTIVE:
            self._ledger.keep(row, replace(row, **_DONE))
            return ""
        try:
            if wish.active:
                self._give(way, row, wish, told)
            else:
                self._end(name, target, way, row)
        except RemoteFailed as error:
            self._fail(row, error)
            return error.code
        return ""

    def _give(self, way: Remote, row: Account, wish: Wish, told: str) -> None:
        deed = self._deed("directory.account.given", row, what="changed" if row.remote else "made")
        self._deeds.say(deed, Outcome.INTENDED, actor="")
        try:
            remote = self._told(way, row, wish.document)
            self._regroup(way, row, remote, wish.groups)
        except RemoteFailed:
            self._deeds.say(deed, Outcome.FAILURE, actor="")
            raise
        now = replace(row, stage=Stage.ACTIVE, remote=remote, digest=told, groups=frozenset(wish.groups), **_DONE)
        if not self._deeds.strike(lambda connection: self._ledger.save(connection, row, now), deed, actor=""):
            # Something happened meanwhile, and is looked at next; what was told stays told.
            self._ledger.learn(row, remote)
            self._deeds.say(deed, Outcome.SUCCESS, actor="")

    def _told(self, way: Remote, row: Account, wanted: Mapping[str, object]) -> str:
        """Make, link or change the account; what the portal calls it."""
        remote = row.remote
        if remote:
            try:
                way.replace(remote, wanted)
            except RemoteFailed as error:
                if error.code == CHANGED:
                    way.replace(remote, wanted)
                elif error.code != GONE:
                    raise
                else:
                    remote = ""
        if remote:
            return remote
        held = way.find("externalId", str(wanted["externalId"]))
        if held is None:
            try:
                return way.create(wanted)
            except RemoteFailed as error:
                if error.code != TAKEN:
                    raise
            held = way.find("userName", str(wanted["userName"]))
            # Somebody else's account is not taken over: a person decides.
            if held is None or held.get("externalId") not in (None, "", wanted["externalId"]):
                raise RemoteFailed(TAKEN)
        remote = identifier(held)
        way.replace(remote, wanted)
        return remote

    def _regroup(self, way: Remote, row: Account, remote: str, groups: Mapping[str, str]) -> None:
        for role in sorted(groups.keys() - row.groups if row.remote == remote else groups.keys()):
            way.regroup(self._group(way, row.portal, role, groups[role]), remote, joins=True)
        for role in sorted(row.groups - groups.keys()):
            title = self._standings.role(role).title or role
            way.regroup(self._group(way, row.portal, role, title), remote, joins=False)

    def _group(self, way: Remote, portal: str, role: str, title: str) -> str:
        if (portal, role) not in self._groups:
            self._groups[portal, role] = way.group(role, title)
        return self._groups[portal, role]

    def _end(self, name: str, target: PortalAccounts, way: Remote, row: Account) -> None:
        remote = row.remote
        if not remote:
            # It may have been told by a process that died before it could say so.
            held = way.find("externalId", external(self._key, name, target, row.subject))
            if held is None:
                self._ledger.forget(row)
                return
            remote = identifier(held)
        try:
            way.deactivate(remote)
        except RemoteFailed as error:
            if error.code != GONE:
                raise
        now = replace(row, stage=Stage.INACTIVE, remote=remote, digest="", **_DONE)
        deed = self._deed("directory.account.ended", row)
        if not self._deeds.strike(lambda connection: self._ledger.save(connection, row, now), deed, actor=""):
            self._ledger.learn(row, remote)

    def _fail(self, row: Account, error: RemoteFailed) -> None:
        wait = max(min(_FIRST_PAUSE << min(row.attempts, _DOUBLINGS), _LONGEST_PAUSE), error.wait)
        if error.code in (TAKEN, GONE):
            self._groups.clear()
        now = replace(row, attempts=row.attempts + 1, failed=error.code, due=self._at() + wait)
        if error.code != row.failed:
            # Once for each cause, not for each try.
            deed = self._deed("directory.account.failed", row, code=error.code)
            self._deeds.strike(lambda connection: self._ledger.save(connection, row, now), deed, actor="")
        else:
            self._ledger.keep(row, now)
        _log.warning("portal_account_waits", portal=row.portal, code=error.code, attempts=now.attempts)

    def _deed(self, kind: str, row: Account, **said: str) -> Deed:
        return Deed(
            kind=kind, subject=row.subject, attributes={"portal": row.portal, **said},
            sealed={"name": self._called(row.subject)},
        )  # fmt: skip

    def _note(self, subjects: list[str], *, only: str = "") -> None:
        for name in self._targets:
            if only in ("", name):
                self._ledger.note(name, subjects, at=self._at())

    def _called(self, subject: str) -> str:
        return self._standings.directory.called(subject)

    def _at(self) -> int:
        return int(self._deeds.now().timestamp())


def no_way(_target: PortalAccounts) -> Remote:
    """Where no portal is told of anything.

    Raises:
        RemoteFailed: always.
    """
    raise RemoteFailed(UNREACHABLE)


def _of_portal(entitlements: Iterable[Entitlement], portal: str) -> bool:
    return any(each.portal == portal for each in entitlements)
