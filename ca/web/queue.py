# SPDX-License-Identifier: Apache-2.0
"""The desk's queue: what is asked for, by whom, what would be issued in plain words; prove, approve, deny."""

from collections.abc import Callable

from flask import Blueprint, redirect, render_template
from flask.typing import ResponseReturnValue

from core.errors import TallygateError
from core.web import form_text
from core.web.inputs import Malformed, query_text
from directory import Person

from ..models import Preview
from ..registration import Asked, At, Evidence, Registration, Stage
from ..service import CertificateAuthority
from ..x509 import PROFILES
from .visitors import SHOWN_AGAIN, Marking, Officer, PersonSource, said

LONGEST_REASON = 200
WAITING = (Stage.ASKED, Stage.EVIDENCE, Stage.APPROVED_ONCE, Stage.APPROVED)
_DIGEST = 64


def queue_pages(
    blueprint: Blueprint,
    registration: Registration,
    service: CertificateAuthority,
    *,
    directory: PersonSource,
    prefix: str,
    mark: Marking,
    officer: Callable[[], Officer],
) -> None:
    """Add the views to the desk, which stands below ``prefix``."""

    def detail(asked: Asked, error: TallygateError | None = None) -> ResponseReturnValue:
        preview, failure = _preview(registration, asked)
        earlier, _ = service.certificates(asked.subject, limit=5)
        page = render_template(
            "ca/request.html",
            asked=asked,
            asker=_person(directory, asked.asker),
            approvals=[(each, _person(directory, each.officer)) for each in asked.approvals],
            needed=PROFILES[asked.profile].approvals,
            counting=registration.counting(asked, preview) if preview else [],
            preview=preview,
            failure=failure,
            earlier=earlier,
            notice=said(error) if error else "",
        )
        return page, error.kind.status if error else 200

    @blueprint.get("/requests")
    @mark
    def queue() -> ResponseReturnValue:
        after = query_text("after", longest=18)
        if after and not (after.isascii() and after.isdecimal()):
            raise Malformed(field="after")
        found, more = registration.queue(WAITING, after=int(after or 0))
        return render_template("ca/requests.html", found=found, more=more)

    @blueprint.get("/requests/<identifier>")
    @mark
    def asked(identifier: str) -> ResponseReturnValue:
        return detail(registration.request(identifier))

    @blueprint.post("/requests/<identifier>/<any(prove, approve, deny):verb>")
    @mark
    def decide(identifier: str, verb: str) -> ResponseReturnValue:
        # Known before it stands in an address.
        identifier = registration.request(identifier).id
        who = at(officer())
        try:
            if verb == "prove":
                evidence, reference = evidence_of()
                registration.prove(identifier, who, evidence=evidence, reference=reference)
            elif verb == "approve":
                registration.approve(identifier, who, digest=form_text("digest", longest=_DIGEST))
            else:
                reason = form_text("reason", longest=LONGEST_REASON).strip()
                if not reason:
                    raise Malformed(field="reason")
                registration.deny(identifier, who, reason=reason)
        except TallygateError as error:
            if error.kind not in SHOWN_AGAIN:
                raise
            return detail(registration.request(identifier), error)
        return redirect(f"{prefix}/requests/{identifier}", code=303)


def at(officer: Officer) -> At:
    """The officer as registration knows one."""
    return At(officer=officer.subject, assurance=officer.assurance, zone=officer.zone)


def evidence_of() -> tuple[Evidence, str]:
    """Kind and reference of the evidence, from a form.

    Raises:
        Malformed: no kind that an officer may say, or no reference.
    """
    try:
        evidence = Evidence(form_text("evidence", longest=20))
    except ValueError as error:
        raise Malformed(field="evidence") from error
    reference = form_text("reference", longest=LONGEST_REASON).strip()
    if evidence is Evidence.DIRECTORY:
        raise Malformed(field="evidence")
    if not reference:
        raise Malformed(field="reference")
    return evidence, reference


def _preview(registration: Registration, asked: Asked) -> tuple[Preview | None, str]:
    """What would be issued now, or why nothing would."""
    if asked.stage not in WAITING:
        return None, ""
    try:
        return registration.preview(asked), ""
    except TallygateError as error:
        if error.kind not in SHOWN_AGAIN:
            raise
        return None, said(error)


def _person(directory: PersonSource, subject: str) -> Person | None:
    try:
        return directory.person(subject)
    except TallygateError as error:
        # Somebody who is gone is shown by identifier.
        if error.kind not in SHOWN_AGAIN:
            raise
        return None
