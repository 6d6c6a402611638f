# SPDX-License-Identifier: Apache-2.0
"""Every event type the log takes, with its OCSF class and activity (OCSF 1.6, pinned in each entry's metadata).

The log refuses a type that is not listed here, so a misspelt event is found in its first test, and the list is the
documentation of what is recorded. ``grants`` marks types that announce a grant and need an outcome afterwards.
"""

from dataclasses import dataclass
from enum import StrEnum

from core.errors import N_


class Retention(StrEnum):
    """For how long entries are kept is set per class, never per entry."""

    # Decisions, logins, sessions, tokens, and what officers and services read.
    ACCESS = "access"
    # Accounts, entries of the directory, roles, mandates, devices, factors, consents.
    IDENTITY = "identity"
    # Certificates, keys, ceremonies, policies, signatures, the life of the log itself.
    TRUST = "trust"


@dataclass(frozen=True)
class Kind:
    """How one event type maps to OCSF, class_uid and activity_id, and how long it is kept."""

    ocsf_class: int
    activity: int
    retention: Retention
    # What it says, in words an officer uses; a catalogue key.
    says: str
    grants: bool = False


# OCSF classes: 2004 detection finding, 3001 account change, 3002 authentication, 3003 authorize session, 3004 entity
# management, 3005 user access management, 6002 application lifecycle, 6003 API activity, 99 = other activity.
KINDS: dict[str, Kind] = {
    "log.created": Kind(6002, 1, Retention.TRUST, N_("Log created")),
    "log.closed": Kind(6002, 4, Retention.TRUST, N_("Log closed in favour of its successor")),
    "log.started": Kind(6002, 3, Retention.TRUST, N_("Log process started")),
    "log.stopped": Kind(6002, 4, Retention.TRUST, N_("Log process stopped as told")),
    "log.witnesses.lost": Kind(6002, 99, Retention.TRUST, N_("Too few witnesses cosign the log")),
    "log.witnesses.back": Kind(6002, 99, Retention.TRUST, N_("Enough witnesses cosign the log again")),
    "log.clock.stepped": Kind(6002, 99, Retention.TRUST, N_("The log's clock was set")),
    "log.clock.behind": Kind(6002, 99, Retention.TRUST, N_("The log's clock stands before its last checkpoint")),
    "log.clock.right": Kind(6002, 99, Retention.TRUST, N_("The log's clock has caught up with its last checkpoint")),
    "log.clock.disagrees": Kind(6002, 99, Retention.TRUST, N_("A role's clock is ahead of the log's")),
    "log.clock.agrees": Kind(6002, 99, Retention.TRUST, N_("A role's clock agrees with the log's again")),
    "log.stamped": Kind(6002, 99, Retention.TRUST, N_("Log time-stamped")),
    "log.stamp.failed": Kind(6002, 99, Retention.TRUST, N_("Log could not be time-stamped")),
    "log.storage.lost": Kind(6002, 99, Retention.TRUST, N_("The storage of tiles does not answer")),
    "log.storage.back": Kind(6002, 99, Retention.TRUST, N_("The storage of tiles answers again")),
    "audit.check.passed": Kind(6002, 99, Retention.TRUST, N_("Whole record checked: as signed")),
    "audit.check.failed": Kind(2004, 1, Retention.TRUST, N_("Whole record checked: an entry is not what was signed")),
    "audit.searched": Kind(6003, 2, Retention.ACCESS, N_("Officer searched the record")),
    "audit.opened": Kind(6003, 2, Retention.ACCESS, N_("Officer opened an entry")),
    "audit.evidence.made": Kind(6003, 2, Retention.TRUST, N_("Evidence file made")),
    "audit.evidence.opened": Kind(6003, 2, Retention.TRUST, N_("Personal parts opened in an evidence file")),
    "audit.read": Kind(6003, 2, Retention.ACCESS, N_("Entries were read in bulk")),
    "audit.record.set_aside": Kind(6003, 99, Retention.TRUST, N_("A record was refused and set aside")),
    "audit.witness.contradicted": Kind(2004, 1, Retention.TRUST, N_("A log of others signed two histories")),
    "audit.case.opened": Kind(6003, 1, Retention.TRUST, N_("Case opened")),
    "audit.case.entry_added": Kind(6003, 3, Retention.TRUST, N_("Entry put into a case")),
    "audit.case.noted": Kind(6003, 3, Retention.TRUST, N_("Note written in a case")),
    "audit.case.decided": Kind(6003, 3, Retention.TRUST, N_("Decision in a case")),
    "audit.case.read": Kind(6003, 2, Retention.ACCESS, N_("Officer read cases")),
    "audit.warrant.asked": Kind(3005, 99, Retention.TRUST, N_("Consent of a second officer asked for"), grants=True),
    "audit.warrant.approved": Kind(3005, 1, Retention.TRUST, N_("Second officer approved"), grants=True),
    "audit.warrant.refused": Kind(3005, 2, Retention.TRUST, N_("Second officer refused")),
    "audit.warrant.withdrawn": Kind(3005, 2, Retention.TRUST, N_("Consent or request taken back")),
    "audit.warrant.expired": Kind(3005, 2, Retention.TRUST, N_("Consent or request ran out")),
    "audit.warrant.used": Kind(3005, 99, Retention.TRUST, N_("Consent used up")),
    "audit.warrant.read": Kind(6003, 2, Retention.ACCESS, N_("Officer read requests for consent")),
    "audit.person.erased": Kind(3001, 6, Retention.TRUST, N_("Person erased from the record"), grants=True),
    "audit.person.held": Kind(3001, 99, Retention.TRUST, N_("Legal hold placed"), grants=True),
    "audit.person.released": Kind(3001, 99, Retention.TRUST, N_("Legal hold released"), grants=True),
    "audit.alert.raised": Kind(2004, 1, Retention.TRUST, N_("Alert raised")),
    "audit.alert.acknowledged": Kind(2004, 2, Retention.TRUST, N_("Officer took on an alert")),
    "audit.alert.closed": Kind(2004, 3, Retention.TRUST, N_("Officer closed an alert")),
    "audit.rules.changed": Kind(6002, 99, Retention.TRUST, N_("Other alert rules are in force")),
    "audit.feed.opened": Kind(6003, 2, Retention.ACCESS, N_("A service follows the record")),
    "audit.export.begun": Kind(6003, 2, Retention.ACCESS, N_("Entries begin to leave for a target")),
    "audit.export.opened": Kind(6003, 2, Retention.ACCESS, N_("Personal parts left opened for a target")),
    "audit.export.paused": Kind(3005, 2, Retention.TRUST, N_("Export to a target paused")),
    "audit.export.resumed": Kind(3005, 1, Retention.TRUST, N_("Export to a target resumed")),
    "audit.export.replayed": Kind(3005, 1, Retention.TRUST, N_("Entries are sent to a target again")),
    "audit.export.allowed": Kind(3005, 1, Retention.TRUST, N_("Personal parts may leave for a target")),
    "audit.export.forbidden": Kind(3005, 2, Retention.TRUST, N_("Personal parts leave for a target no more")),
    "audit.export.signed": Kind(6003, 2, Retention.TRUST, N_("Signed export of the record made")),
    "audit.retention.intended": Kind(6002, 99, Retention.TRUST, N_("Retention is about to drop what has run out")),
    "audit.retention.done": Kind(6002, 99, Retention.TRUST, N_("Retention dropped what had run out")),
    "audit.retention.refused": Kind(6002, 99, Retention.TRUST, N_("Retention refused to drop and asks an officer")),
    "audit.retention.confirmed": Kind(3005, 1, Retention.TRUST, N_("Officer let retention drop"), grants=True),
    "audit.retention.changed": Kind(3005, 99, Retention.TRUST, N_("Retention changed"), grants=True),
    "ca.ceremony.intended": Kind(3004, 1, Retention.TRUST, N_("Key ceremony begins"), grants=True),
    "ca.ceremony.completed": Kind(3004, 1, Retention.TRUST, N_("Key ceremony completed")),
    "ca.certificate.intended": Kind(3004, 1, Retention.TRUST, N_("Certificate about to be signed"), grants=True),
    "ca.certificate.issued": Kind(3004, 1, Retention.TRUST, N_("Certificate issued")),
    "ca.certificate.abandoned": Kind(3004, 99, Retention.TRUST, N_("Certificate abandoned")),
    "ca.certificate.refused": Kind(3004, 1, Retention.TRUST, N_("Certificate refused")),
    "ca.certificate.revoked": Kind(3004, 4, Retention.TRUST, N_("Certificate revoked")),
    "ca.certificate.suspended": Kind(3004, 3, Retention.TRUST, N_("Certificate suspended")),
    "ca.certificate.released": Kind(3004, 3, Retention.TRUST, N_("Certificate released from suspension")),
    "ca.tables.reconciled": Kind(
        3004, 3, Retention.TRUST, N_("Certificate authority found its tables behind the record")
    ),
    "ca.call.refused": Kind(6003, 99, Retention.ACCESS, N_("A request to the certificate authority was refused")),
    "directory.person.created": Kind(3001, 1, Retention.IDENTITY, N_("Person entered in the directory"), grants=True),
    "directory.person.changed": Kind(3001, 99, Retention.IDENTITY, N_("Person changed in the directory")),
    "directory.person.disabled": Kind(3001, 5, Retention.IDENTITY, N_("Person disabled")),
    "directory.person.enabled": Kind(3001, 2, Retention.IDENTITY, N_("Person enabled"), grants=True),
    "directory.entry.created": Kind(3004, 1, Retention.IDENTITY, N_("Directory entry created"), grants=True),
    "directory.entry.changed": Kind(3004, 3, Retention.IDENTITY, N_("Directory entry changed")),
    "directory.entry.removed": Kind(3004, 4, Retention.IDENTITY, N_("Directory entry removed")),
    "directory.role.granted": Kind(3005, 1, Retention.IDENTITY, N_("Role granted"), grants=True),
    "directory.role.withdrawn": Kind(3005, 2, Retention.IDENTITY, N_("Role withdrawn")),
    "directory.device.disabled": Kind(3004, 3, Retention.IDENTITY, N_("Device disabled")),
    "directory.device.enabled": Kind(3004, 3, Retention.IDENTITY, N_("Device enabled"), grants=True),
    "directory.person.read": Kind(6003, 2, Retention.ACCESS, N_("Directory entry read")),
    "directory.people.searched": Kind(6003, 2, Retention.ACCESS, N_("Directory searched")),
    "directory.change.unrecorded": Kind(3004, 99, Retention.IDENTITY, N_("Directory changed without a record")),
    "directory.change.undone": Kind(
        3004, 3, Retention.IDENTITY, N_("Unrecorded change of the directory undone"), grants=True
    ),
    "directory.change.kept": Kind(
        3004, 3, Retention.IDENTITY, N_("Unrecorded change of the directory kept"), grants=True
    ),
    "directory.imported": Kind(3004, 1, Retention.IDENTITY, N_("Directory import")),
    "sso.login": Kind(3002, 1, Retention.ACCESS, N_("Login")),
    "sso.login.attempted": Kind(3002, 99, Retention.ACCESS, N_("Somebody tries to log in")),
    "sso.factor.intended": Kind(3001, 10, Retention.IDENTITY, N_("Second factor about to be set up"), grants=True),
    "sso.factor.enrolled": Kind(3001, 10, Retention.IDENTITY, N_("Second factor set up")),
    "sso.factor.removed": Kind(3001, 11, Retention.IDENTITY, N_("Second factor removed")),
    "sso.session.ended": Kind(3002, 2, Retention.ACCESS, N_("Session ended")),
    "sso.code.intended": Kind(3003, 1, Retention.ACCESS, N_("Authorization code about to be issued"), grants=True),
    "sso.code.issued": Kind(3003, 1, Retention.ACCESS, N_("Authorization code issued")),
    "sso.token.intended": Kind(3003, 1, Retention.ACCESS, N_("Tokens about to be issued"), grants=True),
    "sso.token.issued": Kind(3003, 1, Retention.ACCESS, N_("Tokens issued")),
    "sso.token.refused": Kind(3003, 1, Retention.ACCESS, N_("Tokens refused")),
    "sso.token.revoked": Kind(3003, 99, Retention.ACCESS, N_("Tokens revoked")),
    "sso.userinfo": Kind(6003, 2, Retention.ACCESS, N_("A portal read a person's data")),
    "sso.consent.granted": Kind(3005, 1, Retention.IDENTITY, N_("Consent given"), grants=True),
    "sso.consent.withdrawn": Kind(3005, 2, Retention.IDENTITY, N_("Consent withdrawn")),
    "sso.key.rotated": Kind(3004, 3, Retention.TRUST, N_("Sign-on's signing key changed"), grants=True),
    "policy.released": Kind(3004, 3, Retention.TRUST, N_("Policies released"), grants=True),
    "gateway.decision": Kind(6003, 99, Retention.ACCESS, N_("Access decided")),
    "gateway.session.opened": Kind(3003, 1, Retention.ACCESS, N_("Gateway session opened"), grants=True),
    "gateway.session.ended": Kind(3002, 2, Retention.ACCESS, N_("Gateway session ended")),
    "signature.intended": Kind(6003, 1, Retention.TRUST, N_("Document about to be signed"), grants=True),
    "signature.made": Kind(6003, 1, Retention.TRUST, N_("Document signed")),
    "signature.refused": Kind(6003, 1, Retention.TRUST, N_("Signature refused")),
    "signature.verified": Kind(6003, 2, Retention.ACCESS, N_("Signed document verified")),
}
