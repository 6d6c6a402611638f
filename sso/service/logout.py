# SPDX-License-Identifier: Apache-2.0
"""Ending sessions: RP-Initiated Logout, "end this session", "end all". The cookie, never the hint, says whose."""

from collections.abc import Callable
from dataclasses import dataclass

from audit import Event
from core.clock import Clock

from ..errors import InvalidToken
from ..models import Client, Session
from ..oauth.openid import ID_TOKEN_TYP, Hint, hint_of
from ..oauth.rfc6749 import with_parameters
from ..oauth.rfc7517 import KeyRing
from ..store import Store
from .records import Records
from .subjects import Subjects


@dataclass(frozen=True, kw_only=True)
class LogoutWish:
    """A logout request, checked."""

    # The hint is an ID token of this very session: no question needs to be asked.
    certain: bool
    # Where to go afterwards: a registered address with the state, or empty.
    afterwards: str
    # Who asks, if that is known.
    client: Client | None


class Logout:
    """The way out."""

    def __init__(
        self,
        *,
        issuer: str,
        store: Store,
        keys: KeyRing,
        subjects: Subjects,
        records: Records,
        clock: Clock,
        nudge: Callable[[], None],
    ) -> None:
        self._issuer = issuer
        self._store = store
        self._keys = keys
        self._subjects = subjects
        self._records = records
        self._clock = clock
        self._nudge = nudge

    def wish(self, session: Session | None, *, hint: str, client_id: str, afterwards: str, state: str) -> LogoutWish:
        """Read a logout request; what does not fit together is ignored, so that the person is asked."""
        known = self._hint(hint) if hint else None
        if known is not None and client_id and known.client_id != client_id:
            known, client_id = None, ""
        client = self._store.clients.find(known.client_id if known else client_id)
        certain = (
            known is not None
            and session is not None
            and client is not None
            and known.sid == session.sid
            and known.subject == self._subjects.of(client, session.subject)
        )
        registered = client is not None and afterwards in client.post_logout_uris
        return LogoutWish(
            certain=certain,
            afterwards=(with_parameters(afterwards, {"state": state}) if state else afterwards) if registered else "",
            client=client,
        )

    def end(self, session: Session) -> None:
        """End one session; it bites at once, and others hear of it by the log."""
        self._store.sessions.end(session.sid, session.subject, self._now(), self._ended("logout"))
        self._nudge()

    def end_other(self, session: Session, sid: str) -> None:
        """End one of the person's sessions, by its identifier; another person's is never touched."""
        self._store.sessions.end(sid, session.subject, self._now(), self._ended("ended by its owner"))
        self._nudge()

    def end_all(self, session: Session) -> None:
        """End all of the person's sessions, this one too."""
        self._store.sessions.end_of_person(session.subject, self._now(), self._ended("all ended by their owner"))
        self._nudge()

    def _hint(self, unverified_hint: str) -> Hint | None:
        try:
            return hint_of(self._keys.read(unverified_hint, typ=ID_TOKEN_TYP, issuer=self._issuer))
        except InvalidToken:
            return None

    def _ended(self, reason: str) -> Callable[[Session], Event]:
        return lambda session: self._records.session_ended(session, reason=reason)

    def _now(self) -> int:
        return int(self._clock.now().timestamp())
