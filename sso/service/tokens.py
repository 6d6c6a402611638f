# SPDX-License-Identifier: Apache-2.0
"""The token endpoint.

Whatever is presented is looked up in the table of its own kind, bound to the client that presents it, and redeemed by
one conditional update. What was redeemed once and comes again ends its whole family.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

from audit import Outcome
from core.clock import Clock
from core.errors import NotFound
from core.jose import base64url

from ..config import SSOSettings
from ..errors import (
    AuthorizationPending,
    DeviceCodeExpired,
    DeviceDenied,
    InvalidGrant,
    InvalidScope,
    InvalidToken,
    SlowDown,
)
from ..factors import strength
from ..models import Call, Client, Grant, Presented, RefreshToken, TokenAnswer
from ..oauth.openid import ID_TOKEN_TYP, claims_of, fitting, id_claims, names_at, scopes_of
from ..oauth.rfc6749 import (
    TokenRequest,
    host_of,
    scope_text,
    token_request,
    why_refresh_refused,
    why_refused,
)
from ..oauth.rfc6749.tokens import DEVICE_CODE
from ..oauth.rfc7517 import KeyRing
from ..oauth.rfc8628 import INTERVAL, why_device_refused
from ..oauth.rfc8693 import ACCESS_TOKEN, chain, exchanged_scopes
from ..oauth.rfc8707 import audience_of, check_resources
from ..oauth.rfc9068 import TYP, access_claims
from ..oauth.rfc9396 import details_without_person, narrowed
from ..store import Store, digest
from .collaborators import People, Person
from .inspection import encrypted_to, standing
from .mandates import Mandates
from .possession import Possession
from .records import Records
from .subjects import Subjects

# A machine's grant is made for one token and asked about no longer than that.
_GRACE = 60


class Tokens:
    """Issues tokens."""

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
        settings: SSOSettings,
        clock: Clock,
        refresh_key: bytes,
        fresh: Callable[[], None],
        nudge: Callable[[], None],
    ) -> None:
        """``refresh_key`` is a secret of this role alone, the same in all its processes."""
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
        self._lifetime = int(settings.token_lifetime.total_seconds())
        self._grace = int(settings.refresh_grace.total_seconds())
        self._refresh_key = hmac.digest(refresh_key, b"refresh tokens", hashlib.sha256)
        self._fresh = fresh
        self._nudge = nudge

    def issue(self, client: Client, call: Call) -> TokenAnswer:
        """Answer a token request.

        Raises:
            InvalidGrant: what was presented does not count.
            BadTokenRequest, UnsupportedGrant, UnauthorizedClient, InvalidScope: the request is wrong in itself.
            Unavailable: it cannot be recorded, or news of the record is out of reach.
        """
        request = token_request(client, call.parameters, confirmation=self._possession.binding(client, call))
        self._fresh()
        return self._GRANT_TYPES[request.grant_type](self, request)

    def _by_code(self, request: TokenRequest) -> TokenAnswer:
        at = self._now()
        presented = self._store.codes.find(digest(request.unverified["code"]), at)
        if presented is None:
            raise self._refused(request, "unknown")
        code, grant = presented.value, presented.grant
        reason = why_refused(code, request, at=at)
        if reason:
            if code.used and code.client_id == request.client.id:
                self._end(code.grant_id, reason="code presented twice")
            raise self._refused(request, reason)
        _check_narrowed(request, grant)
        person = self._holder(presented, request, at)
        self._records.write(self._records.tokens(grant, Outcome.INTENDED, grant_type=request.grant_type))
        refresh, value = _refresh(request, presented)
        outcome = self._records.tokens(grant, Outcome.SUCCESS, grant_type=request.grant_type)
        self._subjects.remember(request.client, grant.subject, self._store.known)
        if not self._store.codes.consume(code, refresh=refresh, at=at, outcome=outcome):
            # Somebody else redeemed it in this very moment, or its session ended: the latter is nobody's attack.
            spent = self._store.codes.find(code.digest, at)
            if spent is not None and spent.value.used:
                self._end(code.grant_id, reason="code presented twice")
            raise self._refused(request, "used or ended")
        self._nudge()
        return self._answer(request, grant, grant.scopes, at, refresh=value, person=person)

    def _by_refresh(self, request: TokenRequest) -> TokenAnswer:
        at = self._now()
        presented = self._store.refresh_tokens.find(digest(request.unverified["refresh_token"]), at)
        reason = why_refresh_refused(presented.value if presented else None, request, at=at)
        if presented is None or reason:
            raise self._refused(request, reason)
        row, grant = presented.value, presented.grant
        if row.used and not self._in_grace(presented, request, at):
            # RFC 9700 section 4.14.2: thief and owner cannot be told apart, so both lose it.
            self._end(row.grant_id, reason="refresh token presented twice")
            raise self._refused(request, "used")
        scopes = request.scopes or grant.scopes
        if not scopes <= grant.scopes:
            raise InvalidScope
        _check_narrowed(request, grant)
        person = self._holder(presented, request, at)
        self._records.write(self._records.tokens(grant, Outcome.INTENDED, grant_type=request.grant_type))
        # Only what a client cannot keep secret rotates; FAPI 2.0 forbids rotation for all others.
        value = self._rotated(presented, request, at) if request.client.public else self._kept(presented, request)
        return self._answer(request, grant, scopes, at, refresh=value, person=person)

    def _rotated(self, presented: Presented[RefreshToken], request: TokenRequest, at: int) -> str:
        """The refresh token that follows; the one presented is used up, with the outcome in the same transaction.

        It follows from the one presented: whoever asks again within the grace, or in the very same moment, gets it too.
        """
        row = presented.value
        successor, value = _refresh(request, presented, value=self._following(request))
        outcome = self._records.tokens(presented.grant, Outcome.SUCCESS, grant_type=request.grant_type)
        tokens = self._store.refresh_tokens
        if successor is None:
            raise self._refused(request, "ended")
        if not row.used and tokens.consume(row, successor=successor, at=at, outcome=outcome):
            self._nudge()
            return value
        exchanged = tokens.find(row.digest, at)
        if exchanged is None or not exchanged.stands or not exchanged.value.used:
            raise self._refused(request, "used or ended")
        if not self._in_grace(exchanged, request, at):
            self._end(row.grant_id, reason="refresh token presented twice")
            raise self._refused(request, "used")
        # Nothing changes, so there is no transaction for the outcome to go with.
        self._records.write(outcome)
        return value

    def _following(self, request: TokenRequest) -> str:
        """What a refresh token is exchanged for; nobody can tell it without our key."""
        presented = request.unverified["refresh_token"].encode("utf-8", "replace")
        return base64url(hmac.digest(self._refresh_key, presented, hashlib.sha256))

    def _in_grace(self, presented: Presented[RefreshToken], request: TokenRequest, at: int) -> bool:
        """Whether a refresh token was exchanged just now, and what followed it was not used yet."""
        used_at = presented.value.used_at
        if not request.client.public or used_at is None or at - used_at >= self._grace:
            return False
        following = self._store.refresh_tokens.find(digest(self._following(request)), at)
        return following is not None and following.stands and not following.value.used

    def _kept(self, presented: Presented[RefreshToken], request: TokenRequest) -> str:
        """None follows, and nothing changes here: so there is no transaction for the outcome to go with."""
        # The record took its time; what was taken away meanwhile must not be granted.
        if not self._store.grants.standing(presented.grant.id, self._now()):
            raise self._refused(request, "used or ended")
        self._records.write(self._records.tokens(presented.grant, Outcome.SUCCESS, grant_type=request.grant_type))
        return ""

    def _by_client(self, request: TokenRequest) -> TokenAnswer:
        client, at = request.client, self._now()
        scopes = request.scopes or client.scopes - {"openid"}
        if not scopes <= client.scopes or "openid" in scopes:
            raise InvalidScope
        grant = Grant(
            id=secrets.token_urlsafe(18),
            subject=client.id,
            client_id=client.id,
            sid="",
            scopes=scopes,
            assurance=0,
            methods=(),
            authenticated_at=at,
            nonce="",
            place="",
            created_at=at,
            resources=check_resources([request.resource] if request.resource else [], client),
            details=details_without_person(request.details, client),
        )
        self._records.write(self._records.tokens(grant, Outcome.INTENDED, grant_type=request.grant_type))
        outcome = self._records.tokens(grant, Outcome.SUCCESS, grant_type=request.grant_type)
        expires_at = at + self._lifetime + _GRACE
        self._store.grants.issue(grant, None, expires_at=expires_at, at=at, outcome=outcome)
        self._nudge()
        return self._answer(request, grant, scopes, at, refresh="", person=None)

    def _by_device(self, request: TokenRequest) -> TokenAnswer:
        at = self._now()
        device = self._store.devices.find(digest(request.unverified["device_code"]))
        reason = why_device_refused(device, request, at=at)
        if device is None or reason:
            raise self._refused(request, reason)
        if device.state == "used":
            self._end(device.grant_id, reason="device code presented twice")
            raise self._refused(request, "used")
        if device.expires_at <= at:
            raise DeviceCodeExpired
        if device.state == "refused":
            raise DeviceDenied
        presented = self._store.devices.presented(device.digest, at)
        if device.state == "waiting" or presented is None:
            raise AuthorizationPending if self._store.devices.asked_again(device, at, step=INTERVAL) else SlowDown
        grant = presented.grant
        person = self._holder(presented, request, at)
        self._records.write(self._records.tokens(grant, Outcome.INTENDED, grant_type=request.grant_type))
        refresh, value = _refresh(request, presented)
        outcome = self._records.tokens(grant, Outcome.SUCCESS, grant_type=request.grant_type)
        self._subjects.remember(request.client, grant.subject, self._store.known)
        if not self._store.devices.consume(device, refresh=refresh, at=at, outcome=outcome):
            spent = self._store.devices.find(device.digest)
            if spent is not None and spent.state == "used":
                self._end(device.grant_id, reason="device code presented twice")
            raise self._refused(request, "used or ended")
        self._nudge()
        return self._answer(request, grant, grant.scopes, at, refresh=value, person=person)

    def _by_exchange(self, request: TokenRequest) -> TokenAnswer:
        at = self._now()
        try:
            token = request.unverified["subject_token"]
            claims, grant = standing(self._keys, self._store, token, issuer=self._issuer, at=at)
        except InvalidToken as error:
            raise self._refused(request, "subject token") from error
        scopes = exchanged_scopes(claims, request)
        audience = next(iter(check_resources([request.resource] if request.resource else [], request.client)), "")
        try:
            person = self._people.person(grant.subject)
        except NotFound as error:
            raise self._refused(request, "disabled") from error
        if not person.enabled:
            raise self._refused(request, "disabled")
        # Whoever passes it on acts for somebody only where that mandate is for the next service too; and never turns it
        # into the person's own business.
        following = (self._store.clients.at_host(host_of(audience)) if audience else None) or request.client
        mandate_ends = self._mandates.ends(grant.subject, grant.mandate, following) if grant.mandate else 0
        if grant.mandate and not mandate_ends:
            raise self._refused(request, "mandate")
        # Recorded as what this client is given of that family; who acts is said beside.
        given = replace(grant, client_id=request.client.id, scopes=scopes)
        kind, actor = request.grant_type, request.client.id
        self._records.write(self._records.tokens(given, Outcome.INTENDED, grant_type=kind, actor=actor))
        # The record took its time; what was taken away meanwhile must not be granted.
        if not self._store.grants.standing(grant.id, self._now()):
            raise self._refused(request, "used or ended")
        self._records.write(self._records.tokens(given, Outcome.SUCCESS, grant_type=kind, actor=actor))
        lifetime = min(self._lifetime, claims.expires_at - at, *([mandate_ends - at] if mandate_ends else []))
        said = access_claims(
            replace(given, mandate=self._subjects.mandate(request.client, given.mandate)),
            request.client,
            subject=self._subjects.of(request.client, given.subject),
            issuer=self._issuer,
            scopes=scopes,
            jti=secrets.token_urlsafe(16),
            at=at,
            lifetime=lifetime,
            confirmation=request.confirmation,
            audience=audience,
            act=chain(claims, request.client.id),
        )
        return TokenAnswer(
            access_token=self._keys.sign(said, typ=TYP),
            expires_in=lifetime,
            scope=scope_text(scopes),
            token_type=request.confirmation.token_type,
            issued_token_type=ACCESS_TOKEN,
        )

    def _holder(self, presented: Presented[Any], request: TokenRequest, at: int) -> Person:
        """The person a grant is about, who must be in the directory and enabled at every redemption."""
        grant, consent = presented.grant, presented.consent
        asked = grant.scopes | scopes_of(grant.claims)
        if not presented.stands:
            raise self._refused(request, "ended")
        if not request.client.trusted and (consent is None or consent.expires_at <= at or not asked <= consent.scopes):
            raise self._refused(request, "consent withdrawn")
        try:
            person = self._people.person(grant.subject)
        except NotFound as error:
            raise self._refused(request, "disabled") from error
        if not person.enabled:
            raise self._refused(request, "disabled")
        if min(person.proofing.level, strength(grant.methods)) < grant.assurance:
            # Taken away, or over by its day; whether anybody has said so yet does not matter.
            self._end(grant.id, reason="known less surely")
            raise self._refused(request, "known less surely")
        if grant.mandate and not self._mandate_ends(grant, request.client):
            self._end(grant.id, reason="mandate withdrawn")
            raise self._refused(request, "mandate withdrawn")
        return person

    def _mandate_ends(self, grant: Grant, client: Client) -> int:
        """When the mandate of a grant is over by itself; 0 if it is over, or not for this client's service."""
        return self._mandates.ends(grant.subject, grant.mandate, self._mandates.service(client, grant.place))

    def _lasting(self, grant: Grant, request: TokenRequest, at: int) -> int:
        """Seconds that an access token may live: no longer than the mandate it is given under.

        Raises:
            InvalidGrant: that is over.
        """
        if not grant.mandate:
            return self._lifetime
        left = self._mandate_ends(grant, request.client) - at
        if left <= 0:
            raise self._refused(request, "mandate withdrawn")
        return min(self._lifetime, left)

    def _answer(
        self,
        request: TokenRequest,
        grant: Grant,
        scopes: frozenset[str],
        at: int,
        *,
        refresh: str,
        person: Person | None,
    ) -> TokenAnswer:
        details = narrowed(request.details, grant.details, request.client)
        subject = self._subjects.of(request.client, grant.subject)
        lifetime = self._lasting(grant, request, at)
        mandate_ends = self._mandate_ends(grant, request.client) if grant.mandate else 0
        grant = replace(grant, mandate=self._subjects.mandate(request.client, grant.mandate))
        claims = access_claims(
            grant,
            request.client,
            subject=subject,
            issuer=self._issuer,
            scopes=scopes,
            jti=secrets.token_urlsafe(16),
            at=at,
            lifetime=lifetime,
            confirmation=request.confirmation,
            audience=audience_of(grant, request.client, request.resource),
            details=details,
        )
        access_token = self._keys.sign(claims, typ=TYP)
        id_token = ""
        if person is not None and "openid" in scopes:
            said = id_claims(
                grant,
                authenticator=strength(grant.methods),
                subject=subject,
                issuer=self._issuer,
                access_token=access_token,
                at=at,
                lifetime=lifetime,
                mandate_ends=mandate_ends,
            )
            # What is said of how somebody logged in is never overwritten by what is known of them.
            single = claims_of(person, (), names_at(grant.claims, "id_token"))
            said = fitting(grant.claims, "id_token", single) | said
            id_token = self._keys.sign(said, typ=ID_TOKEN_TYP)
            if request.client.id_token_encrypted:
                id_token = encrypted_to(self._keyed(request.client), id_token)
        return TokenAnswer(
            access_token=access_token,
            expires_in=lifetime,
            scope=scope_text(scopes),
            id_token=id_token,
            refresh_token=refresh,
            token_type=request.confirmation.token_type,
            details=details,
        )

    def _refused(self, request: TokenRequest, reason: str) -> InvalidGrant:
        event = self._records.tokens_refused(request.client.id, grant_type=request.grant_type, reason=reason)
        self._records.write(event)
        return InvalidGrant()

    def _end(self, grant_id: str, *, reason: str) -> None:
        self._store.grants.revoke(
            grant_id, self._now(), lambda grant: self._records.tokens_revoked(grant, reason=reason)
        )
        self._nudge()

    def _now(self) -> int:
        return int(self._clock.now().timestamp())

    _GRANT_TYPES: ClassVar[dict[str, Callable[["Tokens", TokenRequest], TokenAnswer]]] = {
        "authorization_code": _by_code,
        "refresh_token": _by_refresh,
        "client_credentials": _by_client,
        DEVICE_CODE: _by_device,
        "urn:ietf:params:oauth:grant-type:token-exchange": _by_exchange,
    }


def _check_narrowed(request: TokenRequest, grant: Grant) -> None:
    """What is asked for now was granted then; checked before anything is used up or recorded."""
    audience_of(grant, request.client, request.resource)
    narrowed(request.details, grant.details, request.client)


def _refresh(request: TokenRequest, presented: Presented[Any], *, value: str = "") -> tuple[RefreshToken | None, str]:
    """A refresh token that lives as long as the session, for clients registered for it."""
    client = request.client
    if "refresh_token" not in client.grants or not presented.session_ends_at:
        return None, ""
    value = value or secrets.token_urlsafe(32)
    row = RefreshToken(
        digest=digest(value),
        grant_id=presented.grant.id,
        client_id=client.id,
        expires_at=presented.session_ends_at,
        # Who proves itself at every refresh may change its key; nobody else may (RFC 9449 section 5).
        jkt=request.confirmation.jkt if client.public else "",
    )
    return row, value
