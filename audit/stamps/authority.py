# SPDX-License-Identifier: Apache-2.0
"""The way to a time-stamping authority, over HTTP or HTTPS (RFC 3161 section 3.4). Nothing it says is believed here."""

import time
from pathlib import Path

import urllib3

from .errors import StampSilent

LARGEST = 64 * 1024
"""Bytes of an answer: a token with a chain of certificates has a few thousand."""
_CHUNK = 8 * 1024
_ASKED, _ANSWERED = "application/timestamp-query", "application/timestamp-reply"
_OK = 200


class Authority:
    """One address; ``authorities`` is a file of root certificates for an https address."""

    def __init__(self, url: str, *, authorities: Path | None = None, timeout: float = 10.0) -> None:
        self._url = url
        self._timeout = timeout
        self._pool = urllib3.PoolManager(
            ca_certs=str(authorities) if authorities else None, timeout=urllib3.Timeout(timeout), retries=False
        )

    def ask(self, question: bytes) -> bytes:
        """Send a question.

        Raises:
            StampSilent: no answer in time, one that is too long, or one of another kind.
        """
        deadline = time.monotonic() + self._timeout
        try:
            response = self._pool.request(
                "POST",
                self._url,
                body=question,
                headers={"Content-Type": _ASKED, "Accept": _ANSWERED},
                redirect=False,
                preload_content=False,
            )
            read = bytearray()
            try:
                for chunk in response.stream(_CHUNK, decode_content=False):
                    read += chunk
                    # Each read may take as long as the whole: whoever drips is cut after the second.
                    if len(read) > LARGEST or time.monotonic() > deadline:
                        raise StampSilent
            finally:
                response.close()
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise StampSilent from error
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if response.status != _OK or kind != _ANSWERED:
            raise StampSilent
        return bytes(read)

    def close(self) -> None:
        """Drop idle connections."""
        self._pool.clear()
