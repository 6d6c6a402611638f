# SPDX-License-Identifier: Apache-2.0
"""Sessions of the gateway: begun at the sign-on (authorization code, PKCE), opened here, ended by either.

Cookies do not separate ports, so a session names the listener it was opened at and is worth nothing at another.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol
from urllib.parse import urlencode

from audit import Event, Outcome, Recorder, decode_event, encode_event
from core.clock import Clock
from core.errors import NotFound
from core.log import logger
from core.site import SiteSettings

from ..client import CLIENT
from ..config import GatewaySettings
from ..errors import BadLogin, SignOnUnavailable, TokenRefused
from ..models import Login, Session, SignOn
from ..request import return_path
from ..store import Note, OpeningOver, SessionRevoked, Store
from ..tokens import id_token
from .identification import KeyFile, digest
from .people import People

ABANDONED_AFTER = timedelta(minutes=1)
"""An opening older than this has died: the log, which it waits for, answers or is given up far sooner."""
_CLEAN_EVERY = 60.0
REPLACED = "replaced"
"""Why a session at a host ended whose person goes on in another: the one they logged in with more surely, say."""
_log = logger(__name__)


class Exchange(Protocol):
    """The sign-on's token endpoint."""

    def exchange(self, *, code: str, verifier: str, redirect_uri: str) -> str:
        """Redeem a code for an ID token, unverified."""
        ...


class Logins:
    """Begin, finish, leave."""

    def __init__(
        self,
        *,
        site: SiteSettings,
        settings: GatewaySettings,
        clock: Clock,
        store: Store,
        people: People,
        keys: KeyFile,
        exchange: Exchange,
        recorder: Recorder,
        nudge: Callable[[], None],
    ) -> None:
        self._site = site
        self._settings = settings
        self._clock = clock
        self._store = store
        self._people = people
        self._keys = keys
        self._exchange = exchange
        self._recorder = recorder
        self._nudge = nudge
        self._issuer = site.origin("sso")
        self._labels = {site.host(label): label for label in settings.routes}
        self._cleaned = clock.monotonic()

    def begin(self, *, host: str, listener: str, to: str, acr: int, acting: bool = False) -> tuple[Login, str]:
        """A new login and the address at the sign-on where it goes on; ``acting``: there they say for whom they act.

        Raises:
            BadReturn: ``to`` is no page of this host.
        """
        login = Login(
            state=secrets.token_urlsafe(24),
            nonce=secrets.token_urlsafe(24),
            verifier=secrets.token_urlsafe(48),
            host=host,
            listener=listener,
            to=return_path(to),
            begun=int(self._clock.now().timestamp()),
        )
        challenge = base64.urlsafe_b64encode(hashlib.sha256(login.verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code",
            "client_id": CLIENT,
            "redirect_uri": self._callback(host, listener),
            "scope": "openid mandate" if acting else "openid",
            "state": login.state,
            "nonce": login.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            **({"acr_values": str(acr)} if acr else {}),
        }
        return login, f"{self._issuer}/authorize?{urlencode(query)}"

    def finish(self, login: Login, *, code: str, state: str, issuer: str, address: str, old_cookie: str) -> str:
        """Open a session and return its cookie.

        1. the answer belongs to this login   2. redeem the code   3. verify the ID token   4. the person is known and
        enabled   5. record the intent   6. keep the session with its outcome's record

        Raises:
            BadLogin: the answer does not belong to the login, or came too late.
            SignOnUnavailable: the sign-on does not answer as it should, or its keys cannot be read.
            RecordUnavailable: nothing was opened.
        """
        at = self._clock.now()
        self._belongs(login, state=state, issuer=issuer, at=at)
        unverified = self._exchange.exchange(
            code=code, verifier=login.verifier, redirect_uri=self._callback(login.host, login.listener)
        )
        signed = self._verify(unverified, nonce=login.nonce, at=at)
        try:
            person = self._people.person(signed.subject)
        except NotFound as error:
            raise BadLogin from error
        if not person.enabled:
            raise BadLogin
        cookie = secrets.token_urlsafe(32)
        session = Session(
            digest=digest(cookie),
            session=signed.session,
            subject=signed.subject,
            acr=signed.acr,
            methods=signed.methods,
            host=login.host,
            listener=login.listener,
            opened=at,
            seen=at,
            id_token=unverified,
            mandate=signed.mandate,
            mandate_ends=signed.mandate_ends,
        )
        names = {"name": person.name} | ({"name_zh": person.name_zh} if person.name_zh else {})
        intent = _opening(session, at=at, sealed={**names, "address": address})
        # A death after this line leaves a row that replay() ends.
        self._store.begin_opening(_note(intent), at=at)
        try:
            # State after this line: an intent without a session. If we stop here nothing was granted.
            self._recorder.record(intent)
            self._store.open_session(
                session,
                intent=intent.key,
                outcome=_note(_ending(intent, Outcome.SUCCESS, at=at)),
                replaces=digest(old_cookie) if old_cookie else "",
                note=lambda old: self._ended(old, reason=REPLACED if old.session == session.session else ""),
            )
        except (SessionRevoked, OpeningOver) as error:
            self._abandon(intent)
            raise BadLogin from error
        except BaseException:
            self._abandon(intent)
            raise
        self._nudge()
        self._clean(at)
        return cookie

    def replay(self) -> int:
        """End openings whose process died between intent and outcome: no session is there, and the record says so.

        What is over in the tables goes too, so that they do not grow where nobody logs in.

        Raises:
            OutboxFull: the record cannot keep up; the rest waits for the next time.
        """
        at = self._clock.now()
        self._clean(at)
        unfinished = self._store.unfinished_openings(before=at - ABANDONED_AFTER)
        ended = sum(self._fail(decode_event(note.body)) for note in unfinished)
        if ended:
            self._nudge()
        return ended

    def _abandon(self, intent: Event) -> None:
        try:
            self._fail(intent)
        except Exception as error:  # noqa: BLE001 - the row stays for replay(); what went wrong before is what is told
            _log.warning("opening_not_ended", cause=type(error).__name__)
        else:
            self._nudge()

    def _fail(self, intent: Event) -> bool:
        # Whether the log took the intent may be unknown. It goes once more, before its outcome: under its key there is
        # one entry, however often it is sent.
        failure = _ending(intent, Outcome.FAILURE, at=self._clock.now())
        return self._store.end_opening(intent.key, _note(intent), _note(failure))

    def give_up(self, login: Login, *, state: str, issuer: str) -> None:
        """Take note that the sign-on let nobody in.

        Raises:
            BadLogin: it was not the sign-on that said so, or not about this login.
        """
        self._belongs(login, state=state, issuer=issuer, at=self._clock.now())

    def leave(self, cookie: str, *, host: str, listener: str) -> str:
        """End the session of this cookie and return the address at the sign-on where logging out goes on.

        Raises:
            OutboxFull: the record cannot keep up; the session goes on.
        """
        ended = self._store.end_session(digest(cookie), note=self._ended) if cookie else None
        if ended is not None:
            self._nudge()
        query = {"client_id": CLIENT}
        label = self._labels.get(host)
        if label is not None:
            query["post_logout_redirect_uri"] = self._site.origin(label, listener) + "/"
        if ended is not None:
            query["id_token_hint"] = ended.id_token
        return f"{self._issuer}/logout?{urlencode(query)}"

    def _belongs(self, login: Login, *, state: str, issuer: str, at: datetime) -> None:
        age = timedelta(seconds=at.timestamp() - login.begun)
        if not hmac.compare_digest(state.encode(), login.state.encode()):
            raise BadLogin
        # RFC 9207 section 2.4: our sign-on always names itself, so an answer without its name is as much of a mix-up as
        # one with another's.
        if issuer != self._issuer:
            raise BadLogin
        if not timedelta(seconds=-5) <= age <= self._settings.login_lifetime:
            raise BadLogin

    def _verify(self, unverified: str, *, nonce: str, at: datetime) -> SignOn:
        try:
            keys = self._keys.keys()
            return id_token(unverified, keys, client=CLIENT, issuer=self._issuer, nonce=nonce, at=at)
        except TokenRefused as error:
            raise BadLogin from error
        except (OSError, ValueError) as error:
            # The sign-on's keys cannot be read.
            raise SignOnUnavailable from error

    def _callback(self, host: str, listener: str) -> str:
        label = self._labels.get(host)
        if label is None:
            raise BadLogin
        return self._site.origin(label, listener) + "/.tallygate/callback"

    def _ended(self, session: Session, *, reason: str = "") -> tuple[str, bytes]:
        event = Event(
            key=secrets.token_hex(16),
            type="gateway.session.ended",
            outcome=Outcome.SUCCESS,
            at=self._clock.now(),
            source="gateway",
            subject=session.subject,
            session=session.session,
            zone=session.listener,
            attributes={"host": session.host} | ({"reason": reason} if reason else {}),
        )
        return event.key, encode_event(event)

    def _clean(self, at: datetime) -> None:
        now = self._clock.monotonic()
        if now - self._cleaned < _CLEAN_EVERY:
            return
        self._cleaned = now
        self._store.forget(
            opened_before=at - self._settings.session_lifetime, seen_before=at - self._settings.session_idle, at=at
        )


def _opening(session: Session, *, at: datetime, sealed: dict[str, str]) -> Event:
    return Event(
        key=secrets.token_hex(16),
        type="gateway.session.opened",
        outcome=Outcome.INTENDED,
        at=at,
        source="gateway",
        subject=session.subject,
        object=secrets.token_hex(16),
        session=session.session,
        zone=session.listener,
        attributes={
            "host": session.host,
            "acr": str(session.acr),
            "amr": " ".join(session.methods),
            **({"mandate": session.mandate} if session.mandate else {}),
        },
        sealed=sealed,
    )


def _ending(intent: Event, outcome: Outcome, *, at: datetime) -> Event:
    return replace(intent, key=secrets.token_hex(16), outcome=outcome, at=at)


def _note(event: Event) -> Note:
    return Note(key=event.key, body=encode_event(event))
