# SPDX-License-Identifier: Apache-2.0
"""Requests that an officer decides one by one: the device asks again with the same request until there is an answer."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Protocol


class Said(StrEnum):
    """What officers say to a request."""

    NOTHING_YET = "nothing-yet"
    YES = "yes"
    NO = "no"


@dataclass(frozen=True, kw_only=True)
class Decision:
    """How a request stands; ``serial`` only with yes, ``reason`` only with no."""

    said: Said
    serial: str = ""
    reason: str = ""


class Queue(Protocol):
    """Where officers decide about requests of devices; composed where registration is known."""

    def ask(self, *, device: str, profile: str, csr: bytes, reference: str) -> Decision:
        """How this very request stands; it is put before the officers if it is not.

        Raises:
            TallygateError: it cannot be; too many of the device wait already, or its key cannot be used.
        """
        ...


class NoQueue:
    """Nobody decides anything one by one."""

    def ask(self, *, device: str, profile: str, csr: bytes, reference: str) -> Decision:
        """Never called: no label is queued without a queue."""
        raise NotImplementedError


@dataclass(frozen=True)
class Later:
    """The answer is not there yet (RFC 7030 section 4.2.3)."""

    pause: timedelta
