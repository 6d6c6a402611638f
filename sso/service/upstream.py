# SPDX-License-Identifier: Apache-2.0
"""Logging in by one other provider that the site has an agreement with ("verify once, use everywhere").

Who is whom is said by a link that its person makes at "My account", after a login as sure as for every other factor and
by proving the other account in the same minute: never by a name, a number or a mail address that the other provider
says. Such a login is worth the lowest of what the provider says, what was agreed, and how surely the person is known.

What is asked travels sealed in a cookie of its own browser; nothing is kept before somebody has proved anything.
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode

from audit import Event
from core.clock import Clock
from core.errors import Unavailable

from ..config import SSOSettings
from ..errors import BadClient, LoginTooOld, UpstreamLinked, UpstreamRefused, UpstreamUnknown
from ..models import Interaction, Session, UpstreamLink, Visitor
from ..oauth.openid.upstream import (
    Endpoints,
    Expected,
    Vouched,
    ended,
    endpoints_of,
    id_token_of,
    signing_keys,
    vouched,
)
from ..oauth.rfc6749 import origin_of, with_parameters
from ..oauth.rfc7517 import KeyRing
from ..oauth.rfc7523 import TYPE as ASSERTION
from ..oauth.rfc7636 import challenge_of
from ..store import Door, Patience, Store, digest
from .factors import Factors
from .login import Login, NewSession
from .parking import Parking
from .records import Records
from .requests import Fetch
from .seals import Broken, Seal

T = TypeVar("T")
Exchange = Callable[[str, bytes], str]
"""Brings a form to an address and returns the text of the answer; raises ``Unavailable``."""

_LASTING = 600
_LONGEST_COOKIE = 3900
_METADATA_FRESH, _KEYS_FRESH, _KEYS_AGAIN = 3600, 300, 20
_ASSERTED = 60
METHODS = {1: ("upstream",), 2: ("upstream", "mfa"), 3: ("upstream", "mfa", "hwk")}
"""What each agreed level is called among the methods of a session."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Where the browser goes, and what it keeps meanwhile."""

    address: str
    cookie: str


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came in the address; nothing of it is believed."""

    state: str
    code: str
    issuer: str
    error: str


class Upstream:
    """One provider, or none."""

    def __init__(
        self,
        *,
        issuer: str,
        store: Store,
        keys: KeyRing,
        login: Login,
        factors: Factors,
        parking: Parking,
        records: Records,
        settings: SSOSettings,
        clock: Clock,
        fetch: Fetch,
        exchange: Exchange,
        state_key: bytes,
        factor_key: bytes,
        fresh: Callable[[], None],
        nudge: Callable[[], None],
    ) -> None:
        """``factor_key`` is kept with the tables: who is whom is found by it, and by nobody without it."""
        self._own = issuer
        self._store = store
        self._signing = keys
        self._login = login
        self._factors = factors
        self._parking = parking
        self._records = records
        self.settings = settings.upstream
        self._network_free = settings.network_free
        self._patience = Patience.of(settings)
        self._clock = clock
        self._fetch = fetch
        self._exchange = exchange
        self._seal = Seal(state_key, "upstream", clock=clock)
        self._link_key = hmac.digest(factor_key, b"upstream links", hashlib.sha256)
        self._fresh = fresh
        self._nudge = nudge
        self._endpoints: tuple[Endpoints, int] | None = None
        self._keys: tuple[str, int] = ("", 0)

    @property
    def possible(self) -> bool:
        """Whether there is one."""
        return bool(self.settings.issuer)

    @property
    def back_at(self) -> str:
        """Where it sends people back to."""
        return f"{self._own}/login/upstream"

    def begin(self, interaction: Interaction, *, linking: Session | None = None) -> Asked:
        """Ask the other provider who somebody is; ``linking``: to make a link for whom this session is.

        Raises:
            UpstreamRefused: there is none, it does not answer, or the request is too long to be carried about.
            LoginTooOld: a link is made shortly after a sure enough login only.
        """
        if not self.possible:
            raise UpstreamRefused
        if linking is not None and not self._factors.may_change(linking):
            raise LoginTooOld
        at, verifier, state, nonce = self._now(), *(secrets.token_urlsafe(32) for _ in range(3))
        said = {
            "state": state,
            "nonce": nonce,
            "verifier": verifier,
            "interaction": self._parking.sealed(interaction),
            "since": at,
            "link": linking.digest if linking else "",
        }
        cookie = self._seal.close(json.dumps(said))
        if len(cookie) > _LONGEST_COOKIE:
            raise UpstreamRefused
        asked = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": self.back_at,
            "scope": "openid",
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge_of(verifier),
            "code_challenge_method": "S256",
            # A session that somebody left open there opens none here.
            "prompt": "login",
            "max_age": "0",
        }
        return Asked(address=with_parameters(self._found(at).authorization, asked), cookie=cookie)

    @property
    def origin(self) -> str:
        """Where forms lead that begin it; empty if there is none."""
        return origin_of(self.settings.issuer) if self.possible else ""

    def parked(self, cookie: str, *, browser: str) -> Interaction:
        """The request that goes on with the answer.

        Raises:
            UpstreamRefused, InteractionLost: none of this browser.
        """
        return self._parking.opened(self._opened(cookie)["interaction"], browser=browser)

    def links(self, cookie: str) -> bool:
        """Whether a link is being made.

        Raises:
            UpstreamRefused: nothing was asked in this browser.
        """
        return bool(self._opened(cookie)["link"])

    def log_in(
        self, cookie: str, answer: Answer, *, interaction: Interaction, visitor: Visitor, session: str, known: str
    ) -> NewSession:
        """Open a session for whom the other provider vouches.

        Raises:
            UpstreamRefused: the answer does not count, or its person may not come this way: never said which.
            UpstreamUnknown: it does, and nobody here is linked with it.
            PolicyRefused, StepUpNeeded: the policies say no.
            Unavailable: directory, record or news of the record are out of reach.
        """
        self._fresh()
        client = interaction.request.client_id if interaction.request else ""
        door = Door(key=digest(f"network\0{visitor.network}"), free=self._network_free, forgets=False)
        if not self._store.attempts.knock([door], self._patience, at=self._now()):
            self._failed(visitor, reason="waiting", client=client)
            raise UpstreamRefused
        self._records.write(self._records.login_attempted(visitor, method="upstream", client=client, account=""))
        try:
            found = self._vouched(cookie, answer)
        except UpstreamRefused:
            self._failed(visitor, reason="wrong", client=client)
            raise
        link = self._store.upstreams.by_key(self._key(found.identifier))
        if link is None:
            self._failed(visitor, reason="unknown", client=client)
            raise UpstreamUnknown
        at = self._now()
        level = min(found.level, self.settings.highest) if link.counts_from <= at else 1
        opened = self._login.by_link(
            link,
            METHODS[level],
            population=self.settings.population,
            visitor=visitor,
            interaction=interaction,
            cookie=session,
            known=known,
            door=door,
        )
        self._store.upstreams.used(link, self._named(found.subject), at)
        return opened

    def link(self, cookie: str, answer: Answer, *, session: Session) -> None:
        """Keep that this session's person is whom the other provider vouches for.

        Raises:
            UpstreamRefused: the answer does not count, or was asked for in another session.
            UpstreamLinked: that account, or this person, is linked already.
            LoginTooOld: see ``LoginTooOld``.
        """
        self._fresh()
        if not hmac.compare_digest(self._opened(cookie)["link"], session.digest):
            raise UpstreamRefused
        if not self._factors.may_change(session):
            raise LoginTooOld
        found = self._vouched(cookie, answer)
        link = UpstreamLink(
            key=self._key(found.identifier),
            id=secrets.token_urlsafe(18),
            subject=session.subject,
            named=self._named(found.subject),
            created_at=self._now(),
            counts_from=self._factors.counts_from(session),
        )
        self._records.write(self._records.factor("sso.factor.intended", session, factor="upstream"))
        outcome = self._records.factor("sso.factor.enrolled", session, factor="upstream", counts_from=link.counts_from)
        if not self._store.upstreams.add(link, outcome):
            raise UpstreamLinked
        self._nudge()

    def of(self, session: Session) -> UpstreamLink | None:
        """The person's own link."""
        return self._store.upstreams.of(session.subject)

    def unlink(self, session: Session) -> None:
        """Take it away, with every other session that was opened by it.

        Raises:
            LoginTooOld: see ``LoginTooOld``.
        """
        if not self._factors.may_change(session):
            raise LoginTooOld
        record = self._records.factor("sso.factor.removed", session, factor="upstream")

        def gone(each: Session) -> Event:
            return self._records.session_ended(each, reason="its link was removed")

        self._store.upstreams.remove(session.subject, self._now(), record, gone, but=session.sid)
        self._nudge()

    def logged_out(self, token: str) -> None:
        """The other provider says that somebody logged out there: what was opened by it here ends.

        Raises:
            UpstreamRefused: it is not the provider's word, or came before.
        """
        if not self.possible:
            raise UpstreamRefused
        at = self._now()
        subject, number, until = self._by_its_keys(
            lambda keys: ended(keys, token, issuer=self.settings.issuer, client_id=self.settings.client_id, at=at)
        )
        if not self._store.upstream_answers.consume(digest(f"logout\0{number}"), until):
            raise UpstreamRefused

        def over(session: Session) -> Event:
            return self._records.session_ended(session, reason="logged out at the other provider")

        self._store.upstreams.end(self._named(subject), at, over)
        self._nudge()

    def _vouched(self, cookie: str, answer: Answer) -> Vouched:
        said, at = self._opened(cookie), self._now()
        # 1. Ours, in the browser that asked, from the provider that was asked (RFC 9207), in time.
        right = hmac.compare_digest(said["state"], answer.state) and answer.issuer == self.settings.issuer
        if not right or answer.error or not answer.code or at - said["since"] > _LASTING:
            raise UpstreamRefused
        # 2. Once.
        if not self._store.upstream_answers.consume(digest(f"state\0{said['state']}"), said["since"] + _LASTING + 1):
            raise UpstreamRefused
        # 3. By the back way, as whom it knows us.
        form = {
            "grant_type": "authorization_code",
            "code": answer.code,
            "redirect_uri": self.back_at,
            "code_verifier": said["verifier"],
            "client_id": self.settings.client_id,
            "client_assertion_type": ASSERTION,
            "client_assertion": self._assertion(at),
        }
        try:
            told = self._exchange(self._found(at).token, urlencode(form).encode())
        except Unavailable as error:
            raise UpstreamRefused from error
        expected = Expected(
            issuer=self.settings.issuer,
            client_id=self.settings.client_id,
            nonce=said["nonce"],
            since=said["since"],
            at=at,
            claim=self.settings.claim,
            levels=self.settings.acr_values,
        )
        token = id_token_of(told)
        return self._by_its_keys(lambda keys: vouched(keys, token, expected))

    def _by_its_keys(self, verify: Callable[[str], T]) -> T:
        """Verify by the keys at hand, and once more by those fetched anew: a provider may have changed them."""
        at = self._now()
        known, fetched = self._keys
        if known and at - fetched < _KEYS_FRESH:
            try:
                return verify(known)
            except UpstreamRefused:
                if at - fetched < _KEYS_AGAIN:
                    raise
        try:
            known = signing_keys(self._fetch(self._found(at).keys))
        except (Unavailable, BadClient) as error:
            raise UpstreamRefused from error
        self._keys = (known, at)
        return verify(known)

    def _found(self, at: int) -> Endpoints:
        if self._endpoints is None or at - self._endpoints[1] >= _METADATA_FRESH:
            address = f"{self.settings.issuer}/.well-known/openid-configuration"
            try:
                self._endpoints = (endpoints_of(self._fetch(address), issuer=self.settings.issuer), at)
            except Unavailable as error:
                raise UpstreamRefused from error
        return self._endpoints[0]

    def _assertion(self, at: int) -> str:
        client = self.settings.client_id
        said = {"iss": client, "sub": client, "aud": self.settings.issuer, "jti": secrets.token_urlsafe(18)}
        return self._signing.sign({**said, "iat": at, "exp": at + _ASSERTED}, typ="client-authentication+jwt")

    def _opened(self, cookie: str) -> dict[str, Any]:
        try:
            said: dict[str, Any] = json.loads(self._seal.open(cookie))
        except Broken as error:
            raise UpstreamRefused from error
        return said

    def _key(self, identifier: str) -> str:
        return self._keyed(f"identifier\0{identifier}")

    def _named(self, subject: str) -> str:
        return self._keyed(f"subject\0{subject}")

    def _keyed(self, text: str) -> str:
        named = f"{self.settings.issuer}\0{text}".encode("utf-8", "replace")
        return hmac.digest(self._link_key, named, hashlib.sha256).hex()

    def _failed(self, visitor: Visitor, *, reason: str, client: str) -> None:
        failed = self._records.login_failed(visitor, method="upstream", reason=reason, client=client)
        self._records.write(failed)

    def _now(self) -> int:
        return int(self._clock.now().timestamp())
