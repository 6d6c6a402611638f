# SPDX-License-Identifier: Apache-2.0
"""Accounts that rot: dormant, expired, orphaned and shared ones, devices without an owner, software out of date.

The house looks at everybody once a day, a page at each turn, and keeps what it finds; a page of the desk asks for that
by index and costs the same however many people there are. Each line is read anew before it is shown: who has been shut
out since is not on it.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from core.clock import Clock

from ..ldap import names
from ..models import EVERYWHERE, Device, Page, Person, Scope
from ..store import Store
from ..survey import Finding, Findings, Kind, Stage, Walk
from .outsiders import Outsiders, Speaker
from .standings import Standings

PAGE = 400
_AT_ONCE = 40
"""Values of one question."""
DORMANT_DAYS = 90
_SERVANTS = "(&(objectClass=tallyCivilServant)(tallyEnabled=TRUE))"


@dataclass(frozen=True, kw_only=True)
class Unusual:
    """What was found on the last walk; each list is bounded."""

    # Civil servants who have not logged in for so long, though they were entered before.
    dormant: tuple[Person, ...] = ()
    # Whose posts have all ended, and who are still let in.
    expired: tuple[Person, ...] = ()
    # Who hold no post and never did, or whose agency is gone.
    orphaned: tuple[Person, ...] = ()
    # Several accounts that share one address, by the address.
    shared: tuple[tuple[str, tuple[Person, ...]], ...] = ()
    # Devices that are let in, whose owner is gone or shut out.
    devices: tuple[Device, ...] = ()
    # What may read by LDAP and no longer should: its days are over, or its device is out.
    software: tuple[Speaker, ...] = ()
    # The day of the last walk that was begun; empty if there was none.
    day: str = ""
    is_whole: bool = False


class Accounts:
    """The walk and the questions; safe to share between threads and processes."""

    def __init__(
        self, standings: Standings, store: Store, findings: Findings, *, outsiders: Outsiders, clock: Clock
    ) -> None:
        self._standings = standings
        self._store = store
        self._findings = findings
        self._outsiders = outsiders
        self._clock = clock

    def unusual(self, within: Scope) -> Unusual:
        """What was found in a part of the directory.

        Raises:
            DirectoryUnavailable: it cannot be read anew.
        """
        walk = self._findings.walk()
        shared: dict[str, list[Person]] = {}
        for person in self._people(Kind.SHARED, within):
            shared.setdefault(person.mail.lower(), []).append(person)
        return Unusual(
            dormant=self._people(Kind.DORMANT, within),
            expired=self._people(Kind.EXPIRED, within),
            orphaned=self._people(Kind.ORPHANED, within),
            shared=tuple((mail, tuple(people)) for mail, people in shared.items() if mail),
            devices=tuple(self._devices(within)),
            software=tuple(self._software(within)),
            day=walk.day,
            is_whole=walk.stage is Stage.DONE,
        )

    def survey(self) -> bool:
        """Look at one page of whatever is still to be looked at today; whether there is more.

        Raises:
            DirectoryUnavailable: the server does not answer; the page is looked at again.
        """
        today, walk = self._clock.now().date().isoformat(), self._findings.walk()
        if walk.stage is Stage.DONE:
            if walk.day == today:
                return False
            old, walk = walk, Walk(today, Stage.PEOPLE)
        else:
            old = walk
        if walk.stage is Stage.PEOPLE:
            page = self._standings.directory.people_where(_SERVANTS, after=walk.after, limit=PAGE)
            found = self._of_people(page.items)
            looked = [each.subject for each in page.items]
            following = Walk(walk.day, Stage.PEOPLE if page.after else Stage.DEVICES, page.after)
        else:
            machines = self._standings.directory.devices(after=walk.after, limit=PAGE)
            found = self._of_devices(machines)
            looked = [each.id for each in machines.items]
            if not machines.after:
                found += self._of_software()
                looked += [each.id for each in self._outsiders.all()]
            following = Walk(walk.day, Stage.DEVICES if machines.after else Stage.DONE, machines.after)
        self._findings.went(old, following, looked, found)
        return following.stage is not Stage.DONE

    def _of_people(self, people: Sequence[Person]) -> list[Finding]:
        today = self._standings.today()
        begin = (today - timedelta(days=DORMANT_DAYS)).isoformat()
        watched = self._store.seen_since()
        # Nobody is called dormant for a time in which nobody looked.
        is_known = bool(watched) and watched <= begin
        last = self._store.seen([person.subject for person in people]) if is_known else {}
        ends = self._ends([person.subject for person in people])
        sharing = self._sharing({person.mail.lower() for person in people if person.mail})
        agencies: dict[str, bool] = {}
        found = []
        for person in people:
            if person.organisation not in agencies:
                agencies[person.organisation] = self._standings.has_organisation(person.organisation)
            kinds: list[tuple[Kind, str]] = []
            if is_known and last.get(person.subject, "") < begin:
                kinds.append((Kind.DORMANT, ""))
            if person.subject not in ends or not agencies[person.organisation]:
                kinds.append((Kind.ORPHANED, ""))
            elif ends[person.subject] < today.isoformat():
                kinds.append((Kind.EXPIRED, ""))
            if person.mail.lower() in sharing:
                kinds.append((Kind.SHARED, _mark(person.mail)))
            found += [Finding(kind, person.subject, person.organisation, why) for kind, why in kinds]
        return found

    def _ends(self, subjects: Sequence[str]) -> dict[str, str]:
        """The last day of the last post of everybody who holds one; far off if it has none."""
        found: dict[str, str] = {}
        for some in _some(subjects):
            for holding in self._standings.holdings_of(some):
                last = holding.until.isoformat() if holding.until else "9999"
                found[holding.holder] = max(found.get(holding.holder, ""), last)
        return found

    def _sharing(self, mails: Iterable[str]) -> frozenset[str]:
        """Which of these addresses several accounts have that are let in."""
        times: dict[str, int] = {}
        for some in _some(sorted(mails)):
            where = names.every(_SERVANTS, names.any_of("mail", some))
            for person in self._standings.directory.people_where(where, limit=PAGE).items:
                times[person.mail.lower()] = times.get(person.mail.lower(), 0) + 1
        return frozenset(mail for mail, count in times.items() if count > 1)

    def _of_devices(self, machines: Page[Device]) -> list[Finding]:
        owned = [each for each in machines.items if each.enabled and each.owner]
        sound = {person.subject for person in self._read([each.owner for each in owned]) if person.enabled}
        return [Finding(Kind.DEVICE, each.id, each.organisation) for each in owned if each.owner not in sound]

    def _of_software(self) -> list[Finding]:
        today = self._standings.today()
        return [
            Finding(Kind.SOFTWARE, each.id, each.organisation)
            for each in self._outsiders.all()
            if each.rights and (not each.reads or (each.until is not None and each.until < today))
        ]

    def _people(self, kind: Kind, within: Scope) -> tuple[Person, ...]:
        found = self._findings.of(kind, within)
        known = {person.subject: person for person in self._read([each.subject for each in found])}
        people = [known[each.subject] for each in found if each.subject in known]
        return tuple(each for each in people if each.enabled and within.holds(each.organisation))

    def _devices(self, within: Scope) -> Iterable[Device]:
        for each in self._findings.of(Kind.DEVICE, within):
            device = self._standings.directory.device_if_any(each.subject)
            if device is not None and device.enabled and within.holds(device.organisation):
                yield device

    def _software(self, within: Scope) -> list[Speaker]:
        found = {each.subject for each in self._findings.of(Kind.SOFTWARE, within)}
        return [each for each in self._outsiders.all() if each.id in found and each.rights] if found else []

    def _read(self, subjects: Sequence[str]) -> list[Person]:
        found: list[Person] = []
        for some in _some(sorted(set(subjects))):
            where = names.any_of("tallySubject", some)
            found += self._standings.directory.people_where(where, limit=PAGE, within=EVERYWHERE).items
        return found


def _some(values: Sequence[str]) -> Iterator[Sequence[str]]:
    """So many at a time as one question takes."""
    for first in range(0, len(values), _AT_ONCE):
        yield values[first : first + _AT_ONCE]


def _mark(mail: str) -> str:
    return hashlib.sha256(mail.lower().encode("utf-8")).hexdigest()[:32]
