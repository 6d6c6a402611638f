# SPDX-License-Identifier: Apache-2.0
"""What the certificate authority may ask of role directory: to publish what it vouches for, and for credit codes."""

import base64
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from core.calls import Peer

API = "/api/v1"


class PublishingClient:
    """The verbs of `directory.service.Publishing`, over the peer API; raises the same errors."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    def certificates(self, kind: str, identifier: str, certificates: Sequence[bytes]) -> None:
        """Let an entry hold exactly these certificates.

        Raises:
            TallygateError: as ``Publishing.certificates``.
        """
        path = f"{API}/published/{quote(kind, safe='')}/{quote(identifier, safe='')}"
        self._peer.call("PUT", path, document={"certificates": [_text(each) for each in certificates]})

    def authority(self, name: str, parts: Mapping[str, bytes]) -> None:
        """Let an authority's entry hold its ``certificate``, ``list`` and ``delta``.

        Raises:
            TallygateError: as ``Publishing.authority``.
        """
        document = {part: _text(each) for part, each in parts.items()}
        self._peer.call("PUT", f"{API}/authorities/{quote(name, safe='')}", document=document)


class NumberingClient:
    """What the authority alone is told of numbers, over the peer API."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    def code(self, organisation: str) -> str:
        """An organisation's credit code, on record; empty if it has none.

        Raises:
            TallygateError: as ``Numbering.code``.
        """
        answer = self._peer.call("GET", f"{API}/organisations/{quote(organisation, safe='')}/code")
        return str(answer.json()["code"])


def _text(der: bytes) -> str:
    return base64.b64encode(der).decode("ascii")
