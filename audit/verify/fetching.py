# SPDX-License-Identifier: Apache-2.0
"""From where a check reads a log."""

from pathlib import Path

import urllib3

from core.errors import Unavailable

from ..lineage import Fetch

_OK, _GONE = 200, (403, 404, 410)


def in_folder(folder: Path) -> Fetch:
    """From the disk."""

    def fetch(path: str) -> bytes | None:
        try:
            return (folder / path).read_bytes()
        except OSError:
            return None

    return fetch


def pool_of(authorities: Path | None) -> urllib3.PoolManager:
    """Connections that trust these root certificates, or the machine's."""
    return urllib3.PoolManager(
        ca_certs=str(authorities) if authorities else None,
        timeout=urllib3.Timeout(10),
        retries=urllib3.Retry(3, redirect=0),
    )


def over_http(pool: urllib3.PoolManager, url: str) -> Fetch:
    """From an address; what is there no more is nothing, and what does not answer is raised as Unavailable."""

    def fetch(path: str) -> bytes | None:
        try:
            answer = pool.request("GET", f"{url.rstrip('/')}/{path}")
        except urllib3.exceptions.HTTPError as error:
            raise Unavailable from error
        if answer.status in _GONE:
            return None
        if answer.status != _OK:
            raise Unavailable
        return answer.data

    return fetch
