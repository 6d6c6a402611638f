# SPDX-License-Identifier: Apache-2.0
"""The way to a time-stamping authority, over HTTP or HTTPS (RFC 3161 section 3.4). Nothing it says is believed here."""

from pathlib import Path

from core.calls import Outside
from core.errors import Unavailable

from .errors import StampSilent

LARGEST = 64 * 1024
"""Bytes of an answer: a token with a chain of certificates has a few thousand."""
_ASKED, _ANSWERED = "application/timestamp-query", "application/timestamp-reply"
_OK = 200


class Authority:
    """One address; ``authorities`` is a file of root certificates for an https address."""

    def __init__(self, url: str, *, authorities: Path | None = None, timeout: float = 10.0) -> None:
        self._outside = Outside(url, authorities=authorities, timeout=timeout, largest=LARGEST)

    def ask(self, question: bytes) -> bytes:
        """Send a question.

        Raises:
            StampSilent: no answer in time, one that is too long, or one of another kind.
        """
        try:
            reply = self._outside.post(question, {"Content-Type": _ASKED, "Accept": _ANSWERED})
        except Unavailable as error:
            raise StampSilent from error
        if reply.status != _OK or reply.kind != _ANSWERED:
            raise StampSilent
        return reply.body

    def close(self) -> None:
        """Drop idle connections."""
        self._outside.close()
