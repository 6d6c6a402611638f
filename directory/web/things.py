# SPDX-License-Identifier: Apache-2.0
"""Forms about companies' representatives, mandates, devices, what posts carry, and sealed numbers."""

from collections.abc import Callable
from datetime import date
from enum import StrEnum
from typing import TypeVar

from flask import Blueprint, redirect, request, url_for
from werkzeug.wrappers import Response as Answer

from core.errors import N_, Invalid
from core.web import Guard, form_text
from core.web.inputs import query_text

from ..errors import BadDays
from ..models import ADMINISTRATOR, AGENCY_ADMINISTRATOR, DeviceState
from ..models_powers import LONGEST_REASON, Capacity
from ..provisioning import Stage
from ..service import Administration
from ..slapd import Right
from ..systems import LONGEST_CLIENT, Doing
from .powers import form_day

_LONGEST = 64
_LONGEST_SCOPES = 400
RIGHTS = {
    Right.PEOPLE: N_("People: names, organisation, certificates"),
    Right.USERNAMES: N_("User names of people"),
    Right.ADDRESSES: N_("Mail addresses of people"),
    Right.ROLES: N_("Roles of people"),
    Right.ORGANISATIONS: N_("Organisations"),
    Right.DEVICES: N_("Devices"),
}
DOINGS = {
    Doing.READ: N_("Read people and groups"),
    Doing.ENTER: N_("Enter people"),
    Doing.CHANGE: N_("Change names and mail addresses"),
    Doing.SWITCH: N_("Disable and enable accounts"),
    Doing.RELEASE: N_("Let people go"),
}
FAILURES = {
    "unreachable": (
        N_("The portal does not answer."),
        N_("See that it runs and that its address and certificate are right; it is tried again by itself."),
    ),
    "unauthorised": (
        N_("The portal does not let us in."),
        N_("Ask it for a new token or certificate and put it where the settings say."),
    ),
    "taken": (
        N_("Somebody else's account there has this user name."),
        N_("Let the portal rename that account, or clear its external identifier if it is this person's."),
    ),
    "refused": (
        N_("The portal does not take what it is told."),
        N_("Compare the attributes in the settings with what it asks for."),
    ),
    "busy": (N_("The portal asked to be left alone for a while."), N_("Nothing need be done; a lower rate helps.")),
    "unreadable": (N_("The portal answers what SCIM does not know."), N_("Tell those who run it.")),
    "gone": (N_("The portal no longer knows it."), N_("Nothing need be done; it is made anew.")),
    "changed": (N_("Somebody else changes the account there at the same time."), N_("See who writes there besides.")),
}
"""Why a portal did not take an account, and what to do."""
STAGES = {
    Stage.ACTIVE: N_("Active accounts"),
    Stage.INACTIVE: N_("Shut accounts"),
    Stage.UNTOLD: N_("Not yet told"),
}
SOFTWARE_DONE = {
    "again": N_("It is tried again now, and everybody is compared."),
    "let": N_("It may read that from now on."),
    "program-let": N_("The program may do that from now on."),
    "program-ended": N_("The program is ended. Its next request is refused."),
    "closed": N_("Its rights are taken away. It sees nothing any more, on open connections too."),
}
E = TypeVar("E", bound=StrEnum)


def add(desk: Blueprint, mine: Callable[[], Administration], guard: Guard, *, render: Callable[..., str]) -> None:
    """These forms, as part of the desk."""
    _add_of_organisations(desk, mine, guard)
    _add_mandates(desk, mine, guard)
    _add_software(desk, mine, guard, render=render)
    _add_programs(desk, mine, guard)

    @desk.post("/devices/<identifier>/state")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def device_state(identifier: str) -> Answer:
        mine().set_device_state(identifier, _one_of(DeviceState, "state"), reason=_reason())
        return redirect(url_for("directory.devices", done="changed"), 303)

    @desk.post("/people/<subject>/number")
    @guard.person(ADMINISTRATOR, assurance=2)
    def number(subject: str) -> str:
        own = mine()
        told = own.number(subject, reason=_reason())
        back = url_for("directory.person", subject=subject)
        return render(own, "number", number=told, named=own.person(subject), back=back, section="people")

    @desk.post("/organisations/<identifier>/code")
    @guard.person(ADMINISTRATOR, assurance=2)
    def code(identifier: str) -> str:
        own = mine()
        told = own.code(identifier, reason=_reason())
        back = url_for("directory.organisation", identifier=identifier)
        named = own.organisation(identifier)
        return render(own, "number", number=told, named=named, back=back, section="organisations")


def _add_of_organisations(desk: Blueprint, mine: Callable[[], Administration], guard: Guard) -> None:
    @desk.post("/organisations/<identifier>/representatives")
    @guard.person(ADMINISTRATOR)
    def name_representative(identifier: str) -> Answer:
        mine().name_representative(
            identifier, form_text("username", longest=_LONGEST), _one_of(Capacity, "capacity"),
            until=form_day("until"), reason=_reason(),
        )  # fmt: skip
        return _to_organisation(identifier, "entered")

    @desk.post("/organisations/<identifier>/representatives/remove")
    @guard.person(ADMINISTRATOR)
    def remove_representative(identifier: str) -> Answer:
        mine().remove_representative(identifier, form_text("representative", longest=_LONGEST), reason=_reason())
        return _to_organisation(identifier, "taken")

    @desk.post("/organisations/<identifier>/departments/move")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def move_department(identifier: str) -> Answer:
        mine().move_department(
            identifier, form_text("department", longest=_LONGEST),
            form_text("parent", longest=_LONGEST, optional=True),
        )  # fmt: skip
        return _to_organisation(identifier, "changed")

    @desk.post("/organisations/<identifier>/posts/roles")
    @guard.person(ADMINISTRATOR)
    def change_post(identifier: str) -> Answer:
        verb = form_text("verb", longest=_LONGEST)
        if verb not in ("add", "remove"):
            raise Invalid
        mine().change_post(
            identifier, form_text("post", longest=_LONGEST), form_text("role", longest=_LONGEST),
            carries=verb == "add", reason=_reason(),
        )  # fmt: skip
        return _to_organisation(identifier, "changed")


def _add_mandates(desk: Blueprint, mine: Callable[[], Administration], guard: Guard) -> None:
    @desk.post("/people/<subject>/mandates")
    @guard.person(ADMINISTRATOR)
    def grant_mandate(subject: str) -> Answer:
        until = form_day("until")
        if until is None:
            raise BadDays
        mine().grant_mandate(
            subject, form_text("whom", longest=_LONGEST).strip(), form_text("scope", longest=_LONGEST), until=until,
            reason=_reason(),
        )  # fmt: skip
        return redirect(url_for("directory.access", subject=subject, done="given"), 303)

    @desk.post("/people/<subject>/mandates/withdraw")
    @guard.person(ADMINISTRATOR)
    def withdraw_mandate(subject: str) -> Answer:
        mine().withdraw_mandate(
            subject,
            organisation=form_text("organisation", longest=_LONGEST, optional=True),
            principal=form_text("principal", longest=_LONGEST, optional=True),
            scope=form_text("scope", longest=_LONGEST),
            reason=_reason(),
        )
        return redirect(url_for("directory.access", subject=subject, done="taken"), 303)


def _add_software(
    desk: Blueprint, mine: Callable[[], Administration], guard: Guard, *, render: Callable[..., str]
) -> None:
    @desk.get("/software")
    @guard.person(ADMINISTRATOR)
    def software() -> str:
        own = mine()
        done = SOFTWARE_DONE.get(query_text("done", longest=20), "")
        return render(
            own, "software", readers=own.software(), rights=RIGHTS, programs=own.programs(), doings=DOINGS, done=done,
            portals=own.portals(), failures=FAILURES, stages=STAGES,
            section="software",
        )  # fmt: skip

    @desk.post("/software")
    @guard.person(ADMINISTRATOR)
    def let_read() -> Answer:
        mine().let_read(
            form_text("device", longest=_LONGEST).strip(), request.form.getlist("right")[: len(RIGHTS)],
            form_text("organisations", longest=_LONGEST_SCOPES, optional=True).split(), until=_day("until"),
            reason=_reason(),
        )  # fmt: skip
        return _to_software("let")

    @desk.post("/software/<device>/rotate")
    @guard.person(ADMINISTRATOR)
    def rotate_software(device: str) -> Answer:
        mine().rotate_software(device, form_text("to", longest=_LONGEST).strip(), last=_day("last"), reason=_reason())
        return _to_software("let")

    @desk.post("/software/<device>/close")
    @guard.person(ADMINISTRATOR)
    def close_software(device: str) -> Answer:
        mine().close_software(device, reason=_reason())
        return _to_software("closed")


def _add_programs(desk: Blueprint, mine: Callable[[], Administration], guard: Guard) -> None:
    @desk.post("/software/programs")
    @guard.person(ADMINISTRATOR)
    def let_program() -> Answer:
        mine().let_program(
            form_text("client", longest=LONGEST_CLIENT).strip(),
            form_text("organisations", longest=_LONGEST_SCOPES).split(),
            request.form.getlist("doing")[: len(Doing)], until=_day("until"), reason=_reason(),
        )  # fmt: skip
        return _to_software("program-let")

    @desk.post("/software/programs/<client>/end")
    @guard.person(ADMINISTRATOR)
    def end_program(client: str) -> Answer:
        mine().end_program(client, reason=_reason())
        return _to_software("program-ended")

    @desk.post("/software/portals/<name>/again")
    @guard.person(ADMINISTRATOR)
    def portal_again(name: str) -> Answer:
        mine().portal_again(name)
        return _to_software("again")


def _to_software(done: str) -> Answer:
    return redirect(url_for("directory.software", done=done), 303)


def _day(name: str) -> date:
    found = form_day(name)
    if found is None:
        raise BadDays
    return found


def _to_organisation(identifier: str, done: str) -> Answer:
    return redirect(url_for("directory.organisation", identifier=identifier, done=done), 303)


def _reason() -> str:
    return form_text("reason", longest=LONGEST_REASON)


def _one_of(kinds: type[E], name: str) -> E:
    try:
        return kinds(form_text(name, longest=_LONGEST))
    except ValueError as error:
        raise Invalid from error
