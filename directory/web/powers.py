# SPDX-License-Identifier: Apache-2.0
"""Pages about posts, roles and entitlements: who is where, why somebody may do something, who can reach it."""

from collections.abc import Callable
from datetime import date
from typing import Any

from flask import Blueprint, redirect, url_for
from werkzeug.wrappers import Response as Answer

from core.web import Guard, form_text, identity
from core.web.inputs import query_text

from ..errors import BadDays, BadName
from ..models import ADMINISTRATOR, AGENCY_ADMINISTRATOR, ROLES, Page, Person
from ..models_powers import LONGEST_REASON, LONGEST_TEXT, Department, Post
from ..service import Administration

PAGE = 25
_LONGEST_WHAT = 64


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
    _add_access(desk, mine, guard, opened, render)
    _add_places(desk, mine, guard, searched, render)

    @desk.get("/reach")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def reach() -> str:
        own = mine()
        what, after = query_text("what", longest=_LONGEST_WHAT).strip(), query_text("after", longest=15)
        page: Page[Person] = Page((), "")
        unknown = False
        if what:
            try:
                page = own.reaches(what, after=after, limit=PAGE)
            except BadName:
                unknown = True
            searched(what, page.items)
        roles = own.roles()
        entitlements = sorted({str(each) for role in roles for each in role.entitlements})
        return render(
            own, "reach", what=what, after=after, page=page, unknown=unknown, section="reach",
            roles=[role.name for role in roles], entitlements=entitlements,
        )  # fmt: skip


def form_day(name: str) -> date | None:
    """A day that a form brings, or none.

    Raises:
        BadDays: it is no day.
    """
    text = form_text(name, longest=10, optional=True)
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise BadDays from error


def _add_access(
    desk: Blueprint,
    mine: Callable[[], Administration],
    guard: Guard,
    opened: Callable[[Person], None],
    render: Callable[..., str],
) -> None:
    @desk.get("/people/<subject>/access")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def access(subject: str) -> str:
        own = mine()
        person = own.person(subject)
        opened(person)
        known = own.access(person)
        is_own = person.subject == identity().subject
        can_give = person.kind.value == "civil-servant" and not is_own
        return render(
            own, "access", person=person, known=known, section="people", can_give=can_give,
            posts=own.posts_to_give(person) if can_give else [], may_mandate=own.everything and not is_own,
            offers=["all", *(offer.name for offer in own.offers())] if own.everything else [],
            done=query_text("done", longest=20), principals=own.principals(known.mandates),
        )  # fmt: skip

    @desk.post("/people/<subject>/posts/give")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def give_post(subject: str) -> Answer:
        mine().give_post(
            subject, form_text("post", longest=_LONGEST_WHAT), since=form_day("since"), until=form_day("until"),
            reason=form_text("reason", longest=LONGEST_REASON),
        )  # fmt: skip
        return redirect(url_for("directory.access", subject=subject, done="given"), 303)

    @desk.post("/people/<subject>/posts/take")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def take_post(subject: str) -> Answer:
        mine().take_post(
            subject, form_text("holding", longest=_LONGEST_WHAT), reason=form_text("reason", longest=LONGEST_REASON)
        )
        return redirect(url_for("directory.access", subject=subject, done="taken"), 303)

    @desk.post("/people/<subject>/entitlements/grant")
    @guard.person(ADMINISTRATOR)
    def grant_entitlement(subject: str) -> Answer:
        mine().grant_entitlement(
            subject, form_text("entitlement", longest=_LONGEST_WHAT), until=form_day("until"),
            reason=form_text("reason", longest=LONGEST_REASON),
        )  # fmt: skip
        return redirect(url_for("directory.access", subject=subject, done="given"), 303)

    @desk.post("/people/<subject>/grants/withdraw")
    @guard.person(ADMINISTRATOR)
    def withdraw_grant(subject: str) -> Answer:
        mine().withdraw_grant(
            subject, form_text("grant", longest=_LONGEST_WHAT), reason=form_text("reason", longest=LONGEST_REASON)
        )
        return redirect(url_for("directory.access", subject=subject, done="taken"), 303)


def _add_places(
    desk: Blueprint,
    mine: Callable[[], Administration],
    guard: Guard,
    searched: Callable[[str, tuple[Person, ...]], None],
    render: Callable[..., str],
) -> None:
    @desk.get("/organisations/<identifier>")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def organisation(identifier: str) -> str:
        own = mine()
        found, departments, posts = own.places(identifier)
        holders = own.holders(posts)
        searched("", tuple(person for people in holders.values() for person in people))
        return render(
            own, "organisation", organisation=found, tree=_tree(departments, posts), holders=holders,
            departments=departments, posts=posts, representatives=own.representatives(found.id),
            roles=[role.name for role in own.roles()], section="organisations",
            done=query_text("done", longest=20), whole_site=set(ROLES),
        )  # fmt: skip

    @desk.post("/organisations/<identifier>/departments")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def add_department(identifier: str) -> Answer:
        mine().add_department(
            identifier, form_text("name", longest=LONGEST_TEXT),
            name_zh=form_text("name_zh", longest=LONGEST_TEXT, optional=True),
            parent=form_text("department", longest=_LONGEST_WHAT, optional=True),
        )  # fmt: skip
        return redirect(url_for("directory.organisation", identifier=identifier, done="entered"), 303)

    @desk.post("/organisations/<identifier>/posts")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def add_post(identifier: str) -> Answer:
        role = form_text("role", longest=_LONGEST_WHAT, optional=True)
        mine().add_post(
            identifier, form_text("name", longest=LONGEST_TEXT),
            name_zh=form_text("name_zh", longest=LONGEST_TEXT, optional=True),
            department=form_text("department", longest=_LONGEST_WHAT, optional=True), roles=[role] if role else [],
        )  # fmt: skip
        return redirect(url_for("directory.organisation", identifier=identifier, done="entered"), 303)


def _tree(departments: list[Department], posts: list[Post]) -> list[dict[str, Any]]:
    """Departments under what they are a part of, each with its posts; what hangs on nothing known stands at the top."""
    known = {each.id for each in departments}

    def below(parent: str, path: frozenset[str]) -> list[dict[str, Any]]:
        return [
            {
                "department": each,
                "posts": [post for post in posts if post.department == each.id],
                "below": below(each.id, path | {each.id}),
            }
            for each in departments
            if (each.parent if each.parent in known else "") == parent and each.id not in path
        ]

    loose = [post for post in posts if post.department not in known]
    return [{"department": None, "posts": loose, "below": below("", frozenset())}]
