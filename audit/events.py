# SPDX-License-Identifier: Apache-2.0
"""Every event type the log takes, with its OCSF class and activity (OCSF 1.6, pinned in each entry's metadata).

The log refuses a type that is not listed here, so a misspelt event is found in its first test, and the list is the
documentation of what is recorded. ``grants`` marks types that announce a grant and need an outcome afterwards.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """How one event type maps to OCSF: class_uid and activity_id."""

    ocsf_class: int
    activity: int
    # What it says, in words an officer uses; a catalogue key.
    says: str
    grants: bool = False


# OCSF classes: 3001 account change, 3002 authentication, 3003 authorize session, 3004 entity management,
# 3005 user access management, 6002 application lifecycle, 6003 API activity, 99 = other activity.
KINDS: dict[str, Kind] = {
    "log.created": Kind(6002, 1, "Log created"),
    "log.started": Kind(6002, 3, "Log process started"),
    "audit.searched": Kind(6003, 2, "Officer searched the record"),
    "audit.opened": Kind(6003, 2, "Officer opened an entry"),
    "audit.read": Kind(6003, 2, "Entries were read in bulk"),
    "audit.feed.opened": Kind(6003, 2, "A service follows the record"),
    "ca.ceremony.intended": Kind(3004, 1, "Key ceremony begins", grants=True),
    "ca.ceremony.completed": Kind(3004, 1, "Key ceremony completed"),
    "ca.certificate.intended": Kind(3004, 1, "Certificate about to be signed", grants=True),
    "ca.certificate.issued": Kind(3004, 1, "Certificate issued"),
    "ca.certificate.abandoned": Kind(3004, 99, "Certificate abandoned"),
    "ca.certificate.refused": Kind(3004, 1, "Certificate refused"),
    "ca.certificate.revoked": Kind(3004, 4, "Certificate revoked"),
    "ca.certificate.suspended": Kind(3004, 3, "Certificate suspended"),
    "ca.certificate.released": Kind(3004, 3, "Certificate released from suspension"),
    "directory.person.created": Kind(3001, 1, "Person entered in the directory", grants=True),
    "directory.person.changed": Kind(3001, 99, "Person changed in the directory"),
    "directory.person.disabled": Kind(3001, 5, "Person disabled"),
    "directory.person.enabled": Kind(3001, 2, "Person enabled", grants=True),
    "directory.entry.created": Kind(3004, 1, "Directory entry created", grants=True),
    "directory.entry.changed": Kind(3004, 3, "Directory entry changed"),
    "directory.entry.removed": Kind(3004, 4, "Directory entry removed"),
    "directory.role.granted": Kind(3005, 1, "Role granted", grants=True),
    "directory.role.withdrawn": Kind(3005, 2, "Role withdrawn"),
    "directory.device.disabled": Kind(3004, 3, "Device disabled"),
    "directory.device.enabled": Kind(3004, 3, "Device enabled", grants=True),
    "directory.imported": Kind(3004, 1, "Directory import"),
    "sso.login": Kind(3002, 1, "Login"),
    "sso.session.ended": Kind(3002, 2, "Session ended"),
    "sso.code.intended": Kind(3003, 1, "Authorization code about to be issued", grants=True),
    "sso.code.issued": Kind(3003, 1, "Authorization code issued"),
    "sso.token.intended": Kind(3003, 1, "Tokens about to be issued", grants=True),
    "sso.token.issued": Kind(3003, 1, "Tokens issued"),
    "sso.token.refused": Kind(3003, 1, "Tokens refused"),
    "sso.token.revoked": Kind(3003, 99, "Tokens revoked"),
    "sso.userinfo": Kind(6003, 2, "A portal read a person's data"),
    "sso.consent.granted": Kind(3005, 1, "Consent given", grants=True),
    "sso.consent.withdrawn": Kind(3005, 2, "Consent withdrawn"),
    "policy.released": Kind(3004, 3, "Policies released", grants=True),
    "gateway.decision": Kind(6003, 99, "Access decided"),
    "gateway.session.opened": Kind(3003, 1, "Gateway session opened", grants=True),
    "signature.intended": Kind(6003, 1, "Document about to be signed", grants=True),
    "signature.made": Kind(6003, 1, "Document signed"),
    "signature.refused": Kind(6003, 1, "Signature refused"),
    "signature.verified": Kind(6003, 2, "Signed document verified"),
}
