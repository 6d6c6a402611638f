# SPDX-License-Identifier: Apache-2.0
"""The authority's verbs for other roles, over the peer API of role ca; raises the same errors as the service.

A role speaks for itself. For a person it passes on the gateway's header it was asked with; which role has which
business is said in `ca.service.callers`.
"""

import base64
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from core.calls import Peer
from core.errors import Unavailable
from core.identity import HEADER

from .models import Certificate, CertificateStatus, Issued, IssueRequest, Reason, Standing, State, read_serial

API = "/api/v1"


class CAClient:
    """Speaks as the role its peer was made for."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    def issue(self, request: IssueRequest, *, identity: str = "") -> Issued:
        """Ask for a certificate; ``identity`` is the gateway's header of the person whose wish this is.

        Raises:
            TallygateError: as ``CertificateAuthority.issue``.
        """
        document = {
            "profile": request.profile,
            "csr": base64.b64encode(request.csr).decode(),
            "subject": request.subject,
            "actor": request.actor,
            "hosts": list(request.hosts),
            "issuer": request.issuer,
            "organisation": request.organisation,
            "exception": request.exception,
        }
        answer = self._call("POST", "/certificates", document, identity=identity)
        try:
            return Issued(
                serial=answer["serial"],
                certificate=answer["certificate"].encode(),
                chain=answer["chain"].encode(),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise Unavailable from error

    def revoke(self, serial: str, *, reason: Reason, actor: str, identity: str = "") -> None:
        """End a certificate for good."""
        self._change(serial, "revoke", {"reason": reason.value, "actor": actor}, identity)

    def suspend(self, serial: str, *, actor: str, identity: str = "") -> None:
        """Make it worthless until released."""
        self._change(serial, "suspend", {"actor": actor}, identity)

    def release(self, serial: str, *, actor: str) -> None:
        """End a suspension."""
        self._change(serial, "release", {"actor": actor})

    def block(self, key_hash: str, *, actor: str) -> tuple[int, list[Certificate]]:
        """Never certify a key again; how many certificates that revoked now, and the newest that were made for it.

        Raises:
            TallygateError: the role answers otherwise; the key may be blocked all the same.
        """
        answer = self._call("POST", f"/keys/{key_hash}/block", {"actor": actor})
        try:
            return int(answer["revoked"]), [read_certificate(each) for each in answer["certificates"]]
        except (KeyError, TypeError, ValueError) as error:
            raise Unavailable from error

    def status(self, serial: str) -> CertificateStatus:
        """What one serial is worth now."""
        return read_status(self._call("GET", f"/certificates/{read_serial(serial)}/status"))

    def certificate(self, serial: str) -> Certificate:
        """One serial, whole."""
        return read_certificate(self._call("GET", f"/certificates/{read_serial(serial)}"))

    def certificates(self, subject: str) -> list[Certificate]:
        """The newest certificates of one subject."""
        answer = self._call("GET", f"/subjects/{subject}/certificates")
        try:
            return [read_certificate(each) for each in answer["certificates"]]
        except (KeyError, TypeError) as error:
            raise Unavailable from error

    def preview_incident(self, plan: dict[str, Any]) -> dict[str, Any]:
        """Select certificates and fix the list; nothing is done to them. The document is described in OpenAPI."""
        return self._call("POST", "/incidents", plan)

    def incidents(self) -> list[dict[str, Any]]:
        """The newest."""
        answer = self._call("GET", "/incidents")
        try:
            return list(answer["incidents"])
        except (KeyError, TypeError) as error:
            raise Unavailable from error

    def incident(self, identifier: str) -> dict[str, Any]:
        """One of them."""
        return self._call("GET", f"/incidents/{quote(identifier, safe='')}")

    def incident_list(self, identifier: str) -> Iterator[dict[str, str]]:
        """Every certificate of one, in the order of issuance."""
        after = 0
        while True:
            answer = self._call("GET", f"/incidents/{quote(identifier, safe='')}/certificates?after={after}")
            try:
                yield from answer["certificates"]
                after = int(answer["more"])
            except (KeyError, TypeError, ValueError) as error:
                raise Unavailable from error
            if not after:
                return

    def decide_incident(self, identifier: str, verb: str, document: dict[str, Any] | None = None) -> dict[str, Any]:
        """Propose, pause, resume, stop or withdraw one."""
        return self._call("POST", f"/incidents/{quote(identifier, safe='')}/{verb}", document or {})

    def send_table(self, table: bytes, *, profile: str, name: str, reference: str) -> dict[str, Any]:
        """Have a table of devices looked through, for officers to agree to; the document of `ca.openapi`.

        Raises:
            TallygateError: as ``Bulk.ask``, or the table cannot be understood.
        """
        query = urlencode({"profile": profile, "name": name, "reference": reference})
        sent = self._peer.call("POST", f"{API}/bulk?{query}", body=table, headers={"Content-Type": "text/csv"}).json()
        return _document(sent)

    def table(self, identifier: str) -> dict[str, Any]:
        """How far a table of devices came."""
        return _document(self._peer.call("GET", f"{API}/bulk/{quote(identifier, safe='')}").json())

    def table_report(self, identifier: str) -> bytes:
        """What became of its lines; CSV."""
        return self._peer.call("GET", f"{API}/bulk/{quote(identifier, safe='')}/report").body

    def table_certificates(self, identifier: str) -> bytes:
        """Everything that was issued for it; PEM."""
        return self._peer.call("GET", f"{API}/bulk/{quote(identifier, safe='')}/certificates").body

    def check(self, *, begin: bool = False) -> tuple[int, bool]:
        """One stretch of a check of everything: how many were checked, and whether that was all."""
        answer = self._call("POST", "/checks", {"begin": begin})
        try:
            return int(answer["checked"]), bool(answer["ended"])
        except (KeyError, TypeError, ValueError) as error:
            raise Unavailable from error

    def findings(self, after: int = 0) -> tuple[list[tuple[str, str, str]], int]:
        """What is wrong by the checker's word: code, serial, detail; and where the next page begins (0: no more)."""
        answer = self._call("GET", f"/checks?after={after}" if after else "/checks")
        try:
            found = [(str(each["code"]), str(each["about"]), str(each["detail"])) for each in answer["findings"]]
            return found, int(answer["more"])
        except (KeyError, TypeError, ValueError) as error:
            raise Unavailable from error

    def _change(self, serial: str, verb: str, document: dict[str, Any], identity: str = "") -> None:
        self._call("POST", f"/certificates/{read_serial(serial)}/{verb}", document, identity=identity)

    def _call(
        self, method: str, path: str, document: dict[str, Any] | None = None, *, identity: str = ""
    ) -> dict[str, Any]:
        passed_on = {HEADER: identity} if identity else {}
        answer = self._peer.call(method, API + path, document=document, headers=passed_on).json()
        if not isinstance(answer, dict):
            raise Unavailable
        return answer


def _document(answer: Any) -> dict[str, Any]:
    if not isinstance(answer, dict):
        raise Unavailable
    return answer


def status_document(status: CertificateStatus) -> dict[str, Any]:
    """A status as JSON."""
    return {
        "serial": status.serial,
        "standing": status.standing.value,
        "issuer": status.issuer,
        "profile": status.profile,
        "subject": status.subject,
        "not_after": status.not_after.isoformat() if status.not_after else None,
    }


def read_status(document: dict[str, Any]) -> CertificateStatus:
    """The reverse.

    Raises:
        Unavailable: not an answer of ours.
    """
    try:
        return CertificateStatus(
            serial=document["serial"],
            standing=Standing(document["standing"]),
            issuer=document["issuer"],
            profile=document["profile"],
            subject=document["subject"],
            not_after=datetime.fromisoformat(document["not_after"]) if document["not_after"] else None,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Unavailable from error


def certificate_document(found: Certificate) -> dict[str, Any]:
    """A certificate as JSON."""
    return {
        "serial": found.serial,
        "issuer": found.issuer,
        "profile": found.profile,
        "subject": found.subject,
        "name": found.name,
        "state": found.state.value,
        "standing": found.standing.value,
        "actor": found.actor,
        "created": found.created.isoformat(),
        "not_before": found.not_before.isoformat(),
        "not_after": found.not_after.isoformat(),
        "der": base64.b64encode(found.der).decode(),
        "changed": found.changed.isoformat() if found.changed else None,
        "reason": found.reason.value if found.reason else None,
    }


def read_certificate(document: dict[str, Any]) -> Certificate:
    """The reverse.

    Raises:
        Unavailable: not an answer of ours.
    """
    try:
        return Certificate(
            serial=document["serial"],
            issuer=document["issuer"],
            profile=document["profile"],
            subject=document["subject"],
            name=document["name"],
            state=State(document["state"]),
            standing=Standing(document["standing"]),
            actor=document["actor"],
            created=datetime.fromisoformat(document["created"]),
            not_before=datetime.fromisoformat(document["not_before"]),
            not_after=datetime.fromisoformat(document["not_after"]),
            der=base64.b64decode(document["der"], validate=True),
            changed=datetime.fromisoformat(document["changed"]) if document["changed"] else None,
            reason=Reason(document["reason"]) if document["reason"] else None,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Unavailable from error
