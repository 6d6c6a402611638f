# SPDX-License-Identifier: Apache-2.0
"""What is declared of every event type: how it maps to OCSF, what it may carry, who may say it, how long it is kept."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Retention(StrEnum):
    """For how long entries are kept is set per class, never per entry."""

    # Decisions, logins, sessions, tokens, and what officers and services read.
    ACCESS = "access"
    # Accounts, entries of the directory, roles, mandates, devices, factors, consents.
    IDENTITY = "identity"
    # Certificates, keys, ceremonies, policies, signatures, the life of the log itself.
    TRUST = "trust"


class Verb(StrEnum):
    """What kind of act a type tells of, which says when it is recorded."""

    # Intent and outcome of something given, both of this type; the intent has its receipt before the act.
    GRANT = "grants"
    # The two halves of a grant where they are types of their own.
    INTENT = "announces a grant"
    OUTCOME = "ends a grant"
    # Committed with the act itself and brought to the log by the outbox.
    TAKES = "takes away"
    # Recorded before the answer.
    ACCESS = "access"
    # One at the beginning of a session.
    FOLLOWER = "follower"
    # Something noticed, by nobody's wish.
    NOTICE = "notice"


class Severity(IntEnum):
    """OCSF severity_id of what is worse than its outcome tells."""

    BY_OUTCOME = 0
    MEDIUM = 3
    HIGH = 4


@dataclass(frozen=True)
class Kind:
    """One event type.

    Class, activity, entity and privilege decide where things stand in the bytes of an entry: they never change for a
    type that a site has recorded, for its old entries would not read any more.
    """

    # OCSF class_uid and activity_id.
    ocsf_class: int
    activity: int
    retention: Retention
    # What it says, in words an officer uses; a catalogue key.
    says: str
    verb: Verb
    # Roles that may say it; empty: whoever keeps an outbox.
    sources: AbstractSet[str] = frozenset()
    # Names of the attributes and sealed fields it may carry; "before.*" stands for every name of that beginning.
    attributes: AbstractSet[str] = frozenset()
    sealed: AbstractSet[str] = frozenset()
    # Parts of the header without which it would say nothing.
    needs: AbstractSet[str] = frozenset()
    # Entity management: what sort of thing is managed, and whether it is the subject rather than the object.
    entity: str = ""
    of_subject: bool = False
    # Authorize session and user access: the attribute that names what was given. It is never missing.
    privilege: str = ""
    severity: Severity = Severity.BY_OUTCOME


def words(text: str) -> AbstractSet[str]:
    """A set of names, written as one text."""
    return frozenset(text.split())
