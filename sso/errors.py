# SPDX-License-Identifier: Apache-2.0
"""Errors of the sign-on service. ``oauth_code`` is the registered code (RFC 6749, OpenID Connect Core) on the wire.

Invalid
├── BadAssessment         the security assessment of a portal is not complete
├── BadRequest            an authorization request that must never be redirected (unknown client, foreign address)
├── Redirectable          one that is told to the client's registered address; subclasses name the code
├── InvalidGrant          a code or refresh token that does not count
├── InvalidScope
├── UnsupportedGrant
├── UnauthorizedClient
├── BadTokenRequest
├── InvalidProof          a proof of possession that does not count
├── ProofNonceNeeded      one that lacks our nonce
├── AuthorizationPending, SlowDown, DeviceCodeExpired, DeviceDenied   what a device is told while it waits
├── InvalidClientMetadata, InvalidRedirectURI   what a program asks to be registered with
├── UserCodeWrong         no device waits under this short code
├── DeviceUndecidable     a device that was decided on already, or too late
├── SetupLost             what was begun at "My account" is over or belongs to another session
├── PasskeyNotMade        a passkey that cannot be kept
├── CodeWrong             a one-time code that does not fit while it is being set up
├── PasswordsDiffer, PasswordWrong, PasswordWeak, PasswordKnown   a new password, or the present one beside it
├── ProfileRefused        a mail address, telephone number or language that cannot be
├── RecoveryLost          a way back that is over, used, stopped, or not at this step
├── InteractionLost       the parked request is gone, finished or belongs to another browser
└── BadClient             a registration nobody should accept
Unauthenticated
├── InvalidClient         client authentication failed
├── NotInvited            no initial access token, so nothing is registered
├── InvalidToken          an access token that does not count (RFC 6750)
├── ProofRefused          its proof of possession does not
├── TokenProofNonceNeeded its proof lacks our nonce
├── LoginRefused          one sentence for unknown, locked and wrong
├── PasskeyRefused        the passkey does not count
├── UpstreamRefused       the other provider's answer, or its person, does not count here
├── UpstreamUnknown       it does, and nobody here is linked with it
├── CodeNotEnough         a code beside a session does not count
├── CardRefused           the certificate or its card does not count; subclasses say which of the few reasons
└── NotLoggedIn           a page of "My account" without a session
Forbidden
├── PolicyRefused         the policies do not let this person log in here
├── StepUpNeeded          they would, with a card
├── LoginTooOldToGive     the same, before somebody is let act
├── NotIntroduced         user name and code that lead to nobody together
├── LoginTooOld           what one logs in with is changed shortly after a sure enough login only
├── OwnApplication        nobody decides on the registration that they asked for
├── OwnReset              nobody resets, or confirms to reset, what is their own or what they asked for
├── MandateOver           whom the person wanted to act for, they may not act for any more
└── InsufficientScope
Conflict
├── FactorExists          there is one already
├── UpstreamLinked        an account of the other provider that is linked already
├── TooManyPasskeys       there are enough already
├── ApplicationDecided    a registration that was asked for was decided on, or fetched
├── AssessmentUnmet       a portal whose security assessment does not reach its grade
├── ResetOver             a reset of factors is not where it was, or there is nothing to reset
├── LockOver              a lock on an application is not as it was
└── TooManyApplications   one person waits for many decisions
"""

from typing import ClassVar

from core.errors import N_, Conflict, Forbidden, Invalid, Unauthenticated


class _Registered:
    """Says a registered code on the wire, which is its own code too unless it states another."""

    oauth_code: ClassVar[str]
    code: str

    def __init_subclass__(cls, *, oauth: str = "", **more: object) -> None:
        super().__init_subclass__(**more)
        if oauth:
            cls.oauth_code = oauth
            if _Registered in cls.__bases__ and "code" not in vars(cls):
                cls.code = oauth


class BadRequest(_Registered, Invalid, oauth="invalid_request"):
    """Shown as a page: where the answer should go is not known to be the client's."""

    code = "bad_authorization_request"
    message = N_(
        "The service that sent you here asked in a way that cannot be right (%(why)s). Nothing was sent to it."
    )


class Redirectable(_Registered, Invalid, oauth="invalid_request"):
    """Told to the client at its registered address (RFC 6749 section 4.1.2.1)."""

    code = "authorization_refused"
    message = N_("The service that sent you here made a mistake: %(why)s")


class UnsupportedResponseType(Redirectable, oauth="unsupported_response_type"):
    """Only ``code`` is spoken here."""


class ScopeRefused(Redirectable, oauth="invalid_scope"):
    """A scope that is unknown or not registered for the client."""


class InvalidRequestObject(Redirectable, oauth="invalid_request_object"):
    """A signed request that is not the client's, not for us, or not in one reading (RFC 9101 section 7)."""


class InvalidRequestURI(Redirectable, oauth="invalid_request_uri"):
    """The address of a request object is not registered, or nothing usable lies there (RFC 9101 section 7)."""


class InvalidTarget(Redirectable, oauth="invalid_target"):
    """A resource the client is not registered for, or several where one must be named (RFC 8707 section 2)."""

    message = N_("The resource asked for is unknown, or not for this client.")


class InvalidDetails(Redirectable, oauth="invalid_authorization_details"):
    """Authorization details nobody would understand, or that were not granted (RFC 9396 section 5)."""


class RequestNotSupported(Redirectable, oauth="request_not_supported"):
    """A request object of a client that registered no key (OpenID Connect Core 3.1.2.6)."""


class RequestURINotSupported(Redirectable, oauth="request_uri_not_supported"):
    """A client that registered no address of request objects; nothing is fetched."""


class LoginRequired(Redirectable, oauth="login_required"):
    """``prompt=none`` and nobody is logged in, not long enough ago or not strongly enough."""


class ConsentRequired(Redirectable, oauth="consent_required"):
    """``prompt=none`` and the person has not agreed yet."""


class AccountSelectionRequired(Redirectable, oauth="account_selection_required"):
    """``prompt=none`` and the person must say for whom they act."""


class AccessDenied(Redirectable, oauth="access_denied"):
    """The person said no, or may not."""


class UnmetAuthentication(Redirectable, oauth="unmet_authentication_requirements"):
    """The asked-for assurance cannot be reached by this person (OpenID Unmet Authentication Requirements 1.0)."""


class SimulatedRefusal(Redirectable):
    """What somebody chose in the simulator; says the code that was chosen."""

    def __init__(self, chosen: str) -> None:
        super().__init__(why="simulated")
        self.oauth_code = chosen  # type: ignore[misc]  # of this one answer, not of its class


class InvalidGrant(_Registered, Invalid, oauth="invalid_grant"):
    """Expired, used, revoked, another client's, or never issued: which of these is not said."""

    message = N_("This authorization does not count, or no longer.")


class Simulated(_Registered, Invalid, oauth="invalid_request"):
    """What somebody chose in the simulator for the token endpoint; says the code that was chosen."""

    code = "simulated"
    message = N_("The simulator was asked to fail so.")

    def __init__(self, chosen: str) -> None:
        super().__init__()
        self.oauth_code = chosen  # type: ignore[misc]  # as above


class InvalidScope(_Registered, Invalid, oauth="invalid_scope"):
    """More was asked than was granted."""

    message = N_("The scope asked for is more than what was granted.")


class UnsupportedGrant(_Registered, Invalid, oauth="unsupported_grant_type"):
    """A grant type that is unknown here."""

    message = N_("This kind of grant is not offered here.")


class UnauthorizedClient(_Registered, Invalid, oauth="unauthorized_client"):
    """A grant type this client is not registered for."""

    message = N_("This client is not registered for this kind of grant.")


class InvalidProof(_Registered, Invalid, oauth="invalid_dpop_proof"):
    """A proof of possession that is missing, doubled, stale, for another request or has come before (RFC 9449)."""

    message = N_("The proof that you hold the key of your tokens does not count.")


class ProofNonceNeeded(_Registered, Invalid, oauth="use_dpop_nonce"):
    """The proof is right but for the nonce, which stands in the header of this very answer (RFC 9449 section 8)."""

    message = N_("Please repeat the request with the nonce that comes with this answer.")


class AuthorizationPending(_Registered, Invalid, oauth="authorization_pending"):
    """Nobody has decided yet (RFC 8628 section 3.5)."""

    message = N_("Nobody has decided about this device yet.")


class SlowDown(_Registered, Invalid, oauth="slow_down"):
    """Nobody has decided yet, and the device asks too often: its pause is five seconds longer from now on."""

    message = N_("This device asks too often.")


class DeviceCodeExpired(_Registered, Invalid, oauth="expired_token"):
    """Nobody decided in time; the device may begin again."""

    message = N_("The code of this device has expired.")


class DeviceDenied(_Registered, Invalid, oauth="access_denied"):
    """The person said no."""

    code = "device_denied"
    message = N_("The person declined.")


class BadTokenRequest(_Registered, Invalid, oauth="invalid_request"):
    """A parameter is missing, doubled or cannot be read."""

    message = N_("The field “%(field)s” is missing, given twice, or cannot be read.")


class InteractionLost(Invalid):
    """Finished, expired or begun in another browser."""

    code = "interaction_lost"
    message = N_("This login was finished, has expired, or was begun in another browser. Please start again there.")


class InvalidClientMetadata(_Registered, Invalid, oauth="invalid_client_metadata"):
    """A registration that is not to be had so (RFC 7591 section 3.2.2); ``why`` names what is wrong."""

    message = N_("This cannot be registered: %(why)s")


class InvalidRedirectURI(_Registered, Invalid, oauth="invalid_redirect_uri"):
    """An address that is not plain https, or is given twice."""

    message = N_("An address that answers are sent to is not plain https: %(why)s")


class UserCodeWrong(Invalid):
    """No device waits under this short code: mistyped, over, or decided on."""

    code = "user_code_wrong"
    message = N_("No device is waiting under this code. Please check it, or let the device show a new one.")


class DeviceUndecidable(Invalid):
    """Decided on already, over, or shown to another login."""

    code = "device_undecidable"
    message = N_("This device was decided on already, or its code has expired. Please type its code once more.")


class SetupLost(Invalid):
    """Begun in another session, too long ago, or changed on the way."""

    code = "setup_lost"
    message = N_("This was begun too long ago or in another session. Please begin again.")


class CodeWrong(Invalid):
    """The code does not fit the secret that is being set up."""

    code = "code_wrong"
    message = N_("This code does not fit. Please check the clock of your device and enter the code it shows now.")


class PasskeyNotMade(Invalid):
    """What the device answered is not the key that was asked for."""

    code = "passkey_not_made"
    message = N_(
        "The passkey could not be set up. Please try again, and use a device that asks for its PIN, face or finger."
    )


class PasskeyRefused(Unauthenticated):
    """Unknown, removed, its holder disabled, its answer wrong or old: never said which."""

    code = "passkey_refused"
    message = N_("This passkey could not be accepted. Please try again, or log in another way.")


class ConfirmationNeeded(Unauthenticated):
    """A signature takes a passkey or a card that is shown for it; an earlier login is none."""

    code = "confirmation_needed"
    message = N_("Nothing was signed: show a passkey or your card for these documents. An earlier login is not enough.")


class UpstreamLinked(Conflict):
    """One account there is one person here, and the other way round."""

    code = "upstream_linked"
    message = N_("This account of the other provider is linked already, or yours is linked with another one.")


class TooManyPasskeys(Conflict):
    """One person has so many that nobody could tell them apart."""

    code = "too_many_passkeys"
    message = N_("You have as many passkeys as one person can have here. Please remove one first.")


class FactorExists(Conflict):
    """An app has been set up already."""

    code = "factor_exists"
    message = N_("This is set up already. To use another device, remove it first.")


class ApplicationDecided(Conflict):
    """Decided on, or fetched, already."""

    code = "application_decided"
    message = N_("This was decided or fetched already, or is not granted yet. Please look at it again.")


class TooManyApplications(Conflict):
    """One person waits for many decisions."""

    code = "too_many_applications"
    message = N_("You wait for many decisions already. Please wait until some of them are made.")


class BadAssessment(Invalid):
    """``field`` names what is missing or cannot be what is asked for."""

    code = "bad_assessment"
    message = N_("The security assessment is not complete: “%(field)s” is missing or cannot be right.")


class AssessmentUnmet(Conflict):
    """The security measures come before the registration."""

    code = "assessment_unmet"
    message = N_(
        "By its assessment this is grade %(grade)s: %(unmet)s questions are answered “no”, and %(allowed)s may be. "
        "Grade 4 is not reached from the external network, and nothing beyond it is registered here. Mend it first."
    )


class OwnApplication(Forbidden):
    """Nobody decides on what they asked for themselves."""

    code = "own_application"
    message = N_("You asked for this yourself. Another administrator decides.")


class OwnReset(Forbidden):
    """Nobody takes their own factors away at the desk, nor confirms what they asked for."""

    code = "own_reset"
    message = N_("This is about yourself, or you asked for it. Another administrator does it.")


class ResetOver(Conflict):
    """Done, stopped, confirmed by somebody faster, or there is nothing to reset or one under way."""

    code = "reset_over"
    message = N_("There is nothing to do here, or somebody was faster. Please look at it again.")


class LockOver(Conflict):
    """Locked or unlocked already, asked for already, or the site's own."""

    code = "lock_over"
    message = N_("The application is not in this state any more. Please look at it again.")


class MandateOver(Forbidden):
    """Run out, withdrawn or never given."""

    code = "mandate_over"
    message = N_("You may not, or no longer, act for them here. Please choose again.")


class PasswordsDiffer(Invalid):
    """The new password was typed in two ways."""

    code = "passwords_differ"
    message = N_("The new password was not typed the same way twice.")


class PasswordWrong(Invalid):
    """The present password is wrong."""

    code = "password_wrong"
    message = N_("Your present password is not right.")


class PasswordWeak(Invalid):
    """The directory's policy refuses it."""

    code = "password_weak"
    message = N_("This password is too short, easy to guess or one of your last ones. Please choose another one.")


class PasswordKnown(Invalid):
    """Attackers know it."""

    code = "password_known"
    message = N_(
        "This password stands in lists of stolen or common passwords, which attackers try first. "
        "Please choose another one."
    )


class ProfileRefused(Invalid):
    """No mail address, no telephone number, or no language of ours."""

    code = "profile_refused"
    message = N_("Please check the e-mail address and the telephone number.")


class RecoveryLost(Invalid):
    """Used, over, stopped, begun in another browser, or not at this step."""

    code = "recovery_lost"
    message = N_("This way back is over, was used already or belongs to another browser. Please begin again.")


class LoginTooOldToGive(Forbidden):
    """To let somebody act, one logs in shortly before, with two factors if two are in force."""

    code = "login_too_old_to_give"
    message = N_("Please log in once more, as surely as you can, before you let somebody act.")


class NotIntroduced(Forbidden):
    """No such user name, or not the code of its owner: never said which."""

    code = "not_introduced"
    message = N_("User name and code do not belong together. Please ask whom you want to let act for both once more.")


class LoginTooOld(Forbidden):
    """To change what one logs in with, one logs in shortly before, with two factors if two are in force."""

    code = "login_too_old"
    message = N_("Please log in once more, as surely as you can, before you change what you log in with.")


class BadClient(Invalid):
    """A registration nobody should accept; ``why`` says what is wrong."""

    code = "bad_client"
    message = N_("This client cannot be registered: %(why)s")


class InvalidClient(_Registered, Unauthenticated, oauth="invalid_client"):
    """Unknown client or wrong secret: which of both is not said."""

    message = N_("Client authentication failed.")


class InvalidToken(_Registered, Unauthenticated, oauth="invalid_token"):
    """An access token that is malformed, expired, revoked or not ours."""

    message = N_("The access token does not count, or no longer.")


class NotInvited(_Registered, Unauthenticated, oauth="invalid_token"):
    """No initial access token, or one that is over or used up."""

    code = "not_invited"
    message = N_("Registering needs an initial access token that counts.")


class ProofRefused(_Registered, Unauthenticated, oauth="invalid_dpop_proof"):
    """The same as ``InvalidProof`` where a token is presented (RFC 9449 section 7.1)."""

    code = "invalid_token_proof"
    message = InvalidProof.message


class TokenProofNonceNeeded(_Registered, Unauthenticated, oauth="use_dpop_nonce"):
    """The same as ``ProofNonceNeeded`` where a token is presented (RFC 9449 section 9)."""

    code = "use_token_nonce"
    message = ProofNonceNeeded.message


class InsufficientScope(_Registered, Forbidden, oauth="insufficient_scope"):
    """The token does not reach this far."""

    message = N_("The access token does not allow this.")


class LoginRefused(Unauthenticated):
    """The one sentence for a name that is unknown, a password that is wrong and a door that is closed for a while."""

    code = "login_refused"
    message = N_(
        "You could not be logged in with what you entered. Please check user name and password, and the one-time code "
        "if you have set one up. After several attempts you have to wait a little before the next one counts."
    )


class UpstreamRefused(Unauthenticated):
    """Forged, old, another's, for another purpose, or its person may not come this way: never said which."""

    code = "upstream_refused"
    message = N_("You could not be logged in by the other provider. Please try again, or log in another way.")


class UpstreamUnknown(Unauthenticated):
    """Whoever proved it knows the account; that nobody here is linked with it tells them nothing of others."""

    code = "upstream_unknown"
    message = N_(
        "The other provider knows you, but your account here is not linked with it. Please log in another way, and "
        "link it under “What you log in with”."
    )


class CodeNotEnough(Unauthenticated):
    """The one sentence for a code that is wrong, used, not in force yet or entered too soon after others."""

    code = "code_not_enough"
    message = N_(
        "This code does not count. Please enter the one that your app shows now, or one of your paper that you have "
        "not used. After several attempts you have to wait a little before the next one counts."
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
    """The policies want surer identification for this login; the login page shows what is sure enough."""

    code = "step_up_needed"
    message = N_("A password is not enough for this service. Please log in more surely.")


class NotLoggedIn(Unauthenticated):
    """A page of "My account" without a session."""

    code = "not_logged_in"
