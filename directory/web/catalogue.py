# SPDX-License-Identifier: Apache-2.0
"""What there is: roles and services that are offered; companies, agencies and devices entered one by one."""

from collections.abc import Callable

from flask import Blueprint, Response, redirect, url_for
from werkzeug.wrappers import Response as Answer

from core.web import Guard, form_text, locale
from core.web.inputs import query_text

from ..errors import BadNumber
from ..imports import ImportReport
from ..models import (
    ADMINISTRATOR,
    AGENCY_ADMINISTRATOR,
    Device,
    DeviceState,
    Organisation,
    credit_code_is_right,
    identifier_of,
)
from ..models_powers import LONGEST_TEXT, Offer
from ..service import Administration

_LONGEST = 64
_LONGEST_LIST = 500


def add(desk: Blueprint, mine: Callable[[], Administration], guard: Guard, *, render: Callable[..., str]) -> None:
    """These pages, as part of the desk."""

    def page(own: Administration, *, report: ImportReport | None = None) -> str:
        return render(
            own, "catalogue", roles=own.roles(), offers=[(_title(each), each) for each in own.offers()],
            report=report, section="catalogue", done=query_text("done", longest=20),
        )  # fmt: skip

    def answered(own: Administration, report: ImportReport) -> Answer:
        if report.refused:
            return Response(page(own, report=report), 422)
        return _back()

    @desk.get("/catalogue")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def catalogue() -> str:
        return page(mine())

    @desk.post("/catalogue/roles")
    @guard.person(ADMINISTRATOR)
    def add_role() -> Answer:
        mine().add_role(
            form_text("name", longest=_LONGEST).strip(), form_text("title", longest=LONGEST_TEXT),
            form_text("title_zh", longest=LONGEST_TEXT, optional=True),
            form_text("entitlements", longest=_LONGEST_LIST, optional=True).split(),
        )  # fmt: skip
        return _back()

    @desk.post("/catalogue/offers")
    @guard.person(ADMINISTRATOR)
    def add_offer() -> Answer:
        made = Offer(
            name=identifier_of(form_text("name", longest=_LONGEST).strip()),
            title=form_text("title", longest=LONGEST_TEXT),
            title_zh=form_text("title_zh", longest=LONGEST_TEXT, optional=True),
            organisation=form_text("organisation", longest=_LONGEST, optional=True).strip(),
            portal=form_text("portal", longest=_LONGEST, optional=True).strip(),
        )
        mine().add_offer(made)
        return _back()

    @desk.post("/catalogue/organisations")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def add_organisation() -> Answer:
        code = form_text("credit_code", longest=18).strip().upper()
        if not credit_code_is_right(code):
            raise BadNumber
        parent = form_text("parent", longest=_LONGEST, optional=True).strip()
        made = Organisation(
            id=identifier_of(form_text("identifier", longest=_LONGEST).strip()),
            name=form_text("name", longest=LONGEST_TEXT).strip(),
            name_zh=form_text("name_zh", longest=LONGEST_TEXT, optional=True).strip(), credit_code=code,
            agency=form_text("kind", longest=_LONGEST) == "agency", parent=identifier_of(parent) if parent else "",
        )  # fmt: skip
        own = mine()
        return answered(own, own.enter_organisation(made))

    @desk.post("/catalogue/devices")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def add_device() -> Answer:
        made = Device(
            id="", name=form_text("name", longest=LONGEST_TEXT).strip(),
            organisation=identifier_of(form_text("organisation", longest=_LONGEST).strip()), enabled=True,
            state=DeviceState.ENROLLED, owner=form_text("owner", longest=_LONGEST, optional=True).strip(),
        )  # fmt: skip
        own = mine()
        return answered(own, own.enter_device(made))

    @desk.post("/organisations/<identifier>/departments/remove")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def remove_department(identifier: str) -> Answer:
        mine().remove_department(identifier, form_text("department", longest=_LONGEST))
        return redirect(url_for("directory.organisation", identifier=identifier, done="taken"), 303)

    @desk.post("/organisations/<identifier>/posts/remove")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def remove_post(identifier: str) -> Answer:
        mine().remove_post(identifier, form_text("post", longest=_LONGEST))
        return redirect(url_for("directory.organisation", identifier=identifier, done="taken"), 303)


def _title(of: Offer) -> str:
    return of.title_zh if locale() == "zh" and of.title_zh else of.title


def _back() -> Answer:
    return redirect(url_for("directory.catalogue", done="entered"), 303)
