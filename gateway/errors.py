# SPDX-License-Identifier: Apache-2.0
"""Errors of the gateway.

Forbidden
├── Refused          inside a decision: why, in one code; never leaves the decision
├── NotThroughProxy  a page of the gateway was called without nginx
└── NotYourZone      an enforcement point asks for a zone it does not stand in
Invalid
├── NotAQuestion     what an enforcement point sent is no question
├── BadTarget        a request target that two programs could read differently
├── BadLogin         a login that was not begun here, was begun too long ago, or came back wrong
└── BadReturn        an address to return to that is not one of this host's
NotFound
└── NoSuchResource   nothing at this address takes tokens
Unauthenticated
├── NoEnforcementPoint  whoever asks the decision point is none of its enforcement points
└── TokenRefused     a token that is forged, stale or meant for somebody else
Unavailable
└── SignOnUnavailable
"""

from enum import StrEnum

from core.errors import N_, Forbidden, Invalid, NotFound, Unauthenticated, Unavailable


class Reason(StrEnum):
    """Why access was denied: travels in one header, chooses the page, stands in the record."""

    # Nobody has been identified, or the session is over.
    LOGIN = "login"
    # A surer login would do.
    STEP_UP = "step-up"
    # What was presented is forged, stale or of a kind not taken here.
    CREDENTIAL = "credential"
    # More than one credential, or one given twice.
    AMBIGUOUS_CREDENTIAL = "ambiguous-credential"
    # The address or method can be read in two ways.
    AMBIGUOUS_PATH = "ambiguous-path"
    # The client said what only a proxy of ours may say of a request.
    FORWARDED = "forwarded"
    # A method, size or media type that this host does not take.
    UNACCEPTED = "unaccepted"
    # Another website's page asks for a connection in its visitor's name.
    ORIGIN = "origin"
    # Two officers have shut it in an emergency.
    SHUT = "shut"
    UNKNOWN_HOST = "unknown-host"
    # The name of a destination leads nowhere, or into a network of ours.
    DESTINATION = "destination"
    # Nobody can say now whether the certificate was revoked.
    STATUS = "status"
    TOO_MANY = "too-many"
    # From the policies.
    DISABLED = "disabled"
    SEPARATION = "separation"
    CLEARANCE = "clearance"
    ROLE = "role"
    ZONE = "zone"
    DEVICE = "device"
    MANDATE = "mandate"
    PURPOSE = "purpose"
    ASSURANCE = "assurance"
    DEFAULT = "default"
    POLICY_ERROR = "policy-error"
    # Something the decision needs does not answer; denied for that reason alone.
    UNAVAILABLE = "unavailable"
    RECORD_UNAVAILABLE = "record-unavailable"

    @property
    def status(self) -> int:
        """What nginx is told; it knows no other refusal."""
        return 401 if self in (Reason.LOGIN, Reason.CREDENTIAL) else 403


class Refused(Forbidden):
    """A step of the decision said no; the answer carries the reason."""

    code = "refused"

    def __init__(self, reason: Reason) -> None:
        super().__init__()
        self.reason = reason


class NotThroughProxy(Forbidden):
    """Only nginx may call these addresses: it alone knows which listener a request came in by."""

    code = "not_through_proxy"
    message = N_("This address can only be reached through the network entrance.")


class BadTarget(Invalid):
    """A request target that two programs could read differently; ``why`` is for the operational log."""

    code = "bad_target"
    message = N_("This address can be read in more than one way and is not accepted.")

    def __init__(self, why: str) -> None:
        super().__init__()
        self.why = why


class BadLogin(Invalid):
    """The answer of the sign-on does not belong to a login begun here."""

    code = "bad_login"
    message = N_("This login cannot be completed. It may have taken too long. Please start again from the service.")


class BadReturn(Invalid):
    """The page to return to after login is not a page of this host."""

    code = "bad_return"
    message = N_("The page to return to is not part of this service.")


class TokenRefused(Unauthenticated):
    """Forged, stale, or meant for somebody else; which of these is not said."""

    code = "token_refused"
    message = N_("The token is not valid here.")


class SignOnUnavailable(Unavailable):
    """The sign-on did not answer, or not with what the protocol promises."""

    code = "sign_on_unavailable"
    message = N_("The sign-on does not answer at the moment. Please try again shortly.")


class NoSuchResource(NotFound):
    """A host or path that takes no tokens, or not from this network."""

    code = "no_such_resource"
    message = N_("Nothing at this address takes tokens.")


class NotAQuestion(Invalid):
    """A question to the decision point that lacks a part, or has one of the wrong kind."""

    code = "no_question"
    message = N_("The question cannot be read: %(field)s.")


class NotYourZone(Forbidden):
    """An enforcement point asks about a request from a zone that it does not stand in."""

    code = "not_your_zone"
    message = N_("This enforcement point does not stand in that zone.")


class NoEnforcementPoint(Unauthenticated):
    """Neither the key nor the certificate of an enforcement point, or both."""

    code = "no_enforcement_point"
    message = N_("The decision point answers its enforcement points: show a key or a certificate.")
