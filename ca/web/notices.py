# SPDX-License-Identifier: Apache-2.0
"""What anybody may read of an incident that an officer has agreed to: why, what, by when; nobody's name, no serial."""

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from core.web import Guard

from ..incidents import Act, Incidents, Stage, Whom
from . import words


def notices(service: Incidents, guard: Guard) -> Blueprint:
    """One page for each incident; renewal information (RFC 9773) leads there."""
    blueprint = Blueprint("ca_notices", __name__, template_folder="../templates", url_prefix="/notices")

    @blueprint.get("/<identifier>")
    @guard.public("RFC 9773 section 4.2: why certificates are to be renewed; names nobody")
    def notice(identifier: str) -> ResponseReturnValue:
        found = service.public(identifier)
        return render_template(
            "ca/notice.html", incident=found, words=words, Act=Act, Whom=Whom, over=found.stage is Stage.STOPPED
        )

    return blueprint
