# SPDX-License-Identifier: Apache-2.0
"""The desk's pages of devices enrolled many at once, behind the gateway only: upload, look through, agree, report."""

from collections.abc import Iterator

from flask import Blueprint, Response, redirect, render_template, request, stream_with_context, url_for
from flask.typing import ResponseReturnValue

from core.errors import TallygateError
from core.web import Guard, form_text
from core.web import _ as translated
from core.web.inputs import Malformed, query_text
from directory import Person

from ..models import Standing
from ..registration.bulk import LONGEST_FILE, OFFERED, Bulk, Job, JobState, Line, LineState, read_upload, report
from ..service import CertificateAuthority
from ..x509 import PROFILES
from . import words
from .desk import ROLE, by_gateway
from .queue import LONGEST_REASON, at
from .visitors import SHOWN_AGAIN, PersonSource, said

LINES = 200
"""Lines on one page."""
_FORM = 64 * 1024
"""Bytes around the file in a form."""
_DIGEST = 64


def tables(service: CertificateAuthority, bulk: Bulk, guard: Guard, *, directory: PersonSource) -> Blueprint:
    """List, upload, look through, agree, cancel, report."""
    blueprint = Blueprint("ca_bulk", __name__, template_folder="../templates")

    @blueprint.before_app_request
    def take_tables() -> None:
        # Before the guard reads the form for its token: tables are larger than other requests.
        if request.endpoint == f"{blueprint.name}.upload":
            request.max_content_length = LONGEST_FILE + _FORM

    @blueprint.context_processor
    def names() -> dict[str, object]:
        return {"words": words, "desk": "ca", "JobState": JobState, "LineState": LineState, "Standing": Standing}

    def listed_(notice: str = "", *, profile: str = "", reference: str = "") -> str:
        found, more = bulk.newest(before=_number("before"))
        return render_template(
            "ca/bulk.html",
            found=found,
            more=more,
            offered=OFFERED,
            notice=notice,
            profile=profile,
            reference=reference,
        )

    def page(job: Job, error: TallygateError | None = None) -> ResponseReturnValue:
        lines = bulk.lines(job.id, after=_number("after"), limit=LINES + 1)
        shown = render_template(
            "ca/bulk_job.html",
            job=job,
            asker=_person(directory, job.asker),
            approvals=[(each, _person(directory, each.officer)) for each in job.approvals],
            counting=bulk.counting(job) if job.state is JobState.WAITING else [],
            needed=PROFILES[job.profile].approvals,
            validity=PROFILES[job.profile].validity_days,
            lines=lines[:LINES],
            more=lines[LINES - 1].number if len(lines) > LINES else 0,
            reason=reason,
            notice=said(error) if error else "",
        )
        return shown, error.kind.status if error else 200

    @blueprint.get("/bulk")
    @guard.person(ROLE)
    def listed() -> ResponseReturnValue:
        return listed_()

    @blueprint.post("/bulk")
    @guard.person(ROLE)
    def upload() -> ResponseReturnValue:
        profile, reference = form_text("profile", longest=32), form_text("reference", longest=LONGEST_REASON).strip()
        file = request.files.get("file")
        content = file.read(LONGEST_FILE + 1) if file else b""
        name = _plain((file.filename if file else "") or "")
        if not content or not reference:
            raise Malformed(field="reference" if content else "file")
        try:
            rows = read_upload(content)
            job = bulk.ask(rows, profile=profile, asker=by_gateway().subject, reference=reference, name=name)
        except TallygateError as error:
            if error.kind not in SHOWN_AGAIN:
                raise
            return listed_(said(error), profile=profile, reference=reference), error.kind.status
        return redirect(url_for("ca_bulk.show", identifier=job.id), code=303)

    @blueprint.get("/bulk/<identifier>")
    @guard.person(ROLE)
    def show(identifier: str) -> ResponseReturnValue:
        return page(bulk.job(identifier))

    @blueprint.post("/bulk/<identifier>/<any(approve, cancel):verb>")
    @guard.person(ROLE)
    def decide(identifier: str, verb: str) -> ResponseReturnValue:
        # Known before it stands in an address.
        identifier, who = bulk.job(identifier).id, by_gateway()
        try:
            if verb == "approve":
                bulk.approve(identifier, at(who), digest=form_text("digest", longest=_DIGEST))
            else:
                bulk.cancel(identifier, by=who.subject)
        except TallygateError as error:
            if error.kind not in SHOWN_AGAIN:
                raise
            return page(bulk.job(identifier), error)
        return redirect(url_for("ca_bulk.show", identifier=identifier), code=303)

    @blueprint.get("/bulk/<identifier>/report.csv")
    @guard.person(ROLE)
    def table(identifier: str) -> Response:
        return report_of(bulk, bulk.job(identifier))

    @blueprint.get("/bulk/<identifier>/certificates.pem")
    @guard.person(ROLE)
    def certificates(identifier: str) -> Response:
        return certificates_of(service, bulk, bulk.job(identifier))

    return blueprint


def report_of(bulk: Bulk, job: Job) -> Response:
    """What became of every line, as a file."""
    headers = {"Content-Disposition": f'attachment; filename="{job.id}.csv"'}
    return Response(report(bulk.all_lines(job.id), reason), content_type="text/csv; charset=utf-8", headers=headers)


def certificates_of(service: CertificateAuthority, bulk: Bulk, job: Job) -> Response:
    """Everything that was issued, in the order of the lines, each with its issuer's; PEM."""

    def pieces() -> Iterator[bytes]:
        for line, found in bulk.certificates(job.id):
            yield f"# {line.number} {line.device}\n".encode() + service.chained(found)

    headers = {"Content-Disposition": f'attachment; filename="{job.id}.pem"'}
    return Response(stream_with_context(pieces()), content_type="application/x-pem-file", headers=headers)


def reason(line: Line) -> str:
    """Why a line was refused, in the visitor's language."""
    if not line.message:
        return ""
    parameters = {
        name: translated(words.RULES.get(value, value)) if value else value for name, value in line.parameters.items()
    }
    return translated(line.message) % parameters if parameters else translated(line.message)


def _number(name: str) -> int:
    text = query_text(name, longest=18)
    if text and not (text.isascii() and text.isdecimal()):
        raise Malformed(field=name)
    return int(text or 0)


def _plain(name: str) -> str:
    """A file's name as it may be shown: what is unprintable, or a path, is left out."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(each for each in last if each.isprintable())[:LONGEST_REASON]


def _person(directory: PersonSource, subject: str) -> Person | None:
    try:
        return directory.person(subject)
    except TallygateError as error:
        # A role, or somebody who is gone, is shown by identifier.
        if error.kind not in SHOWN_AGAIN:
            raise
        return None
