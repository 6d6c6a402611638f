# SPDX-License-Identifier: Apache-2.0
"""The nouns of the record: what an event says, what a receipt proves, and the two ways in and out of the log.

An event has a clear header without personal data and a sealed part that is encrypted under its subject's own key
before it enters the log. Sizes: an encoded entry is at most 65,535 bytes (C2SP tlog-tiles).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class Outcome(StrEnum):
    """How the act ended, as far as known when the entry was written."""

    # The act is about to happen; a second entry with the same ``object`` says how it ended.
    INTENDED = "intended"
    SUCCESS = "success"
    DENIED = "denied"
    FAILURE = "failure"


class Wait(StrEnum):
    """How far the log must have got before the recorder answers."""

    # fsynced, order fixed; for decisions.
    SEQUENCED = "sequenced"
    # Covered by a signed checkpoint; for issuance and erasure.
    PUBLISHED = "published"
    # Covered by a checkpoint that outsiders signed or time-stamped; for evidence. A log without a witness refuses it
    # with RecordUnavailable rather than answer with less.
    WITNESSED = "witnessed"


Attribute = str | int | bool


@dataclass(frozen=True, kw_only=True)
class Event:
    """One thing that happened or is about to happen."""

    # Idempotency key, 32 lower-case hex digits chosen by the source; the same event sent twice is one entry.
    key: str
    # Dotted name from ``audit.events``: "gateway.decision", "ca.certificate.issued".
    type: str
    outcome: Outcome
    at: datetime
    # Role that says so; the log checks it against the caller.
    source: str
    # Whom it is about: random identifier of a person, device, organisation or client. Owner of the sealed part.
    subject: str = ""
    # Who did it, when that is somebody else.
    actor: str = ""
    # What it was done to: portal, certificate serial (hex), client, policy release, document commitment.
    object: str = ""
    # Organisation on whose behalf or about which, by identifier.
    organisation: str = ""
    # Sign-on session.
    session: str = ""
    zone: str = ""
    # Identifier of the decision and version of the policies that made it.
    decision: str = ""
    policy: str = ""
    # Non-personal facts: reason codes, acr, method, policy ids. At most 64, keys in snake_case.
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    # Personal facts (names, addresses, free text, before and after); needs ``subject``.
    sealed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """The log's word that an entry has its place."""

    # Origin line of the log.
    log: str
    index: int
    # RFC 6962 leaf hash of the entry's bytes.
    leaf: bytes
    level: Wait
    # Signed checkpoint that covers the entry; empty while only sequenced.
    checkpoint: str = ""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One entry as a follower sees it: the clear header; the sealed part stays ciphertext."""

    index: int
    event: Event
    # Present if the event had a sealed part.
    ciphertext: str = ""
    # Counts the entries of one source from 0 without gaps; given by the log.
    sequence: int = 0


class Recorder(Protocol):
    """Where services put events; in process beside the log, or over its socket."""

    def record(self, event: Event, *, wait: Wait = Wait.SEQUENCED) -> Receipt:
        """Append one event and wait.

        Raises:
            RecordUnavailable: no receipt; whether the event entered the log is unknown, and sending it again with
                the same key is safe.
            BadEvent: the event breaks a rule; nothing was appended.
            KeyReused: the key belongs to a different event.
        """
        ...


class Feed(Protocol):
    """The log as news: every entry in order, and a signed heartbeat while there are none."""

    def follow(self, start: int, hear: Callable[[Sequence[Entry]], None]) -> None:
        """Deliver entries from ``start`` on; an empty sequence is a heartbeat. Returns when the line breaks."""
        ...


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Who reads: an officer with their session, or a role of the site."""

    subject: str = ""
    session: str = ""
    zone: str = ""
    # The gateway's decision that let the officer in.
    decision: str = ""
    # The officer's directory roles, as the guard verified them.
    roles: frozenset[str] = frozenset()
    # Name of the role that asks, when it is not a person.
    role: str = ""
