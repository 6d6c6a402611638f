# SPDX-License-Identifier: Apache-2.0
"""Pages about joiners, movers and leavers, each with what would be gained and lost; accounts to look at."""

import re
from collections.abc import Callable

from flask import Blueprint, Response, redirect, request, url_for
from werkzeug.wrappers import Response as Answer

from core.errors import Invalid
from core.web import Guard, form_text, identity
from core.web.inputs import query_text

from ..errors import BadName
from ..models import ADMINISTRATOR, AGENCY_ADMINISTRATOR, Person
from ..models_powers import LONGEST_REASON, LONGEST_TEXT
from ..service import Administration
from ..service.employing import Choices
from .powers import form_day

_LONGEST = 64
_LONGEST_MAIL = 120
_IDENTIFIER = re.compile(r"[0-9a-f-]{36}\Z")
_HIRED = ("username", "name", "name_zh", "mail", "post", "since", "reason")
_EMPTY = {
    "act": "", "chosen": "", "since": "", "last": "", "preview": None, "leaving": None, "moving": None, "choices": None,
}  # fmt: skip
_MOST_CHOSEN = 200


def add(
    desk: Blueprint,
    mine: Callable[[], Administration],
    guard: Guard,
    *,
    opened: Callable[[Person], None],
    searched: Callable[[str, tuple[Person, ...]], None],
    render: Callable[..., str],
) -> None:
    """These pages, as part of the desk; what is read about people is recorded first by ``opened`` and ``searched``."""
    _add_hiring(desk, mine, guard, render)
    _add_acts(desk, mine, guard)

    def page(own: Administration, subject: str, **values: object) -> str:
        person = own.person(subject)
        opened(person)
        agency = query_text("agency", longest=_LONGEST).strip() or person.organisation
        posts = own.posts_in(agency) if person.kind.value == "civil-servant" else []
        return render(
            own, "employment", person=person, posts=posts, agency=agency, scheduled=own.scheduled(person.subject),
            oneself=person.subject == identity().subject, may_change=own.may_change(person), section="people",
            done=query_text("done", longest=20), **{**_EMPTY, **values},
        )  # fmt: skip

    @desk.get("/people/<subject>/employment")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def employment(subject: str) -> str:
        return page(mine(), subject)

    @desk.post("/people/<subject>/preview")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def preview(subject: str) -> str:
        own, act = mine(), form_text("act", longest=_LONGEST)
        if act == "move":
            post, since = form_text("post", longest=_LONGEST), form_day("since")
            found = own.would_move(subject, post, since=since, choices=_choices())
            return page(
                own, subject, act=act, preview=found.preview, moving=found, choices=_choices(), chosen=post,
                since=since.isoformat() if since else "",
            )  # fmt: skip
        if act == "leave":
            leaving, last = own.would_leave(subject), form_day("last")
            told = last.isoformat() if last else ""
            return page(own, subject, act=act, preview=leaving.preview, leaving=leaving, last=told)
        if act == "away":
            return page(own, subject, act=act, preview=own.would_be_away(subject))
        raise Invalid

    @desk.get("/accounts")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def accounts() -> str:
        own = mine()
        found, scheduled, clashes = own.unusual(), own.scheduled(), own.clashes()
        shared = tuple(person for _, people in found.shared for person in people)
        both = tuple(person for _, _, person in clashes)
        searched("", (*both, *found.dormant, *found.expired, *found.orphaned, *shared)[:100])
        return render(own, "accounts", found=found, scheduled=scheduled, clashes=clashes, section="accounts")


def _add_hiring(desk: Blueprint, mine: Callable[[], Administration], guard: Guard, render: Callable[..., str]) -> None:
    @desk.get("/organisations/<identifier>/hire")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def hiring(identifier: str) -> str:
        own = mine()
        found, _, _ = own.places(identifier)
        return render(
            own, "hire", organisation=found, posts=own.posts_in(found.id), report=None, section="organisations",
            form=dict.fromkeys(_HIRED, ""), preview=None,
        )  # fmt: skip

    @desk.post("/organisations/<identifier>/hire/preview")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def would_hire(identifier: str) -> str:
        own = mine()
        found, _, _ = own.places(identifier)
        form = {name: form_text(name, longest=LONGEST_REASON, optional=True) for name in _HIRED}
        preview = own.would_hire(form_text("post", longest=_LONGEST), since=form_day("since"))
        return render(
            own, "hire", organisation=found, posts=own.posts_in(found.id), report=None, section="organisations",
            form=form, preview=preview,
        )  # fmt: skip

    @desk.post("/organisations/<identifier>/hire")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def hire(identifier: str) -> Answer:
        own = mine()
        found, _, posts = own.places(identifier)
        post = form_text("post", longest=_LONGEST)
        if post not in {each.id for each in posts}:
            raise BadName
        subject, report = own.hire(
            username=form_text("username", longest=_LONGEST),
            name=form_text("name", longest=LONGEST_TEXT),
            name_zh=form_text("name_zh", longest=LONGEST_TEXT, optional=True),
            mail=form_text("mail", longest=_LONGEST_MAIL, optional=True),
            post=post,
            since=form_day("since"),
            reason=form_text("reason", longest=LONGEST_REASON),
        )
        if report.refused:
            text = render(
                own, "hire", organisation=found, posts=own.posts_in(found.id), report=report,
                section="organisations", form=dict.fromkeys(_HIRED, ""), preview=None,
            )  # fmt: skip
            return Response(text, 422)
        return _back(subject, "hired")


def _add_acts(desk: Blueprint, mine: Callable[[], Administration], guard: Guard) -> None:
    @desk.post("/people/<subject>/move")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def move(subject: str) -> Answer:
        later = mine().move(
            subject, form_text("post", longest=_LONGEST), since=form_day("since"), choices=_choices(), reason=_reason()
        )
        return _back(subject, "scheduled" if later else "moved")

    @desk.post("/people/<subject>/away")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def away(subject: str) -> Answer:
        mine().away(subject, since=form_day("since"), until=form_day("until"), reason=_reason())
        return _back(subject, "away")

    @desk.post("/people/<subject>/leave")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def leave(subject: str) -> Answer:
        later = mine().leave(subject, last=form_day("last"), reason=_reason())
        return _back(subject, "scheduled" if later else "left")

    @desk.post("/people/<subject>/scheduled/call-off")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def call_off(subject: str) -> Answer:
        mine().call_off(subject, form_text("scheduled", longest=_LONGEST), reason=_reason())
        return _back(subject, "off")


def _choices() -> Choices:
    """Which boxes were ticked.

    Raises:
        BadName: what came is no list of identifiers.
    """
    kept, ended = request.form.getlist("keep"), request.form.getlist("end")
    if len(kept) + len(ended) > _MOST_CHOSEN or not all(_IDENTIFIER.match(each) for each in (*kept, *ended)):
        raise BadName
    return Choices(frozenset(kept), frozenset(ended))


def _reason() -> str:
    return form_text("reason", longest=LONGEST_REASON)


def _back(subject: str, done: str) -> Answer:
    return redirect(url_for("directory.employment", subject=subject, done=done), 303)
