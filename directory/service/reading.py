# SPDX-License-Identifier: Apache-2.0
"""The directory as every role reads it: bound as itself, seeing only what the access rules give it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta
from typing import Self, TypeVar

from core.clock import Clock
from core.config import secret
from core.site import SiteSettings

from ..config import DirectorySettings
from ..errors import BadName, DirectoryUnavailable, NoSuchDevice, NoSuchOrganisation, NoSuchPerson, WrongCredentials
from ..ldap import Entry, Pool, Server, Tree, Twins, entries, names
from ..models import (
    EVERYWHERE,
    Device,
    Mandate,
    Organisation,
    Page,
    Person,
    Proofing,
    Scope,
    can_be_password,
    identifier_of,
    subject_of,
    username_of,
)
from ..slapd import DECOY, MOST_FOR_READERS, READERS, service_password, socket_url

N = TypeVar("N", Person, Organisation, Device)

WRITTEN = "written"
"""Beside the sockets of role directory: which of two providers is written to."""
_LIFE = timedelta(seconds=2)
"""What does not answer for so long counts as dead where there are two."""
MANDATES_LIMIT = MOST_FOR_READERS
LONGEST_SEARCH = 100
MOST_IN_BRANCH = 400
"""Organisations; each is a part of a filter, and a search answers with at most 500 entries."""
_AT_ONCE = 100
_DEEP = 20_000
"""From this register number on a page is looked for by numbers; before it, whoever comes earlier is passed over."""
_WINDOWS, _LAST = 8, 200
_ANYBODY = "(objectClass=inetOrgPerson)"


class Directory:
    """Questions about people, organisations and devices; safe to share between threads."""

    def __init__(self, *, pool: Pool, tree: Tree, clock: Clock, days: Mapping[int, int] | None = None) -> None:
        """``days``: how long each level of proofing counts; None to be told what stands in the tree."""
        self._pool = pool
        self._tree = tree
        self._clock = clock
        self._days = days

    @classmethod
    def connect(cls, settings: DirectorySettings, *, site: SiteSettings, role: str, clock: Clock) -> Self:
        """Open the directory as one role; speaks to the server only when first asked something.

        Raises:
            ConfigurationError: the role's secret is missing or readable by others.
        """
        # The one writer sees what stands there, or it could not change it.
        days = settings.proofing_days if role in READERS else None
        return cls(pool=pool(settings, site=site, role=role), tree=Tree(settings.suffix), clock=clock, days=days)

    def authenticate(self, username: str, password: str) -> Person:
        """Return the person whose user name and password these are.

        Every refusal costs one hash and says the same. Guessing is limited by the caller.

        Raises:
            WrongCredentials: for whatever reason.
            DirectoryUnavailable: nobody could be asked.
        """
        try:
            entry = self._by_username(username_of(username))
        except BadName:
            entry = None
        usable = entry is not None and entry.text("tallyEnabled") == "TRUE" and can_be_password(password)
        if not usable or entry is None:
            self._pool.proves(self._tree.service(DECOY), "no password of anybody")
            raise WrongCredentials
        if not self._pool.proves(entry.dn, password):
            raise WrongCredentials
        # Read again: somebody may have been disabled while the hash was computed.
        person = self.person(entry.text("tallySubject"))
        if not person.enabled:
            raise WrongCredentials
        return person

    def person(self, subject: str) -> Person:
        """One person.

        Raises:
            NoSuchPerson: nobody, or nobody whom this role may see.
        """
        try:
            entry = self._pool.read(self._tree.person(subject_of(subject)), entries.PERSON)
        except BadName as error:
            raise NoSuchPerson from error
        if entry is None or not entry.text("tallySubject"):
            raise NoSuchPerson
        return self._person(entry)

    def called(self, subject: str) -> str:
        """What the record calls a person; empty for nobody, and if the server does not answer."""
        with suppress(NoSuchPerson, DirectoryUnavailable):
            person = self.person(subject)
            return person.name_zh or person.name
        return ""

    def person_by_username(self, username: str) -> Person:
        """One person by user name.

        Raises:
            NoSuchPerson: nobody, or nobody whom this role may see.
        """
        try:
            entry = self._by_username(username_of(username))
        except BadName as error:
            raise NoSuchPerson from error
        if entry is None:
            raise NoSuchPerson
        return self._person(entry)

    def named(self, usernames: Iterable[str]) -> dict[str, Person]:
        """Those of these who are there, by user name; a hundred in one question, without their mandates."""
        found: dict[str, Person] = {}
        today = self._clock.now().date()
        wanted = sorted(set(usernames))
        for begin in range(0, len(wanted), _AT_ONCE):
            where = names.every(_ANYBODY, names.any_of("uid", wanted[begin : begin + _AT_ONCE]))
            for entry in self._pool.search(self._tree.branch("people"), where, entries.PERSON, limit=_AT_ONCE):
                person = entries.person(entry, (), self._tree, today)
                found[person.username] = person
        return found

    def organisation(self, identifier: str) -> Organisation:
        """One organisation.

        Raises:
            NoSuchOrganisation: none of that identifier.
        """
        try:
            entry = self._pool.read(self._tree.organisation(identifier_of(identifier)), entries.ORGANISATION)
        except BadName as error:
            raise NoSuchOrganisation from error
        if entry is None:
            raise NoSuchOrganisation
        return entries.organisation(entry)

    def has_credit_code(self, code: str) -> bool:
        """Whether an organisation has this unified social credit code."""
        where = names.equal("tallyCreditCode", code)
        return bool(self._pool.search(self._tree.branch("organisations"), where, ["tallyId"], limit=1))

    def mandates_of(self, holder: str) -> list[Mandate]:
        """For whom somebody may act today, organisations and people; why is for those who may see it."""
        return self._mandates(names.equal("tallyHolder", holder))

    def mandates_for(self, principal: str) -> list[Mandate]:
        """Who may act for a person today."""
        return self._mandates(names.equal("tallyPrincipal", principal))

    def has_mandate(self, holder: str, mandate: Mandate) -> bool:
        """Whether this mandate has been entered, even if it has run out since."""
        dn = self._tree.mandate(entries.mandate_id(holder, mandate))
        return self._pool.read(dn, ["tallyId"]) is not None

    def device(self, identifier: str) -> Device:
        """One device.

        Raises:
            NoSuchDevice: none of that identifier.
        """
        try:
            entry = self._pool.read(self._tree.device(subject_of(identifier)), entries.DEVICE)
        except BadName as error:
            raise NoSuchDevice from error
        if entry is None:
            raise NoSuchDevice
        return entries.device(entry)

    def has_device(self, organisation: str, name: str) -> bool:
        """Whether an organisation has a device of this name."""
        where = names.every(names.equal("tallyOrganisation", organisation), names.equal("cn", name))
        return bool(self._pool.search(self._tree.branch("devices"), where, ["tallyId"], limit=1))

    def people(self, text: str = "", *, after: str = "", limit: int = 50, within: Scope = EVERYWHERE) -> Page[Person]:
        """People whose user name or name contains the text, in order of register number; without their mandates.

        Raises:
            BadName: the text or the key cannot be searched for.
        """
        where = self._where(_within(_ANYBODY, "tallyOrganisation", within), ("uid", "cn", "tallyNameZh"), text)
        found, today = self._list("people", where, entries.PERSON, after=after, limit=limit), self._clock.now().date()
        return _page(*found, lambda entry: entries.person(entry, (), self._tree, today))

    def beginning(self, text: str, *, limit: int, within: Scope = EVERYWHERE) -> tuple[Person, ...]:
        """People whose user name or name begins with the text: an index answers it, however many people there are.

        Raises:
            BadName: the text cannot be searched for.
        """
        if len(text) > LONGEST_SEARCH:
            raise BadName
        begins = "".join(names.part(each, text, starts=True) for each in ("uid", "cn", "tallyNameZh"))
        where = _within(names.every(f"(|{begins})", _ANYBODY), "tallyOrganisation", within)
        today = self._clock.now().date()
        found = self._pool.search(self._tree.branch("people"), where, entries.PERSON, limit=limit)
        return tuple(entries.person(each, (), self._tree, today) for each in found)

    def people_where(self, where: str, *, after: str = "", limit: int = 50, within: Scope = EVERYWHERE) -> Page[Person]:
        """People whom a filter finds, in order of register number; without their mandates.

        Raises:
            BadName: the key is none.
        """
        kind = _within(names.every(_ANYBODY, where), "tallyOrganisation", within)
        found, today = self._list("people", kind, entries.PERSON, after=after, limit=limit), self._clock.now().date()
        return _page(*found, lambda entry: entries.person(entry, (), self._tree, today))

    def everybody(self, where: str) -> Iterator[Person]:
        """All people whom a filter finds, one after the other, however many; without their mandates.

        Raises:
            DirectoryUnavailable: the server does not answer, or not any more.
        """
        today = self._clock.now().date()
        for entry in self._pool.walk(self._tree.branch("people"), names.every(_ANYBODY, where), entries.PERSON):
            yield entries.person(entry, (), self._tree, today)

    def organisations(
        self, text: str = "", *, after: str = "", limit: int = 50, within: Scope = EVERYWHERE
    ) -> Page[Organisation]:
        """Organisations whose name contains the text or whose identifier it is, in order of register number.

        Raises:
            BadName: the text or the key cannot be searched for.
        """
        kind = _within("(objectClass=tallyOrganisationEntry)", "tallyId", within)
        where = self._where(kind, ("o", "tallyNameZh"), text, exactly="tallyId")
        found = self._list("organisations", where, entries.ORGANISATION, after=after, limit=limit)
        return _page(*found, entries.organisation)

    def device_if_any(self, identifier: str) -> Device | None:
        """One device, or none."""
        try:
            return self.device(identifier)
        except NoSuchDevice:
            return None

    def devices(self, text: str = "", *, after: str = "", limit: int = 50, within: Scope = EVERYWHERE) -> Page[Device]:
        """Devices whose name contains the text or whose organisation it is, in order of register number.

        Raises:
            BadName: the text or the key cannot be searched for.
        """
        kind = _within("(objectClass=tallyDevice)", "tallyOrganisation", within)
        where = self._where(kind, ("cn",), text, exactly="tallyOrganisation")
        found = self._list("devices", where, entries.DEVICE, after=after, limit=limit)
        return _page(*found, entries.device)

    def branch(self, root: str) -> Scope:
        """An organisation and everything below it; of a branch too large to be listed, what lies near its root."""
        found, layer = {root}, {root}
        while layer and len(found) < MOST_IN_BRANCH:
            where = names.any_of("tallyParent", sorted(layer))
            below = self._pool.search(
                self._tree.branch("organisations"), where, ["tallyId"], limit=MOST_IN_BRANCH - len(found)
            )
            layer = {entry.text("tallyId") for entry in below} - found
            found |= layer
        return Scope(organisations=frozenset(found))

    def check(self) -> None:
        """See that the server answers and knows us.

        Raises:
            DirectoryUnavailable: it does not answer, or does not take our secret.
        """
        self._pool.read(self._tree.branch("people"), ["objectClass"])

    def close(self) -> None:
        """Drop this thread's connection."""
        self._pool.close()

    def _by_username(self, username: str) -> Entry | None:
        found = self._pool.search(
            self._tree.branch("people"),
            names.every(_ANYBODY, names.equal("uid", username)),
            entries.PERSON,
            limit=1,
        )
        return found[0] if found else None

    def _mandates(self, whose: str) -> list[Mandate]:
        where = names.every(whose, names.not_over("tallyUntil", self._clock.now().date()))
        wanted = entries.WHOLE_MANDATE
        found = self._pool.search(self._tree.branch("mandates"), where, wanted, limit=MANDATES_LIMIT)
        return [entries.mandate(each) for each in found]

    def _person(self, entry: Entry) -> Person:
        # Those that have run out are left to the server, so that they never crowd out those that hold.
        # Mandates for other people are asked for where somebody acts for a person.
        today = self._clock.now().date()
        where = names.every(
            names.equal("tallyHolder", entry.text("tallySubject")),
            names.not_over("tallyUntil", today),
            "(tallyOrganisation=*)",
        )
        held = self._pool.search(self._tree.branch("mandates"), where, entries.MANDATE, limit=MANDATES_LIMIT)
        person = entries.person(entry, tuple(map(entries.mandate, held)), self._tree, today)
        return person if self._days is None else counted(person, today, self._days)

    def _where(self, kind: str, attributes: tuple[str, ...], text: str, *, exactly: str = "") -> str:
        if len(text) > LONGEST_SEARCH:
            raise BadName
        wanted = text.strip()
        if not wanted:
            return kind
        # Each part has an index of its own; one that had none would have everything read.
        found = names.contains(attributes, wanted)
        return names.every(kind, f"(|{found}{names.equal(exactly, wanted)})" if exactly else found)

    def _list(
        self, branch: str, where: str, wanted: tuple[str, ...], *, after: str, limit: int
    ) -> tuple[list[Entry], str]:
        """A page, and after which number the next one begins; empty for the last."""
        base, key = self._tree.branch(branch), _key(after) if after else 0
        if key >= _DEEP:
            found, key = self._windows(base, where, wanted, after=key, limit=limit)
            if found and len(found) <= limit:
                # Shorter than it may be: what comes after these numbers is the next page's.
                return found, str(key)
            if not found:
                where = self._onward(base, where, key)
                found = self._pool.search(base, where, wanted, limit=limit + 1)
        else:
            # Register numbers rise in the order of entry, which is the order in which slapd answers.
            where = names.every(where, names.beyond("tallyNumber", key)) if key else where
            found = self._pool.search(base, where, wanted, limit=limit + 1)
        return found[:limit], found[limit - 1].text("tallyNumber") if len(found) > limit else ""

    def _windows(
        self, base: str, where: str, wanted: tuple[str, ...], *, after: int, limit: int
    ) -> tuple[list[Entry], int]:
        """What fits among the next thousands of numbers, and the last of those numbers.

        By name, for an index can neither begin in the middle nor go backwards.
        """
        found: list[Entry] = []
        size = 2 * (limit + 1)
        for _ in range(_WINDOWS):
            numbers = range(after + 1, after + 1 + size)
            within = names.any_of("tallyNumber", map(str, numbers))
            found += self._pool.search(base, names.every(within, where), wanted, limit=limit + 1)
            after = numbers[-1]
            if len(found) > limit:
                break
        return found, after

    def _onward(self, base: str, where: str, after: int) -> str:
        """The filter for what fits beyond a number, where nothing has fitted for long."""
        last = names.any_of("tallyNumber", map(str, range(after - _LAST, after + 1)))
        if self._pool.search(base, last, ["tallyNumber"], limit=1):
            # There are others in between, so little fits, and its own index leads to it.
            return names.every(where, names.beyond("tallyNumber", after))
        # Near the end of the register, or behind numbers that were never used.
        return names.every(where, names.at_least("tallyNumber", after + 1))


def counted(person: Person, today: date, days: Mapping[int, int]) -> Person:
    """A person known only as surely as counts today, whether or not anybody has taken the level away already.

    Levels that were imported without their day count until somebody says otherwise.
    """
    given, level = person.proofing.date, person.proofing.level
    if given is None or today <= given + timedelta(days=days.get(level, 0)):
        return person
    return replace(person, proofing=Proofing())


def pool(settings: DirectorySettings, *, site: SiteSettings, role: str, strict: bool = False) -> Pool:
    """The connections of one role; ``strict`` ones go to the server that is written to and nowhere else.

    Raises:
        ConfigurationError: the role's secret is missing or readable by others.
    """
    server = Server(url=settings.url or socket_url(site), timeout=settings.timeout, ca_file=settings.ca_file)
    password = service_password(secret(site.folder(role) / "ldap.secret"))
    twins = None
    if settings.second_port:
        second = Server(url=socket_url(site, second=True), timeout=settings.timeout)
        twins = Twins(second=second, written=site.socket("directory", WRITTEN))
    bind_dn = Tree(settings.suffix).service(role)
    return Pool(server, bind_dn=bind_dn, password=password, twins=twins, strict=strict)


def each_alone(settings: DirectorySettings, *, site: SiteSettings) -> tuple[Pool, Pool] | None:
    """The writer's connections to each of two providers; None where there is one.

    Raises:
        ConfigurationError: the secret is missing or readable by others.
    """
    if not settings.second_port:
        return None
    password = service_password(secret(site.folder("directory") / "ldap.secret"))
    bind_dn, timeout = Tree(settings.suffix).service("directory"), min(settings.timeout, _LIFE)
    servers = (Server(url=socket_url(site, second=second), timeout=timeout) for second in (False, True))
    first, second = (Pool(server, bind_dn=bind_dn, password=password) for server in servers)
    return first, second


def _within(kind: str, attribute: str, scope: Scope) -> str:
    """Only what lies in a scope; ``(|)`` is the filter that finds nothing (RFC 4526)."""
    return kind if scope.everything else names.every(kind, names.any_of(attribute, sorted(scope.organisations)))


def _key(after: str) -> int:
    if not (after.isascii() and after.isdigit() and len(after) <= 15):  # noqa: PLR2004 - far beyond any register
        raise BadName
    return int(after)


def _page(found: list[Entry], after: str, model: Callable[[Entry], N]) -> Page[N]:
    return Page(tuple(model(entry) for entry in found), after)
