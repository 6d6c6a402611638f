# SPDX-License-Identifier: Apache-2.0
"""What other roles may ask of role directory.

The certificate authority: to publish what it vouches for, and for credit codes. Sign-on: what people do about their own
entry.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from core.calls import Peer
from core.errors import Unavailable

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


class OwnClient:
    """What people do about their own entry, over the peer API; the same verbs as `directory.service.own.Own`."""

    def __init__(self, peer: Callable[[], Peer]) -> None:
        """``peer`` opens the way at the first call: a site of an earlier release may have none yet."""
        self._open = peer

    def entry(self, subject: str) -> Mapping[str, str]:
        """The entry, in words of the API.

        Raises:
            TallygateError: as ``Own.entry``.
        """
        found = self._open().call("GET", self._path(subject)).json()
        if not isinstance(found, dict):
            raise Unavailable
        return {str(name): str(value) for name, value in found.items()}

    def change(self, subject: str, *, mail: str, telephone: str, language: str) -> bool:
        """Change where one is written to and called, and in which language.

        Raises:
            TallygateError: as ``Own.change``.
        """
        document = {"mail": mail, "telephone": telephone, "language": language}
        return bool(self._open().call("PUT", self._path(subject), document=document).json()["changed"])

    def change_password(self, subject: str, current: str, password: str) -> None:
        """A new password for whoever knows the present one.

        Raises:
            TallygateError: as ``Own.change_password``.
        """
        document = {"current": current, "password": password}
        self._open().call("PUT", f"{self._path(subject)}/password", document=document)

    def recover(self, subject: str, password: str) -> None:
        """A new password for whoever was let through the recovery.

        Raises:
            TallygateError: as ``Own.recover``.
        """
        self._open().call("PUT", f"{self._path(subject)}/password/recovered", document={"password": password})

    @staticmethod
    def _path(subject: str) -> str:
        return f"{API}/own/{quote(subject, safe='')}"


class EntrustingClient:
    """Mandates that people give and end themselves, over the peer API; as `directory.service.entrusting.Entrusting`."""

    def __init__(self, peer: Callable[[], Peer]) -> None:
        """``peer`` opens the way at the first call: a site of an earlier release may have none yet."""
        self._open = peer

    def page(self, subject: str) -> Mapping[str, Any]:
        """What somebody may see, in words of the API.

        Raises:
            TallygateError: as ``Entrusting.page``.
        """
        found = self._open().call("GET", self._path(subject)).json()
        if not isinstance(found, dict):
            raise Unavailable
        return found

    def give(self, subject: str, holder: str, *, organisation: str, scope: str, until: str, reason: str) -> None:
        """Let somebody act for oneself or one's company.

        Raises:
            TallygateError: as ``Entrusting.give``.
        """
        document = {
            "holder": holder,
            "organisation": organisation,
            "scope": scope,
            "until": until,
            "reason": reason,
        }
        self._open().call("POST", self._path(subject), document=document)

    def end(self, subject: str, holder: str, *, organisation: str, principal: str, scope: str) -> None:
        """Withdraw or decline.

        Raises:
            TallygateError: as ``Entrusting.end``.
        """
        document = {"holder": holder, "organisation": organisation, "principal": principal, "scope": scope}
        self._open().call("POST", f"{self._path(subject)}/end", document=document)

    @staticmethod
    def _path(subject: str) -> str:
        return f"{API}/own/{quote(subject, safe='')}/mandates"


def _text(der: bytes) -> str:
    return base64.b64encode(der).decode("ascii")
