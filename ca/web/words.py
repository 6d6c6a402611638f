# SPDX-License-Identifier: Apache-2.0
"""What the desk calls things; catalogue keys."""

from core.errors import N_

from ..acme.models import GrantState, Holder
from ..est.models import EnrolmentStanding
from ..incidents import Act, Item, Whom
from ..incidents import Stage as IncidentStage
from ..inventory import Sought
from ..models import Reason, Standing, State, read_authority
from ..notices import Channel, NoticeState
from ..registration import Evidence, Stage
from ..registration.bulk import JobState, LineState
from ..service import UnitState

PROFILES = {
    "citizen": N_("Citizen: login"),
    "citizen-signing": N_("Person: signing documents"),
    "remote-signing": N_("Person: signing documents, key kept by the site"),
    "civil-servant": N_("Civil servant: login"),
    "organisation-seal": N_("Organisation: seal"),
    "device-client": N_("Device"),
    "device-server": N_("Device: TLS server"),
    "organisation-server": N_("Organisation: TLS server"),
    "organisation-representative": N_("Organisation: representative"),
    "server": N_("Server"),
    "ocsp": N_("OCSP responder"),
    "timestamp": N_("Time-stamping"),
}

STANDINGS = {
    Standing.GOOD: N_("Valid"),
    Standing.SUSPENDED: N_("Suspended"),
    Standing.REVOKED: N_("Revoked"),
    Standing.POSSIBLY_ISSUED: N_("Possibly issued"),
    Standing.UNKNOWN: N_("Not issued"),
}

EXPIRED = N_("Expired")

UNITS = {
    UnitState.STAMPS: N_("Stamps"),
    UnitState.OVER: N_("Expired"),
    UnitState.SUSPENDED: N_("Suspended"),
    UnitState.REVOKED: N_("Revoked"),
    UnitState.SPOILT: N_("Unusable"),
    UnitState.MISSING: N_("Not made yet"),
}

UNIT_COLOURS = {
    UnitState.STAMPS: "good",
    UnitState.OVER: "bad",
    UnitState.SUSPENDED: "warn",
    UnitState.REVOKED: "bad",
    UnitState.SPOILT: "bad",
    UnitState.MISSING: "warn",
}

# Why nothing is stamped, as the record says it too.
CLOCK = {
    "jumped": N_("It moved by itself; five quiet minutes forgive that."),
    "behind": N_("It stands before a time that was stamped already."),
    "unsynchronised": N_("Nothing keeps it right, says the kernel."),
    "inaccurate": N_("It may be wronger than stamps say, says the kernel."),
    "forgetful": N_("What was stamped cannot be remembered on the disk."),
}

SOUGHT = {
    Sought.GOOD: N_("Valid"),
    Sought.EXPIRED: N_("Expired"),
    Sought.SUSPENDED: N_("Suspended"),
    Sought.REVOKED: N_("Revoked"),
    Sought.POSSIBLY_ISSUED: N_("Possibly issued"),
    Sought.ABANDONED: N_("Abandoned before signing"),
}

HOLDER_KINDS = {
    "person": N_("Person"),
    "device": N_("Device"),
    "organisation": N_("Organisation"),
    "machine": N_("Machine of the site"),
    "unknown": N_("Not in the directory any more"),
}

COLOURS = {
    Standing.GOOD: "good",
    Standing.SUSPENDED: "warn",
    Standing.REVOKED: "bad",
    Standing.POSSIBLY_ISSUED: "warn",
    Standing.UNKNOWN: "",
}

STATES = {
    State.RESERVED: N_("Serial number taken"),
    State.INTENDED: N_("About to be signed"),
    State.SIGNED: N_("Signed"),
    State.DELIVERED: N_("Handed over"),
    State.ABANDONED: N_("Abandoned before signing"),
}

REASONS = {
    Reason.UNSPECIFIED: N_("No particular reason"),
    Reason.KEY_COMPROMISE: N_("The key was lost or fell into other hands"),
    Reason.AFFILIATION_CHANGED: N_("The holder changed office or organisation"),
    Reason.SUPERSEDED: N_("Replaced by a new certificate"),
    Reason.CESSATION: N_("No longer used"),
    Reason.PRIVILEGE_WITHDRAWN: N_("The right to hold it was withdrawn"),
}

REASON_WORDS = {reason.value: words for reason, words in REASONS.items()}

FINDINGS = {
    "alternatives": N_("Alternative names differ from the profile"),
    "authority": N_("May issue certificates itself"),
    "commitment": N_("Other bytes than the record holds"),
    "constraints": N_("Names beyond what the authority may speak of"),
    "extended-usage": N_("Purposes differ from the profile"),
    "extensions": N_("Extensions differ from the profile"),
    "issuer": N_("Names another issuing authority"),
    "key": N_("Key of a kind that the profile does not allow"),
    "key-blocked": N_("Key known to be compromised, not revoked"),
    "key-shared": N_("Key of several holders"),
    "lint": N_("Breaks a rule of the standard"),
    "list": N_("Revocation list says something else than the tables"),
    "ocsp": N_("Status answer says something else than the tables"),
    "outlives": N_("Valid longer than its issuer"),
    "places": N_("Leads to other addresses than ours"),
    "policy": N_("Policy differs from the profile"),
    "profile": N_("Of no profile"),
    "serial": N_("Serial number too short or of another instance"),
    "serial-double": N_("Serial number used twice"),
    "serial-predictable": N_("Serial number could be foreseen"),
    "signature": N_("Not signed by its issuer"),
    "state": N_("Given up, and signed all the same"),
    "stored": N_("The tables say something else than the certificate"),
    "subject": N_("Subject differs from profile or tables"),
    "unreadable": N_("Cannot be read"),
    "unrecorded": N_("Missing in the record"),
    "unstored": N_("In the record, but not in the tables"),
    "usage": N_("Key usage differs from the profile"),
    "validity": N_("Validity differs from the profile"),
}

ISSUERS = {
    "people": N_("People"),
    "devices": N_("Devices"),
    "organisations": N_("Organisations"),
    "infrastructure": N_("Infrastructure"),
}


def issuer(name: str) -> str:
    """The authority's word, whatever hierarchy and generation it is of; those its name says."""
    found = read_authority(name)
    return ISSUERS.get(found.kind, name) if found else name


def generation(name: str) -> str:
    """What tells two of one word apart: hierarchy and number, empty for the first."""
    found = read_authority(name)
    return name.removeprefix(found.kind).removeprefix("-") if found else ""


NOTICE_STATES = {
    NoticeState.WAITING.value: N_("On its way"),
    NoticeState.SENT.value: N_("Sent"),
    NoticeState.DROPPED.value: N_("No longer true"),
    NoticeState.FAILED.value: N_("Could not be delivered"),
}

CHANNELS = {
    Channel.MAIL.value: N_("Letter to the holder"),
    Channel.COPY.value: N_("Letter to the operators"),
    Channel.WEBHOOK.value: N_("Webhook"),
}

RULES = {
    "own-request": N_("it is your own, or you asked for it"),
    "own-organisation": N_("you act for this organisation"),
    "role-lost": N_("you are no registration officer any more"),
    "one-officer-twice": N_("you have agreed already; another officer has to decide as well"),
    "approvals-missing": N_("more officers have to agree"),
    "not-for-oneself": N_("nobody decides about their own certificate"),
    "own-incident": N_("you opened it; another officer has to agree"),
    "own-acts": N_("it is about what you did yourself"),
    "not-ones-preview": N_("somebody else is still looking at it"),
    "author-lost-role": N_("who opened it is no registration officer any more"),
    "requester-not-allowed": N_("your role may not request this kind of certificate"),
}

HOLDERS = {
    Holder.DEVICE: N_("Device or server"),
    Holder.ORGANISATION: N_("Organisation"),
}

GRANTS = {
    GrantState.OPEN: N_("Not used yet"),
    GrantState.USED: N_("Account in use"),
    GrantState.REVOKED: N_("Withdrawn"),
}

GRANT_COLOURS = {GrantState.OPEN: "warn", GrantState.USED: "good", GrantState.REVOKED: "bad"}

STAGES = {
    Stage.ASKED: N_("Asked: identity not yet proved"),
    Stage.EVIDENCE: N_("Identity proved: waits for an officer"),
    Stage.APPROVED_ONCE: N_("One officer has agreed: waits for another"),
    Stage.APPROVED: N_("Approved: being issued"),
    Stage.ISSUED: N_("Issued"),
    Stage.DENIED: N_("Denied"),
    Stage.WITHDRAWN: N_("Withdrawn"),
    Stage.EXPIRED: N_("Expired without a decision"),
}

STAGE_COLOURS = {
    Stage.ASKED: "warn",
    Stage.EVIDENCE: "warn",
    Stage.APPROVED_ONCE: "warn",
    Stage.APPROVED: "warn",
    Stage.ISSUED: "good",
    Stage.DENIED: "bad",
    Stage.WITHDRAWN: "",
    Stage.EXPIRED: "",
}

JOBS = {
    JobState.WAITING: N_("Waits for officers"),
    JobState.RUNNING: N_("Approved: being issued"),
    JobState.DONE: N_("Done"),
    JobState.CANCELLED: N_("Cancelled"),
}

JOB_COLOURS = {JobState.WAITING: "warn", JobState.RUNNING: "warn", JobState.DONE: "good", JobState.CANCELLED: ""}

LINES = {
    LineState.READY: N_("Can be issued"),
    LineState.TAKEN: N_("Being issued"),
    LineState.ISSUED: N_("Issued"),
    LineState.REFUSED: N_("Refused"),
}

LINE_COLOURS = {LineState.READY: "", LineState.TAKEN: "warn", LineState.ISSUED: "good", LineState.REFUSED: "bad"}

EVIDENCE = {
    Evidence.DIRECTORY: N_("A registrar's proof in the directory"),
    Evidence.FACE_TO_FACE: N_("Seen face to face with an identity document"),
    Evidence.DOCUMENTS: N_("Documents checked"),
}

PARTS = {
    "country": N_("Country"),
    "organisation": N_("Organisation"),
    "organisation-identifier": N_("Organisation's number"),
    "serial-number": N_("Number"),
    "common-name": N_("Name"),
    "uri": N_("Identifier"),
    "upn": N_("Login name at workstations"),
    "host": N_("Host"),
}

ENROLMENTS = {
    EnrolmentStanding.OPEN: N_("Can be used"),
    EnrolmentStanding.USED: N_("Used up"),
    EnrolmentStanding.OVER: N_("Its time is over"),
    EnrolmentStanding.WITHDRAWN: N_("Withdrawn"),
}

ENROLMENT_COLOURS = {
    EnrolmentStanding.OPEN: "warn",
    EnrolmentStanding.USED: "good",
    EnrolmentStanding.OVER: "",
    EnrolmentStanding.WITHDRAWN: "bad",
}

ACTORS = {"role:app": N_("The operator on the machine"), "role:ca": N_("The certificate authority itself")}

ACTS = {
    Act.REVOKE: N_("Revoke"),
    Act.RENEW: N_("Ask to renew"),
    Act.RENEW_THEN_REVOKE: N_("Ask to renew, then revoke"),
}

WHOM = {
    Whom.EVERYBODY: N_("every certificate of the list"),
    Whom.UNRENEWED: N_("only what was not renewed by then"),
}

INCIDENTS = {
    IncidentStage.PREVIEW: N_("Preview: nothing was done"),
    IncidentStage.PROPOSED: N_("Waits for another officer"),
    IncidentStage.RUNNING: N_("Under way"),
    IncidentStage.PAUSED: N_("Paused"),
    IncidentStage.WAITING: N_("Waits for the deadline"),
    IncidentStage.DONE: N_("Carried out"),
    IncidentStage.STOPPED: N_("Stopped"),
    IncidentStage.WITHDRAWN: N_("Withdrawn"),
    IncidentStage.EXPIRED: N_("Expired without a decision"),
}

INCIDENT_COLOURS = {
    IncidentStage.PREVIEW: "",
    IncidentStage.PROPOSED: "warn",
    IncidentStage.RUNNING: "warn",
    IncidentStage.PAUSED: "warn",
    IncidentStage.WAITING: "warn",
    IncidentStage.DONE: "good",
    IncidentStage.STOPPED: "bad",
    IncidentStage.WITHDRAWN: "",
    IncidentStage.EXPIRED: "",
}

ITEMS = {
    Item.PENDING: N_("Still to be done"),
    Item.ASKED: N_("Asked to renew"),
    Item.REVOKED: N_("Revoked"),
    Item.ALREADY: N_("Revoked by somebody else before"),
    Item.RENEWED: N_("Renewed in time: left alone"),
    Item.OVER: N_("Nothing left to be done"),
}

ITEM_COLOURS = {Item.PENDING: "", Item.ASKED: "warn", Item.REVOKED: "bad", Item.ALREADY: "bad", Item.RENEWED: "good"}

SELECTED_HOLDERS = {
    "person": N_("People"),
    "device": N_("Devices"),
    "organisation": N_("Organisations"),
    "infrastructure": N_("Infrastructure"),
}

SELECTED = {
    "profiles": N_("Kind"),
    "issuers": N_("Issuing authority"),
    "keys": N_("Key"),
    "holder": N_("Holder"),
    "officer": N_("Officer"),
    "account": N_("ACME account"),
    "since": N_("Issued from"),
    "until": N_("Issued until"),
    "serials": N_("Serial numbers of a file"),
    "serials_sha256": N_("SHA-256 of those serial numbers"),
}
