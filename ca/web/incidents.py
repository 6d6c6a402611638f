# SPDX-License-Identifier: Apache-2.0
"""The desk's pages of incidents: select, look at the list, propose; another officer agrees; watch, pause, stop."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from flask import Blueprint, Response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from core.errors import N_, TallygateError
from core.web import form_text
from core.web.inputs import Malformed, query_text

from ..errors import SelectorRefused, WeaklyProofed
from ..incidents import Act, Incident, Incidents, Item, Plan, Stage, Whom, read_moment, read_selector
from ..incidents.selection import LARGEST_FILE, LARGEST_KEYS
from ..incidents.service import LONGEST_TEXT, MOST_SINCE
from ..models import Reason
from ..x509 import PROFILES
from . import words
from .visitors import SHOWN_AGAIN, Marking, Officer, PersonSource, said

ASSURANCE = 3
"""As sure as a card: one decision here ends what many people rely on."""
_PAGE = 100
_DIGEST = 64
_LONGEST_WHY = 200
_MOST = 100
_LAST = 2**31 - 1
E = TypeVar("E", Act, Reason, Whom)


def incident_pages(
    blueprint: Blueprint,
    service: Incidents,
    *,
    issuers: tuple[str, ...],
    directory: PersonSource,
    prefix: str,
    mark: Marking,
    officer: Callable[[], Officer],
) -> None:
    """Add the views to the desk, which stands below ``prefix``."""
    here = f"{prefix}/incidents"

    @blueprint.context_processor
    def names() -> dict[str, object]:
        return {"Act": Act, "Item": Item, "IncidentStage": Stage}

    def who() -> str:
        found = officer()
        if found.assurance < ASSURANCE:
            raise WeaklyProofed
        return found.subject

    def form(error: TallygateError | None = None) -> ResponseReturnValue:
        page = render_template(
            "ca/incident_new.html",
            profiles=list(PROFILES),
            issuers=issuers,
            reasons=list(Reason),
            given=_given(),
            notice=said(error) if error else "",
        )
        return page, error.kind.status if error else 200

    def detail(incident: Incident, error: TallygateError | None = None) -> ResponseReturnValue:
        after = number("after")
        listed, more = service.listed(incident.id, after=after, limit=_PAGE)
        page = render_template(
            "ca/incident.html",
            incident=incident,
            progress=service.progress(incident),
            since=service.since(incident) if _may_grow(incident) else 0,
            most_since=MOST_SINCE,
            listed=listed,
            after=after,
            more=more,
            mine=incident.opener == officer().subject,
            address=service.address(incident.id),
            called={
                each: _called(directory, each) for each in (incident.opener, incident.approver, incident.closed_by)
            },
            notice=said(error) if error else "",
        )
        return page, error.kind.status if error else 200

    @blueprint.get("/incidents")
    @mark
    def incidents() -> ResponseReturnValue:
        who()
        found, more = service.incidents(before=number("before"))
        return render_template("ca/incidents.html", found=found, more=more)

    @blueprint.get("/incidents/new")
    @mark
    def new_incident() -> ResponseReturnValue:
        who()
        return form()

    @blueprint.post("/incidents")
    @mark
    def preview_incident() -> ResponseReturnValue:
        by = who()
        try:
            made = service.preview(_plan(directory), by=by)
        except TallygateError as error:
            if error.kind not in SHOWN_AGAIN:
                raise
            return form(error)
        return redirect(f"{here}/{made.id}", code=303)

    @blueprint.get("/incidents/<identifier>")
    @mark
    def incident(identifier: str) -> ResponseReturnValue:
        who()
        return detail(service.incident(identifier))

    @blueprint.get("/incidents/<identifier>.csv")
    @mark
    def incident_list(identifier: str) -> Response:
        who()
        found = service.incident(identifier)
        headers = {"Content-Disposition": f'attachment; filename="incident-{found.id}.csv"'}
        return Response(_lines(service, found), content_type="text/csv; charset=utf-8", headers=headers)

    @blueprint.post("/incidents/<identifier>/<any(propose, approve, withdraw, pause, resume, stop):verb>")
    @mark
    def decide_incident(identifier: str, verb: str) -> ResponseReturnValue:
        by = who()
        found = service.incident(identifier)
        try:
            _decide(service, found.id, verb, by)
        except TallygateError as error:
            if error.kind not in SHOWN_AGAIN:
                raise
            return detail(service.incident(identifier), error)
        return redirect(f"{here}/{found.id}", code=303)


def _decide(service: Incidents, identifier: str, verb: str, by: str) -> None:
    if verb == "propose":
        service.propose(identifier, by=by, digest=form_text("digest", longest=_DIGEST))
    elif verb == "approve":
        service.approve(identifier, by=by, digest=form_text("digest", longest=_DIGEST))
    elif verb == "withdraw":
        service.withdraw(identifier, by=by, why=form_text("why", longest=_LONGEST_WHY, optional=True))
    elif verb == "pause":
        service.pause(identifier, by=by)
    elif verb == "resume":
        service.resume(identifier, by=by)
    else:
        service.stop(identifier, by=by, why=form_text("why", longest=_LONGEST_WHY, optional=True))


def _plan(directory: PersonSource) -> Plan:
    """What the form says.

    Raises:
        SelectorRefused: a part of it cannot be used.
        Malformed: it is no form of ours.
    """
    upload = request.files.get("file")
    content = upload.read(LARGEST_FILE + 1) if upload else b""
    selector = read_selector(
        profiles=_several("profile"),
        issuers=_several("issuer"),
        keys=form_text("keys", longest=LARGEST_KEYS, optional=True),
        holder=form_text("holder", optional=True),
        officer=form_text("officer", optional=True),
        account=form_text("account", optional=True),
        since=form_text("since", longest=40, optional=True),
        until=form_text("until", longest=40, optional=True),
        serials=content or None,
    )
    selector = replace(
        selector,
        holder=_subject(directory, selector.holder),
        officer=_subject(directory, selector.officer),
    )
    act = _one_of(Act, "act")
    ends = act is Act.RENEW_THEN_REVOKE
    return Plan(
        selector=selector,
        act=act,
        reason=_one_of(Reason, "reason") if act is not Act.RENEW else Reason.UNSPECIFIED,
        deadline=_deadline() if ends else None,
        whom=_one_of(Whom, "whom") if ends else Whom.EVERYBODY,
        text=form_text("text", longest=LONGEST_TEXT * 2, optional=True).replace("\r\n", "\n").strip(),
        text_zh=form_text("text_zh", longest=LONGEST_TEXT * 2, optional=True).replace("\r\n", "\n").strip(),
    )


def _deadline() -> datetime:
    found = read_moment(form_text("deadline", longest=40, optional=True))
    if found is None:
        raise SelectorRefused(why=N_("a time cannot be read"))
    return found


def _subject(directory: PersonSource, named: str) -> str:
    """People may be named by their user name, as everywhere at the desk."""
    if not named:
        return ""
    try:
        return directory.person_by_username(named).subject
    except TallygateError as error:
        if error.kind not in SHOWN_AGAIN:
            raise
        return named


def _several(name: str) -> list[str]:
    found = request.form.getlist(name)
    if len(found) > _MOST:
        raise Malformed(field=name)
    return found


def _one_of(kind: type[E], name: str) -> E:
    try:
        return kind(form_text(name, longest=40))
    except ValueError as error:
        raise Malformed(field=name) from error


def number(name: str) -> int:
    """Where a page begins; 0 for the first.

    Raises:
        Malformed: no number that a page could begin with.
    """
    given = query_text(name, longest=10)
    if given and not (given.isascii() and given.isdecimal() and int(given) <= _LAST):
        raise Malformed(field=name)
    return int(given or 0)


def _given() -> dict[str, object]:
    """What the form said, for showing it again; a private key is never sent back."""
    short = ("holder", "officer", "account", "since", "until", "act", "reason", "deadline", "whom", "text", "text_zh")
    given: dict[str, object] = {name: request.form.get(name, "")[: LONGEST_TEXT * 2] for name in short}
    keys = request.form.get("keys", "")[:LARGEST_KEYS]
    given["keys"] = "" if "PRIVATE KEY" in keys else keys
    return given | {"profile": request.form.getlist("profile"), "issuer": request.form.getlist("issuer")}


def _may_grow(incident: Incident) -> bool:
    """Whether what is issued meanwhile is worth a word; whoever is asked to renew gets what would be selected too."""
    if incident.stage in (Stage.PREVIEW, Stage.PROPOSED):
        return True
    return incident.plan.act is Act.REVOKE and incident.stage not in (Stage.WITHDRAWN, Stage.EXPIRED)


def _called(directory: PersonSource, subject: str) -> str:
    """Name and user name; somebody who is no person, or gone, by identifier."""
    if not subject:
        return ""
    try:
        found = directory.person(subject)
    except TallygateError as error:
        if error.kind not in SHOWN_AGAIN:
            raise
        return words.ACTORS.get(subject, subject)
    return f"{found.name_zh or found.name} ({found.username})"


def _lines(service: Incidents, incident: Incident) -> Iterator[str]:
    """The whole list, one certificate on each line; identifiers only."""
    yield "serial,issuer,profile,holder,not_after,state\r\n"
    after = 0
    while True:
        page, more = service.listed(incident.id, after=after, limit=1000)
        for each in page:
            until = each.not_after.isoformat()
            yield f"{each.serial},{each.issuer},{each.profile},{each.subject},{until},{each.state.value}\r\n"
        if not more:
            return
        after = more
