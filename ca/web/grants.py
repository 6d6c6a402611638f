# SPDX-License-Identifier: Apache-2.0
"""The desk's page of grants, behind the gateway only: a device or organisation may bind one ACME account."""

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from core.errors import TallygateError
from core.web import Guard, form_text
from core.web.inputs import Malformed, query_text

from ..acme import Acme, Holder
from ..acme.gate import PREFIX
from ..acme.grants import MOST_NAMES
from . import words
from .desk import ROLE, by_gateway
from .visitors import SHOWN_AGAIN, said

_LONGEST = 10_000
_PAGE = 50


def grants(service: Acme, guard: Guard) -> Blueprint:
    """List, make, withdraw."""
    blueprint = Blueprint("ca_grants", __name__, template_folder="../templates")

    @blueprint.context_processor
    def names() -> dict[str, object]:
        return {"words": words, "desk": "ca", "Holder": Holder}

    @blueprint.get("/grants")
    @guard.person(ROLE)
    def listed() -> ResponseReturnValue:
        return _page(service)

    @blueprint.post("/grants")
    @guard.person(ROLE)
    def make() -> ResponseReturnValue:
        holder, subject = form_text("holder", longest=16), form_text("subject", longest=128).strip()
        lines = request.form.getlist("names")
        if holder not in set(Holder) or len(lines) != 1 or len(lines[0]) > _LONGEST:
            raise Malformed(field="names")
        hosts = [each.strip() for each in lines[0].splitlines() if each.strip()]
        try:
            grant, key = service.grants.make(
                holder=Holder(holder), subject=subject, names=hosts, officer=by_gateway().subject
            )
        except TallygateError as error:
            if error.kind not in SHOWN_AGAIN:
                raise
            shown = {"holder": holder, "subject": subject, "names": "\n".join(hosts[:MOST_NAMES])}
            return _page(service, notice=said(error), **shown), error.kind.status
        # The only answer that ever holds the key; it is not kept, neither here nor by a browser.
        directories = sorted(f"{origin}{PREFIX}/directory" for origin in service.origins)
        return render_template("ca/granted.html", grant=grant, key=key, directories=directories)

    @blueprint.post("/grants/<kid>/withdraw")
    @guard.person(ROLE)
    def withdraw(kid: str) -> ResponseReturnValue:
        service.grants.withdraw(kid, officer=by_gateway().subject)
        return redirect(url_for("ca_grants.listed"), code=303)

    return blueprint


def _page(service: Acme, *, notice: str = "", holder: str = "", subject: str = "", names: str = "") -> str:
    found = service.grants.grants(before=query_text("before", longest=32))
    more = found[-1].kid if len(found) == _PAGE else ""
    return render_template(
        "ca/grants.html", found=found, more=more, notice=notice, holder=holder, subject=subject, names=names
    )
