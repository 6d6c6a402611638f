# SPDX-License-Identifier: Apache-2.0
"""The registration desk: search, issue from a request, suspend, release, revoke. Pages for officers, no script."""

import ssl
from collections.abc import Callable

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from core.errors import Kind, TallygateError
from core.web import Guard, form_text, identity
from core.web.inputs import Malformed, query_text

from ..errors import BadSerial, NoSuchCertificate
from ..incidents import Incidents
from ..models import Certificate, Reason, Standing, read_serial
from ..registration import Registration, Stage, Wish
from ..service import CertificateAuthority
from ..x509 import PROFILES, Hosts, SubjectKind
from . import words
from .incidents import ASSURANCE, incident_pages
from .queue import LONGEST_REASON, at, evidence_of, queue_pages
from .visitors import SHOWN_AGAIN, Marking, Officer, PersonSource, said, uploaded_request

ROLE = "ra-officer"
OFFERED = tuple(
    name
    for name, each in PROFILES.items()
    if ROLE in each.requesters and each.hosts is Hosts.NONE and each.subject is not SubjectKind.REPRESENTATIVE
)
_SHORTEST_SERIAL = 34


def by_gateway() -> Officer:
    """Whoever the gateway let through."""
    found = identity()
    return Officer(found.subject, found.roles, found.assurance, found.zone)


def desk(
    service: CertificateAuthority,
    guard: Guard,
    *,
    registration: Registration,
    directory: PersonSource,
    incidents: Incidents,
) -> Blueprint:
    """The desk behind the gateway."""
    mark = guard.person(ROLE)
    made = pages(
        service, registration=registration, directory=directory, name="ca", prefix="", mark=mark, officer=by_gateway
    )
    queue_pages(made, registration, service, directory=directory, prefix="", mark=mark, officer=by_gateway)
    incident_pages(
        made,
        incidents,
        issuers=service.issuers,
        directory=directory,
        prefix="",
        mark=guard.person(ROLE, assurance=ASSURANCE),
        officer=by_gateway,
    )
    return made


def pages(
    service: CertificateAuthority,
    *,
    registration: Registration,
    directory: PersonSource,
    name: str,
    prefix: str,
    mark: Marking,
    officer: Callable[[], Officer],
) -> Blueprint:
    """The same pages for any way an officer can be identified."""
    blueprint = Blueprint(name, __name__, template_folder="../templates", url_prefix=prefix or None)

    @blueprint.context_processor
    def names() -> dict[str, object]:
        return {"words": words, "desk": name, "Standing": Standing, "Stage": Stage, "expired": service.expired}

    @blueprint.get("/")
    @mark
    def home() -> ResponseReturnValue:
        sought = query_text("q").strip()
        if _is_serial(sought):
            return redirect(url_for(f"{name}.show", serial=read_serial(sought)))
        before = query_text("before", longest=18)
        if before and not (before.isascii() and before.isdecimal()):
            raise Malformed(field="before")
        found, more = _search(service, directory, sought, int(before or 0))
        return render_template("ca/home.html", q=sought, found=found, more=more)

    @blueprint.get("/certificates/<serial>")
    @mark
    def show(serial: str) -> ResponseReturnValue:
        return _detail(service.certificate(serial))

    @blueprint.get("/certificates/<serial>.pem")
    @mark
    def download(serial: str) -> Response:
        found = service.certificate(serial)
        if not found.der:
            raise NoSuchCertificate
        headers = {"Content-Disposition": f'attachment; filename="{found.serial}.pem"'}
        return Response(_pem(found.der), content_type="application/x-pem-file", headers=headers)

    @blueprint.post("/certificates/<serial>/<any(suspend, release, revoke):verb>")
    @mark
    def change(serial: str, verb: str) -> ResponseReturnValue:
        actor = officer().subject
        try:
            if verb == "revoke":
                service.revoke(serial, reason=_reason(), actor=actor)
            elif verb == "suspend":
                service.suspend(serial, actor=actor)
            else:
                service.release(serial, actor=actor)
        except TallygateError as error:
            if error.kind not in (Kind.CONFLICT, Kind.FORBIDDEN):
                raise
            return _detail(service.certificate(serial), error)
        return redirect(url_for(f"{name}.show", serial=read_serial(serial)), code=303)

    @blueprint.get("/issue")
    @mark
    def form() -> ResponseReturnValue:
        return _form()

    @blueprint.post("/issue")
    @mark
    def issue() -> ResponseReturnValue:
        profile = form_text("profile", longest=32)
        subject = form_text("subject", longest=128).strip()
        csr, who = uploaded_request(), at(officer())
        try:
            evidence, reference = evidence_of()
            wish = Wish(profile=profile, csr=csr, subject=_resolve(directory, profile, subject), asker=who.officer)
            asked = registration.ask_at_desk(wish, who, evidence=evidence, reference=reference)
        except TallygateError as error:
            if error.kind not in SHOWN_AGAIN:
                raise
            shown = csr.decode("ascii", "replace")
            page = _form(profile=profile, subject=subject, csr=shown if shown.isascii() else "", notice=said(error))
            return page, error.kind.status
        if not asked.serial:
            # Another officer has to agree.
            return redirect(url_for(f"{name}.asked", identifier=asked.id), code=303)
        return redirect(url_for(f"{name}.show", serial=asked.serial), code=303)

    return blueprint


def _form(*, profile: str = "", subject: str = "", csr: str = "", notice: str = "") -> str:
    return render_template(
        "ca/issue.html",
        offered=OFFERED,
        profile=profile,
        subject=subject,
        csr=csr,
        notice=notice,
        reference=request.form.get("reference", "")[:LONGEST_REASON],
    )


def _detail(found: Certificate, error: TallygateError | None = None) -> ResponseReturnValue:
    pem = _pem(found.der) if found.der else ""
    page = render_template(
        "ca/certificate.html", found=found, pem=pem, notice=said(error) if error else "", reasons=list(Reason)
    )
    return page, error.kind.status if error else 200


def _search(
    service: CertificateAuthority, directory: PersonSource, sought: str, before: int
) -> tuple[list[Certificate], int]:
    if not sought:
        return service.named("", before=before)
    found, more = service.certificates(sought, before=before)
    if found or before:
        return found, more
    try:
        person = directory.person_by_username(sought)
    except TallygateError as error:
        # A name that is no user name is an ordinary search; a directory that is down must not stop the desk.
        if error.kind in (Kind.NOT_FOUND, Kind.INVALID, Kind.UNAVAILABLE):
            return service.named(sought, before=before)
        raise
    return service.certificates(person.subject, before=before)


def _resolve(directory: PersonSource, profile: str, subject: str) -> str:
    """People are named by user name at the desk; devices and organisations by their identifier."""
    kind = PROFILES[profile].subject if profile in OFFERED else None
    if kind in (SubjectKind.PERSON, SubjectKind.CITIZEN, SubjectKind.CIVIL_SERVANT):
        return directory.person_by_username(subject).subject
    return subject


def _reason() -> Reason:
    try:
        return Reason(form_text("reason", longest=40))
    except ValueError as error:
        raise Malformed(field="reason") from error


def _is_serial(text: str) -> bool:
    try:
        return len(read_serial(text)) >= _SHORTEST_SERIAL and "-" not in text
    except BadSerial:
        return False


def _pem(der: bytes) -> str:
    return ssl.DER_cert_to_PEM_cert(der)
