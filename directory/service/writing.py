# SPDX-License-Identifier: Apache-2.0
"""Every change of the directory: the one writer, used only inside the role ``directory``.

Taking away (disable, withdraw) is committed with its record and bites at once. Giving (enable, grant, import) is
recorded before it happens. Nobody holds two of the three administrative powers, and nobody changes their own.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial

from audit import Event, Outcome, Recorder, new_key
from core.clock import Clock
from core.config import secret
from core.errors import TallygateError
from core.site import SiteSettings

from ..breaches import FILE as BREACHES
from ..breaches import KnownPasswords
from ..config import DirectorySettings, PortalAccounts
from ..contracts import Board as ContractBoard
from ..duties import Rulebook
from ..errors import (
    BadName,
    DeviceIsOut,
    DirectoryUnavailable,
    KnownPassword,
    NoSuchDevice,
    NoSuchPerson,
    NoSuchRole,
    NotMigrated,
    OwnRole,
    WeakPassword,
)
from ..imports import Batch, ImportReport, Refusal, parse, read_csv, read_ldif
from ..ldap import Pool, Tree, changes, entries, entries_powers
from ..ldap.changes import Change
from ..ledger import Ledger as Recorded
from ..letters import Board as LetterBoard
from ..models import (
    EVERYWHERE,
    IDENTIFIER,
    ROLES,
    Device,
    DeviceState,
    Person,
    PersonKind,
    Scope,
    can_be_password,
    is_guessable,
    subject_of,
)
from ..models_powers import CONTRACTOR
from ..numbers import Numbers
from ..provisioning import Ledger, Remote
from ..reviews import Board as ReviewBoard
from ..slapd import Cost
from ..store import Store
from ..survey import Findings
from ..systems import Roster
from ..vetting import Board as VettingBoard
from ..vetting import Terms
from . import entering
from .accounts import Accounts
from .comparing import Comparing
from .contracting import Contracting
from .deeds import Deeds
from .employing import Employing
from .enrolling import Enrolling
from .entrusting import Entrusting
from .events import event
from .giving import OVER, Giving
from .journal import Journal
from .keeping import Keeping
from .letters import Letters, Post
from .numbering import Numbering
from .outsiders import Outsiders
from .own import Own
from .profiles import Profiles
from .providing import Progress, Providers, wait
from .provisioning import Provisioning, no_way
from .publishing import Publishing
from .reading import WRITTEN, Directory, each_alone, pool
from .reverting import Reverting
from .reviewing import Reviewing
from .ruling import Ruling
from .standings import Standings
from .structure import Structure
from .unrecorded import Unrecorded
from .vetting import Vetters
from .watching import Watch

LONGEST_REASON = 500
NUMBERS_KEY = "numbers.key"
"""In the role's folder: without it no national number is found or opened again."""


@dataclass(frozen=True, kw_only=True)
class Portals:
    """Portals that are told of accounts, and the way to them; composed where the way out is known."""

    targets: Mapping[str, PortalAccounts] = field(default_factory=dict)
    key: bytes = b""
    remote: Callable[[PortalAccounts], Remote] = no_way


class DirectoryWriter:
    """The verbs that change something; safe to share between threads and processes of the role."""

    def __init__(
        self,
        *,
        directory: Directory,
        pool: Pool,
        tree: Tree,
        journal: Journal,
        store: Store,
        clock: Clock,
        cost: Cost,
        password_length: int,
        unrecorded: Unrecorded,
        watch: Watch,
        reverting: Reverting,
        providers: Providers | None,
        publishing: Publishing,
        numbers: Numbers,
        known: KnownPasswords,
        post: Post | None,
        places: dict[str, str],
        terms: Terms,
        portals: Portals,
        contractor_days: int,
    ) -> None:
        self.directory = directory
        self.publishing = publishing
        self.unrecorded = unrecorded
        self.watch = watch
        self.reverting = reverting
        self.comparing = Comparing(ledger=Recorded(store.database), store=store, pool=pool, tree=tree, clock=clock)
        # None where there is one server.
        self.providers = providers
        book = Rulebook(store.database)
        self.standings = Standings(directory=directory, pool=pool, tree=tree, clock=clock, apart=book.apart)
        deeds = Deeds(standings=self.standings, journal=journal, store=store, tree=tree, clock=clock)
        self.giving = Giving(
            deeds,
            contractor_days=contractor_days,
            shut_out=lambda whom, by, why: self.disable_person(whom, actor=by, reason=why),
        )
        self.structure = Structure(deeds)
        self.numbering = Numbering(deeds, numbers)
        self.keeping = Keeping(deeds, self.giving, self.numbering)
        self.profiles = Profiles(deeds)
        self.contracting = Contracting(deeds, self.giving, ContractBoard(store.database))
        self.own = Own(directory=directory, profiles=self.profiles, set_password=self.set_password)
        self.entrusting = Entrusting(giving=self.giving, standings=self.standings)
        self.outsiders = Outsiders(deeds, pool)
        self.accounts = Accounts(self.standings, store, Findings(store.database), outsiders=self.outsiders, clock=clock)
        self.employing = Employing(deeds, store, switch=self)
        self.ruling = Ruling(deeds, book)
        self.enrolling = Enrolling(deeds, Roster(store.database))
        self.letters = letters = Letters(
            LetterBoard(store.database),
            person=directory.person,
            language=lambda subject: self.standings.contact(subject)["preferredLanguage"],
            post=post,
            places=places,
            clock=clock,
        )
        self.reviewing = Reviewing(deeds, self.giving, ReviewBoard(store.database), letters=letters)
        self.vetters = Vetters(deeds, VettingBoard(store.database, numbers), letters=letters, terms=terms)
        self.provisioning = Provisioning(
            deeds, Ledger(store.database), portals.targets, key=portals.key, remote=portals.remote
        )
        self._pool = pool
        self._tree = tree
        self._journal = journal
        self._store = store
        self._clock = clock
        self._cost = cost
        self._password_length = password_length
        self._known = known

    def disable_person(self, subject: str, *, actor: str, reason: str, because: str = "") -> None:
        """Shut somebody out, everywhere, at once. Works while the directory's server is down.

        ``because`` tells followers of the record what it is for, as a word of ours. Where there is none, no return from
        a leave and no first day lets them in any more; a death in between leaves that so, and somebody lets them in.

        Raises:
            NoSuchPerson: nobody of that name, if the server can tell.
            Pending: recorded and biting; the server follows.
        """
        person = self._person_if_known(subject)
        if not because:
            self._store.stay_out(person.subject)
        sealed = {"reason": reason, **self._acting(actor, person)}
        said = {"because": because} if because else {}
        record = self._event("directory.person.disabled", person, actor=actor, attributes=said, sealed=sealed)
        self._journal.take_away((changes.enabled(self._tree.person(person.subject), to=False),), record)

    def enable_person(self, subject: str, *, actor: str, reason: str = "") -> None:
        """Let somebody in again.

        Raises:
            OwnRole: nobody re-enables themselves; the attempt is recorded.
            NoSuchPerson: nobody of that name.
        """
        self._not_oneself(subject, actor, "enable")
        with self._journal.alone():
            person = self.directory.person(subject)
            dn = self._tree.person(person.subject)
            there = (changes.released(dn, to=False),) if person.released else ()
            self._grant(
                "directory.person.enabled",
                person,
                (changes.enabled(dn, to=True), *there),
                actor=actor,
                sealed={"reason": reason},
            )

    def grant_role(self, subject: str, role: str, *, actor: str, reason: str, until: date | None = None) -> None:
        """Give somebody a role until a day; does nothing if they have it so long already. See ``Giving.grant_role``."""
        self.giving.grant_role(subject, role, actor=actor, reason=reason, until=until)

    def withdraw_role(self, subject: str, role: str, *, actor: str, reason: str = "") -> None:
        """Take a role away, at once. Works while the directory's server is down.

        Raises:
            NoSuchRole: there is none of that name, if the server can tell.
            OwnRole: the last administrator would leave nobody to appoint the next; the attempt is recorded.
            NoSuchPerson: nobody of that name, if the server can tell.
            RoleFromPost: a post gives it as well, if the server can tell.
            Pending: recorded and biting; the server follows.
        """
        self._not_oneself(subject, actor, "withdraw", role)
        with suppress(DirectoryUnavailable, NotMigrated):
            self.giving.withdraw_role(subject, role, actor=actor, reason=reason)
            return
        if role not in ROLES and not self._has_role(role):
            raise NoSuchRole(role=role[:64])
        if role.startswith(CONTRACTOR):
            # Whether it binds the account cannot be told now, so it stays, and the account is out.
            self.disable_person(subject, actor=actor, reason=reason or OVER)
            return
        person = self._person_if_known(subject)
        sealed = {"reason": reason, **self._acting(actor, person)}
        record = self._event("directory.role.withdrawn", person, actor=actor, attributes={"role": role}, sealed=sealed)
        leaves = changes.member(self._tree.role(role), self._tree.person(person.subject), joins=False)
        grant = self._tree.entry("grants", entries_powers.grant_id(person.subject, role))
        self._journal.take_away((leaves, Change(verb=changes.Verb.REMOVE, dn=grant)), record)

    def disable_device(self, identifier: str, *, actor: str, reason: str = "") -> None:
        """Shut a device out, everywhere, at once. Works while the directory's server is down.

        Raises:
            NoSuchDevice: none of that identifier, if the server can tell.
            Pending: recorded and biting; the server follows.
        """
        device = self._device_if_known(identifier)
        record = self._event(
            "directory.device.disabled", device, actor=actor, attributes=_was(device), sealed={"reason": reason}
        )
        self._journal.take_away((changes.enabled(self._tree.device(device.id), to=False),), record)

    def enable_device(self, identifier: str, *, actor: str) -> None:
        """Let a device in again.

        Raises:
            NoSuchDevice: none of that identifier.
            DeviceIsOut: it is lost or retired.
        """
        with self._journal.alone():
            device = self.directory.device(identifier)
            if device.state.is_out:
                raise DeviceIsOut
            enable = changes.enabled(self._tree.device(device.id), to=True)
            self._grant("directory.device.enabled", device, (enable,), actor=actor)

    def set_device_state(self, identifier: str, state: DeviceState, *, actor: str, reason: str = "") -> None:
        """Say how a device fares. A lost or retired one is shut out at once; a lost one that was found comes back.

        Raises:
            NoSuchDevice: none of that identifier, if the server can tell.
            DeviceIsOut: a retired one stays retired.
            Pending: recorded and biting; the server follows.
        """
        if state.is_out:
            device = self._device_if_known(identifier)
            what, sealed = {"state": state.value, **_was(device)}, {"reason": reason}
            record = self._event("directory.device.disabled", device, actor=actor, attributes=what, sealed=sealed)
            dn = self._tree.device(device.id)
            if device.state is DeviceState.RETIRED:
                raise DeviceIsOut
            # Readers see whether it is enabled; its state tells the desk why not.
            self._journal.take_away((changes.enabled(dn, to=False), changes.device_state(dn, state)), record)
            return
        with self._journal.alone():
            device = self.directory.device(identifier)
            if device.state is DeviceState.RETIRED:
                raise DeviceIsOut
            dn = self._tree.device(device.id)
            found = (changes.enabled(dn, to=True),) if device.state is DeviceState.LOST else ()
            kind = "directory.device.enabled" if found else "directory.device.changed"
            self._grant(
                kind,
                device,
                (changes.device_state(dn, state), *found),
                actor=actor,
                attributes={"state": state.value, **_was(device)},
                sealed={"reason": reason},
            )

    def set_password(self, subject: str, password: str, *, actor: str) -> None:
        """Give somebody a new password; the server judges it and makes the hash.

        Raises:
            WeakPassword: too short, too long, easy to guess, or one of the last ones.
            KnownPassword: attackers know it.
            NoSuchPerson: nobody of that name.
            DirectoryUnavailable: whether it happened shows when the server is back; the record then says so.
            Pending: it has happened; the record follows.
        """
        if len(password) < self._password_length or not can_be_password(password):
            raise WeakPassword
        with self._journal.alone():
            person = self.directory.person(subject)
            if is_guessable(password, person.username):
                raise WeakPassword
            if self._known.holds(password):
                raise KnownPassword
            key, dn = new_key(), self._tree.person(person.subject)
            kind, what, sealed = "directory.person.changed", {"what": "password"}, self._acting(actor, person)
            intent, done, failed = (
                self._event(kind, person, outcome=outcome, actor=actor, operation=key, attributes=what, sealed=sealed)
                for outcome in (Outcome.INTENDED, Outcome.SUCCESS, Outcome.FAILURE)
            )
            # A password is never written down: after a crash in here the journal looks whether the entry has changed.
            witness = changes.witness(dn, self._pool)
            with self._journal.supervised(key, witness, intent=intent, outcome=done, failure=failed):
                if not self._pool.set_password(dn, password):
                    raise WeakPassword

    def import_csv(self, data: bytes, *, actor: str, within: Scope = EVERYWHERE) -> ImportReport:
        """Enter everything that a table holds, or nothing.

        Raises:
            UnreadableImport: it is no such table.
        """
        return self.enter(parse(read_csv(data), new_id=entering.new_id), actor=actor, within=within)

    def import_ldif(self, data: bytes, *, actor: str, within: Scope = EVERYWHERE) -> ImportReport:
        """Enter everything that an LDIF file holds, or nothing.

        Raises:
            UnreadableImport: it is no such file.
        """
        return self.enter(parse(read_ldif(data), new_id=entering.new_id), actor=actor, within=within)

    def enter(
        self, batch: Batch, *, actor: str, passwords: dict[str, str] | None = None, within: Scope = EVERYWHERE
    ) -> ImportReport:
        """Enter a batch of new records, or nothing; ``passwords`` are by subject. What is not ``within`` is refused.

        Everything is checked before the first write. A crash midway is finished at the next start; a refusal midway
        takes back what was entered.

        Raises:
            KnownPassword: attackers know one of the passwords; nothing was entered.
        """
        if any(self._known.holds(password) for password in set((passwords or {}).values())):
            raise KnownPassword
        with self._journal.alone():
            self._look_at(batch, within)
            report = batch.report()
            if report.refused:
                return report
            self._enter(batch, report, actor=actor, passwords=passwords or {})
        return report

    def enter_new(self, batch: Batch, *, actor: str) -> tuple[int, int, tuple[Refusal, ...]]:
        """Enter of a batch what is new and can be entered: how many those are, how many were there, what was refused.

        Raises:
            Pending: it is recorded and is finished when the server answers again.
        """
        with self._journal.alone():
            there = entering.leave_out_what_is_there(batch, self.directory, self.standings)
            refused = list(batch.refused)
            batch.leave_out({refusal.line for refusal in refused})
            while True:
                attempt = replace(batch.copy(), refused=[])
                self._look_at(attempt, EVERYWHERE)
                if not attempt.refused:
                    break
                # What refers to these is refused the next time round.
                refused += attempt.refused
                batch.leave_out({refusal.line for refusal in attempt.refused})
            report = attempt.report()
            if report.entered:
                self._enter(attempt, report, actor=actor, passwords={})
        return report.entered, there, tuple(sorted(refused, key=lambda refusal: refusal.line))

    def _look_at(self, batch: Batch, within: Scope) -> None:
        entering.compare(batch, self.directory, within)
        if batch.departments or batch.posts or batch.holdings:
            entering.place(batch, self.directory, self.standings, within)
        self._numbers_not_taken(batch)

    def _enter(self, batch: Batch, report: ImportReport, *, actor: str, passwords: dict[str, str]) -> None:
        entering.number(batch, self._store.numbers(report.entered))
        key = new_key()
        series = entering.series(
            batch,
            self.directory,
            self._tree,
            cost=self._cost,
            passwords=passwords,
            numbers=self.numbering.numbers,
        )
        held = self._store.numbers(report.holdings) if report.holdings else range(0)
        series += tuple(entering.posts_held(batch, self.standings, self._tree, actor=actor, numbers=held))
        at = self._clock.now()
        intent, done, failed = (
            event("directory.imported", outcome, at, actor=actor, operation=key, attributes=_counts(report))
            for outcome in (Outcome.INTENDED, Outcome.SUCCESS, Outcome.FAILURE)
        )
        acting = self.directory.called(actor)
        created = tuple(entering.events(batch, self.directory, at, actor=actor, acting=acting, operation=key))
        self._journal.grant(key, series, intent=intent, outcomes=(*created, done), failure=failed)

    def _numbers_not_taken(self, batch: Batch) -> None:
        taken = self.numbering.known("people", (number for _, number in batch.numbers.values()))
        for line, number in batch.numbers.values():
            if number in taken:
                batch.refuse(line, "national_number", entering.TAKEN)
        taken = self.numbering.known("organisations", (each.credit_code for _, each in batch.organisations))
        for line, organisation in batch.organisations:
            if organisation.credit_code in taken:
                batch.refuse(line, "credit_code", entering.TAKEN)

    def complete_tree(self) -> None:
        """Enter the roles that a tree of an earlier release lacks; called at start.

        Raises:
            DirectoryUnavailable: the server does not answer; call again later.
        """
        missing = [role for role in ROLES if self._pool.read(self._tree.role(role), ["cn"]) is None]
        if not missing:
            return
        series = tuple(changes.add(self._tree.role(role), entries.role_content(role)) for role in missing)
        with self._journal.alone():
            key, at = new_key(), self._clock.now()
            what = {"kind": "role", "names": " ".join(missing)}
            intent, done, failed = (
                event("directory.entry.created", outcome, at, operation=key, attributes=what)
                for outcome in (Outcome.INTENDED, Outcome.SUCCESS, Outcome.FAILURE)
            )
            self._journal.grant(key, series, intent=intent, outcomes=(done,), failure=failed)

    def replay(self) -> None:
        """Finish what an earlier run left; called at start and from time to time.

        Raises:
            DirectoryUnavailable: the server does not answer; call again later.
        """
        self._journal.replay()

    def _grant(
        self,
        kind: str,
        whom: Person | Device,
        series: tuple[Change, ...],
        *,
        actor: str,
        attributes: dict[str, str] | None = None,
        sealed: dict[str, str] | None = None,
    ) -> None:
        key, sealed = new_key(), {**(sealed or {}), **self._acting(actor, whom)}
        intent, done, failed = (
            self._event(kind, whom, outcome=outcome, actor=actor, operation=key, attributes=attributes, sealed=sealed)
            for outcome in (Outcome.INTENDED, Outcome.SUCCESS, Outcome.FAILURE)
        )
        self._journal.grant(key, series, intent=intent, outcomes=(done,), failure=failed)

    def _event(
        self,
        kind: str,
        whom: Person | Device,
        *,
        actor: str,
        outcome: Outcome = Outcome.SUCCESS,
        operation: str = "",
        attributes: dict[str, str] | None = None,
        sealed: dict[str, str] | None = None,
    ) -> Event:
        # A device has no personal data; what is said about it is about whoever uses it, so that is sealed too.
        return event(
            kind,
            outcome,
            self._clock.now(),
            subject=whom.subject if isinstance(whom, Person) else whom.id,
            actor=actor,
            operation=operation,
            attributes=attributes,
            sealed={"name": (isinstance(whom, Person) and whom.name_zh) or whom.name, **(sealed or {})},
        )

    def _acting(self, actor: str, whom: Person | Device) -> dict[str, str]:
        """The name of another person who acts on a person in office; a device has no right to know it."""
        # Without a user name nobody could be asked for the person: taking away asks no second time.
        if not (isinstance(whom, Person) and whom.username) or actor == whom.subject:
            return {}
        return {"actor_name": self.directory.called(actor)}

    def _has_role(self, role: str) -> bool:
        """Whether there is such a role, as far as can be told: taking away never waits for the server."""
        try:
            return self.standings.role_if_any(role) is not None
        except DirectoryUnavailable:
            return bool(IDENTIFIER.match(role))

    def _person_if_known(self, subject: str) -> Person:
        try:
            return self.directory.person(subject)
        except DirectoryUnavailable:
            # Taking away never waits for the server; whether there is such a person shows when it is back.
            try:
                unseen = subject_of(subject)
            except BadName as error:
                raise NoSuchPerson from error
            return Person(subject=unseen, username="", kind=PersonKind.CITIZEN, name="")

    def _device_if_known(self, identifier: str) -> Device:
        try:
            return self.directory.device(identifier)
        except DirectoryUnavailable:
            try:
                unseen = subject_of(identifier)
            except BadName as error:
                raise NoSuchDevice from error
            return Device(id=unseen, name="", organisation="", enabled=True)

    def not_oneself(self, subject: str, actor: str, act: str) -> None:
        """See that nobody does this to themselves, also while the server is down; the attempt is recorded.

        Raises:
            OwnRole: they are the same.
        """
        self._not_oneself(subject, actor, act)

    def _not_oneself(self, subject: str, actor: str, act: str, role: str = "") -> None:
        if subject.lower() == actor.lower():
            person = self._person_if_known(subject)
            self._refuse(OwnRole, person, person.subject, {"act": act} | ({"role": role} if role else {}))
            raise OwnRole

    def _refuse(self, why: type[TallygateError], person: Person, actor: str, said: dict[str, str]) -> None:
        """Nobody is refused unrecorded what two must have a say in. Without an actor the site itself wished it."""
        sealed, by = self._acting(actor, person), actor or "role:directory"
        said = {**said, "code": why.code}
        self._journal.refuse(
            self._event(
                "directory.power.refused", person, actor=by, outcome=Outcome.DENIED, attributes=said, sealed=sealed
            )
        )


def _was(device: Device) -> dict[str, str]:
    """How it fared before; nothing of one that could not be asked for."""
    return {"was": device.state.value} if device.name else {}


def open_writer(
    settings: DirectorySettings,
    *,
    site: SiteSettings,
    store: Store,
    recorder: Recorder,
    clock: Clock,
    nudge: Callable[[], None] = lambda: None,
    post: Post | None = None,
    portals: Portals | None = None,
) -> DirectoryWriter:
    """The writer with its connections; ``nudge`` is told after every commit that put something into the outbox.

    Without ``post`` nobody is told by letter what stands on the pages.

    Raises:
        ConfigurationError: the writer's secret is missing or readable by others.
    """
    connections, tree = pool(settings, site=site, role="directory", strict=True), Tree(settings.suffix)
    folder, cost = site.folder("directory"), Cost(settings.hash_memory_kib, settings.hash_passes)
    lock, twins = folder / "writer.lock", each_alone(settings, site=site)
    progress = Progress(*twins, tree) if twins else None
    sent = partial(wait, store, progress) if progress else _nothing
    journal = Journal(store=store, pool=connections, recorder=recorder, lock=lock, nudge=nudge, sent=sent)
    providers = None
    if progress:
        store.keep_made()
        written = site.socket("directory", WRITTEN)
        providers = Providers(store=store, journal=journal, progress=progress, tree=tree, written=written, clock=clock)
    directory = Directory(pool=connections, tree=tree, clock=clock)
    unrecorded = Unrecorded(
        store=store, journal=journal, pool=connections, tree=tree, clock=clock, cost=cost, called=directory.called
    )
    return DirectoryWriter(
        directory=directory,
        pool=connections,
        tree=tree,
        journal=journal,
        store=store,
        clock=clock,
        cost=cost,
        password_length=settings.password_length,
        numbers=Numbers(secret(folder / NUMBERS_KEY)),
        known=KnownPasswords(folder / BREACHES),
        post=post,
        places={
            "site": site.title,
            "reviews": f"{site.origin('directory', 'management')}/reviews/mine",
            "account": f"{site.origin('sso')}/account",
        },
        terms=Terms(
            days=settings.proofing_days, due=settings.proofing_due_days, two_from=settings.proofing_two_officers_from
        ),
        portals=portals or Portals(),
        contractor_days=settings.contractor_days,
        publishing=Publishing(pool=connections, tree=tree, journal=journal),
        unrecorded=unrecorded,
        reverting=Reverting(
            store=store,
            unrecorded=unrecorded,
            clock=clock,
            at_once=settings.undo_at_once,
            most=settings.undo_most,
        ),
        watch=Watch(
            store=store,
            pool=twins[0] if twins else connections,
            second=twins[1] if twins else None,
            tree=tree,
            clock=clock,
            lock=folder / "watch.lock",
            nudge=nudge,
        ),
        providers=providers,
    )


def _nothing() -> None:
    """There is nobody to wait for."""


def _counts(report: ImportReport) -> dict[str, int]:
    return {
        "people": report.people,
        "organisations": report.organisations,
        "devices": report.devices,
        "mandates": report.mandates,
        **({"departments": report.departments} if report.departments else {}),
        **({"posts": report.posts} if report.posts else {}),
        **({"holdings": report.holdings} if report.holdings else {}),
    }
