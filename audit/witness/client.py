# SPDX-License-Identifier: Apache-2.0
"""The way to another site's witness, over HTTP. Nothing it says is believed before its signature is checked."""

import time
from dataclasses import dataclass
from pathlib import Path

import urllib3

from core.errors import N_, Unavailable

from .submission import LARGEST

_CHUNK = 16 * 1024


class WitnessSilent(Unavailable):
    """No answer, or one without end."""

    code = "witness_silent"
    message = N_("A witness does not answer.")


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int
    # Media type without parameters, in lower case.
    kind: str
    body: bytes


class WitnessClient:
    """One submission prefix; ``authorities`` is a file of root certificates for an https address."""

    def __init__(self, url: str, *, authorities: Path | None = None, timeout: float = 5.0) -> None:
        self._url = f"{url.rstrip('/')}/add-checkpoint"
        self._timeout = timeout
        self._pool = urllib3.PoolManager(
            ca_certs=str(authorities) if authorities else None, timeout=urllib3.Timeout(timeout), retries=False
        )

    def add_checkpoint(self, body: bytes) -> Reply:
        """Send a submission.

        Raises:
            WitnessSilent: no answer in time, or one that is too long.
        """
        deadline = time.monotonic() + self._timeout
        try:
            response = self._pool.request(
                "POST",
                self._url,
                body=body,
                headers={"Content-Type": "text/plain; charset=utf-8"},
                redirect=False,
                preload_content=False,
            )
            read = bytearray()
            try:
                # Each read may take as long as the whole: whoever drips is cut after the second.
                for chunk in response.stream(_CHUNK, decode_content=False):
                    read += chunk
                    if len(read) > LARGEST or time.monotonic() > deadline:
                        raise WitnessSilent
            finally:
                response.close()
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise WitnessSilent from error
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        return Reply(response.status, kind, bytes(read))

    def close(self) -> None:
        """Drop idle connections."""
        self._pool.clear()
