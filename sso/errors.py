# SPDX-License-Identifier: Apache-2.0
"""Errors of the sign-on service. ``oauth_code`` is the registered code (RFC 6749, OpenID Connect Core) on the wire.

Invalid
├── BadRequest            an authorization request that must never be redirected (unknown client, foreign address)
├── Redirectable          one that is told to the client's registered address; subclasses name the code
├── InvalidGrant          a code or refresh token that does not count
├── InvalidScope
├── UnsupportedGrant
├── UnauthorizedClient
├── BadTokenRequest
├── InteractionLost       the parked request is gone, finished or belongs to another browser
└── BadClient             a registration nobody should accept
Unauthenticated
├── InvalidClient         client authentication failed
├── InvalidToken          an access token that does not count (RFC 6750)
├── LoginRefused          one sentence for unknown, locked and wrong
├── CardRefused           the certificate or its card does not count; subclasses say which of the few reasons
└── NotLoggedIn           a page of "My account" without a session
Forbidden
├── PolicyRefused         the policies do not let this person log in here
├── StepUpNeeded          they would, with a card
└── InsufficientScope
"""

from core.errors import N_, Forbidden, Invalid, Unauthenticated


class BadRequest(Invalid):
    """Shown as a page: where the answer should go is not known to be the client's."""

    code = "bad_authorization_request"
    message = N_(
        "The service that sent you here asked in a way that cannot be right (%(why)s). Nothing was sent to it."
    )
    oauth_code = "invalid_request"


class Redirectable(Invalid):
    """Told to the client at its registered address (RFC 6749 section 4.1.2.1)."""

    code = "authorization_refused"
    message = N_("The service that sent you here made a mistake: %(why)s")
    oauth_code = "invalid_request"


class UnsupportedResponseType(Redirectable):
    """Only ``code`` is spoken here."""

    oauth_code = "unsupported_response_type"


class ScopeRefused(Redirectable):
    """A scope that is unknown or not registered for the client."""

    oauth_code = "invalid_scope"


class RequestNotSupported(Redirectable):
    """Request objects are not taken by value (OpenID Connect Core 3.1.2.6)."""

    oauth_code = "request_not_supported"


class RequestURINotSupported(Redirectable):
    """Request objects are never fetched."""

    oauth_code = "request_uri_not_supported"


class LoginRequired(Redirectable):
    """``prompt=none`` and nobody is logged in, not long enough ago or not strongly enough."""

    oauth_code = "login_required"


class ConsentRequired(Redirectable):
    """``prompt=none`` and the person has not agreed yet."""

    oauth_code = "consent_required"


class AccessDenied(Redirectable):
    """The person said no, or may not."""

    oauth_code = "access_denied"


class UnmetAuthentication(Redirectable):
    """The asked-for assurance cannot be reached by this person (OpenID Unmet Authentication Requirements 1.0)."""

    oauth_code = "unmet_authentication_requirements"


class InvalidGrant(Invalid):
    """Expired, used, revoked, another client's, or never issued: which of these is not said."""

    code = "invalid_grant"
    message = N_("This authorization does not count, or no longer.")
    oauth_code = "invalid_grant"


class InvalidScope(Invalid):
    """More was asked than was granted."""

    code = "invalid_scope"
    message = N_("The scope asked for is more than what was granted.")
    oauth_code = "invalid_scope"


class UnsupportedGrant(Invalid):
    """A grant type that is unknown here."""

    code = "unsupported_grant_type"
    message = N_("This kind of grant is not offered here.")
    oauth_code = "unsupported_grant_type"


class UnauthorizedClient(Invalid):
    """A grant type this client is not registered for."""

    code = "unauthorized_client"
    message = N_("This client is not registered for this kind of grant.")
    oauth_code = "unauthorized_client"


class BadTokenRequest(Invalid):
    """A parameter is missing, doubled or cannot be read."""

    code = "invalid_request"
    message = N_("The field “%(field)s” is missing, given twice, or cannot be read.")
    oauth_code = "invalid_request"


class InteractionLost(Invalid):
    """Finished, expired or begun in another browser."""

    code = "interaction_lost"
    message = N_("This login was finished, has expired, or was begun in another browser. Please start again there.")


class BadClient(Invalid):
    """A registration nobody should accept; ``why`` says what is wrong."""

    code = "bad_client"
    message = N_("This client cannot be registered: %(why)s")


class InvalidClient(Unauthenticated):
    """Unknown client or wrong secret: which of both is not said."""

    code = "invalid_client"
    message = N_("Client authentication failed.")
    oauth_code = "invalid_client"


class InvalidToken(Unauthenticated):
    """An access token that is malformed, expired, revoked or not ours."""

    code = "invalid_token"
    message = N_("The access token does not count, or no longer.")
    oauth_code = "invalid_token"


class InsufficientScope(Forbidden):
    """The token does not reach this far."""

    code = "insufficient_scope"
    message = N_("The access token does not allow this.")
    oauth_code = "insufficient_scope"


class LoginRefused(Unauthenticated):
    """The one sentence for a name that is unknown, a password that is wrong and a door that is closed for a while."""

    code = "login_refused"
    message = N_(
        "You could not be logged in with this user name and password. Please check both. "
        "After several attempts you have to wait a little before the next one counts."
    )


class CardRefused(Unauthenticated):
    """The certificate on the card does not open a session."""

    code = "card_refused"
    message = N_("Your card's certificate could not be accepted. Please ask the office that issued your card.")


class CardMissing(CardRefused):
    """The browser sent no certificate."""

    code = "card_missing"
    message = N_("Your browser did not show a certificate. Please insert your card, close the browser and try again.")


class CardNotGood(CardRefused):
    """Suspended, revoked or its status cannot be told."""

    code = "card_not_good"
    message = N_("Your card's certificate is suspended or revoked. Please ask the office that issued your card.")


class PolicyRefused(Forbidden):
    """The policies do not let this person log in."""

    code = "login_forbidden"
    message = N_("The rules of this site do not allow you to log in here (%(reasons)s).")


class StepUpNeeded(Forbidden):
    """The policies want surer identification for this login; the card login page offers it."""

    code = "step_up_needed"
    message = N_("A password is not enough for this service. Please log in with your card.")


class NotLoggedIn(Unauthenticated):
    """A page of "My account" without a session."""

    code = "not_logged_in"
