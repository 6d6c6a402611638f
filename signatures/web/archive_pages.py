# SPDX-License-Identifier: Apache-2.0
"""The archive on the host ``sign``: what is kept, until when it can be proved, what threatens it, and its download."""

from datetime import datetime

from flask import Blueprint, Response, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from core.errors import N_, TallygateError
from core.web import Guard, _, identity, locale
from core.web.inputs import Malformed, form_text, query_text

from ..archive import Archived, Cause, Keeping, Risk
from ..models import Level
from ..service import ArchiveDesk
from ..service.archive_desk import TOGETHER
from ..verdict import Catalogue
from ..verdict.words import LEVELS
from .blueprint import Pages
from .reasons import reason

_SHOWN_AGAIN = frozenset({400, 403, 409, 413, 503})
_RISKS = {
    Risk.NONE: (N_("can be proved"), "good"),
    Risk.WAITING: (N_("waits for its issuers"), "warn"),
    Risk.DUE: (N_("is stamped again now"), "warn"),
    Risk.LOST: (N_("cannot be proved any more"), "bad"),
    Risk.REFUTED: (N_("is proved not to be trusted"), "bad"),
}
_CAUSES = {
    Cause.CERTIFICATE: N_("then the certificate of the time-stamping unit ends"),
    Cause.ALGORITHM: N_("then this site no longer trusts the algorithm of the time-stamp"),
    Cause.UNNAMED: N_("nobody has said how long the algorithm of the time-stamp is trusted"),
}


def archive_pages(service: ArchiveDesk) -> Pages:
    """The pages below ``/my/archive``."""

    def pages(blue: Blueprint, guard: Guard) -> None:
        catalogue = Catalogue()

        @blue.context_processor
        def reach_archive() -> dict[str, object]:
            return {
                "archive_at": url_for("signatures.all_archived"),
                "risk_words": lambda risk: _(_RISKS[risk][0]),
                "risk_tone": lambda risk: _RISKS[risk][1],
                "cause_words": lambda cause: _(_CAUSES[cause]),
                "level_words": lambda each: _(LEVELS[level]) if (level := _level(each)) else _("unknown"),
                "trouble_words": reason,
            }

        def table(error: TallygateError | None = None) -> ResponseReturnValue:
            subject = identity().subject
            organisations = service.organisations(subject)
            wish = query_text("organisation", longest=64)
            chosen = next((each for each in organisations if each.id == wish or not wish), None)
            listed = service.listed(chosen, before=_before()) if chosen else []
            last = listed[TOGETHER - 1].archived if len(listed) > TOGETHER else None
            shown = render_template(
                "signatures/archive.html",
                organisations=organisations,
                chosen=chosen,
                chinese=locale().startswith("zh"),
                listed=listed[:TOGETHER],
                further=f"{last.deposited_at.isoformat()}~{last.id}" if last else "",
                documents=service.waiting(subject) if organisations else [],
                error=_(error.message) % error.parameters if error else "",
            )
            return shown, error.kind.status if error else 200

        @blue.get("/my/archive")
        @guard.person(assurance=2)
        def all_archived() -> ResponseReturnValue:
            return table()

        @blue.post("/my/archive")
        @guard.person(assurance=2)
        def put_into_archive() -> ResponseReturnValue:
            document, organisation = form_text("document", longest=32), form_text("organisation", longest=64)
            try:
                archived = service.deposit(identity().subject, document, organisation=organisation)
            except TallygateError as error:
                if error.kind.status not in _SHOWN_AGAIN:
                    raise
                return table(error)
            return redirect(url_for("signatures.one_archived", identifier=archived.id), code=303)

        @blue.get("/my/archive/<identifier>")
        @guard.person(assurance=2)
        def one_archived(identifier: str) -> ResponseReturnValue:
            listed = service.one(identity().subject, identifier)
            return render_template(
                "signatures/archived.html",
                listed=listed,
                archived=listed.archived,
                outlook=listed.outlook,
                verdict=service.judged(listed),
                say=lambda words: catalogue.say(words, locale()),
            )

        @blue.get("/my/archive/<identifier>/document.zip")
        @guard.person(assurance=2)
        def archived_with_proof(identifier: str) -> Response:
            response = Response(service.packed(identity().subject, identifier), content_type="application/zip")
            response.headers["Content-Disposition"] = f'attachment; filename="archive-{identifier[:8]}.zip"'
            response.headers["Cache-Control"] = "no-store"
            return response

    return pages


def _before() -> tuple[datetime, str] | None:
    said = query_text("before", longest=80)
    if not said:
        return None
    moment, _tilde, identifier = said.partition("~")
    try:
        at = datetime.fromisoformat(moment)
    except ValueError as error:
        raise Malformed(field="before") from error
    if at.tzinfo is None:
        raise Malformed(field="before")
    return at, identifier


def _level(archived: Archived) -> Level | None:
    """How long it can be proved by its form; what an older release took in says nothing of it until it is stamped."""
    if archived.keeping is Keeping.KEPT:
        return Level.LTA
    return Level(archived.level) if archived.level else None
