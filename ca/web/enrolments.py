# SPDX-License-Identifier: Apache-2.0
"""The desk's page of enrolments, behind the gateway only: a device may have a certificate made by EST."""

from collections.abc import Sequence

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from core.errors import TallygateError
from core.web import Guard, form_text
from core.web.inputs import Malformed, query_text

from ..est import Est
from ..est.enrolments import MOST_HOSTS
from . import words
from .desk import ROLE, by_gateway
from .est import PREFIX
from .visitors import SHOWN_AGAIN, said

_LONGEST = 10_000
_PAGE = 50


def enrolments(service: Est, guard: Guard, *, origins: Sequence[str]) -> Blueprint:
    """List, make, withdraw."""
    blueprint = Blueprint("ca_enrolments", __name__, template_folder="../templates")

    @blueprint.context_processor
    def names() -> dict[str, object]:
        profiles = {label: profile.name for label, profile in service.profiles.items()}
        return {"words": words, "desk": "ca", "labels": profiles, "most": service.settings.most_uses}

    @blueprint.get("/enrolments")
    @guard.person(ROLE)
    def listed() -> ResponseReturnValue:
        return _page(service)

    @blueprint.post("/enrolments")
    @guard.person(ROLE)
    def make() -> ResponseReturnValue:
        device, label = form_text("device", longest=128).strip(), form_text("label", longest=64)
        uses, lines = form_text("uses", longest=4).strip(), request.form.getlist("hosts")
        if not uses.isascii() or not uses.isdecimal():
            raise Malformed(field="uses")
        if len(lines) != 1 or len(lines[0]) > _LONGEST:
            raise Malformed(field="hosts")
        hosts = [each.strip() for each in lines[0].splitlines() if each.strip()]
        try:
            enrolment, secret = service.enrolments.make(
                device=device, label=label, hosts=hosts, uses=int(uses), officer=by_gateway().subject
            )
        except TallygateError as error:
            if error.kind not in SHOWN_AGAIN:
                raise
            shown = {"device": device, "label": label, "uses": uses, "hosts": "\n".join(hosts[:MOST_HOSTS])}
            return _page(service, notice=said(error), **shown), error.kind.status
        # The only answer that ever holds the secret; it is not kept, neither here nor by a browser.
        addresses = sorted(f"{origin}{PREFIX}/{enrolment.label}" for origin in origins)
        return render_template("ca/enrolled.html", enrolment=enrolment, secret=secret, addresses=addresses)

    @blueprint.post("/enrolments/<identifier>/withdraw")
    @guard.person(ROLE)
    def withdraw(identifier: str) -> ResponseReturnValue:
        service.enrolments.withdraw(identifier, officer=by_gateway().subject)
        return redirect(url_for("ca_enrolments.listed"), code=303)

    return blueprint


def _page(
    service: Est, *, notice: str = "", device: str = "", label: str = "", uses: str = "1", hosts: str = ""
) -> str:
    found = service.enrolments.enrolments(before=query_text("before", longest=32))
    more = found[-1].id if len(found) == _PAGE else ""
    return render_template(
        "ca/enrolments.html",
        found=found,
        more=more,
        notice=notice,
        device=device,
        label=label,
        uses=uses,
        hosts=hosts,
        standing=service.enrolments.standing,
    )
