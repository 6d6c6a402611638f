# SPDX-License-Identifier: Apache-2.0
"""Where holders ask for certificates and look after their own: a host of its own behind the gateway.

The gateway's header for this host opens nothing at the desk, and the desk's nothing here. Everything concerns whoever
is logged in; another's request or certificate is not there.
"""

from pathlib import Path

from flask import Blueprint, Response, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from core.clock import Clock
from core.errors import Forbidden, TallygateError
from core.identity import HEADER, Identity, IdentityVerifier
from core.web import Guard, form_text
from core.web.inputs import Malformed

from ..errors import NoSuchCertificate
from ..incidents import Act, Incidents, Notice
from ..models import Certificate, Reason, Standing
from ..registration import Asked, Registration, Stage
from ..service import CertificateAuthority
from . import words
from .own_api import own_requests
from .visitors import SHOWN_AGAIN, said, uploaded_request

_WHY = "the gateway's signed identity for this very host"
_SCRIPT = (Path(__file__).parent.parent / "static" / "keys.js").read_bytes()
_LONGEST_OFFER = 100


def own(
    service: CertificateAuthority,
    registration: Registration,
    guard: Guard,
    *,
    verifier: IdentityVerifier,
    clock: Clock,
    host: str,
    account: str,
    incidents: Incidents,
) -> Blueprint:
    """The pages below ``/my/``; ``account`` is the address of "My account"."""
    blueprint = Blueprint("ca_own", __name__, template_folder="../templates")

    @blueprint.before_app_request
    def lead() -> ResponseReturnValue | None:
        if request.host.partition(":")[0] == host and request.path == "/":
            return redirect(url_for("ca_own.home"), code=303)
        return None

    @blueprint.before_request
    def check() -> None:
        path = request.environ.get("REQUEST_URI") or request.full_path.rstrip("?")
        found = verifier.verify(request.headers.get(HEADER), method=request.method, path=path, at=clock.now())
        if found.kind != "person":
            raise Forbidden
        g.holder = found

    @blueprint.context_processor
    def names() -> dict[str, object]:
        return {
            "words": words,
            "Standing": Standing,
            "Stage": Stage,
            "expired": service.expired,
            "account": account,
            "reasons": list(Reason),
            "told": told,
            "Act": Act,
        }

    def told(found: Certificate) -> tuple[Notice, str] | None:
        """What an incident tells the holder of one that is still good, and where it is explained."""
        if found.standing is not Standing.GOOD or service.expired(found):
            return None
        notice = incidents.notices([found.serial]).get(found.serial)
        return (notice, incidents.address(notice.incident)) if notice else None

    def form(*, offer: str = "", csr: str = "", notice: str = "") -> str:
        return render_template(
            "ca/own_ask.html", offers=registration.offers(_holder().subject), offer=offer, csr=csr, notice=notice
        )

    def page(asked: Asked, error: TallygateError | None = None) -> ResponseReturnValue:
        found = service.certificate(asked.serial) if asked.serial else None
        shown = render_template("ca/own_request.html", asked=asked, found=found, notice=said(error) if error else "")
        return shown, error.kind.status if error else 200

    @blueprint.get("/my/")
    @guard.own(_WHY)
    def home() -> ResponseReturnValue:
        subject = _holder().subject
        certificates, _ = service.certificates(subject)
        requests = registration.asked_by(subject)
        known = {each.serial for each in certificates}
        # Those of organisations are in the organisation's name.
        certificates += [
            service.certificate(each.serial) for each in requests if each.serial and each.serial not in known
        ]
        return render_template("ca/own.html", certificates=certificates, requests=requests)

    @blueprint.get("/my/ask")
    @guard.own(_WHY)
    def ask() -> ResponseReturnValue:
        return form()

    @blueprint.post("/my/requests")
    @guard.own(_WHY)
    def asking() -> ResponseReturnValue:
        offer, csr = form_text("offer", longest=_LONGEST_OFFER), uploaded_request()
        try:
            asked = registration.ask(asker=_holder().subject, offer=offer, csr=csr)
        except TallygateError as error:
            if error.kind not in SHOWN_AGAIN:
                raise
            shown = csr.decode("ascii", "replace")
            return form(offer=offer, csr=shown if shown.isascii() else "", notice=said(error)), error.kind.status
        return redirect(url_for("ca_own.asked", identifier=asked.id), code=303)

    @blueprint.get("/my/requests/<identifier>")
    @guard.own(_WHY)
    def asked(identifier: str) -> ResponseReturnValue:
        return page(registration.own(identifier, _holder().subject))

    @blueprint.post("/my/requests/<identifier>/withdraw")
    @guard.own(_WHY)
    def withdraw(identifier: str) -> ResponseReturnValue:
        try:
            registration.withdraw(identifier, _holder().subject)
        except TallygateError as error:
            if error.kind not in SHOWN_AGAIN:
                raise
            return page(registration.own(identifier, _holder().subject), error)
        return redirect(url_for("ca_own.asked", identifier=identifier), code=303)

    _certificates(blueprint, service, registration, guard)
    own_requests(blueprint, registration, guard, subject=lambda: _holder().subject)

    @blueprint.get("/my/keys.js")
    @guard.own(_WHY)
    def script() -> Response:
        return Response(_SCRIPT, content_type="text/javascript; charset=utf-8")

    return blueprint


def _certificates(
    blueprint: Blueprint, service: CertificateAuthority, registration: Registration, guard: Guard
) -> None:
    def mine(serial: str) -> Certificate:
        """One's own certificate, or one that came of one's own request.

        Raises:
            NoSuchCertificate: there is none, or it is somebody else's, which is not said.
        """
        found = service.certificate(serial)
        subject = _holder().subject
        if found.subject != subject and found.serial not in {each.serial for each in registration.asked_by(subject)}:
            raise NoSuchCertificate
        return found

    @blueprint.get("/my/certificates/<serial>.pem")
    @guard.own(_WHY)
    def download(serial: str) -> Response:
        found = mine(serial)
        if not found.der:
            raise NoSuchCertificate
        headers = {"Content-Disposition": f'attachment; filename="{found.serial}.pem"'}
        return Response(service.chained(found), content_type="application/x-pem-file", headers=headers)

    @blueprint.get("/my/certificates/<serial>")
    @guard.own(_WHY)
    def show(serial: str) -> ResponseReturnValue:
        return render_template("ca/own_certificate.html", found=mine(serial), notice="")

    @blueprint.post("/my/certificates/<serial>/<any(suspend, revoke):verb>")
    @guard.own(_WHY)
    def end(serial: str, verb: str) -> ResponseReturnValue:
        found = mine(serial)
        actor = _holder().subject
        try:
            if verb == "revoke":
                service.revoke(found.serial, reason=_reason(), actor=actor)
            else:
                service.suspend(found.serial, actor=actor)
        except TallygateError as error:
            if error.kind not in SHOWN_AGAIN:
                raise
            return render_template("ca/own_certificate.html", found=found, notice=said(error)), error.kind.status
        return redirect(url_for("ca_own.show", serial=found.serial), code=303)


def _holder() -> Identity:
    found: Identity = g.holder
    return found


def _reason() -> Reason:
    try:
        return Reason(form_text("reason", longest=40))
    except ValueError as error:
        raise Malformed(field="reason") from error
