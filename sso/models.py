# SPDX-License-Identifier: Apache-2.0
"""The nouns of sign-on. Times are whole seconds since 1970 (UTC), as they stand in tokens and tables."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

ResponseMode = Literal["query", "form_post", "query.jwt", "form_post.jwt"]
Prompt = Literal["none", "login", "consent", "select_account"]
AuthMethod = Literal["client_secret_basic", "private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth", "none"]
SubjectType = Literal["public", "pairwise"]
Requirement = Literal["par", "signed_request", "signed_response", "signed_introspection", "dpop", "mtls"]


@dataclass(frozen=True, kw_only=True)
class Client:
    """An application that may ask us who somebody is."""

    id: str
    name: str
    name_zh: str
    # Exact addresses; nothing is ever compared but equality (RFC 9700 section 2.1).
    redirect_uris: tuple[str, ...]
    post_logout_uris: tuple[str, ...]
    scopes: frozenset[str]
    # authorization_code, refresh_token, client_credentials, or a registered URN.
    grants: frozenset[str]
    # Whom its access tokens are for: the portal's origin.
    audience: str
    # The site's own: no consent is asked, and it may ask about every token.
    trusted: bool = False
    # Keeps no secret, so its refresh tokens rotate.
    public: bool = False
    # SHA-256 of the secret; empty for whoever proves itself otherwise, or not at all.
    secret_hash: str = ""
    # How it proves who it is, exactly so and in no other way (RFC 7591 section 2).
    method: AuthMethod = "client_secret_basic"
    # Its public keys as a JWK set in JSON: for assertions, request objects and its own certificate; empty if none.
    jwks: str = ""
    # Whom its certificate must be issued to, as the site's authority names it; for ``tls_client_auth``.
    certificate_subject: str = ""
    # What its requests and tokens must be, whatever it asks.
    requires: frozenset[Requirement] = frozenset()
    # What it may ask tokens for beside its audience (RFC 8707).
    resources: frozenset[str] = frozenset()
    # The types of authorization details it may ask for (RFC 9396).
    detail_types: frozenset[str] = frozenset()
    # Exact addresses of request objects that may be fetched (RFC 9101 section 5.2).
    request_uris: tuple[str, ...] = ()
    # How it knows people: by the directory's identifier, or by one of its sector's own (OpenID Connect Core 8.1).
    subject_type: SubjectType = "public"
    # Whose applications know a person by the same identifier: an agency, or a host. Never changes.
    sector: str = ""
    # What is told about people is signed, and encrypted to a key of the client.
    userinfo_signed: bool = False
    userinfo_encrypted: bool = False
    id_token_encrypted: bool = False
    # What it is told of tokens, too (RFC 9701); plain answers are then refused.
    introspection_encrypted: bool = False
    # Where it keeps its public keys, instead of ``jwks``; fetched, never taken from a token.
    jwks_uri: str = ""
    # Where it is told by the back channel that a session ended; empty if it is not.
    logout_uri: str = ""
    # SHA-256 of the token by which it manages its own registration; empty if an operator registered it.
    manage_hash: str = ""
    # Of the one before, which counts until that is used: whoever did not hear the answer has no other.
    manage_before: str = ""
    # The scopes it may register for, if it manages itself.
    ceiling: frozenset[str] = frozenset()
    # Only tries things out: nobody real logs in there.
    test: bool = False
    # Who is written to about it, and the agency whose it is; empty if an operator registered it.
    contact: str = ""
    agency: str = ""


ApplicationState = Literal["waiting", "granted", "refused", "done"]


@dataclass(frozen=True, kw_only=True)
class Application:
    """A registration that somebody asks for: somebody else decides, and whoever asked fetches the secrets once."""

    id: str
    # The client that may come of it.
    client_id: str
    agency: str
    asked_by: str
    asked_at: int
    # What it says of itself, every check passed, as JSON (RFC 7591).
    metadata: str
    test: bool
    contact: str
    state: ApplicationState = "waiting"
    decided_by: str = ""
    decided_at: int = 0
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Invitation:
    """An initial access token: whoever has it may register clients for one agency (RFC 7591 section 3)."""

    digest: str
    # Of all clients that come of it; empty: each client's own.
    sector: str
    scopes: frozenset[str]
    uses_left: int
    expires_at: int


@dataclass(frozen=True, kw_only=True)
class Goodbye:
    """A client that is to be told that a session ended."""

    id: str
    client_id: str
    subject: str
    sid: str
    attempts: int
    due_at: int
    expires_at: int


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request of a program, as far as it can prove anything; nothing in it is verified."""

    method: str
    # The address as the issuer spells it; never as a Host header does.
    url: str
    authorization: str | None
    parameters: Mapping[str, Sequence[str]]
    # PEM of the certificate whose key the caller holds, as nginx vouches; empty if it showed none.
    unverified_certificate: bytes = b""
    # Every DPoP header that came.
    unverified_proofs: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class AuthorizationRequest:
    """What a client asked for, every check passed."""

    client_id: str
    redirect_uri: str
    scopes: frozenset[str]
    state: str
    nonce: str
    challenge: str
    mode: ResponseMode
    prompts: frozenset[str]
    # Seconds; None if the client does not mind.
    max_age: int | None
    # Lowest assurance the client asked for; 0 if none.
    assurance: int
    # For whom tokens shall be (RFC 8707); empty: the client's own audience.
    resources: frozenset[str] = frozenset()
    # Authorization details (RFC 9396) in canonical JSON; empty if none.
    details: str = ""
    # Thumbprint of the key that alone may redeem the code (RFC 9449 section 10); empty if none was named.
    jkt: str = ""
    # Single claims asked for beside scopes, by place, in canonical JSON; empty if none.
    claims: str = ""
    # The one person the answer may be about, as the client knows them; empty: anybody.
    subject: str = ""
    # What the client believes the person logs in as; only fills in a field.
    hint: str = ""
    # The language the client asks for; empty if none of ours. The person's own choice comes first.
    locale: str = ""
    # For whom the client was told that the person acts: a mandate's key or "self"; empty if it does not say.
    acting: str = ""


SELF = "self"
"""The choice of whoever acts for nobody else."""


@dataclass(frozen=True, kw_only=True)
class HeldMandate:
    """Somebody for whom a person may act today."""

    kind: Literal["organisation", "person"]
    # Of the organisation or person.
    id: str
    name: str
    name_zh: str
    # What for: the name of a service, or "all".
    service: str
    # Last day, ISO 8601.
    until: str

    @property
    def key(self) -> str:
        """By which grants name it."""
        return f"{self.kind}:{self.id}:{self.service}"


@dataclass(frozen=True, kw_only=True)
class Interaction:
    """A request parked while somebody logs in or agrees; works only in the browser that began it."""

    # Answered once.
    id: str
    # Digest of the cookie of the browser that began it.
    browser: str
    # None: the person wants nothing but a page of "My account".
    request: AuthorizationRequest | None
    # Number of the login whose session it began in; empty if there was none. Every complete login changes it.
    begun_as: str
    # The same when somebody looked at the consent page and said yes; empty before.
    agreed_as: str
    expires_at: int
    # Number of one card login within it; empty but on the way to the card host and back.
    ticket: str = ""
    # Where without a request the person wants to go, for which a login within it is needed; empty: "My account".
    page: str = ""
    # For whom the person wants to act: a mandate's key, or "self"; empty before that was asked.
    acting: str = ""
    # Digest of the session's cookie when that was chosen.
    acting_as: str = ""
    # By what the person confirmed a signature within it ("passkey", "card"), when, and the digest of their cookie then.
    confirmed_by: str = ""
    confirmed_at: int = 0
    confirmed_as: str = ""

    def logged_in(self, session: "Session | None") -> bool:
        """Whether a login was completed within it, which is what ``prompt=login`` and ``max_age`` ask for.

        A proof beside a login that was there before is none: the session keeps the number of that login.
        """
        return session is not None and session.login not in ("", self.begun_as)

    def chosen(self, session: "Session | None") -> str:
        """For whom this very login's person wants to act; empty if that was not asked."""
        return self.acting if session is not None and session.digest == self.acting_as else ""

    def confirmed(self, session: "Session | None") -> bool:
        """Whether this very login's person confirmed a signature within it."""
        return session is not None and bool(self.confirmed_by) and session.digest == self.confirmed_as

    def agreed(self, session: "Session | None") -> bool:
        """Whether this very login's person said yes within it."""
        return session is not None and session.digest == self.agreed_as


@dataclass(frozen=True, kw_only=True)
class Authentication:
    """Proof that somebody logged in just now, and how."""

    subject: str
    name: str
    name_zh: str
    methods: tuple[str, ...]
    # 1 to 3: the lower of identity proofing and authenticator.
    assurance: int
    # Serial of the card's certificate, lower-case hexadecimal; empty for passwords.
    certificate: str = ""
    # What else it was made with, and ends with: "codes" for an app, a passkey's number; empty if nothing.
    factor: str = ""


@dataclass(frozen=True, kw_only=True)
class CodeApp:
    """An app that makes one-time codes for one person."""

    subject: str
    # Sealed.
    secret: str
    # Newest time step a code was taken of.
    step: int
    created_at: int
    # From here on it is asked for at every login by password, and makes it a login with two factors.
    counts_from: int
    used_at: int | None


@dataclass(frozen=True, kw_only=True)
class Passkey:
    """A key on a device of one person."""

    # Ours; sessions opened with it name it.
    id: str
    subject: str
    # What browsers call it, base64url; and its public half.
    credential: str
    public_key: str
    # How often its device says it was used; 0 for those that do not count.
    uses: int
    # What its owner calls it.
    name: str
    # Whether it may be copied to other devices of its owner.
    synced: bool
    created_at: int
    # From here on a login with it is one with two factors.
    counts_from: int
    used_at: int | None = None


@dataclass(frozen=True, kw_only=True)
class UpstreamLink:
    """Who somebody is at the other provider that the site has an agreement with."""

    # Keyed digest of the identifier agreed on.
    key: str
    # Ours; sessions opened by it name it.
    id: str
    subject: str
    # Keyed digest of what the provider calls them in its logout tokens.
    named: str
    created_at: int
    # Before that a login by it is worth one factor.
    counts_from: int
    used_at: int | None = None


@dataclass(frozen=True, kw_only=True)
class KnownBrowser:
    """A browser in which one person logged in before. It spares its person other people's delays; it proves nobody."""

    # Ours; pages name it.
    id: str
    # Of its cookie and the user name together, so that it is worth nothing for anybody else.
    digest: str
    subject: str
    network: str
    agent: str
    created_at: int
    seen_at: int
    expires_at: int


WarningKind = Literal["browser", "failures", "travel"]


@dataclass(frozen=True, kw_only=True)
class Suspicion:
    """A login that may not have been the person's own, until they say."""

    id: str
    subject: str
    kind: WarningKind
    sid: str
    network: str
    agent: str
    at: int
    expires_at: int
    # None while nobody has said whose it was.
    answered_at: int | None = None


@dataclass(frozen=True, kw_only=True)
class Letter:
    """Something that a person is to be told by mail, until they were."""

    id: str
    subject: str
    # Which text.
    kind: str
    # What it says beyond that, sealed.
    facts: str
    attempts: int
    due_at: int
    expires_at: int


RecoveryState = Literal["asked", "mailed", "opened", "waiting", "ready", "proven", "setting", "done", "stopped"]


@dataclass(frozen=True, kw_only=True)
class Recovery:
    """Somebody who cannot log in any more, on the way back. Each state is reached from the one before alone.

    asked -> mailed -> opened -> proven -> setting -> done, and where a second proof is missing or the person is surely
    known: opened -> waiting -> ready -> proven. From every one but the last two to stopped.
    """

    id: str
    # What was typed, sealed; empty once it was looked up.
    asked: str
    # Empty before.
    subject: str
    state: RecoveryState
    # Digest of the link that was mailed and not used yet; empty if none.
    link: str
    # Digest of the cookie of the browser that used it.
    browser: str
    # Whether the second factors are lost too, and go with it.
    drops: bool
    # When waiting is over.
    ready_at: int
    network: str
    created_at: int
    expires_at: int


ResetState = Literal["asked", "cooling", "done", "stopped"]


@dataclass(frozen=True, kw_only=True)
class FactorReset:
    """Second factors that an administrator takes away from somebody who lost them.

    asked -> cooling -> done for people of high assurance, whose reset another administrator confirms and who can stop
    it meanwhile; for all others asked -> done. From the first two to stopped.
    """

    id: str
    subject: str
    # Why, in the administrator's words.
    reason: str
    state: ResetState
    # Whether another has to confirm, and the person has time.
    high: bool
    asked_by: str
    asked_at: int
    confirmed_by: str
    # When it is done, once confirmed; 0 before.
    ready_at: int
    expires_at: int


@dataclass(frozen=True, kw_only=True)
class ClientLock:
    """An application that may do nothing, until one administrator asks for its unlocking and another confirms."""

    client_id: str
    reason: str
    locked_by: str
    locked_at: int
    # Who asks to unlock it, when and why; empty if nobody does.
    asked_by: str = ""
    asked_at: int = 0
    asked_reason: str = ""


@dataclass(frozen=True, kw_only=True)
class RecoveryCodes:
    """How many codes on paper somebody has left, of those made last."""

    left: int
    created_at: int


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """Where a request comes from, as far as we keep it."""

    # Sealed in the record, never stored beside the session.
    address: str
    # /24 or /48 of it: not personal, used for limits and shown in "My account".
    network: str
    # Family and system of the browser in a few words.
    agent: str


@dataclass(frozen=True, kw_only=True)
class Session:
    """One login in one browser."""

    # Public identifier (claim ``sid``).
    sid: str
    # Of the cookie's value, which is stored nowhere and changes at every login.
    digest: str
    subject: str
    name: str
    name_zh: str
    methods: tuple[str, ...]
    assurance: int
    certificate: str
    network: str
    agent: str
    authenticated_at: int
    created_at: int
    seen_at: int
    expires_at: int
    # What beside password or card it was opened with; empty if nothing.
    factor: str = ""
    # Number of the login that opened it; what was proved beside it since then changes none of it.
    login: str = ""


@dataclass(frozen=True, kw_only=True)
class Grant:
    """One authorization by one person to one client in one session: the family of everything issued from it."""

    id: str
    subject: str
    client_id: str
    sid: str
    # What was granted, and what was asked for and refused.
    scopes: frozenset[str]
    assurance: int
    methods: tuple[str, ...]
    authenticated_at: int
    nonce: str
    # Host name the answer went to: the portal as its user knows it, also where the gateway logs in on its behalf.
    place: str
    created_at: int
    refused: frozenset[str] = frozenset()
    # For whom its tokens may be, beside the client's audience (RFC 8707).
    resources: frozenset[str] = frozenset()
    # Authorization details (RFC 9396) in canonical JSON; empty if none.
    details: str = ""
    # The mandate it was given under, as ``kind:identifier:service``; empty if the person acts for themselves.
    mandate: str = ""
    # Single claims granted beside scopes, by place, in canonical JSON; empty if none.
    claims: str = ""
    # How surely the registrar knew the person then; -1 if a release of before did not keep it.
    proofing: int = -1


@dataclass(frozen=True, kw_only=True)
class Code:
    """An authorization code's row; the code itself is not kept."""

    digest: str
    grant_id: str
    client_id: str
    redirect_uri: str
    challenge: str
    expires_at: int
    used: bool
    # Thumbprint of the key it is bound to; empty if to none.
    jkt: str = ""


@dataclass(frozen=True, kw_only=True)
class RefreshToken:
    """A refresh token's row."""

    digest: str
    grant_id: str
    client_id: str
    expires_at: int
    # When it was exchanged for the next; None if it was not.
    used_at: int | None = None
    # Thumbprint of the key it is bound to; empty if to none.
    jkt: str = ""

    @property
    def used(self) -> bool:
        """Whether another followed it."""
        return self.used_at is not None


@dataclass(frozen=True, kw_only=True)
class BackChannel:
    """How one client can be told of the end of sessions."""

    client_id: str
    # Logout tokens sent to it in the hour that began then.
    hour: int
    sent: int
    # How many ends it was never told of since it was last reached, and when it was not.
    missed: int
    missed_at: int


@dataclass(frozen=True, kw_only=True)
class Pushed:
    """A request that was pushed and waits for its browser (RFC 9126)."""

    # Of the ``request_uri``.
    digest: str
    client_id: str
    # The parameters as they were pushed, every check passed; JSON.
    parameters: str
    expires_at: int


DeviceState = Literal["waiting", "granted", "refused", "used"]


@dataclass(frozen=True, kw_only=True)
class DeviceCode:
    """A device that waits for its person, or was decided on (RFC 8628)."""

    # Of the code that only the device has, and of the short one that it shows.
    digest: str
    user_digest: str
    client_id: str
    scopes: frozenset[str]
    resources: frozenset[str]
    details: str
    # Thumbprint of the key it is bound to; empty if to none.
    jkt: str
    # Where it asked from, shown to the person.
    network: str
    agent: str
    asked_at: int
    expires_at: int
    # Seconds that it has to wait between two questions; grows when it does not.
    interval: int
    polled_at: int = 0
    state: DeviceState = "waiting"
    # The family that came of a yes; empty before.
    grant_id: str = ""


V = TypeVar("V")


@dataclass(frozen=True, kw_only=True)
class Presented(Generic[V]):
    """A one-time value that was found, with everything its redemption depends on."""

    value: V
    grant: Grant
    # Whether family, session, person and certificate all count.
    stands: bool
    # 0 for a machine's own grant, which has no session.
    session_ends_at: int
    # What the person agreed to; None if nothing, or no longer.
    consent: "Consent | None"


@dataclass(frozen=True, kw_only=True)
class Consent:
    """What a person agreed a client may read."""

    subject: str
    client_id: str
    scopes: frozenset[str]
    granted_at: int
    expires_at: int
    # What the person was asked for and refused; not asked again while this stands.
    refused: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Handover:
    """A card login on its way back from the card host."""

    interaction: Interaction
    authentication: Authentication


@dataclass(frozen=True, kw_only=True)
class LoginDecision:
    """What the policies say about a login."""

    allowed: bool
    # Assurance at which it would be allowed, if that is all that is missing.
    step_up: int | None = None
    reasons: tuple[str, ...] = ()
    version: str = ""
    code: str = ""


@dataclass(frozen=True, kw_only=True)
class Redirection:
    """An answer to a client, by way of the browser."""

    uri: str
    parameters: Mapping[str, str]
    mode: ResponseMode = "query"


@dataclass(frozen=True, kw_only=True)
class TokenAnswer:
    """What the token endpoint says (RFC 6749 section 5.1)."""

    access_token: str
    expires_in: int
    scope: str
    id_token: str = ""
    refresh_token: str = ""
    # What kind of token an exchange gave (RFC 8693 section 2.2.1); empty for all other grants.
    issued_token_type: str = ""
    # Authorization details (RFC 9396) in JSON; empty if none.
    details: str = ""
    token_type: str = "Bearer"  # noqa: S105 - a registered name

    def document(self) -> dict[str, Any]:
        """The JSON members; absent ones are left out."""
        members: dict[str, Any] = {
            "access_token": self.access_token,
            "token_type": self.token_type,
            "expires_in": self.expires_in,
            "scope": self.scope,
        }
        if self.id_token:
            members["id_token"] = self.id_token
        if self.issued_token_type:
            members["issued_token_type"] = self.issued_token_type
        if self.details:
            members["authorization_details"] = json.loads(self.details)
        if self.refresh_token:
            members["refresh_token"] = self.refresh_token
        return members
