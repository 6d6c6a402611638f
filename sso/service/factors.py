# SPDX-License-Identifier: Apache-2.0
"""What people log in with beside a password: checked at the door, set up and taken away at "My account".

Whoever knows only the password must not become somebody surer by it. So nothing is changed here without a login of the
last minutes, made with two factors where two are in force; and a factor that was set up after a password alone is not
in force before a while has passed, in which its owner is told and can take it away.
"""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from audit import Event
from core.clock import Clock

from ..config import SSOSettings
from ..errors import CodeWrong, FactorExists, LoginTooOld, SetupLost
from ..factors import PASSWORD, PASSWORD_AND_CODE, PASSWORD_AND_FRESH_CODE, own_strength, recovery, totp
from ..models import CodeApp, Passkey, RecoveryCodes, Session
from ..store import Door, Patience, Store, digest
from ..store.factors import CODES
from .records import Records
from .seals import Broken, Seal


class CodeRefused(Exception):
    """The password was right and the code was not; ``why`` is for the record alone."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What a password with or without a code proves."""

    methods: tuple[str, ...] = PASSWORD
    factor: str = ""
    # Where the attempt was counted, to be forgiven with the session it opens.
    doors: tuple[Door, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FactorsPage:
    """Everything on the page."""

    app: CodeApp | None
    app_in_force: bool
    recovery: RecoveryCodes | None
    passkeys: list[Passkey]
    at: int
    # Whether this login may change any of it.
    may_change: bool

    @property
    def pending(self) -> int:
        """When what was set up and is not in force yet will be: its owner should know of it; 0 if there is nothing."""
        held = [*([self.app.counts_from] if self.app else []), *(each.counts_from for each in self.passkeys)]
        return min((counts_from for counts_from in held if counts_from > self.at), default=0)


@dataclass(frozen=True, kw_only=True)
class Setup:
    """A secret on its way into an app; kept nowhere until a code proves that it arrived."""

    sealed: str
    shown: str
    uri: str


class Factors:
    """Codes of an app, codes on paper."""

    def __init__(
        self,
        *,
        site: str,
        store: Store,
        records: Records,
        settings: SSOSettings,
        clock: Clock,
        state_key: bytes,
        factor_key: bytes,
        fresh: Callable[[], None],
        nudge: Callable[[], None],
    ) -> None:
        self._site = site
        self._store = store
        self._records = records
        self._clock = clock
        self._settings = settings
        self._patience = Patience.of(settings)
        self._setups = Seal(state_key, "code app setup", clock=clock)
        self._secrets = Seal(factor_key, "code app", clock=clock)
        self._fresh = fresh
        self._nudge = nudge

    def beside_password(self, subject: str, code: str) -> Proof:
        """What the right password of a person proves with the code given, if any was.

        Raises:
            CodeRefused: a code was due, or the one given does not count.
        """
        app, at = self._store.factors.code_app(subject), self._now()
        if app is None:
            # Whoever has passkeys alone may have lost them all: a code on paper is good beside the password too.
            held = self._store.passkeys.of(subject) if recovery.normalized(code) else []
            if not held:
                return Proof()
        in_force = any(each.counts_from <= at for each in ([app] if app else held))
        if not code:
            if in_force:
                raise CodeRefused("missing")
            return Proof()
        # Who guesses codes knows the password already. The door is the person's, from wherever the guesses come.
        door = Door(key=digest(f"code\0{subject}"), free=self._settings.codes_free, forgets=True)
        if not self._store.attempts.knock([door], self._patience, at=at):
            raise CodeRefused("waiting")
        if not self._code_counts(subject, app, code, at):
            raise CodeRefused("wrong")
        methods = PASSWORD_AND_CODE if in_force else PASSWORD_AND_FRESH_CODE
        return Proof(methods=methods, factor=CODES, doors=(door,))

    def beside(self, subject: str) -> frozenset[str]:
        """What would count beside a password of a person now: ``code``, ``passkey``, both or nothing."""
        at, app = self._now(), self._store.factors.code_app(subject)
        passkeys = any(each.counts_from <= at for each in self._store.passkeys.of(subject))
        paper = self._store.factors.recovery_codes(subject) if passkeys and app is None else None
        codes = (app is not None and app.counts_from <= at) or (paper is not None and paper.left > 0)
        return frozenset({*(["code"] if codes else []), *(["passkey"] if passkeys else [])})

    def page(self, session: Session) -> FactorsPage:
        """Collect it."""
        app = self._store.factors.code_app(session.subject)
        return FactorsPage(
            app=app,
            app_in_force=app is not None and app.counts_from <= self._now(),
            recovery=self._store.factors.recovery_codes(session.subject),
            passkeys=self._store.passkeys.of(session.subject),
            at=self._now(),
            may_change=self.may_change(session),
        )

    def begin_code_app(self, session: Session) -> Setup:
        """Make a secret for an app.

        Raises:
            LoginTooOld: see ``LoginTooOld``.
            FactorExists: there is one already.
        """
        if self._changeable(session) is not None:
            raise FactorExists
        secret = secrets.token_bytes(totp.SECRET_BYTES)
        return self._setup(session, secret)

    def code_app_again(self, session: Session, sealed: str) -> Setup:
        """The same secret once more, after a code that did not fit.

        Raises:
            SetupLost: it was begun in another session, or too long ago.
        """
        return self._setup(session, self._opened(session, sealed))

    def add_code_app(self, session: Session, sealed: str, code: str) -> None:
        """Keep the secret: a code of it has come back.

        Raises:
            CodeWrong: the code does not fit; nothing was kept.
            SetupLost, LoginTooOld, FactorExists: as their names say.
        """
        if self._changeable(session) is not None:
            raise FactorExists
        secret, at = self._opened(session, sealed), self._now()
        step = totp.matching_step(secret, "".join(code.split()), at=at)
        if step is None:
            raise CodeWrong
        app = CodeApp(
            subject=session.subject,
            secret=self._secrets.close(secret.hex()),
            step=step,
            created_at=at,
            counts_from=self.counts_from(session),
            used_at=None,
        )
        self._intend(session, CODES)
        outcome = self._records.factor("sso.factor.enrolled", session, factor=CODES, counts_from=app.counts_from)
        if not self._store.factors.add_code_app(app, outcome):
            raise FactorExists
        self._nudge()

    def remove_code_app(self, session: Session) -> None:
        """Take app and paper away; other sessions that were opened with them end.

        Raises:
            LoginTooOld: as its name says.
        """
        self._changeable(session)
        record = self._records.factor("sso.factor.removed", session, factor=CODES)
        self._store.factors.remove_code_app(session.subject, self._now(), record, self._ended, but=session.sid)
        self._nudge()

    def new_recovery_codes(self, session: Session) -> list[str]:
        """Codes for paper, told this once; those before are worth nothing.

        Raises:
            LoginTooOld: as its name says.
            CodeWrong: there is neither app nor passkey whose place they could take.
        """
        if self._changeable(session) is None and not self._store.passkeys.of(session.subject):
            raise CodeWrong
        codes = recovery.recovery_codes([secrets.token_bytes(recovery.RANDOM_BYTES) for _ in range(recovery.COUNT)])
        self._intend(session, "recovery")
        outcome = self._records.factor("sso.factor.enrolled", session, factor="recovery")
        digests = [_kept(session.subject, recovery.normalized(code)) for code in codes]
        self._store.factors.replace_recovery_codes(session.subject, digests, self._now(), outcome)
        self._nudge()
        return codes

    def _code_counts(self, subject: str, app: CodeApp | None, code: str, at: int) -> bool:
        if printed := recovery.normalized(code):
            return self._store.factors.take_recovery_code(subject, _kept(subject, printed), at)
        if app is None:
            return False
        step = totp.matching_step(bytes.fromhex(self._secrets.open(app.secret)), "".join(code.split()), at=at)
        return step is not None and self._store.factors.take_step(app.subject, step, at)

    def may_change(self, session: Session) -> bool:
        """Whether this login is of the last minutes, and made with two factors where two are in force."""
        at = self._now()
        recent = at - session.authenticated_at < int(self._settings.fresh_login.total_seconds())
        return recent and own_strength(session.methods) >= self._needed(session.subject, at)

    def in_force(self, subject: str) -> bool:
        """Whether a second factor of a person counts already."""
        return self._needed(subject, self._now()) > 1

    def any(self, subject: str) -> bool:
        """Whether a person has any, in force or not."""
        return self._store.factors.code_app(subject) is not None or bool(self._store.passkeys.of(subject))

    def drop_all(self, subject: str) -> None:
        """All of a person's factors are lost and go: app, paper and passkeys."""
        self._store.factors.drop_all(subject, self._records.factors_dropped(subject))
        self._nudge()

    def counts_from(self, session: Session) -> int:
        """When what is set up now is in force: at once after two factors; after one alone it has to wait."""
        cooling = int(self._settings.factor_cooling.total_seconds())
        return self._now() + (0 if own_strength(session.methods) > 1 else cooling)

    def _needed(self, subject: str, at: int) -> int:
        app = self._store.factors.code_app(subject)
        passkeys = self._store.passkeys.of(subject)
        held = [*([app.counts_from] if app else []), *(each.counts_from for each in passkeys)]
        return 2 if any(counts_from <= at for counts_from in held) else 1

    def _changeable(self, session: Session) -> CodeApp | None:
        if not self.may_change(session):
            raise LoginTooOld
        return self._store.factors.code_app(session.subject)

    def _setup(self, session: Session, secret: bytes) -> Setup:
        said = json.dumps({"secret": secret.hex(), "sid": session.sid, "until": self._until(session)})
        return Setup(
            sealed=self._setups.close(said),
            shown=totp.shown_secret(secret),
            uri=totp.setup_uri(secret, site=self._site, name=session.name),
        )

    def _until(self, session: Session) -> int:
        return session.authenticated_at + int(self._settings.fresh_login.total_seconds())

    def _opened(self, session: Session, sealed: str) -> bytes:
        try:
            said = json.loads(self._setups.open(sealed))
        except Broken as error:
            raise SetupLost from error
        if said["sid"] != session.sid or said["until"] <= self._now():
            raise SetupLost
        return bytes.fromhex(said["secret"])

    def _intend(self, session: Session, factor: str) -> None:
        self._fresh()
        self._records.write(self._records.factor("sso.factor.intended", session, factor=factor))

    def _ended(self, session: Session) -> Event:
        return self._records.session_ended(session, reason="its second factor was removed")

    def _now(self) -> int:
        return int(self._clock.now().timestamp())


def _kept(subject: str, code: str) -> str:
    """What is kept of a code on paper; it is worth something to its owner alone."""
    return digest(f"recovery\0{subject}\0{code}")
