# SPDX-License-Identifier: Apache-2.0
"""A provider beside the real one, for clients that only test: the same requests, and answers about invented people.

It has an issuer, keys and tables of its own, so nothing it says is believed anywhere else: no gateway, portal or
endpoint of the real provider knows its issuer or its keys, and each of its tokens says ``test`` on top. It reads no
directory and opens no session. Real clients get nothing here, and clients for tests nothing there.
"""

import hashlib
import hmac
import json
import secrets
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key

from core.clock import Clock
from core.errors import TallygateError, Unavailable

from ..config import SSOSettings
from ..errors import (
    BadRequest,
    InteractionLost,
    InvalidClient,
    InvalidGrant,
    InvalidScope,
    InvalidToken,
    LoginRequired,
    Redirectable,
    Simulated,
    SimulatedRefusal,
    UnmetAuthentication,
    UnsupportedGrant,
)
from ..factors import strength
from ..models import (
    AuthorizationRequest,
    Call,
    Client,
    Code,
    Grant,
    Interaction,
    Redirection,
    RefreshToken,
    TokenAnswer,
)
from ..oauth.openid import ID_TOKEN_TYP, USERINFO_TYP, claims_of, id_claims
from ..oauth.rfc6749 import TokenRequest, is_registered, scope_text, token_request, why_refresh_refused, why_refused
from ..oauth.rfc6749.authorization import Parameters
from ..oauth.rfc7517 import KeyRing
from ..oauth.rfc8414 import simulated_metadata
from ..oauth.rfc9068 import TYP, AccessClaims, accepted, access_claims
from ..store import Store, digest
from .answers import Answers
from .authentication import ClientAuthentication
from .inspection import encrypted_to
from .invented import Invented, chosen
from .limits import Limits
from .parking import Parking
from .possession import Possession
from .records import Records
from .requests import Requests
from .seals import Broken, Seal
from .subjects import Subjects

PATH = "/simulator"
_SLOW = 4.0
# Of the curve P-256.
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_REFRESHABLE = 3600
# Errors whose status is another than most errors'.
_AT_TOKEN: Mapping[str, Callable[[], TallygateError]] = {
    "invalid_client": InvalidClient,
    "temporarily_unavailable": Unavailable,
}


def simulator_keys(key: bytes) -> KeyRing:
    """The simulator's own: follow from a secret of the role, so that all its processes have the same."""
    number = int.from_bytes(hmac.digest(key, b"simulator signing", hashlib.sha512)) % (_ORDER - 1) + 1
    return KeyRing(derive_private_key(number, SECP256R1()))


class Simulator:
    """Answers as the real provider would, had these people existed."""

    def __init__(
        self,
        *,
        issuer: str,
        tls_origin: str,
        store: Store,
        keys: KeyRing,
        key: bytes,
        requests: Requests,
        clients: ClientAuthentication,
        possession: Possession,
        subjects: Subjects,
        keyed: Callable[[Client], Client],
        records: Records,
        limits: Limits,
        settings: SSOSettings,
        clock: Clock,
        pause: Callable[[float], object],
    ) -> None:
        """``issuer`` is the simulator's own; ``clients`` and ``requests`` know it and clients for tests alone."""
        self.issuer = issuer
        self.metadata = simulated_metadata(issuer, tls_origin)
        self.jwks = keys.jwks()
        self.clients = clients
        self.requests = requests
        self._store = store
        self._keys = keys
        self._possession = possession
        self._subjects = subjects
        self._keyed = keyed
        self._records = records
        self._limits = limits
        self._clock = clock
        self._pause = pause
        self._answers = Answers(issuer=issuer, keys=keys, clock=clock)
        self._parking = Parking(
            key=hmac.digest(key, b"simulator", hashlib.sha256), clock=clock, lifetime=settings.interaction_lifetime
        )
        self._codes = Seal(key, "simulated code", clock=clock)
        self._refreshes = Seal(key, "simulated refresh token", clock=clock)
        self._code_lifetime = int(settings.code_lifetime.total_seconds())
        self._lifetime = int(settings.token_lifetime.total_seconds())
        # One slow answer at a time, so that nobody is kept waiting who did not ask for it.
        self._slow = threading.Semaphore(1)

    def begin(self, parameters: Parameters, *, browser: str, network: str) -> Redirection | str:
        """Take a request: answered at once if ``login_hint`` says with whom, else sealed until somebody chooses.

        Raises:
            BadRequest: client or return address are not certain, or the client is a real one.
            TooMany: from this network.
            RecordUnavailable: nothing was answered.
        """
        draft = self.requests.draft(parameters)
        if not draft.client.test:
            raise BadRequest(why="client_id")
        try:
            request = self.requests.validated(draft)
            if who := chosen(request.hint):
                return self._answer(request, who, network=network)
            if "none" in request.prompts:
                raise LoginRequired(why="login_hint names nobody invented")
            return self._parking.sealed(self._parking.begin(request, browser=browser, session=None))
        except Redirectable as error:
            return self._answers.bad(error, draft)

    def parked(self, sealed: str, *, browser: str) -> tuple[Interaction, Client]:
        """A request that waits for a choice, and who asked.

        Raises:
            InteractionLost: answered, over, or another browser's.
        """
        interaction = self._parking.opened(sealed, browser=browser)
        client = self._store.clients.find(interaction.request.client_id) if interaction.request else None
        if client is None or self._store.interactions.spent(interaction.id):
            raise InteractionLost
        return interaction, client

    def answer(self, interaction: Interaction, key: str, *, network: str) -> Redirection:
        """Go on with whom somebody chose.

        Raises:
            InteractionLost: nobody of this name, or another tab was faster.
            TooMany, RecordUnavailable: as ``begin``.
        """
        who, request = chosen(key), interaction.request
        if who is None or request is None:
            raise InteractionLost
        try:
            answer = self._answer(request, who, network=network)
        except Redirectable as error:
            answer = self._answers.bad(error, request)
        self._store.interactions.spend(interaction)
        return answer

    def issue(self, client: Client, call: Call) -> TokenAnswer:
        """Answer a token request.

        Raises:
            Simulated: what was chosen.
            InvalidGrant, InvalidScope, UnsupportedGrant: as the real provider.
            RecordUnavailable: nothing was issued.
        """
        request = token_request(client, call.parameters, confirmation=self._possession.binding(client, call))
        if request.grant_type == "authorization_code":
            return self._by_code(request)
        if request.grant_type == "refresh_token":
            return self._by_refresh(request)
        raise UnsupportedGrant

    def userinfo(self, call: Call) -> dict[str, Any] | str:
        """What the invented person's scopes open.

        Raises:
            InvalidToken: none of the simulator's, or its person was disabled.
        """
        token = self._possession.presented(call)
        claims = accepted(self._keys.read(token, typ=TYP, issuer=self.issuer), at=self._now())
        self._possession.check(claims.confirmation, call)
        client, who = self._store.clients.find(claims.client_id), chosen(claims.grant)
        if client is None or not client.test or who is None or who.later == "disabled":
            raise InvalidToken
        told = self._told(who, claims)
        self._record(client, who, step="userinfo")
        if not (client.userinfo_signed or client.userinfo_encrypted):
            return told
        signed = self._keys.sign({**told, "iss": self.issuer, "aud": client.id}, typ=USERINFO_TYP)
        return encrypted_to(self._keyed(client), signed) if client.userinfo_encrypted else signed

    def _told(self, who: Invented, claims: AccessClaims) -> dict[str, Any]:
        behalf = {"on_behalf_of": claims.on_behalf_of} if claims.on_behalf_of else {}
        return claims_of(who, claims.scopes) | behalf | {"sub": claims.subject, "test": True}

    def _answer(self, request: AuthorizationRequest, who: Invented, *, network: str) -> Redirection:
        self._limits.count(simulation__network=network)
        client = self._store.clients.find(request.client_id)
        if client is None or not is_registered(request.redirect_uri, client.redirect_uris):
            raise BadRequest(why="client_id")
        if who.error:
            self._record(client, who, step=who.error)
            raise SimulatedRefusal(who.error)
        if request.assurance > who.assurance:
            self._record(client, who, step=UnmetAuthentication.oauth_code)
            raise UnmetAuthentication(why="acr_values")
        self._record(client, who, step="code")
        code = {
            "id": secrets.token_urlsafe(18),
            "who": who.key,
            "client": client.id,
            "uri": request.redirect_uri,
            "challenge": request.challenge,
            "scopes": scope_text(request.scopes),
            "nonce": request.nonce,
            "jkt": request.jkt,
            "at": self._now(),
        }
        return self._answers.good(request, code=self._codes.close(json.dumps(code)))

    def _by_code(self, request: TokenRequest) -> TokenAnswer:
        said, who = self._opened(self._codes, request.unverified["code"])
        late = 0 if who.later == "expired" else said["at"] + self._code_lifetime
        code = Code(
            digest="",
            grant_id=who.key,
            client_id=said["client"],
            redirect_uri=said["uri"],
            challenge=said["challenge"],
            expires_at=late,
            used=False,
            jkt=said["jkt"],
        )
        if why_refused(code, request, at=self._now()):
            self._record(request.client, who, step="invalid_grant")
            raise InvalidGrant
        if not self._store.simulated.consume(digest(said["id"]), late):
            raise InvalidGrant
        if who.token_error:
            self._record(request.client, who, step=who.token_error)
            error = _AT_TOKEN.get(who.token_error, partial(Simulated, who.token_error))()
            raise error
        return self._tokens(request, who, said)

    def _by_refresh(self, request: TokenRequest) -> TokenAnswer:
        said, who = self._opened(self._refreshes, request.unverified["refresh_token"])
        token = RefreshToken(
            digest="", grant_id=who.key, client_id=said["client"], expires_at=said["until"], jkt=said["jkt"]
        )
        refused = why_refresh_refused(token, request, at=self._now()) or who.later == "disabled"
        if not refused and request.client.public:
            # Those of public clients rotate, as they do where people are real.
            refused = not self._store.simulated.consume(digest(said["id"]), said["until"])
        if refused:
            self._record(request.client, who, step="invalid_grant")
            raise InvalidGrant
        return self._tokens(request, who, said)

    def _tokens(self, request: TokenRequest, who: Invented, said: Mapping[str, Any]) -> TokenAnswer:
        granted = frozenset(said["scopes"].split())
        scopes = request.scopes or granted
        if not scopes <= granted:
            raise InvalidScope
        self._record(request.client, who, step="tokens")
        if who.later == "slow" and self._slow.acquire(blocking=False):
            try:
                self._pause(_SLOW)
            finally:
                self._slow.release()
        client, at = request.client, self._now()
        grant = Grant(
            id=who.key,
            subject=who.subject,
            client_id=client.id,
            sid=f"simulated-{digest(said['id'])[:24]}",
            scopes=scopes,
            assurance=who.assurance,
            methods=who.methods,
            authenticated_at=said["at"],
            nonce=said["nonce"],
            place="",
            created_at=at,
            mandate=who.mandate if "mandate" in scopes else "",
        )
        subject = self._subjects.of(client, who.subject)
        access = self._keys.sign(
            access_claims(
                grant,
                client,
                subject=subject,
                issuer=self.issuer,
                scopes=scopes,
                jti=secrets.token_urlsafe(18),
                at=at,
                lifetime=self._lifetime,
                confirmation=request.confirmation,
            )
            | {"test": True},
            typ=TYP,
        )
        id_token = ""
        if "openid" in scopes:
            told = id_claims(
                grant,
                authenticator=strength(grant.methods),
                subject=subject,
                issuer=self.issuer,
                access_token=access,
                at=at,
                lifetime=self._lifetime,
            )
            id_token = self._keys.sign(told | {"test": True}, typ=ID_TOKEN_TYP)
            if client.id_token_encrypted:
                id_token = encrypted_to(self._keyed(client), id_token)
        return TokenAnswer(
            access_token=access,
            expires_in=self._lifetime,
            scope=scope_text(scopes),
            id_token=id_token,
            refresh_token=self._refresh(request, said),
            token_type=request.confirmation.token_type,
        )

    def _refresh(self, request: TokenRequest, said: Mapping[str, Any]) -> str:
        if "refresh_token" not in request.client.grants:
            return ""
        if request.grant_type == "refresh_token" and not request.client.public:
            return request.unverified["refresh_token"]
        kept = {name: said[name] for name in ("who", "client", "scopes", "nonce", "at")} | {
            "id": secrets.token_urlsafe(18),
            "until": said.get("until", self._now() + _REFRESHABLE),
            "jkt": request.confirmation.jkt if request.client.public else "",
        }
        return self._refreshes.close(json.dumps(kept))

    def _opened(self, seal: Seal, presented: str) -> tuple[Mapping[str, Any], Invented]:
        try:
            said = json.loads(seal.open(presented))
        except Broken as error:
            raise InvalidGrant from error
        who = chosen(said["who"])
        if who is None:
            raise InvalidGrant
        return said, who

    def _record(self, client: Client, who: Invented, *, step: str) -> None:
        self._records.write(self._records.simulated(client, who=who.key, step=step))

    def _now(self) -> int:
        return int(self._clock.now().timestamp())
