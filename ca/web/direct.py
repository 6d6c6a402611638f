# SPDX-License-Identifier: Apache-2.0
"""The desk's side door: an officer's own certificate, vouched for by nginx, so that a broken sign-on can be repaired.

nginx ends TLS and hands the certificate over, together with its pair secret; chain, dates, status and role are checked
here, and every access, permitted or denied, is recorded before it is answered, as the gateway would.
"""

import ipaddress
import secrets
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from flask import Blueprint, Response, g, request

from audit import Event, Outcome, Recorder
from audit.models import Attribute
from core.calls import CALLER_HEADER, SECRET_HEADER, PairSecrets
from core.clock import Clock
from core.errors import Forbidden, NotFound, TallygateError
from core.web import Guard

from ..errors import CertificateRefused
from ..service import CertificateAuthority
from ..service.notes import SOURCE
from ..verifier import CertificateVerifier
from .desk import ROLE, Officer, PersonSource, pages

CERTIFICATE_HEADER = "Tallygate-Client-Certificate"
DECISION_HEADER = "Tallygate-Decision"
"""For nginx alone, which notes which decision a request was answered by and passes this header on to nobody."""
PREFIX = "/direct"
_ASSURANCE = 3
_ZONE = "management"


def side_door(
    service: CertificateAuthority,
    guard: Guard,
    *,
    directory: PersonSource,
    verifier: CertificateVerifier,
    pairs: PairSecrets,
    recorder: Recorder,
    clock: Clock,
) -> Blueprint:
    """The desk's pages below ``/direct/``."""
    blueprint = pages(
        service,
        directory=directory,
        name="ca_direct",
        prefix=PREFIX,
        mark=guard.own("the officer's client certificate, handed over by nginx with its pair secret"),
        officer=lambda: g.officer,
    )

    @blueprint.before_request
    def check() -> None:
        if pairs.caller(request.headers.get(CALLER_HEADER), request.headers.get(SECRET_HEADER)) != "nginx":
            raise Forbidden
        entrant = _entrant(service, directory, verifier, clock)
        number = secrets.token_hex(16)
        # State after this line: the decision is on the record, and only then anything is shown.
        recorder.record(_event(entrant, number, clock))
        g.decision = number
        if entrant.error is not None:
            raise entrant.error
        g.officer = Officer(entrant.subject, entrant.roles, _ASSURANCE, _ZONE)

    @blueprint.after_request
    def note(response: Response) -> Response:
        if "decision" in g:
            response.headers[DECISION_HEADER] = g.decision
        return response

    return blueprint


@dataclass(frozen=True, kw_only=True)
class _Entrant:
    """Who stands at the door; ``error`` is why it stays shut."""

    reason: str
    error: TallygateError | None = None
    subject: str = ""
    name: str = ""
    organisation: str = ""
    serial: str = ""
    roles: frozenset[str] = frozenset()


def _entrant(
    service: CertificateAuthority, directory: PersonSource, verifier: CertificateVerifier, clock: Clock
) -> _Entrant:
    pem = unquote_to_bytes(request.headers.get(CERTIFICATE_HEADER, ""))
    try:
        verified = verifier.verify(pem, purpose="person", at=clock.now())
        standing = service.status(verified.serial)
    except (CertificateRefused, NotFound) as error:
        # Whom a refused certificate names is not known.
        return _Entrant(reason="credential", error=error)
    if not standing.good:
        return _Entrant(reason="credential", error=CertificateRefused())
    try:
        person = directory.person(verified.subject)
    except NotFound:
        return _Entrant(reason="disabled", error=Forbidden(), subject=verified.subject, serial=verified.serial)
    roles = frozenset(getattr(person, "roles", frozenset()))
    reason = "allowed" if ROLE in roles else "role"
    if not person.enabled:
        reason = "disabled"
    return _Entrant(
        reason=reason,
        error=None if reason == "allowed" else Forbidden(),
        subject=verified.subject,
        name=person.name,
        organisation=person.organisation,
        serial=verified.serial,
        roles=roles,
    )


def _event(entrant: _Entrant, number: str, clock: Clock) -> Event:
    address = request.remote_addr or ""
    attributes: dict[str, Attribute] = {"reason": entrant.reason, "method": request.method, "side_door": True}
    sealed: dict[str, str] = {}
    if entrant.subject:
        attributes |= {"credential": "certificate", "certificate": entrant.serial, "assurance": _ASSURANCE}
        # Where somebody went is as personal as who it was.
        sealed = {"name": entrant.name, "address": address, "path": request.path}
    else:
        attributes["network"] = _network(address)
    return Event(
        key=number,
        type="gateway.decision",
        outcome=Outcome.DENIED if entrant.error is not None else Outcome.SUCCESS,
        at=clock.now(),
        source=SOURCE,
        subject=entrant.subject,
        object=SOURCE,
        organisation=entrant.organisation,
        zone=_ZONE,
        decision=number,
        attributes=attributes,
        sealed=sealed,
    )


def _network(address: str) -> str:
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return ""
    prefix = 24 if known.version == 4 else 48  # noqa: PLR2004 - the protocol's own number
    return str(ipaddress.ip_network(f"{address}/{prefix}", strict=False))
