# SPDX-License-Identifier: Apache-2.0
"""Errors of the certificate authority.

Invalid
├── RequestRefused      a certificate request that cannot be read, or whose sender does not hold the key
├── KeyRefused          a public key too weak, of a wrong kind or known to be bad
├── SubjectUnsuitable   what the directory says cannot be put in such a certificate
├── ShareRefused        a custodian's share is mistyped, or does not open the root's key with the others
├── ScriptRefused       a ceremony's file is not for this site, or asks for what cannot be
├── GrantRefused        an ACME account cannot be allowed what the form says
├── SelectorRefused     what an incident shall concern cannot be read, or names nothing
├── EnrolmentRefused    a device cannot be allowed to enrol as the form says
├── FileRefused         a table of devices cannot be understood, or only in two ways
├── LineRefused         one line of such a table cannot be used
├── UnknownProfile
├── NotOffered          a person asks for a kind of certificate they cannot have
├── NoSuchPage          a list goes on at no such place
└── BadSerial
Unauthenticated
├── CertificateRefused  a presented certificate is not ours, not valid now or not meant for this
└── DeviceUnidentified  neither a certificate nor a secret that is good now says which device it is
Forbidden
├── IssuanceDenied      policy says no; ``reasons`` names the rules
├── NamesRefused        a device's request is for other names or another label than are its own
├── NotYourBusiness     a role asked what it has no business to ask, or spoke for a person without proof
├── NotForThisOfficer   one's own request, an organisation's one acts for, or approved already; ``why`` names the rule
└── WeaklyProofed       the directory knows the person less surely than the desk demands
NotFound
├── NoSuchCertificate
├── NoSuchEnrolment
├── NoSuchGrant
├── NoSuchIncident
├── NoSuchRequest
├── NoSuchBulk
├── NoSuchIssuer
├── NoSuchLabel
└── NoSuchUnit
Conflict
├── AlreadyAsked        an open request is for the same key
├── RequestOver         the request is decided, withdrawn or expired
├── IncidentOver        it cannot do that where it stands
├── IncidentChanged     what was agreed to is not what the preview fixed
├── NothingSelected     an incident concerns no certificate
├── TooMuchSelected     an incident concerns more certificates than the site allows
├── BulkOver            the table is being issued already, was cancelled, or another officer was faster
├── EvidenceMissing     nobody has proved the holder's identity
├── ContentChanged      what would be issued is not what officers agreed to
├── AlreadyFounded      there is a root already; a second one would orphan what the first vouches for
├── SubjectDisabled     the person, device or organisation is disabled in the directory
├── LintStopped         the draft broke a rule; nothing was signed
├── AlreadyRevoked      revocation is final
├── AlreadySuspended
└── NotSuspended        only what is suspended can be released
TooMany
├── AskedTooOften       too many of one person's requests are undecided
└── EnrolsTooOften      wrong secrets of one address, or certificates of one device
Unavailable
├── StatusUnknown       the authority is away, and what it left says nothing of a certificate, or nothing fresh
├── ClockUnsound        our clock may be wrong, so nothing is stamped
├── NotReconciled       the record has not yet been compared with the tables
├── IssuerUnusable      the issuing authority has expired or is not set up
├── UnitUnusable        a time-stamping unit's certificate has ended or was withdrawn
└── SerialTaken         chance or a broken generator drew a number twice; a new attempt draws a new one
Internal
├── DraftSpent          a lint token was used twice, by another signer or for another issuer
├── CertificateDiffers  the signer made other bytes than were linted and recorded
├── StampUnfit          what a time-stamping unit was given to sign is no time-stamp
└── KeyUnusable         a key file is missing, readable by others or of the wrong kind
"""

from core.errors import N_, Conflict, Forbidden, Internal, Invalid, NotFound, TooMany, Unauthenticated, Unavailable


class RequestRefused(Invalid):
    """A certificate request that cannot be read, or whose sender does not hold the key."""

    code = "certificate_request_refused"
    message = N_("The certificate request cannot be used: %(why)s")


class KeyRefused(Invalid):
    """A public key too weak, of a wrong kind or known to be bad."""

    code = "key_refused"
    message = N_("The key in the certificate request cannot be used: %(why)s")


class SubjectUnsuitable(Invalid):
    """What the directory says cannot be put in such a certificate."""

    code = "subject_unsuitable"
    message = N_("This certificate cannot be made for this subject: %(why)s")


class ShareRefused(Invalid):
    """A custodian's share is mistyped, or does not open the root's key with the others."""

    code = "share_refused"
    message = N_("The custodians' shares cannot be used: %(why)s")


class ScriptRefused(Invalid):
    """A ceremony's file is not for this site, or asks for what cannot be."""

    code = "script_refused"
    message = N_("This ceremony cannot be held here: %(why)s")


class GrantRefused(Invalid):
    """An ACME account cannot be allowed what the form says."""

    code = "grant_refused"
    message = N_("This cannot be granted: %(why)s")


class EnrolmentRefused(Invalid):
    """A device cannot be allowed to enrol as the form says."""

    code = "enrolment_refused"
    message = N_("This enrolment cannot be made: %(why)s")


class FileRefused(Invalid):
    """A table of devices cannot be understood, or only in two ways; ``line`` is where, 0 for the whole."""

    code = "file_refused"
    message = N_("This table cannot be used: %(why)s (line %(line)s).")


class LineRefused(Invalid):
    """One line of a table of devices cannot be used."""

    code = "line_refused"
    message = N_("This line cannot be used: %(why)s.")


class UnknownProfile(Invalid):
    """No such kind of certificate."""

    code = "unknown_profile"
    message = N_("There is no such kind of certificate.")


class NotOffered(Invalid):
    """A person asks for a kind of certificate they cannot have."""

    code = "not_offered"
    message = N_("This kind of certificate cannot be asked for here.")


class BadSerial(Invalid):
    """Not a serial number in hexadecimal."""

    code = "bad_serial"
    message = N_("A serial number is written in hexadecimal digits.")


class CertificateRefused(Unauthenticated):
    """Not ours, not valid now or not meant for this; which of these is not said."""

    code = "certificate_refused"
    message = N_("The certificate presented cannot be accepted here.")


class DeviceUnidentified(Unauthenticated):
    """Neither a certificate nor an enrolment secret that is good now; which of its faults is not said."""

    code = "device_unidentified"
    message = N_("Show a device's certificate that is good now, or the name and secret of an enrolment.")


class NamesRefused(Forbidden):
    """A device's request is for other names or another label than are its own."""

    code = "names_refused"
    message = N_("This device may not ask for that: %(why)s")


class IssuanceDenied(Forbidden):
    """Policy says no."""

    code = "issuance_denied"
    message = N_("This certificate may not be issued here: %(reasons)s")


class NotYourBusiness(Forbidden):
    """A role asked what it has no business to ask, or spoke for a person without proof."""

    code = "not_your_business"
    message = N_("This part of the site may not ask that of the certificate authority, or not for this person.")


class NotForThisOfficer(Forbidden):
    """One's own request, an organisation's one acts for, or approved already."""

    code = "not_for_this_officer"
    message = N_("You cannot decide this request: %(why)s")


class WeaklyProofed(Forbidden):
    """The directory knows the person less surely than the desk demands."""

    code = "weakly_proofed"
    message = N_("Your identity has not been proved surely enough for this desk. Ask the registrar of the directory.")


class NoSuchCertificate(NotFound):
    """This authority never used that serial number."""

    code = "no_such_certificate"
    message = N_("There is no certificate with this serial number.")


class NoSuchGrant(NotFound):
    """There is no such grant for an ACME account, or it is withdrawn already."""

    code = "no_such_grant"
    message = N_("There is no such grant, or it is withdrawn already.")


class NoSuchPage(Invalid):
    """A list cannot go on where the address says."""

    code = "no_such_page"
    message = N_("This list does not go on there.")


class NoSuchBulk(NotFound):
    """There is no such table of devices."""

    code = "no_such_bulk"
    message = N_("There is no such table of devices.")


class NoSuchRequest(NotFound):
    """There is no such request, or it is somebody else's."""

    code = "no_such_request"
    message = N_("There is no such request for a certificate.")


class NoSuchEnrolment(NotFound):
    """There is no such enrolment of a device, or it has ended."""

    code = "no_such_enrolment"
    message = N_("There is no such enrolment, or it is withdrawn already.")


class NoSuchLabel(NotFound):
    """Devices enrol under other labels here."""

    code = "no_such_label"
    message = N_("There is no such EST label here.")


class NoSuchIssuer(NotFound):
    """There is no issuing authority of that name."""

    code = "no_such_issuer"
    message = N_("There is no issuing authority of this name.")


class NoSuchUnit(NotFound):
    """There is no time-stamping unit of that name."""

    code = "no_such_unit"
    message = N_("There is no time-stamping unit of this name.")


class AlreadyFounded(Conflict):
    """There is a root already; a second one would orphan what the first vouches for."""

    code = "already_founded"
    message = N_("The key ceremony was held here already.")


class AlreadyAsked(Conflict):
    """An open request is for the same key."""

    code = "already_asked"
    message = N_("A certificate for this key was asked for already, and nobody has decided yet.")


class RequestOver(Conflict):
    """The request is decided, withdrawn or expired."""

    code = "request_over"
    message = N_("Somebody else has just decided this request, or it was withdrawn or has expired.")


class BulkOver(Conflict):
    """The table is being issued already, was cancelled, or another officer was faster."""

    code = "bulk_over"
    message = N_("This table of devices is decided already.")


class EvidenceMissing(Conflict):
    """Nobody has proved the holder's identity."""

    code = "evidence_missing"
    message = N_("First say how the identity of the holder was proved.")


class ContentChanged(Conflict):
    """What would be issued is not what officers agreed to."""

    code = "content_changed"
    message = N_("What would be issued has changed since it was last looked at. Please look again.")


class SubjectDisabled(Conflict):
    """The person, device or organisation is disabled in the directory."""

    code = "subject_disabled"
    message = N_("The subject is disabled in the directory, so no certificate can be issued.")


class LintStopped(Conflict):
    """The draft broke a rule; nothing was signed."""

    code = "lint_stopped"
    message = N_("The certificate would break a rule (%(finding)s), so it was not issued.")


class AlreadyRevoked(Conflict):
    """Revocation is final."""

    code = "already_revoked"
    message = N_("This certificate is revoked; that is final.")


class AlreadySuspended(Conflict):
    """It is suspended already."""

    code = "already_suspended"
    message = N_("This certificate is suspended already.")


class NotSuspended(Conflict):
    """Only what is suspended can be released."""

    code = "not_suspended"
    message = N_("This certificate is not suspended, so it cannot be released.")


class AskedTooOften(TooMany):
    """Too many of one person's requests are undecided."""

    code = "asked_too_often"
    message = N_("Too many of your requests are still undecided. Withdraw one, or wait.")


class StatusUnknown(Unavailable):
    """The authority is away, and nothing it signed that is fresh enough says what a serial is worth."""

    code = "status_unknown"
    message = N_("Whether this certificate was revoked cannot be found out at the moment.")


class IssuerUnusable(Unavailable):
    """The issuing authority has expired, is not yet valid or is not set up."""

    code = "issuer_unusable"
    message = N_("The issuing authority cannot be used at the moment. Nothing was issued.")


class SelectorRefused(Invalid):
    """What an incident shall concern cannot be read, or names nothing; ``why`` says what."""

    code = "selector_refused"
    message = N_("This selection cannot be used: %(why)s")


class NoSuchIncident(NotFound):
    """There is no such incident."""

    code = "no_such_incident"
    message = N_("There is no such incident.")


class IncidentOver(Conflict):
    """An incident cannot do that where it stands: it has begun, has ended, or its time is over."""

    code = "incident_over"
    message = N_("This is not possible any more, or not yet. Nothing was changed.")


class IncidentChanged(Conflict):
    """What was agreed to is not what the preview fixed."""

    code = "incident_changed"
    message = N_("This is not the list that you looked at. Look at it again before you agree. Nothing was changed.")


class NothingSelected(Conflict):
    """An incident concerns no certificate that is still worth something."""

    code = "nothing_selected"
    message = N_("No certificate that is still valid is selected, so there is nothing to be done.")


class TooMuchSelected(Conflict):
    """An incident concerns more certificates than the site allows."""

    code = "too_much_selected"
    message = N_("More than %(most)s certificates are selected. Narrow the selection, or divide it by time.")


class ClockUnsound(Unavailable):
    """Our clock may be wrong, so nothing is stamped; ``why`` says in a word how we know."""

    code = "clock_unsound"
    message = N_("The clock cannot be believed at the moment, so nothing is stamped (%(why)s).")


class UnitUnusable(Unavailable):
    """A time-stamping unit's certificate has ended, is not yet valid or was withdrawn."""

    code = "unit_unusable"
    message = N_("The time-stamping unit cannot be used at the moment. Nothing was stamped.")


class EnrolsTooOften(TooMany):
    """Too many wrong secrets of one address, or certificates of one device."""

    code = "enrols_too_often"
    message = N_("Too many attempts. Try again in %(seconds)s seconds.")


class NotReconciled(Unavailable):
    """The record has not yet been compared with the tables, which may be an old copy."""

    code = "not_reconciled"
    message = N_("The certificate authority is still comparing its tables with the record. Please try again.")


class SerialTaken(Unavailable):
    """Chance or a broken generator drew a number twice; a new attempt draws a new one."""

    code = "serial_taken"
    message = N_("The certificate could not be issued this time. Please try again.")


class DraftSpent(Internal):
    """A lint token was used twice, by another signer or for another issuer."""

    code = "draft_spent"


class CertificateDiffers(Internal):
    """The signer made other bytes than were linted and recorded; they went nowhere."""

    code = "certificate_differs"


class StampUnfit(Internal):
    """What a time-stamping unit was given to sign is no time-stamp; the key was not touched."""

    code = "stamp_unfit"


class KeyUnusable(Internal):
    """A key file is missing, readable by others or of the wrong kind."""

    code = "key_unusable"
    message = N_("A key of the certificate authority cannot be used: %(path)s: %(why)s")
