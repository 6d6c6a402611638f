# SPDX-License-Identifier: Apache-2.0
"""The administrators' desk: people, organisations, devices and imports, as far as the administrator's part goes.

What an administrator reads about people is recorded before it is shown; every change goes to the one writer.
"""

import base64
from collections.abc import Callable, Iterable, Mapping

from flask import Blueprint, Response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as Answer

from audit import Outcome, Recorder
from core.clock import Clock
from core.errors import N_, Invalid
from core.web import Guard, _, form_text, identity, json_object, locale
from core.web.inputs import Malformed, query_text

from ..client import API
from ..errors import NoSuchOrganisation, UnreadableImport
from ..histories import Changes
from ..imports import ImportReport
from ..models import ADMINISTRATOR, AGENCY_ADMINISTRATOR, ROLES, Device, N, Organisation, Page, Person
from ..models_powers import CONTRACTOR, Department, Post
from ..service import Administration, DirectoryWriter, Numbering, ProgramAdministration, Publishing
from ..service.events import event
from ..service.remembering import Remembered
from . import catalogue, contractors, governing, histories, powers, scim, staffing, sweeps, things
from . import entrusting as entrusting
from . import own as own

LONGEST_REASON = 500
_LONGEST_PUBLISHED = 2 << 20
PAGE = 25
"""Entries on one page of a list."""
MOST_SHOWN = 100

# Words of the tree that pages show; templates translate them by key.
WORDS = {
    "citizen": N_("Citizen"),
    "civil-servant": N_("Civil servant"),
    "security-officer": N_("Security officer"),
    "directory-administrator": N_("Directory administrator"),
    "agency-administrator": N_("Agency administrator"),
    "security-administrator": N_("Security administrator"),
    "audit-administrator": N_("Audit administrator"),
    "ra-officer": N_("Registration officer"),
    "all": N_("everything"),
    "tax": N_("tax"),
    "social": N_("social insurance"),
    "seal": N_("sealing documents"),
    # What was done to the tree, where, and what became of it.
    "add": N_("Entered"),
    "modify": N_("Changed"),
    "delete": N_("Removed"),
    "modrdn": N_("Renamed"),
    "gap": N_("Notes missing"),
    "people": N_("People"),
    "organisations": N_("Organisations"),
    "devices": N_("Devices"),
    "mandates": N_("Mandates"),
    "roles": N_("Roles"),
    "elsewhere": N_("elsewhere"),
    "case-worker": N_("Case worker"),
    "head-of-section": N_("Head of section"),
    "legal": N_("legal representative"),
    "manager": N_("manager"),
    "agent": N_("agent"),
    "enrolled": N_("enrolled"),
    "healthy": N_("healthy"),
    "lost": N_("lost"),
    "retired": N_("retired"),
    "departments": N_("Departments"),
    "posts": N_("Posts"),
    "holdings": N_("Posts held"),
    "grants": N_("Grants"),
    "representatives": N_("Representatives"),
    "sweep-disable": N_("Disable"),
    "sweep-enable": N_("Enable"),
    "sweep-grant": N_("Grant a role"),
    "sweep-withdraw": N_("Withdraw a role"),
    "sweep-leave": N_("Let go"),
    "undone": N_("undone"),
    "kept": N_("kept"),
    # Reviews: what they are about, how far they are, what became of an access.
    "organisation": N_("organisation"),
    "branch": N_("organisation and everything below it"),
    "role": N_("role"),
    "portal": N_("portal"),
    "collecting": N_("being collected"),
    "open": N_("open"),
    "closing": N_("being closed"),
    "closed": N_("closed and sealed"),
    "confirmed": N_("confirmed"),
    "withdrawing": N_("being withdrawn"),
    "withdrawn": N_("withdrawn"),
    "escalated": N_("not decided in time"),
    "late_confirmed": N_("confirmed late"),
    "late_withdrawing": N_("being withdrawn"),
    "late_withdrawn": N_("withdrawn late"),
    # Proofing: how somebody was met, by what, and how the vetting stands.
    "in-person": N_("in person"),
    "upstream": N_("by another provider"),
    "certificate": N_("by an existing certificate"),
    "declaration": N_("own declaration"),
    "identity-card": N_("identity card"),
    "passport": N_("passport"),
    "residence-permit": N_("residence permit"),
    "household-register": N_("household register"),
    "chip": N_("chip of the document read"),
    "face": N_("face compared"),
    "statement": N_("statement of the provider"),
    "signature": N_("signature verified"),
    "waiting": N_("waits for a second officer"),
    "holds": N_("counts"),
    "replaced": N_("replaced by a later one"),
    "expired": N_("expired"),
    "refused": N_("not agreed to"),
}
LEVELS = (N_("not proofed"), N_("claimed"), N_("documents checked"), N_("checked face to face"))
CLEARANCES = (N_("none"), N_("internal"), N_("confidential"), N_("secret"))
DONE = {
    "disabled": N_("Disabled. Sessions, tokens and gateway access end within a second."),
    "enabled": N_("Enabled again."),
    "granted": N_("Role granted."),
    "withdrawn": N_("Role withdrawn. It ends everywhere within a second."),
    "given": N_("Given. It counts from its first day on."),
    "taken": N_("Taken away. What came by it alone ends within a second."),
    "entered": N_("Entered."),
    "changed": N_("Changed."),
    "undone": N_("Undone. The entry is as it was before."),
    "kept": N_("Kept, and recorded from now on."),
}


Mine = Callable[[], Administration]
"""What the administrator of the present request has."""


class NoFile(Invalid):
    """The import form came without a file, or in no known format."""

    code = "no_file"
    message = N_("Please choose a CSV or LDIF file.")


def blueprint(
    writer: DirectoryWriter, guard: Guard, *, recorder: Recorder, clock: Clock, changes: Changes, origin: str = ""
) -> Blueprint:
    """All pages of the desk, and its SCIM service at ``origin``; ``changes`` tells how entries were changed."""

    def mine() -> Administration:
        who = identity()
        return Administration(writer, subject=who.subject, roles=who.roles)

    def acting() -> Administration:
        who = identity()
        if who.kind != "client":
            return mine()
        return ProgramAdministration(writer, writer.enrolling.program(who.subject))

    desk = Blueprint("directory", __name__, template_folder="../templates")
    _add_words(desk)
    readings = _Readings(recorder, clock)
    _add_people(desk, mine, guard, readings)
    _add_changes(desk, mine, guard)
    powers.add(desk, mine, guard, opened=readings.opened, searched=readings.searched, render=_render)
    things.add(desk, mine, guard, render=_render)
    staffing.add(desk, mine, guard, opened=readings.opened, searched=readings.searched, render=_render)
    sweeps.add(desk, mine, guard, searched=readings.searched, render=_render)
    catalogue.add(desk, mine, guard, render=_render)
    contractors.add(desk, mine, guard, searched=readings.searched, render=_render)
    governing.add(desk, mine, guard, opened=readings.opened, searched=readings.searched, render=_render)
    histories.add(desk, mine, guard, changes=changes, recorded=readings.remembered, render=_render)
    _add_things(desk, mine, guard)
    _add_import(desk, mine, guard)
    _add_unrecorded(desk, mine, guard, readings)
    service = scim.blueprint(
        acting, guard, at=f"{origin}{scim.PREFIX}", clock=clock, opened=readings.opened, searched=readings.searched
    )
    desk.register_blueprint(service)
    return desk


def published(publishing: Publishing, numbering: Numbering, guard: Guard) -> Blueprint:
    """What the certificate authority, and nobody else, lets the tree hold, and is told for what it certifies."""
    blueprint = Blueprint("directory_published", __name__, url_prefix=API)

    @blueprint.put("/published/<kind>/<identifier>")
    @guard.peer("ca")
    def certificates(kind: str, identifier: str) -> dict[str, bool]:
        given = _longer_object().get("certificates")
        if not isinstance(given, list):
            raise Malformed(field="certificates")
        return {"changed": publishing.certificates(kind, identifier, [_der(each, "certificates") for each in given])}

    @blueprint.put("/authorities/<name>")
    @guard.peer("ca")
    def authority(name: str) -> dict[str, bool]:
        parts = {part: _der(each, part) for part, each in _longer_object().items()}
        return {"changed": publishing.authority(name, parts)}

    @blueprint.get("/organisations/<identifier>/code")
    @guard.peer("ca")
    def code(identifier: str) -> dict[str, str]:
        return {"code": numbering.code_if_any(identifier, reason="certificate")}

    return blueprint


def _longer_object() -> dict[str, object]:
    request.max_content_length = _LONGEST_PUBLISHED
    return json_object(longest=_LONGEST_PUBLISHED)


def _der(value: object, field: str) -> bytes:
    if not isinstance(value, str):
        raise Malformed(field=field)
    try:
        return base64.b64decode(value, validate=True)
    except ValueError as error:
        raise Malformed(field=field) from error


class _Readings:
    """Records what an administrator reads about people, before it is shown."""

    def __init__(self, recorder: Recorder, clock: Clock) -> None:
        self._recorder = recorder
        self._clock = clock

    def searched(self, text: str, people: tuple[Person, ...]) -> None:
        """A list of people; what was searched for may be a name and is sealed under the administrator's key."""
        self.listed(text, [person.subject for person in people])

    def listed(self, text: str, subjects: Iterable[str]) -> None:
        """Something about these people."""
        shown = ",".join(subjects)
        self._record("directory.people.searched", identity().subject, sealed={"text": text}, shown=shown)

    def opened(self, person: Person) -> None:
        """One person's page."""
        self._record("directory.person.read", person.subject, sealed={"name": person.name_zh or person.name})

    def remembered(self, entry: Remembered) -> None:
        """How one entry was changed; of a person they find it in their own record."""
        told: dict[str, str | bool] = {"kind": entry.kind.value, "opened": entry.opens}
        if isinstance(entry.named, Person):
            sealed = {"name": entry.named.name_zh or entry.named.name}
            self._record("directory.history.read", entry.identifier, sealed=sealed, told=told)
        else:
            self._record("directory.history.read", "", sealed={}, told=told | {"names": entry.identifier})

    def _record(
        self, kind: str, subject: str, *, sealed: dict[str, str], shown: str = "",
        told: Mapping[str, str | bool] | None = None,
    ) -> None:  # fmt: skip
        who = identity()
        self._recorder.record(
            event(
                kind,
                Outcome.SUCCESS,
                self._clock.now(),
                subject=subject,
                actor=who.subject,
                attributes={**(told or {}), **({"shown": shown} if shown else {})},
                sealed=sealed,
            )
        )


def _add_words(desk: Blueprint) -> None:
    desk.app_template_filter("directory_name")(shown_name)

    @desk.app_template_filter("directory_word")
    def word(key: str) -> str:
        return _(WORDS[key]) if key in WORDS else key

    @desk.app_template_filter("directory_level")
    def level(number: int) -> str:
        return _(LEVELS[number]) if 0 <= number < len(LEVELS) else str(number)

    @desk.app_template_filter("directory_clearance")
    def clearance(number: int) -> str:
        return _(CLEARANCES[number]) if 0 <= number < len(CLEARANCES) else str(number)


def _render(own: Administration, name: str, **values: object) -> str:
    """One page, with what every page shows."""
    unrecorded = own.unrecorded.open() if own.everything else 0
    return render_template(f"directory/{name}.html", everything=own.everything, unrecorded=unrecorded, **values)


def _list(
    own: Administration,
    section: str,
    find: Callable[..., Page[N]],
    *,
    seen: Callable[[str, tuple[N, ...]], None] = lambda _text, _items: None,
) -> str:
    """One page of a list; ``seen`` is told what it shows before it is shown."""
    text, after = query_text("q", longest=100), query_text("after", longest=15)
    page = find(text, after=after, limit=PAGE)
    seen(text, page.items)
    done = DONE.get(query_text("done", longest=20), "")
    return _render(own, section, page=page, q=text, after=after, done=done, section=section)


def _add_people(desk: Blueprint, mine: Mine, guard: Guard, readings: _Readings) -> None:
    @desk.get("/")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def people() -> str:
        own = mine()
        return _list(own, "people", own.people, seen=readings.searched)

    @desk.get("/people/<subject>")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def person(subject: str) -> str:
        own = mine()
        found = own.person(subject)
        readings.opened(found)
        oneself = found.subject == identity().subject
        return _render(
            own,
            "person",
            person=found,
            granted=sorted(role for role in found.roles if role in ROLES or role.startswith(CONTRACTOR)),
            grantable=own.grantable(found),
            mandates=[(_organisation_name(own, mandate.organisation), mandate) for mandate in found.mandates],
            organisation=_organisation_name(own, found.organisation) if found.organisation else "",
            oneself=oneself,
            may_grant=own.everything and not oneself,
            may_change=own.may_change(found) and (found.enabled or not oneself),
            done=_done(query_text("done", longest=20), enabled=found.enabled),
            section="people",
        )


def _organisation_name(own: Administration, identifier: str) -> str:
    try:
        return shown_name(own.organisation(identifier))
    except NoSuchOrganisation:
        return identifier


def shown_name(named: Person | Organisation | Department | Post | Device) -> str:
    """The name in the script of the page's language, as far as there is one."""
    zh = "" if isinstance(named, Device) else named.name_zh
    return zh if locale() == "zh" and zh else named.name


def _add_changes(desk: Blueprint, mine: Mine, guard: Guard) -> None:
    @desk.post("/people/<subject>/disable")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def disable(subject: str) -> Answer:
        mine().disable_person(subject, reason=form_text("reason", longest=LONGEST_REASON))
        return _back(subject, "disabled")

    @desk.post("/people/<subject>/enable")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def enable(subject: str) -> Answer:
        mine().enable_person(subject, reason=form_text("reason", longest=LONGEST_REASON))
        return _back(subject, "enabled")

    @desk.post("/people/<subject>/roles/grant")
    @guard.person(ADMINISTRATOR)
    def grant(subject: str) -> Answer:
        reason = form_text("reason", longest=LONGEST_REASON)
        mine().grant_role(subject, form_text("role", longest=64), reason=reason, until=powers.form_day("until"))
        return _back(subject, "granted")

    @desk.post("/people/<subject>/roles/withdraw")
    @guard.person(ADMINISTRATOR)
    def withdraw(subject: str) -> Answer:
        mine().withdraw_role(subject, form_text("role", longest=64))
        return _back(subject, "withdrawn")


def _done(what: str, *, enabled: bool) -> str:
    # The address can be typed: never claim what the entry contradicts.
    if what in ("disabled", "enabled") and (what == "enabled") is not enabled:
        return ""
    return DONE.get(what, "")


def _back(subject: str, done: str) -> Answer:
    return redirect(url_for("directory.person", subject=subject, done=done), 303)


def _add_things(desk: Blueprint, mine: Mine, guard: Guard) -> None:
    @desk.get("/organisations")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def organisations() -> str:
        own = mine()
        return _list(own, "organisations", own.organisations)

    @desk.get("/devices")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def devices() -> str:
        own = mine()
        return _list(own, "devices", own.devices)

    @desk.post("/devices/<identifier>/<verb>")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def device(identifier: str, verb: str) -> Answer:
        if verb not in ("disable", "enable"):
            raise Invalid
        own = mine()
        act = own.disable_device if verb == "disable" else own.enable_device
        act(identifier)
        return redirect(url_for("directory.devices", done=f"{verb}d"), 303)


def _add_import(desk: Blueprint, mine: Mine, guard: Guard) -> None:
    @desk.get("/import")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def form() -> str:
        return _import_page(mine())

    @desk.post("/import")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def enter() -> Response:
        file = request.files.get("file")
        if file is None or len(request.files.getlist("file")) != 1 or not file.filename:
            raise NoFile
        own = mine()
        take = {"csv": own.import_csv, "ldif": own.import_ldif}.get(file.filename.lower().rpartition(".")[2])
        if take is None:
            raise NoFile
        try:
            report = take(file.read())
        except UnreadableImport as error:
            # The reason is a text of ours and shown translated, which the general error page cannot do.
            return Response(_import_page(own, problem=str(error.parameters["why"])), error.kind.status)
        return Response(_import_page(own, report=report), 422 if report.refused else 200)


def _import_page(own: Administration, *, report: ImportReport | None = None, problem: str = "") -> str:
    return _render(own, "import", report=report, problem=problem, section="import")


def _add_unrecorded(desk: Blueprint, mine: Mine, guard: Guard, readings: _Readings) -> None:
    @desk.get("/unrecorded")
    @guard.person(ADMINISTRATOR)
    def unrecorded() -> str:
        own = mine()
        changes = own.unrecorded.newest()
        readings.listed("", sorted({change.subject for change in changes if change.subject})[:MOST_SHOWN])
        done = DONE.get(query_text("done", longest=20), "")
        return _render(own, "unrecorded", changes=changes, done=done, section="unrecorded")

    @desk.post("/unrecorded/<int:number>/undo")
    @guard.person(ADMINISTRATOR)
    def undo(number: int) -> Answer:
        mine().unrecorded.undo(number, actor=identity().subject)
        return redirect(url_for("directory.unrecorded", done="undone"), 303)

    @desk.post("/unrecorded/<int:number>/keep")
    @guard.person(ADMINISTRATOR)
    def keep(number: int) -> Answer:
        mine().unrecorded.keep(number, actor=identity().subject, reason=form_text("reason", longest=LONGEST_REASON))
        return redirect(url_for("directory.unrecorded", done="kept"), 303)
