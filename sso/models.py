# SPDX-License-Identifier: Apache-2.0
"""The nouns of sign-on. Times are whole seconds since 1970 (UTC), as they stand in tokens and tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

ResponseMode = Literal["query", "form_post"]
Prompt = Literal["none", "login", "consent", "select_account"]


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
    # authorization_code, refresh_token, client_credentials.
    grants: frozenset[str]
    # Whom its access tokens are for: the portal's origin.
    audience: str
    # The site's own: no consent is asked, and it may ask about every token.
    trusted: bool = False
    # Keeps no secret, so its refresh tokens rotate.
    public: bool = False
    # SHA-256 of the secret; empty for public clients.
    secret_hash: str = ""


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


@dataclass(frozen=True, kw_only=True)
class Interaction:
    """A request parked while somebody logs in or agrees; works only in the browser that began it."""

    # Answered once.
    id: str
    # Digest of the cookie of the browser that began it.
    browser: str
    # None: the person wants nothing but a page of "My account".
    request: AuthorizationRequest | None
    # Digest of the session's cookie when it began; empty if there was none. Every login changes it.
    begun_as: str
    # The same when somebody looked at the consent page and said yes; empty before.
    agreed_as: str
    expires_at: int
    # Number of one card login within it; empty but on the way to the card host and back.
    ticket: str = ""
    # Where without a request the person wants to go, for which a login within it is needed; empty: "My account".
    page: str = ""

    def logged_in(self, session: "Session | None") -> bool:
        """Whether a login was completed within it, which is what ``prompt=login`` and ``max_age`` ask for."""
        return session is not None and session.digest != self.begun_as

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
    # What else it was made with, and ends with: "codes" for an app; empty if nothing.
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


@dataclass(frozen=True, kw_only=True)
class Grant:
    """One authorization by one person to one client in one session: the family of everything issued from it."""

    id: str
    subject: str
    client_id: str
    sid: str
    scopes: frozenset[str]
    assurance: int
    methods: tuple[str, ...]
    authenticated_at: int
    nonce: str
    # Host name the answer went to: the portal as its user knows it, also where the gateway logs in on its behalf.
    place: str
    created_at: int


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


@dataclass(frozen=True, kw_only=True)
class RefreshToken:
    """A refresh token's row."""

    digest: str
    grant_id: str
    client_id: str
    expires_at: int
    used: bool


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

    def document(self) -> dict[str, str | int]:
        """The JSON members; absent ones are left out."""
        members: dict[str, str | int] = {
            "access_token": self.access_token,
            "token_type": "Bearer",
            "expires_in": self.expires_in,
            "scope": self.scope,
        }
        if self.id_token:
            members["id_token"] = self.id_token
        if self.refresh_token:
            members["refresh_token"] = self.refresh_token
        return members
