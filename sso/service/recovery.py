# SPDX-License-Identifier: Apache-2.0
"""The way back for whoever lost password or second factor: steps in a table, each reached from the one before alone.

Whoever asks is answered at once and always alike; whether there is such an account is looked up later, in the
background. A mailed link works once, in one browser, and takes nobody further than its own step. Where a second factor
is in force it is asked for; who lost it too, and whoever was proofed face to face, waits some days, in which the person
is told by mail and at "My account" and can stop it. What is recovered is a login by password, never a level: cards, and
factors that were kept, stay what they were.
"""

import secrets
from collections.abc import Callable

from audit import Event
from core.clock import Clock
from core.errors import Invalid, NotFound, TallygateError

from ..config import SSOSettings
from ..errors import CodeWrong, PasswordsDiffer, RecoveryLost
from ..models import Recovery, RecoveryState, Session, Visitor
from ..store import Store, digest
from ..store.factors import CODES
from .collaborators import OwnEntry, People, Person
from .factors import CodeRefused, Factors
from .letters import Letters
from .limits import Limits
from .profile import refused
from .records import Records
from .seals import Broken, Seal

_LONGEST_NAME = 200
_HIGH = 3
_LIMIT = 20
# Seconds; setting a password takes one, and a directory that does not answer is given up long before.
_SETTING = 120


class Recoveries:
    """The verbs, in the order in which they come."""

    def __init__(
        self,
        *,
        issuer: str,
        own: OwnEntry,
        people: People,
        store: Store,
        records: Records,
        factors: Factors,
        limits: Limits,
        settings: SSOSettings,
        clock: Clock,
        state_key: bytes,
        fresh: Callable[[], None],
        nudge: Callable[[], None],
    ) -> None:
        self._issuer = issuer
        self._own = own
        self._people = people
        self._store = store
        self._records = records
        self._factors = factors
        self._limits = limits
        self._settings = settings
        self._clock = clock
        self._asked = Seal(state_key, "recovery asked", clock=clock)
        self._stops = Seal(state_key, "recovery stop", clock=clock)
        self._fresh = fresh
        self._nudge = nudge
        self._letters: Letters

    def write_by(self, letters: Letters) -> None:
        """By whom letters go out; they look here first, so each needs the other."""
        self._letters = letters

    @property
    def possible(self) -> bool:
        """Whether the site sends mail, without which nobody can come back by themselves."""
        return self._letters.possible

    # 1. Somebody asks.
    def ask(self, username: str, *, visitor: Visitor) -> None:
        """Note the wish; answered alike for every name.

        Raises:
            TooMany: for this name or from this network, whoever they are.
            RecordUnavailable: no record, nothing is noted.
        """
        name = username.strip()[:_LONGEST_NAME]
        at, account = self._now(), self._records.account(name)
        self._limits.count(recovery__name=account, recovery__network=visitor.network)
        self._records.write(self._records.recovery_asked(visitor, account=account))
        self._store.recoveries.add(
            Recovery(
                id=secrets.token_hex(16),
                asked=self._asked.close(name),
                subject="",
                state="asked",
                link="",
                browser="",
                drops=False,
                ready_at=at,
                network=visitor.network,
                created_at=at,
                expires_at=at + self._link_lifetime,
            )
        )

    # 2. In the background: who is it, and where are they written to.
    def post(self) -> None:
        """Send the links that are due: to whoever asked, and to whoever has waited long enough."""
        at = self._now()
        for recovery in self._store.recoveries.due("asked", at, limit=_LIMIT):
            self._first_link(recovery, at)
        # A worker died while the password was being set. Whether it was, the directory knows: the person sets it again.
        for recovery in self._store.recoveries.due("setting", at, limit=_LIMIT):
            self._store.recoveries.move(recovery, "proven", at)
        for recovery in self._store.recoveries.due("waiting", at, limit=_LIMIT):
            self._link(recovery, "ready", recovery.subject, "ready", at)

    def _first_link(self, recovery: Recovery, at: int) -> None:
        try:
            person = self._people.person_by_username(self._asked.open(recovery.asked))
        except (NotFound, Invalid, Broken):
            person = None
        if person is None or not person.enabled or not person.mail:
            self._move(recovery, "stopped", at, asked="")
            return
        self._link(recovery, "mailed", person.subject, "link", at)

    def _link(self, recovery: Recovery, to: RecoveryState, subject: str, kind: str, at: int) -> None:
        secret = secrets.token_urlsafe(32)
        self._records.write(self._records.recovery_moved(recovery, step=to, subject=subject))
        letter = self._letters.letter(
            subject,
            kind,
            {"link": f"{self._issuer}/recover?link={secret}", "minutes": str(self._link_lifetime // 60)},
        )
        changed = {
            "asked": "",
            "subject": subject,
            "link": digest(secret),
            "expires_at": at + (self._link_lifetime if to == "mailed" else self._ready_lifetime),
        }
        self._store.recoveries.move(recovery, to, at, changed=changed, letter=letter)

    # 3. The link came back.
    def open(self, link: str, *, browser: str) -> Recovery:
        """Use a link, once; from here on the way goes on in this browser alone.

        Raises:
            RecoveryLost: used, over, stopped or never given.
        """
        self._fresh()
        at = self._now()
        recovery = self._store.recoveries.by_link(digest(link), at) if link else None
        steps: dict[str, RecoveryState] = {"mailed": "opened", "ready": "proven"}
        if recovery is None or recovery.state not in steps or not self._person(recovery).enabled:
            raise RecoveryLost
        to = steps[recovery.state]
        self._records.write(self._records.recovery_moved(recovery, step=to))
        changed = {"link": "", "browser": digest(browser), "expires_at": at + self._link_lifetime}
        if not self._store.recoveries.move(recovery, to, at, changed=changed):
            raise RecoveryLost
        return self.here(browser)

    def here(self, browser: str) -> Recovery:
        """Where this browser stands on the way.

        Raises:
            RecoveryLost: on none.
        """
        recovery = self._store.recoveries.by_browser(digest(browser), self._now()) if browser else None
        if recovery is None:
            raise RecoveryLost
        return recovery

    def asks_for_code(self, recovery: Recovery) -> bool:
        """Whether a second factor is in force, which is asked for now."""
        return self._factors.in_force(recovery.subject)

    # 4. A second proof, or waiting.
    def prove(self, code: str, *, browser: str) -> Recovery:
        """Show that it is not only the mailbox: by a code where a factor is in force.

        Raises:
            RecoveryLost: not at this step.
            CodeWrong: it does not count, or there were too many.
        """
        self._fresh()
        recovery = self._at("opened", browser)
        if self._factors.in_force(recovery.subject):
            try:
                proof = self._factors.beside_password(recovery.subject, code)
            except CodeRefused as error:
                raise CodeWrong from error
            if proof.factor != CODES:
                raise CodeWrong
            self._store.attempts.forgive(proof.doors)
        if self._person(recovery).proofing.level >= _HIGH:
            return self._wait(recovery, browser, drops=False)
        return self._next(recovery, "proven", browser)

    def lose(self, *, browser: str) -> Recovery:
        """The second factors are lost too: they will go, after waiting.

        Raises:
            RecoveryLost: not at this step.
        """
        self._fresh()
        return self._wait(self._at("opened", browser), browser, drops=True)

    def _wait(self, recovery: Recovery, browser: str, *, drops: bool) -> Recovery:
        at = self._now()
        cooling = int(self._settings.recovery_cooling.total_seconds())
        self._records.write(self._records.recovery_moved(recovery, step="waiting"))
        stop = self._stops.close(recovery.id)
        letter = self._letters.letter(
            recovery.subject,
            "waiting",
            {"days": str(max(1, cooling // 86_400)), "stop": f"{self._issuer}/recover/stop?stop={stop}"},
        )
        changed = {"drops": drops, "ready_at": at + cooling, "expires_at": at + cooling + self._ready_lifetime}
        if not self._store.recoveries.move(recovery, "waiting", at, changed=changed, letter=letter):
            raise RecoveryLost
        return self.here(browser)

    def stop(self, sealed: str) -> None:
        """Stop one, by the letter that told of it.

        Raises:
            RecoveryLost: there is nothing to stop.
        """
        try:
            recovery = self._store.recoveries.find(self._stops.open(sealed), self._now())
        except Broken as error:
            raise RecoveryLost from error
        if recovery is None or not self._stopped(recovery, "stopped by letter"):
            raise RecoveryLost

    def under_way(self, session: Session) -> list[Recovery]:
        """Those of the person whose session this is, that can be stopped."""
        return self._store.recoveries.waiting_of(session.subject, self._now())

    def stop_all(self, subject: str, *, why: str) -> None:
        """Stop all of one person: they say so, or what they rested on has changed."""
        for recovery in self._store.recoveries.waiting_of(subject, self._now()):
            self._stopped(recovery, why)

    # 5. The new password.
    def finish(self, password: str, again: str, *, browser: str) -> None:
        """Set it: every session ends, no browser is known any more, and factors that were lost are gone.

        Raises:
            RecoveryLost: not at this step.
            PasswordsDiffer, PasswordWeak, PasswordKnown: try another one; the step is still open.
            Unavailable: directory or record are out of reach; try again.
        """
        self._fresh()
        recovery = self._at("proven", browser)
        if password != again:
            raise PasswordsDiffer
        at = self._now()
        self._records.write(self._records.recovery_moved(recovery, step="setting"))
        # Of many callers one goes on; whoever comes now finds nothing.
        if not self._store.recoveries.move(recovery, "setting", at, changed={"ready_at": at + _SETTING}):
            raise RecoveryLost
        setting = self._store.recoveries.find(recovery.id, at)
        if setting is None:
            raise RecoveryLost
        try:
            self._own.recover(recovery.subject, password)
        except TallygateError as error:
            self._store.recoveries.move(setting, "proven", at)
            if isinstance(error, Invalid):
                raise refused(error) from error
            raise
        self._store.sessions.end_of_person(recovery.subject, at, self._ended)
        self._store.browsers.forget_all(recovery.subject)
        if recovery.drops:
            self._factors.drop_all(recovery.subject)
        self._store.recoveries.move(
            setting,
            "done",
            at,
            letter=self._letters.letter(recovery.subject, "recovered", {"time": self._moment()}),
            record=self._records.recovery_moved(recovery, step="done", ended=True),
        )
        self._nudge()

    def _at(self, state: RecoveryState, browser: str) -> Recovery:
        recovery = self.here(browser)
        if recovery.state != state or not self._person(recovery).enabled:
            raise RecoveryLost
        return recovery

    def _next(self, recovery: Recovery, to: RecoveryState, browser: str) -> Recovery:
        self._records.write(self._records.recovery_moved(recovery, step=to))
        if not self._store.recoveries.move(recovery, to, self._now()):
            raise RecoveryLost
        return self.here(browser)

    def _person(self, recovery: Recovery) -> Person:
        try:
            return self._people.person(recovery.subject)
        except NotFound as error:
            raise RecoveryLost from error

    def _stopped(self, recovery: Recovery, why: str) -> bool:
        record = self._records.recovery_stopped(recovery, reason=why)
        stopped = self._store.recoveries.move(recovery, "stopped", self._now(), changed={"link": ""}, record=record)
        self._nudge()
        return stopped

    def _move(self, recovery: Recovery, to: RecoveryState, at: int, **changed: object) -> None:
        self._store.recoveries.move(recovery, to, at, changed=changed)

    def _ended(self, session: Session) -> Event:
        return self._records.session_ended(session, reason="password changed")

    @property
    def _link_lifetime(self) -> int:
        return int(self._settings.recovery_link.total_seconds())

    @property
    def _ready_lifetime(self) -> int:
        return int(self._settings.recovery_ready.total_seconds())

    def _moment(self) -> str:
        return self._clock.now().strftime("%Y-%m-%d %H:%M UTC")

    def _now(self) -> int:
        return int(self._clock.now().timestamp())
