# SPDX-License-Identifier: Apache-2.0
"""What is told about tokens and by them: userinfo, introspection, revocation. Recorded before it is told."""

from collections.abc import Callable
from typing import Any

from core.clock import Clock
from core.errors import NotFound, Unavailable

from ..errors import BadTokenRequest, InsufficientScope, InvalidClient, InvalidToken
from ..models import Call, Client, Grant, HeldMandate
from ..oauth.openid import USERINFO_TYP, claims_of, fitting, names_at
from ..oauth.rfc7516 import encrypted
from ..oauth.rfc7517 import ClientKeys, KeyRing
from ..oauth.rfc7662 import INACTIVE, active_access, active_refresh, may_introspect
from ..oauth.rfc9068 import TYP, AccessClaims, accepted
from ..oauth.rfc9701 import TYP as INTROSPECTION_TYP
from ..oauth.rfc9701 import introspection_claims
from ..store import Store, digest
from .collaborators import People
from .mandates import Mandates
from .possession import Possession
from .records import Records
from .subjects import Subjects

_AT_ONCE = 1.0
"""Seconds within which what was taken away counts no more, however long a record takes."""


def standing(keys: KeyRing, store: Store, unverified_token: str, *, issuer: str, at: int) -> tuple[AccessClaims, Grant]:
    """The claims of an access token of ours, which did not end, and its family, which stands.

    Raises:
        InvalidToken: for every reason alike.
    """
    claims = accepted(keys.read(unverified_token, typ=TYP, issuer=issuer), at=at)
    grant = store.grants.of_token(claims.grant, claims.jti, at)
    if grant is None:
        raise InvalidToken
    # A token that works with a certificate alone ends with that.
    if claims.confirmation.serial and store.news.withdrawn(claims.confirmation.serial):
        raise InvalidToken
    return claims, grant


def encrypted_to(client: Client, token: str) -> str:
    """A signed token as only this client can read it.

    Raises:
        Unavailable: its keys cannot be had, so nothing is told.
    """
    key = ClientKeys.read(client.jwks).encryption if client.jwks else {}
    if not key:
        raise Unavailable
    return encrypted(token, key)


class Inspection:
    """Tells about tokens, and ends them."""

    def __init__(
        self,
        *,
        issuer: str,
        store: Store,
        people: People,
        keys: KeyRing,
        subjects: Subjects,
        keyed: Callable[[Client], Client],
        possession: Possession,
        mandates: Mandates,
        records: Records,
        clock: Clock,
        fresh: Callable[[], None],
        nudge: Callable[[], None],
    ) -> None:
        self._issuer = issuer
        self._store = store
        self._people = people
        self._keys = keys
        self._subjects = subjects
        self._keyed = keyed
        self._possession = possession
        self._mandates = mandates
        self._records = records
        self._clock = clock
        self._fresh = fresh
        self._nudge = nudge

    def userinfo(self, call: Call) -> dict[str, Any] | str:
        """The claims of a person for the bearer of an access token with ``openid``; recorded before they are told.

        For a client that wants it so they are signed, and encrypted to it (OpenID Connect Core 5.3.2).

        Raises:
            InvalidToken: the token or what it hangs on does not count.
            InsufficientScope: a machine's token, or one without ``openid``.
        """
        since = self._clock.monotonic()
        self._fresh()
        token = self._possession.presented(call)
        claims, grant = standing(self._keys, self._store, token, issuer=self._issuer, at=self._now())
        self._possession.check(claims.confirmation, call)
        client = self._store.clients.find(claims.client_id)
        if client is None or claims.audience != client.audience:
            raise InvalidToken
        if "openid" not in claims.scopes or not claims.sid:
            raise InsufficientScope
        try:
            person = self._people.person(grant.subject)
        except NotFound as error:
            raise InvalidToken from error
        if not person.enabled:
            raise InvalidToken
        # Single claims were granted to one client, not to whom it hands its token on.
        asked = grant.claims if grant.client_id == client.id else ""
        told = fitting(asked, "userinfo", claims_of(person, claims.scopes, names_at(asked, "userinfo")))
        told["sub"] = claims.subject
        if grant.mandate:
            mandate = self._mandate(grant)
            if mandate is None:
                raise InvalidToken
            told["on_behalf_of"] = {**claims.on_behalf_of, "name": mandate.name, "name_zh": mandate.name_zh}
        read = self._records.read(
            client, subject=grant.subject, session=claims.sid, endpoint="userinfo", claims=" ".join(told)
        )
        self._records.write(read)
        if self._overtaken(since):
            standing(self._keys, self._store, token, issuer=self._issuer, at=self._now())
        return self._sealed(client, told) if client.userinfo_signed or client.userinfo_encrypted else told

    def _sealed(self, client: Client, told: dict[str, Any]) -> str:
        token = self._keys.sign({**told, "iss": self._issuer, "aud": client.id}, typ=USERINFO_TYP)
        return encrypted_to(self._keyed(client), token) if client.userinfo_encrypted else token

    def introspect_signed(self, asker: Client, unverified_token: str) -> str:
        """The same answer, signed, and encrypted for whoever wants that (RFC 9701).

        Raises:
            Unavailable: it is to be encrypted, and the key cannot be had; nothing is told.
        """
        answer = self.introspect(asker, unverified_token, signed=True)
        claims = introspection_claims(answer, issuer=self._issuer, asker=asker.id, at=self._now())
        token = self._keys.sign(claims, typ=INTROSPECTION_TYP)
        return encrypted_to(self._keyed(asker), token) if asker.introspection_encrypted else token

    def introspect(self, asker: Client, unverified_token: str, *, signed: bool = False) -> dict[str, Any]:
        """What a token is worth now; recorded when it is worth something.

        Raises:
            InvalidClient: a public client asks.
            BadTokenRequest: a client asks for a plain answer whose answers must be signed.
        """
        if asker.public:
            raise InvalidClient
        if ("signed_introspection" in asker.requires or asker.introspection_encrypted) and not signed:
            raise BadTokenRequest(field="Accept")
        since = self._clock.monotonic()
        self._fresh()
        answer, subject, session = self._introspected(asker, unverified_token)
        if answer["active"]:
            read = self._records.read(asker, subject=subject, session=session, endpoint="introspection", claims="token")
            self._records.write(read)
            if self._overtaken(since):
                answer, _, _ = self._introspected(asker, unverified_token)
        return answer

    def _overtaken(self, since: float) -> bool:
        """Whether the record took so long that what was taken away meanwhile must count; if so, that was heard.

        Raises:
            FeedStale: it is not known.
        """
        late = self._clock.monotonic() - since > _AT_ONCE
        if late:
            self._fresh()
        return late

    def revoke(self, client: Client, unverified_token: str) -> None:
        """End a token (RFC 7009); one that is not the client's, or none at all, changes nothing.

        With a refresh token its whole family ends, an access token ends alone: what kind it is, its shape says, and no
        hint. A machine's family is its one access token.
        """
        at = self._now()
        if _opaque(unverified_token):
            found = self._store.refresh_tokens.find(digest(unverified_token), at)
            if found is None or found.value.client_id != client.id:
                return
            self._store.grants.revoke(
                found.grant.id, at, lambda grant: self._records.tokens_revoked(grant, reason="revoked by client")
            )
        else:
            try:
                claims, grant = standing(self._keys, self._store, unverified_token, issuer=self._issuer, at=at)
            except InvalidToken:
                return
            if claims.client_id != client.id:
                return
            ended = self._records.token_ended(grant, claims)
            self._store.grants.end_token(claims.jti, expires_at=claims.expires_at, record=ended)
        self._nudge()

    def _introspected(self, asker: Client, unverified_token: str) -> tuple[dict[str, Any], str, str]:
        at = self._now()
        if _opaque(unverified_token):
            found = self._store.refresh_tokens.find(digest(unverified_token), at)
            row, grant = (found.value, found.grant) if found and found.stands else (None, None)
            if row is None or grant is None or row.used or row.expires_at <= at or row.client_id != asker.id:
                return INACTIVE, "", ""
            if grant.mandate and self._mandate(grant) is None:
                return INACTIVE, "", ""
            known = self._subjects.of(asker, grant.subject)
            told = active_refresh(grant, subject=known, issuer=self._issuer, expires_at=row.expires_at)
            return told, grant.subject, grant.sid
        try:
            claims, grant = standing(self._keys, self._store, unverified_token, issuer=self._issuer, at=at)
        except InvalidToken:
            return INACTIVE, "", ""
        if not may_introspect(asker, client_id=claims.client_id, audience=claims.audience):
            return INACTIVE, "", ""
        # A mandate is over at midnight sharp, whatever was signed before.
        if grant.mandate and self._mandate(grant) is None:
            return INACTIVE, "", ""
        # As whoever asks knows the person.
        known = self._subjects.of(asker, grant.subject)
        return active_access(claims, subject=known, issuer=self._issuer), grant.subject, claims.sid

    def _mandate(self, grant: Grant) -> HeldMandate | None:
        client = self._store.clients.find(grant.client_id)
        return self._mandates.of_grant(grant, client) if client else None

    def _now(self) -> int:
        return int(self._clock.now().timestamp())


def _opaque(token: str) -> bool:
    """A refresh token, if it is anything of ours: access tokens have three parts (RFC 7519 section 3)."""
    return "." not in token
