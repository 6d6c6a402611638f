# SPDX-License-Identifier: Apache-2.0
"""One question to an address of others: bounded in time and in size, one connection pool, no redirection, no retry."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import urllib3

from ..errors import Unavailable

_CHUNK = 16 * 1024


@dataclass(frozen=True)
class Reply:
    """What came back; nothing of it is believed."""

    status: int
    # Media type without parameters, in lower case.
    kind: str
    body: bytes


class Outside:
    """One http or https address; ``authorities`` is a file of root certificates, those of the machine if left out."""

    def __init__(self, url: str, *, authorities: Path | None, timeout: float, largest: int) -> None:
        """``timeout`` in seconds and ``largest`` in bytes bound every answer."""
        self._url = url
        self._timeout = timeout
        self._largest = largest
        self._pool = urllib3.PoolManager(
            ca_certs=str(authorities) if authorities else None, timeout=urllib3.Timeout(timeout), retries=False
        )

    def post(self, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Send a body and read the answer, whatever its status.

        Raises:
            Unavailable: no answer in time, or one that is too long.
        """
        deadline = time.monotonic() + self._timeout
        try:
            response = self._pool.request(
                "POST", self._url, body=body, headers=dict(headers), redirect=False, preload_content=False
            )
            read = bytearray()
            try:
                for chunk in response.stream(_CHUNK, decode_content=False):
                    read += chunk
                    # Each read may take as long as the whole: whoever drips is cut after the second.
                    if len(read) > self._largest or time.monotonic() > deadline:
                        raise Unavailable
            finally:
                response.close()
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise Unavailable from error
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        return Reply(response.status, kind, bytes(read))

    def close(self) -> None:
        """Drop idle connections."""
        self._pool.clear()
