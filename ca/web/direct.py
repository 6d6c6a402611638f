# SPDX-License-Identifier: Apache-2.0
"""The desk's side door: an officer's own certificate, vouched for by nginx, so that a broken sign-on can be repaired.

nginx ends TLS and hands the certificate and the listener over, together with its pair secret. Every access, permitted
or denied, is decided by the policies and recorded before it is answered (`ca.service.entrance`), as the gateway would.
"""

from urllib.parse import unquote_to_bytes

from flask import Blueprint, Response, g, request

from core.calls import CALLER_HEADER, SECRET_HEADER, PairSecrets
from core.errors import Forbidden
from core.web import Guard

from ..incidents import Incidents
from ..registration import Registration
from ..service import CertificateAuthority, Entrance, Knock
from .desk import pages
from .incidents import incident_pages
from .queue import queue_pages
from .visitors import Officer, PersonSource

CERTIFICATE_HEADER = "Tallygate-Client-Certificate"
LISTENER_HEADER = "Tallygate-Listener"
"""The zone, which is that of the listener the request came in by; only nginx names it."""
DECISION_HEADER = "Tallygate-Decision"
"""For nginx alone, which notes which decision a request was answered by and passes this header on to nobody."""
PREFIX = "/direct"


def side_door(
    service: CertificateAuthority,
    guard: Guard,
    *,
    registration: Registration,
    directory: PersonSource,
    entrance: Entrance,
    pairs: PairSecrets,
    incidents: Incidents,
) -> Blueprint:
    """The desk's pages below ``/direct/``."""
    mark = guard.own("the officer's client certificate, handed over by nginx with its pair secret")

    blueprint = pages(
        service,
        registration=registration,
        directory=directory,
        name="ca_direct",
        prefix=PREFIX,
        mark=mark,
        officer=at_the_door,
    )
    queue_pages(blueprint, registration, service, directory=directory, prefix=PREFIX, mark=mark, officer=at_the_door)
    incident_pages(
        blueprint,
        incidents,
        issuers=service.issuers,
        directory=directory,
        prefix=PREFIX,
        mark=mark,
        officer=at_the_door,
    )

    @blueprint.before_request
    def check() -> None:
        if pairs.caller(request.headers.get(CALLER_HEADER), request.headers.get(SECRET_HEADER)) != "nginx":
            raise Forbidden
        knock = _knock()
        # State after this line: the decision is on the record, and only then anything is shown.
        ruling = entrance.rule(knock)
        g.decision = ruling.number
        if ruling.error is not None:
            raise ruling.error
        if ruling.person is None:
            raise Forbidden
        g.officer = Officer(ruling.person.subject, ruling.person.roles, ruling.assurance, knock.zone)

    @blueprint.after_request
    def note(response: Response) -> Response:
        if "decision" in g:
            response.headers[DECISION_HEADER] = g.decision
        return response

    return blueprint


def at_the_door() -> Officer:
    """Whom the side door let in."""
    found: Officer = g.officer
    return found


def _knock() -> Knock:
    return Knock(
        unverified_certificate=unquote_to_bytes(request.headers.get(CERTIFICATE_HEADER, "")),
        zone=request.headers.get(LISTENER_HEADER, ""),
        method=request.method,
        path=request.path,
        address=request.remote_addr or "",
    )
