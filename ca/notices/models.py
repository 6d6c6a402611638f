# SPDX-License-Identifier: Apache-2.0
"""A notice, how it goes and how far it came."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Channel(StrEnum):
    """How somebody is told."""

    # To the holder.
    MAIL = "mail"
    # To the operators that the settings name.
    COPY = "copy"
    WEBHOOK = "webhook"


class NoticeState(StrEnum):
    """How far it came; it never goes back."""

    WAITING = "waiting"
    SENT = "sent"
    # No longer true, or nobody to tell.
    DROPPED = "dropped"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Due:
    """A notice that shall be sent now, with what it is about."""

    id: str
    serial: str
    # Days before the end.
    step: int
    # Address of the page about an incident it is part of; empty where only its end is near.
    about: str
    channel: Channel
    tries: int
    profile: str
    subject: str
    name: str
    not_after: datetime
    # False once it was revoked.
    good: bool
    der: bytes
    position: int
