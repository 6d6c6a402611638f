# SPDX-License-Identifier: Apache-2.0
"""The nouns of a decision: the question nginx asks, who the caller turned out to be, and the answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Self, TypedDict

from .config import Route
from .errors import Reason

TIES = "Tallygate-Ties"
"""Header by which whoever decided tells whoever keeps a connection open what it hangs on."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """One original request, as nginx vouches for it; nothing in it has been checked."""

    listener: str
    unverified_method: str
    unverified_host: str
    # The raw request target.
    unverified_target: str
    unverified_cookie: str
    unverified_authorization: str
    # URL-encoded PEM, empty if TLS was given none or the host asks for none.
    unverified_certificate: str
    address: str
    # The number nginx gave the request, by which its log and our entry find each other.
    number: str = ""
    # The DPoP header: proof that a bound token's key is at hand; empty if none came.
    unverified_proof: str = ""
    # Whether something came that only a proxy of ours may say, or came twice.
    forwarded: bool = False
    # Bytes of the body as announced; -1 if it comes in chunks.
    length: int = 0
    # Media type of the body, lower case, without parameters.
    media: str = ""
    # What the client wants to change the connection into (RFC 9110 section 7.8); empty if nothing.
    upgrade: str = ""
    # The page that asks, as browsers say it.
    origin: str = ""
    # Whether the proxy itself limits what one address may ask.
    limited: bool = True


@dataclass(frozen=True, kw_only=True)
class Target:
    """A request target with exactly one reading."""

    method: str
    raw: str
    # Decoded path; query stripped.
    path: str


@dataclass(frozen=True, kw_only=True)
class Session:
    """One person's session at one host and listener."""

    # SHA-256 of the cookie, hexadecimal; the cookie itself is kept nowhere.
    digest: str
    # Session at the sign-on.
    session: str
    subject: str
    acr: int
    methods: tuple[str, ...]
    host: str
    listener: str
    opened: datetime
    seen: datetime
    # For leaving at the sign-on (OpenID Connect RP-Initiated Logout).
    id_token: str
    # On whose behalf, as ``kind:identifier:service``; empty if the person acts for themselves.
    mandate: str = ""
    # When that is over by itself, in seconds since 1970; 0 for whoever acts for themselves.
    mandate_ends: int = 0


@dataclass(frozen=True, kw_only=True)
class Token:
    """An access token whose signature, issuer, audience and times are right."""

    subject: str
    session: str
    client: str
    # Family the token came from.
    grant: str
    identifier: str
    acr: int
    methods: tuple[str, ...]
    # What it works with alone: thumbprint of a key, or SHA-256 of a certificate; empty if with neither.
    jkt: str = ""
    x5t: str = ""
    # On whose behalf, as ``kind:identifier:service``; empty if the person acts for themselves.
    mandate: str = ""
    # Seconds since 1970.
    expires_at: int = 0


@dataclass(frozen=True, kw_only=True)
class ProgramToken:
    """An access token that a program got for itself (RFC 6749 section 4.4), as right as a ``Token``, and bound."""

    client: str
    grant: str
    identifier: str
    scopes: frozenset[str]
    # Of these exactly one is not empty.
    jkt: str = ""
    x5t: str = ""
    expires_at: int = 0


class Principal(TypedDict):
    """What a question to the policies says of a caller, by the fields of ``policies.models.DecisionRequest``."""

    principal_kind: Literal["person", "device", "client", "anonymous"]
    subject: str
    roles: frozenset[str]
    organisation: str
    mandates: frozenset[str]
    acting_for: str
    enabled: bool
    proofing: int
    assurance: int
    methods: tuple[str, ...]
    clearance: int
    device: str | None
    device_state: str


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who is asking, after identification."""

    kind: Literal["person", "device", "client", "anonymous"]
    subject: str = ""
    name: str = ""
    name_zh: str = ""
    session: str = ""
    # How: "session", "token", "certificate"; empty for nobody.
    credential: str = ""
    # Who presented a token.
    client: str = ""
    roles: frozenset[str] = frozenset()
    organisation: str = ""
    mandates: frozenset[str] = frozenset()
    # On whose behalf this request is made, as in the token; empty if on the person's own.
    mandate: str = ""
    enabled: bool = False
    proofing: int = 0
    assurance: int = 0
    methods: tuple[str, ...] = ()
    clearance: int = 0
    # State of a device in the directory.
    device_state: str = ""
    # Kinds and names of what this access hangs on: taken away, it is over. See ``gateway.store.Kind``.
    ties: tuple[tuple[str, str], ...] = ()
    # When it is over by itself; None if it does not say.
    until: datetime | None = None

    @property
    def acting_for(self) -> str:
        """The organisation this request is made for; empty if for the person, or for another person."""
        kind, _, rest = self.mandate.partition(":")
        return rest.partition(":")[0] if kind == "organisation" else ""

    @property
    def principal(self) -> Principal:
        """As every question to the policies says who asks."""
        return {
            "principal_kind": self.kind,
            "subject": self.subject,
            "roles": self.roles,
            "organisation": self.organisation,
            "mandates": self.mandates,
            "acting_for": self.acting_for,
            "enabled": self.enabled,
            "proofing": self.proofing,
            "assurance": self.assurance,
            "methods": self.methods,
            "clearance": self.clearance,
            "device": self.subject if self.kind == "device" else None,
            "device_state": self.device_state,
        }


NOBODY = Caller(kind="anonymous")


@dataclass(frozen=True, kw_only=True)
class Ruling:
    """What was decided and on whom, before it is recorded."""

    reason: Reason | None
    caller: Caller = NOBODY
    resource: str = ""
    route: Route | None = None
    target: Target | None = None
    step_up: int | None = None
    # What the caller could do, as the policies see it: each ``kind`` or ``kind=value``.
    could: tuple[str, ...] = ()
    # Ids of policies and zone rows.
    policies: tuple[str, ...] = ()
    version: str = ""
    # Where the request came from; empty if that was not found out.
    zone: str = ""
    # Where else it may have come from: zones that a proxy could speak for where it cannot prove itself.
    origins: frozenset[str] = frozenset()
    # What the entry keeps of the question that the policies were asked, for replaying it.
    asked: Mapping[str, str | int | bool] = field(default_factory=dict)

    def at(self, target: Target) -> Self:
        """The same ruling on another target."""
        # A frozen dataclass makes a call of each field, and nearly every request is answered by one.
        made = object.__new__(type(self))
        vars(made).update(vars(self), target=target)
        return made

    @property
    def allowed(self) -> bool:
        """Whether nothing spoke against it."""
        return self.reason is None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What nginx is told."""

    status: int
    decision: str
    reason: str = ""
    # Signed identity header; empty for nobody.
    identity: str = ""
    # Assurance that would do, with the reason "step-up"; else 0.
    step_up: int = 0
    # What the caller could do about a denial, as in the ruling.
    could: tuple[str, ...] = ()
    # What an open connection hangs on, signed for whoever keeps it open; empty if none was asked for.
    ties: str = ""


@dataclass(frozen=True, kw_only=True)
class Login:
    """A login begun at one host and listener and not yet finished."""

    state: str
    nonce: str
    # PKCE code verifier (RFC 7636).
    verifier: str
    host: str
    listener: str
    # Where to go afterwards: a path of the same host.
    to: str
    begun: int


@dataclass(frozen=True, kw_only=True)
class SignOn:
    """What a verified ID token says."""

    subject: str
    session: str
    acr: int
    methods: tuple[str, ...]
    at: datetime
    # On whose behalf, and until when, as with a session.
    mandate: str = ""
    mandate_ends: int = 0
