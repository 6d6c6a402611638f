# SPDX-License-Identifier: Apache-2.0
"""The log to be copied, over HTTP: public files for everybody, entry bundles with a mirror's credential."""

from pathlib import Path
from typing import Self

import urllib3

from core.errors import Unavailable

_OK, _GONE = 200, (404, 410)
# An entry bundle: 256 entries of at most 65,535 bytes, each behind two bytes of length.
_LARGEST = 256 * (2 + 65_535)


class Source:
    """Gets files by path; stays at one address and follows no redirection."""

    def __init__(self, url: str, pool: urllib3.PoolManager, credential: str = "") -> None:
        self._url = url.rstrip("/")
        self._pool = pool
        self._headers = urllib3.make_headers(basic_auth=credential) if credential else {}

    @classmethod
    def open(cls, url: str, *, credential: str = "", authorities: Path | None = None) -> Self:
        """Speak to a prefix as C2SP tlog-tiles has it; ``credential`` is NAME:SECRET as the log's keeper gave it.

        Raises:
            ValueError: a secret would be shown to everybody on the way.
        """
        local = url.startswith(("http://127.0.0.1:", "http://localhost:"))
        if credential and not url.startswith("https://") and not local:
            raise ValueError("a credential goes over https only")
        pool = urllib3.PoolManager(
            ca_certs=str(authorities) if authorities else None,
            timeout=urllib3.Timeout(20),
            retries=urllib3.Retry(3, redirect=0, backoff_factor=0.2),
        )
        return cls(url, pool, credential)

    def get(self, path: str) -> bytes | None:
        """The bytes at a path; None if the source says that there is nothing.

        Raises:
            Unavailable: it says nothing, refuses, or sends more than a file of a log can hold.
        """
        headers = self._headers if path.startswith("tile/entries/") or "/tile/entries/" in path else {}
        try:
            answer = self._pool.request("GET", f"{self._url}/{path}", headers=headers, preload_content=False)
            try:
                content: bytes = answer.read(_LARGEST + 1, decode_content=True)
            finally:
                answer.release_conn()
        except urllib3.exceptions.HTTPError as error:
            raise Unavailable from error
        if answer.status in _GONE:
            return None
        if answer.status != _OK or len(content) > _LARGEST:
            raise Unavailable
        return content
