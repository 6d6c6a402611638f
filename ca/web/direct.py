# SPDX-License-Identifier: Apache-2.0
"""The desk's side door: an officer's own certificate, vouched for by nginx, so that a broken sign-on can be repaired.

nginx ends TLS and hands the certificate over, together with its pair secret; chain, dates, status and role are checked
here, and every access is recorded before it is answered, as the gateway would.
"""

from urllib.parse import unquote_to_bytes

from flask import Blueprint, g, request

from audit import Outcome, Recorder
from core.calls import CALLER_HEADER, SECRET_HEADER, PairSecrets
from core.clock import Clock
from core.errors import Forbidden
from core.web import Guard

from ..errors import CertificateRefused
from ..service import CertificateAuthority
from ..service.notes import event
from ..verifier import CertificateVerifier
from .desk import ROLE, Officer, PersonSource, pages

CERTIFICATE_HEADER = "Tallygate-Client-Certificate"
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
        pem = unquote_to_bytes(request.headers.get(CERTIFICATE_HEADER, ""))
        verified = verifier.verify(pem, purpose="person", at=clock.now())
        if not service.status(verified.serial).good:
            raise CertificateRefused
        person = directory.person(verified.subject)
        roles = frozenset(getattr(person, "roles", frozenset()))
        allowed = person.enabled and ROLE in roles
        recorder.record(
            event(
                "gateway.decision",
                Outcome.SUCCESS if allowed else Outcome.DENIED,
                at=clock.now(),
                subject=verified.subject,
                serial="ca",
                attributes={"method": request.method, "certificate": verified.serial, "side_door": True},
            )
        )
        if not allowed:
            raise Forbidden
        g.officer = Officer(verified.subject, roles, _ASSURANCE, _ZONE)

    return blueprint
