# SPDX-License-Identifier: Apache-2.0
"""The security administrators' desk for policies, and where the operator's clerk asks for orders."""

from datetime import datetime
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request
from werkzeug.wrappers import Response as Answer

from audit.models import Reader
from core.errors import N_
from core.web import Guard, form_text, identity, json_object
from core.web.inputs import Malformed, query_text

from .approval import Trial
from .desk import MOST_DAYS, Act, Desk, Draft, Order, State
from .desk.models import LONGEST_FILE, LONGEST_TITLE
from .errors import NoSuchDraft

ADMINISTRATOR = "security-administrator"
TRANSLATIONS = Path(__file__).parent / "translations"
DAYS = 7
LONGEST_TRIAL = 90 * 24 * 60
"""Minutes that may be demanded of a trial in shadow."""
STATES = {
    State.DRAFT: N_("being written"),
    State.PROPOSED: N_("proposed"),
    State.RELEASED: N_("put in force"),
    State.WITHDRAWN: N_("given up"),
}
ACTS = {
    Act.TRY: N_("Try in shadow"),
    Act.END: N_("End the trial"),
    Act.RELEASE: N_("Put in force"),
}
ANSWERS = {
    "waiting": N_("waits for the operator's clerk"),
    "done": N_("done"),
    "refused": N_("refused"),
    "withdrawn": N_("given up"),
}
DONE = {
    "begun": N_("Begun. Nothing changes until it is proposed, signed and put in force."),
    "changed": N_("Kept in the draft."),
    "proposed": N_("Proposed. Its files stay as they are from now on."),
    "withdrawn": N_("Given up."),
    "signed": N_("Your signature is kept."),
    "ordered": N_("Ordered. The operator's clerk checks the signatures and carries it out."),
}


def blueprint(desk: Desk, guard: Guard, *, assurance: int = 2) -> Blueprint:
    """Every address below ``/policies``, and those of the clerk."""
    made = Blueprint("policies", __name__, template_folder="templates")
    made.app_template_filter(name="policy_moment")(_moment)
    made.app_template_filter(name="policy_language")(_language)
    _reading(made, desk, guard, assurance)
    _writing(made, desk, guard, assurance)
    _deciding(made, desk, guard, assurance)
    _clerk(made, desk, guard)
    return made


def _reading(made: Blueprint, desk: Desk, guard: Guard, assurance: int) -> None:
    @made.get("/policies")
    @guard.person(ADMINISTRATOR, assurance=assurance)
    def overview() -> str:
        seen = desk.overview(_reader(), days=_days(), before=query_text("before", longest=32))
        return _render("policies/overview.html", seen=seen)

    @made.get("/policies/versions")
    @guard.person(ADMINISTRATOR, assurance=assurance)
    def versions() -> str:
        version, other = query_text("version"), query_text("other")
        return _render(
            "policies/versions.html",
            version=version,
            other=other,
            diffs=desk.compare(_reader(), version, other),
        )

    @made.get("/policies/drafts/<identifier>")
    @guard.person(ADMINISTRATOR, assurance=assurance)
    def draft(identifier: str) -> str:
        found, checked, diffs, orders = desk.look(_reader(), identifier)
        chosen = query_text("file") or _first(found)
        if chosen not in found.files and chosen != "new":
            raise NoSuchDraft
        return _render(
            "policies/draft.html",
            draft=found,
            checked=checked,
            diffs=diffs,
            orders=orders,
            chosen=chosen,
            mine=identity().subject,
        )

    @made.get("/policies/drafts/<identifier>/replay")
    @guard.person(ADMINISTRATOR, assurance=assurance)
    def replay(identifier: str) -> str:
        found = desk.replay(_reader(), identifier, days=_days())
        return _render("policies/replay.html", identifier=identifier, found=found)

    @made.get("/policies/drafts/<identifier>/statement")
    @guard.person(ADMINISTRATOR, assurance=assurance)
    def statement(identifier: str) -> Response:
        response = Response(desk.statement(_reader(), identifier), content_type="application/octet-stream")
        response.headers["Content-Disposition"] = f'attachment; filename="policy-statement-{identifier[:16]}"'
        response.headers["Cache-Control"] = "no-store"
        return response


def _writing(made: Blueprint, desk: Desk, guard: Guard, assurance: int) -> None:
    @made.post("/policies/drafts")
    @guard.person(ADMINISTRATOR, assurance=assurance)
    def begin() -> Answer:
        title = form_text("title", longest=LONGEST_TITLE)
        return _back(desk.begin(_reader(), title, version=form_text("base", optional=True)).id, "begun")

    @made.post("/policies/drafts/<identifier>/file")
    @guard.person(ADMINISTRATOR, assurance=assurance)
    def edit(identifier: str) -> Answer:
        name = form_text("name")
        text = _long_text("text")
        desk.edit(_reader(), identifier, version=_version(), name=name, text=text)
        kept = f"&file={name}" if text.strip() else ""
        return redirect(f"/policies/drafts/{identifier}?done=changed{kept}", 303)


def _deciding(made: Blueprint, desk: Desk, guard: Guard, assurance: int) -> None:
    @made.post("/policies/drafts/<identifier>/propose")
    @guard.person(ADMINISTRATOR, assurance=assurance)
    def propose(identifier: str) -> Answer:
        why = form_text("without_shadow", optional=True).strip()
        desk.propose(_reader(), identifier, version=_version(), minutes=_minutes(), without_shadow=why)
        return _back(identifier, "proposed")

    @made.post("/policies/drafts/<identifier>/withdraw")
    @guard.person(ADMINISTRATOR, assurance=assurance)
    def withdraw(identifier: str) -> Answer:
        desk.withdraw(_reader(), identifier, version=_version())
        return _back(identifier, "withdrawn")

    @made.post("/policies/drafts/<identifier>/sign")
    @guard.person(ADMINISTRATOR, assurance=assurance)
    def sign(identifier: str) -> Answer:
        desk.sign(_reader(), identifier, version=_version(), signature=_long_text("signature", longest=400))
        return _back(identifier, "signed")

    @made.post("/policies/drafts/<identifier>/<any(try, release):act>")
    @guard.person(ADMINISTRATOR, assurance=assurance)
    def order(identifier: str, act: str) -> Answer:
        desk.order(_reader(), identifier, version=_version(), act=Act(act))
        return _back(identifier, "ordered")

    @made.post("/policies/trial/end")
    @guard.person(ADMINISTRATOR, assurance=assurance)
    def end_trial() -> Answer:
        desk.end_trial(_reader())
        return redirect("/policies?done=ordered", 303)


def _clerk(made: Blueprint, desk: Desk, guard: Guard) -> None:
    @made.get("/api/v1/policy-orders")
    @guard.peer("app")
    def orders() -> dict[str, Any]:
        return {"orders": [_order(order, found) for order, found in desk.waiting()]}

    @made.post("/api/v1/policy-orders/<int:number>")
    @guard.peer("app")
    def answer(number: int) -> dict[str, Any]:
        match json_object():
            case {"done": bool(done), "told": str(told)}:
                desk.answer(number, done=done, told=told)
                return {}
            case _:
                raise Malformed(field="done")


def _order(order: Order, draft: Draft | None) -> dict[str, Any]:
    return {
        "id": order.id,
        "act": str(order.act),
        "actor": order.actor,
        "trial": draft.trial if draft else "",
        "sequence": draft.sequence if draft else 0,
        "files": dict(draft.files) if draft else {},
        "signatures": dict(draft.signatures) if draft else {},
    }


def _render(template: str, **values: Any) -> str:
    done = DONE.get(query_text("done"), "")
    return render_template(
        template,
        done=done,
        states=STATES,
        acts=ACTS,
        answers=ANSWERS,
        most_days=MOST_DAYS,
        longest=LONGEST_TITLE,
        longest_trial=LONGEST_TRIAL,
        trial=_trial,
        **values,
    )


def _reader() -> Reader:
    who = identity()
    return Reader(subject=who.subject, session=who.session, zone=who.zone, decision=who.decision, roles=who.roles)


def _days() -> int:
    given = query_text("days")
    if not given:
        return DAYS
    if not (given.isascii() and given.isdecimal()) or len(given) > 3 or not 0 < int(given) <= MOST_DAYS:  # noqa: PLR2004 - digits
        raise Malformed(field="days")
    return int(given)


def _version() -> int:
    given = form_text("version")
    if not (given.isascii() and given.isdecimal()) or len(given) > 9:  # noqa: PLR2004 - digits
        raise Malformed(field="version")
    return int(given)


def _minutes() -> int:
    given = form_text("minutes", optional=True) or "0"
    if not (given.isascii() and given.isdecimal()) or len(given) > 6 or int(given) > LONGEST_TRIAL:  # noqa: PLR2004 - digits
        raise Malformed(field="minutes")
    return int(given)


def _long_text(name: str, *, longest: int = LONGEST_FILE) -> str:
    """A field of several lines.

    Raises:
        Malformed: missing, given twice, too long, or with characters that no text has.
    """
    found = request.form.getlist(name)
    if len(found) != 1 or len(found[0]) > longest or any(not (c.isprintable() or c in "\r\n\t") for c in found[0]):
        raise Malformed(field=name)
    return found[0]


def _trial(draft: Draft) -> Trial:
    return Trial.read(draft.trial)


def _first(draft: Draft) -> str:
    return next((name for name in sorted(draft.files) if name.endswith(".cedar")), "new")


def _back(identifier: str, done: str) -> Answer:
    return redirect(f"/policies/drafts/{identifier}?done={done}", 303)


def _language(text: str) -> str:
    """Of what an author wrote, so that it is read out and broken as what it is."""
    return "zh-Hans" if any("\u4e00" <= each <= "\u9fff" for each in text) else "en"


def _moment(at: datetime | str) -> str:
    moment = datetime.fromisoformat(at) if isinstance(at, str) else at
    return moment.strftime("%Y-%m-%d %H:%M:%S")
