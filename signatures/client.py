# SPDX-License-Identifier: Apache-2.0
"""The verbs other roles may call: seal a document, give an organisation its seal, verify."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

from core.calls import Answer, Peer
from core.errors import Unavailable
from core.identity import HEADER

from .errors import SecondAsked
from .models import Profile, SealOrder

API = "/api/v1"
PDF = {"Content-Type": "application/pdf"}


class BatchClient:
    """One operator's batches, in the name of a person; every verb may be asked again after a death."""

    def __init__(self, peer: Peer, *, actor: str) -> None:
        self._peer = peer
        self._as = f"?{urlencode({'actor': actor})}"

    def open(self, organisation: str) -> str:
        """A new batch for an organisation's seal; its identifier."""
        return str(self._told("POST", f"{self._as}&{urlencode({'organisation': organisation})}")["id"])

    def far(self, batch: str) -> dict[str, Any]:
        """How far it is; raises NotFound if there is none."""
        return self._told("GET", f"/{batch}{self._as}")

    def documents(self, batch: str) -> list[dict[str, Any]]:
        """Every document and what became of it, in the order of names."""
        found: list[dict[str, Any]] = self._told("GET", f"/{batch}/documents{self._as}")["documents"]
        return found

    def add(self, batch: str, name: str, document: bytes) -> None:
        """Put a document in; the very same again changes nothing."""
        self._peer.call("PUT", f"{self._at(batch, name)}", body=document, headers=PDF)

    def start(self, batch: str, *, count: int, digest: str) -> None:
        """Confirm just these documents; again changes nothing."""
        self._told("POST", f"/{batch}/start{self._as}", {"count": count, "digest": digest})

    def result(self, batch: str, name: str) -> bytes:
        """One sealed document."""
        return self._peer.call("GET", self._at(batch, name)).body

    def _at(self, batch: str, name: str) -> str:
        return f"{API}/batches/{batch}/documents/{quote(name, safe='')}{self._as}"

    def _told(self, method: str, path: str, document: Any = None) -> dict[str, Any]:
        answer = self._peer.call(method, f"{API}/batches{path}", document=document).json()
        if not isinstance(answer, dict):
            raise Unavailable
        return answer


class SignatureClient:
    """Speaks as the role its peer was made for; the role's name is the order's caller."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    def seal(self, order: SealOrder) -> bytes:
        """The sealed document.

        Raises:
            SecondAsked: the order waits for a second keeper.
            TallygateError: as ``Sealing.seal``.
        """
        query, headers = _asked(order, look(order))
        headers |= PDF
        return _given(self._peer.call("POST", f"{API}/seal?{query}", body=order.document, headers=headers))

    def sign_beside(self, order: SealOrder, *, name: str = "") -> bytes:
        """A detached CAdES signature over any file, DER; ``name`` is what keepers are told that it is called.

        Raises:
            SecondAsked: the order waits for a second keeper.
            TallygateError: as ``Sealing.sign_beside``.
        """
        query, headers = _asked(order, {"name": name} if name else {})
        headers |= {"Content-Type": "application/octet-stream"}
        return _given(self._peer.call("POST", f"{API}/detached?{query}", body=order.document, headers=headers))

    def establish(self, organisation: str, *, renew: bool = False) -> str:
        """Give an organisation its seal; the serial of its certificate."""
        answer = self._peer.call("POST", f"{API}/seals", document={"organisation": organisation, "renew": renew}).json()
        serial = answer.get("serial") if isinstance(answer, dict) else None
        if not isinstance(serial, str):
            raise Unavailable
        return serial

    def name_keepers(self, organisation: str, usernames: Sequence[str]) -> None:
        """Name the first keepers of a seal.

        Raises:
            TallygateError: as ``Keepers.name_first``.
        """
        self._peer.call("POST", f"{API}/keepers", document={"organisation": organisation, "keepers": [*usernames]})

    def verify(self, document: bytes, *, profile: Profile = Profile.STRICT) -> dict[str, Any]:
        """The verdict as JSON."""
        answer = self._peer.call("POST", f"{API}/verify?profile={profile.value}", body=document, headers=PDF).json()
        if not isinstance(answer, dict):
            raise Unavailable
        return answer


def _given(answer: Answer) -> bytes:
    if answer.status == HTTPStatus.ACCEPTED:
        said = answer.json()
        raise SecondAsked(address=str(said.get("address", "")) if isinstance(said, dict) else "")
    return answer.body


def look(order: SealOrder) -> dict[str, str | int | list[str]]:
    """Where the picture goes and what the signature permits, as the interface takes it; nothing for the defaults."""
    place, permits = order.placement, order.permits
    said: dict[str, str | int | list[str] | None] = {
        "page": place.page or None,
        "x": None if place.x is None else f"{place.x:.2f}",
        "y": None if place.y is None else f"{place.y:.2f}",
        "field": place.field or None,
        "certify": permits.certification.value or None,
        "lock": permits.locking.value or None,
        "locked": list(permits.fields) or None,
        "code": "yes" if order.code else None,
        "further": "yes" if order.further else None,
    }
    return {name: value for name, value in said.items() if value is not None}


def _asked(order: SealOrder, said: dict[str, str | int | list[str]]) -> tuple[str, dict[str, str]]:
    """Query and headers that say who asks for whom."""
    said |= {"organisation": order.organisation}
    if order.reference:
        said["reference"] = order.reference
    if order.unverified_identity:
        return urlencode(said, doseq=True), {HEADER: order.unverified_identity}
    said |= {"actor": order.actor, "assurance": order.assurance, "zone": order.zone, "session": order.session}
    return urlencode(said, doseq=True), {}
