# SPDX-License-Identifier: Apache-2.0
"""The page about outside workers: who is engaged at which portal until when, and what waits for a second person."""

from collections.abc import Callable
from datetime import timedelta

from flask import Blueprint, redirect, url_for
from werkzeug.wrappers import Response as Answer

from core.web import Guard, form_text, identity
from core.web.inputs import query_text

from ..models import ADMINISTRATOR, AGENCY_ADMINISTRATOR, Person
from ..models_powers import CONTRACTOR, LONGEST_REASON
from ..service import Administration
from .powers import form_day

_LONGEST = 64


def add(
    desk: Blueprint,
    mine: Callable[[], Administration],
    guard: Guard,
    *,
    searched: Callable[[str, tuple[Person, ...]], None],
    render: Callable[..., str],
) -> None:
    """This page, as part of the desk; what is read about people is recorded first by ``searched``."""

    @desk.get("/contractors")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def contractors() -> str:
        own = mine()
        engaged, waiting = own.contractors(), own.contracts_waiting()
        searched("", tuple(person for person, _ in (*engaged, *waiting)))
        today = own.today()
        return render(
            own, "contractors", engaged=engaged, waiting=waiting, roles=own.contract_roles(), me=identity().subject,
            days=own.contract_days(), today=today.isoformat(), prefix=CONTRACTOR,
            last=(today + timedelta(days=own.contract_days())).isoformat(), section="contractors",
            done=query_text("done", longest=20),
        )  # fmt: skip

    @desk.post("/contractors")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def ask_contract() -> Answer:
        mine().ask_contract(
            form_text("username", longest=_LONGEST), form_text("role", longest=_LONGEST), until=form_day("until"),
            reason=_reason(),
        )  # fmt: skip
        return _back("asked")

    @desk.post("/contractors/<identifier>/approve")
    @guard.person(ADMINISTRATOR, assurance=2)
    def approve_contract(identifier: str) -> Answer:
        mine().approve_contract(identifier)
        return _back("approved")

    @desk.post("/contractors/<identifier>/refuse")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def refuse_contract(identifier: str) -> Answer:
        mine().refuse_contract(identifier, reason=_reason())
        return _back("refused")

    @desk.post("/contractors/people/<subject>/end")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def end_contract(subject: str) -> Answer:
        mine().end_contract(subject, form_text("role", longest=_LONGEST), reason=_reason())
        return _back("ended")


def _reason() -> str:
    return form_text("reason", longest=LONGEST_REASON)


def _back(done: str) -> Answer:
    return redirect(url_for("directory.contractors", done=done), 303)
