# SPDX-License-Identifier: Apache-2.0
"""One change for many people, with what each gains and loses before it is made; and finding people while typing."""

import json
from collections.abc import Callable
from pathlib import Path

from flask import Blueprint, Response, request

from core.errors import Invalid
from core.web import Guard, form_text
from core.web.inputs import Malformed, query_text

from ..errors import BadName
from ..models import ADMINISTRATOR, AGENCY_ADMINISTRATOR, Person
from ..models_powers import LONGEST_REASON
from ..service import Administration
from ..service.sweeping import MOST, Line, Sweep, names_in

_SCRIPT = (Path(__file__).parent.parent / "static" / "suggest.js").read_bytes()
_SUGGESTED = 8
_FEWEST_TYPED = 2
_LONGEST_LIST = 40_000


def add(
    desk: Blueprint,
    mine: Callable[[], Administration],
    guard: Guard,
    *,
    searched: Callable[[str, tuple[Person, ...]], None],
    render: Callable[..., str],
) -> None:
    """These pages, as part of the desk; who is shown is recorded first by ``searched``."""

    def page(own: Administration, **values: object) -> str:
        shown = {"act": "", "role": "", "names": "", "lines": None, "made": None, "reason": "", **values}
        return render(
            own, "sweep", acts=[each.value for each in Sweep if own.everything or each not in _OF_ROLES],
            roles=[each.name for each in own.roles()] if own.everything else [], most=MOST, section="sweep", **shown,
        )  # fmt: skip

    @desk.get("/people/change")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def sweep() -> str:
        own, text = mine(), query_text("q", longest=100).strip()
        if not text:
            return page(own)
        found = own.people(text, limit=MOST).items
        searched(text, found)
        return page(own, names="\n".join(each.username for each in found))

    @desk.post("/people/change")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def change() -> str:
        own = mine()
        try:
            act = Sweep(form_text("act", longest=20))
        except ValueError as error:
            raise Invalid from error
        role = form_text("role", longest=64, optional=True) if act in _OF_ROLES else ""
        names = _list()
        listed = names_in(names)
        if form_text("step", longest=10) != "make":
            lines = own.would_sweep(act, listed, role=role)
            searched("", _people(lines))
            return page(own, act=act.value, role=role, names=names, lines=lines)
        lines = own.sweep(act, listed, role=role, reason=form_text("reason", longest=LONGEST_REASON))
        searched("", _people(lines))
        return page(own, act=act.value, role=role, names=names, made=lines)

    @desk.get("/people/suggest")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def suggest() -> Response:
        text = query_text("q", longest=100).strip()
        found: tuple[Person, ...] = ()
        if len(text) >= _FEWEST_TYPED or not text.isascii():
            found = _suggested(mine(), text)
            searched(text, found)
        told = [{"username": each.username, "name": each.name_zh or each.name} for each in found]
        return Response(json.dumps(told), content_type="application/json", headers={"Cache-Control": "no-store"})

    @desk.get("/suggest.js")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def suggest_script() -> Response:
        return Response(_SCRIPT, content_type="text/javascript; charset=utf-8")


_OF_ROLES = (Sweep.GRANT, Sweep.WITHDRAW)


def _list() -> str:
    """The lines that came, as a form field; each line is judged by ``names_in``."""
    found = request.form.getlist("names")
    if len(found) != 1 or len(found[0]) > _LONGEST_LIST:
        raise Malformed(field="names")
    return found[0]


def _suggested(own: Administration, text: str) -> tuple[Person, ...]:
    try:
        return own.beginning(text, limit=_SUGGESTED)
    except BadName:
        return ()


def _people(lines: list[Line]) -> tuple[Person, ...]:
    return tuple(each.person for each in lines if each.person)
