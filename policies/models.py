# SPDX-License-Identifier: Apache-2.0
"""The question and the answer: who wants to do what to which resource, from where, how surely identified.

A default is always the least powerful value, so a caller that forgets an attribute is denied.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

PrincipalKind = Literal["person", "organisation", "device", "service", "client", "anonymous"]
"""A citizen or civil servant is a person by role; a client is a program registered at the sign-on, a service one of the
site's own or an agency's, an organisation one that asks in its own name."""


class Code(StrEnum):
    """Why, for a page that says what to do about it and for the record."""

    ALLOWED = "allowed"
    # Nobody has been identified; logging in may help.
    LOGIN = "login"
    # The person, device or client is disabled in the directory.
    DISABLED = "disabled"
    # The person holds two roles that must be kept apart.
    SEPARATION = "separation"
    # The resource is classified above the principal's clearance.
    CLEARANCE = "clearance"
    # No role of the principal opens this resource.
    ROLE = "role"
    # From this zone the resource cannot be reached.
    ZONE = "zone"
    # A device certificate is required.
    DEVICE = "device"
    # The principal acts for somebody who gave no mandate.
    MANDATE = "mandate"
    # The resource is opened for a stated purpose only.
    PURPOSE = "purpose"
    # Surer identification is required; ``step_up`` says which level would do, if one can be reached.
    ASSURANCE = "assurance"
    # Nothing permits this for anybody.
    DEFAULT = "default"
    # The policies could not be evaluated; denied for that reason alone.
    ERROR = "policy_error"


class Action(StrEnum):
    """What policies know how to decide."""

    ACCESS = "access"
    LOGIN = "login"
    ISSUE = "issue"
    SIGN = "sign"
    SEAL = "seal"


class ResourceClass(StrEnum):
    """The classes of the shipped policies and the zone matrix; a class of no row and no policy is denied."""

    # Public facts and landing pages.
    PUBLIC = "public"
    # Portals for citizens and civil servants.
    PORTAL = "portal"
    # Offices of civil servants.
    OFFICE = "office"
    # Desks and consoles of officers and administrators: audit, ca, directory.
    CONSOLE = "console"
    # Certificates, by profile.
    PKI = "pki"
    # Interfaces for machines with a device certificate.
    DEVICE_API = "device-api"
    # The sign-on itself.
    SIGN_ON = "sign-on"
    # Signing and sealing documents.
    SIGNING = "signing"
    # Records of a register, by record class.
    RECORD = "record"
    # Destinations beyond the site's networks, reached by tunnel.
    EGRESS = "egress"


@dataclass(frozen=True, kw_only=True)
class DecisionRequest:
    """Everything a decision may depend on."""

    principal_kind: PrincipalKind
    # Random identifier of the person, device or client; "" for anonymous.
    subject: str = ""
    roles: frozenset[str] = frozenset()
    # The principal's own organisation, by identifier.
    organisation: str = ""
    # Organisations that gave the person a mandate which is valid now.
    mandates: frozenset[str] = frozenset()
    enabled: bool = False
    # How surely the directory knows the person, 0 to 3.
    proofing: int = 0
    # 0 to 3: the lower of proofing and of this session's authentication.
    assurance: int = 0
    methods: tuple[str, ...] = ()
    clearance: int = 0
    # One of ``Action``.
    action: str
    # HTTP method for access; empty otherwise.
    method: str = ""
    # Portal, console, client or certificate profile.
    resource: str
    # One of ``ResourceClass``.
    resource_class: str
    # Whom the resource belongs to: the future holder of a certificate, the organisation of a seal.
    owner: str = ""
    classification: int
    # Zone of the listener the request came in by, and zone the resource stands in.
    from_zone: str
    to_zone: str
    # Lowest assurance the resource itself asks for.
    required_assurance: int
    # Identifier of the device whose certificate accompanies the request.
    device: str | None = None
    # State of that device in the directory; empty if none.
    device_state: str = ""
    # Class of the record that is asked for; empty for what is no record.
    record_class: str = ""
    # Organisation the principal says to act for in this request; empty for its own business.
    acting_for: str = ""
    # What for, by a name of the site's list of purposes; empty if nothing was said.
    purpose: str = ""
    # The path is on the resource's own public list (landing page, callback).
    path_public: bool = False
    # Port of the listener, and what is spoken there: "https", "websocket", or "connect", where it is the destination's
    # port; empty where neither was seen.
    port: int = 0
    protocol: str = ""
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The answer, with what the record needs to explain it years later."""

    allowed: bool
    # A ``Code``; plain text in the record and in headers.
    code: str
    # ``@id`` of the policies, and ids of the zone matrix rows, that decided.
    reasons: tuple[str, ...]
    # The assurance level that would turn this answer into a permit, if the principal can reach it.
    step_up: int | None
    # Version of the policies that decided.
    version: str
    # What the principal could do about a denial.
    could: tuple["Remedy", ...] = ()
    # How a release that is tried in shadow would have decided, if otherwise: its version and code.
    shadow: tuple[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class Remedy:
    """One thing that would turn a denial into a permit, all else being equal."""

    # "login", "step_up", "network", "device", "mandate", "own_business" or "purpose".
    kind: str
    # The level, the zone or the organisation; empty where the kind says all.
    value: str = ""


@dataclass(frozen=True, kw_only=True)
class Past:
    """One decision as it stands in the record."""

    request: DecisionRequest
    allowed: bool
    # Ids of the policies and zone rows that decided.
    reasons: tuple[str, ...]
    # Version that was tried in shadow and decided otherwise, and its code; empty if none did.
    shadow: tuple[str, ...] = ()
