# SPDX-License-Identifier: Apache-2.0
"""What the directory holds about a person, and what of it they change themselves; a login of the last minutes first."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from audit import Event
from core.clock import Clock
from core.errors import Invalid, TallygateError, Unauthenticated, Unavailable

from ..errors import LoginTooOld, PasswordKnown, PasswordsDiffer, PasswordWeak, PasswordWrong, ProfileRefused
from ..models import Session
from ..store import Store
from .collaborators import OwnEntry
from .factors import Factors
from .letters import Letters
from .limits import Limits
from .records import Records


@dataclass(frozen=True, kw_only=True)
class ProfilePage:
    """Everything on the page."""

    # None: the directory does not answer, or not yet to us.
    entry: Mapping[str, str] | None
    # Whether this login may change any of it.
    may_change: bool
    # The fewest characters of a password.
    length: int


class Profile:
    """The verbs."""

    def __init__(
        self,
        *,
        own: OwnEntry,
        store: Store,
        records: Records,
        factors: Factors,
        letters: Letters,
        limits: Limits,
        clock: Clock,
        password_length: int,
        nudge: Callable[[], None],
    ) -> None:
        self._own = own
        self._store = store
        self._records = records
        self._factors = factors
        self._letters = letters
        self._limits = limits
        self._clock = clock
        self._length = password_length
        self._nudge = nudge

    @property
    def length(self) -> int:
        """The fewest characters of a password."""
        return self._length

    def page(self, session: Session) -> ProfilePage:
        """Collect it."""
        try:
            entry: Mapping[str, str] | None = self._own.entry(session.subject)
        except TallygateError:
            entry = None
        return ProfilePage(entry=entry, may_change=self._factors.may_change(session), length=self._length)

    def change(self, session: Session, *, mail: str, telephone: str, language: str) -> None:
        """Change where one is written to and called, and in which language; the address of before is told.

        Raises:
            LoginTooOld: as its name says.
            ProfileRefused: no address, number or language of ours.
            Unavailable: directory or record are out of reach.
        """
        self._recent(session)
        before = self._own.entry(session.subject).get("mail", "")
        try:
            changed = self._own.change(session.subject, mail=mail, telephone=telephone, language=language)
        except Invalid as error:
            raise ProfileRefused from error
        if changed:
            self._letters.tell(session.subject, "profile", to=before, time=self._moment())

    def change_password(self, session: Session, current: str, password: str, again: str) -> None:
        """Change it, and end every session, this one too: the new one is asked for at once.

        Raises:
            LoginTooOld, PasswordsDiffer, PasswordWrong, PasswordWeak, PasswordKnown: as their names say.
            TooMany: too many wrong ones; who sits at an open session must not guess the password there.
            Unavailable: directory or record are out of reach.
        """
        self._recent(session)
        if password != again:
            raise PasswordsDiffer
        self._limits.count(password__person=session.subject)
        try:
            self._own.change_password(session.subject, current, password)
        except Unauthenticated as error:
            raise PasswordWrong from error
        except Invalid as error:
            self._limits.forgive(password__person=session.subject)
            raise refused(error) from error
        self._limits.forgive(password__person=session.subject)
        self._store.sessions.end_of_person(session.subject, self._now(), self._ended)
        self._letters.tell(session.subject, "password", time=self._moment())
        self._nudge()

    def _recent(self, session: Session) -> None:
        if not self._factors.may_change(session):
            raise LoginTooOld

    def _ended(self, session: Session) -> Event:
        return self._records.session_ended(session, reason="password changed")

    def _moment(self) -> str:
        return self._clock.now().strftime("%Y-%m-%d %H:%M UTC")

    def _now(self) -> int:
        return int(self._clock.now().timestamp())


def refused(error: TallygateError) -> TallygateError:
    """Why the directory does not take a password, in our words."""
    if error.code == "known_password":
        return PasswordKnown()
    return PasswordWeak() if error.code == "weak_password" else Unavailable()
