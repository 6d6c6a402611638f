# SPDX-License-Identifier: Apache-2.0
"""Pages about reviews of access, duties that are kept apart, and the proofing of identities."""

from collections.abc import Callable
from enum import StrEnum
from typing import TypeVar

from flask import Blueprint, Response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as Answer

from core.errors import Invalid
from core.web import Guard, form_text, identity
from core.web.inputs import query_text

from ..errors import BadDays, BadName, NoSuchOrganisation
from ..models import ADMINISTRATOR, AGENCY_ADMINISTRATOR, APART, Person
from ..models_powers import LONGEST_REASON, LONGEST_TEXT
from ..reviews import Item, ScopeKind, Undecided
from ..service import Administration
from ..vetting import EVIDENCE, LEVELS, Evidence, VettingState, Way
from .powers import form_day

PAGE = 25
_LONGEST = 64
_LONGEST_NUMBER = 15
E = TypeVar("E", bound=StrEnum)


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
    _add_reviews(desk, mine, guard, searched, render)
    _add_owning(desk, mine, guard, searched)
    _add_duties(desk, mine, guard, render)
    _add_proofing(desk, mine, guard, searched, render)
    _add_vetting(desk, mine, guard, opened, render)


def _add_reviews(
    desk: Blueprint,
    mine: Callable[[], Administration],
    guard: Guard,
    searched: Callable[[str, tuple[Person, ...]], None],
    render: Callable[..., str],
) -> None:
    @desk.get("/reviews")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def reviews() -> str:
        own = mine()
        return render(
            own, "reviews", campaigns=[(each, own.tally(each)) for each in own.reviews()[:PAGE]], section="reviews",
            roles=[role.name for role in own.roles()], done=query_text("done", longest=20),
        )  # fmt: skip

    @desk.post("/reviews")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def start_review() -> Answer:
        due = form_day("due")
        if due is None:
            raise BadDays
        made = mine().start_review(
            form_text("name", longest=LONGEST_TEXT), scope=_one_of(ScopeKind, "scope"),
            of=form_text("of", longest=_LONGEST).strip(), due=due,
            owner=form_text("owner", longest=_LONGEST), heads=form_text("heads", longest=_LONGEST, optional=True),
            undecided=_one_of(Undecided, "undecided"), reason=_reason(),
        )  # fmt: skip
        return redirect(url_for("directory.review", identifier=made, done="begun"), 303)

    @desk.get("/reviews/<identifier>")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def review(identifier: str) -> str:
        own = mine()
        campaign = own.review(identifier)
        found = own.review_items(campaign, after=_after(), limit=PAGE + 1)
        people, posts = own.names_of(found[:PAGE])
        searched("", tuple(people.values()))
        return render(
            own, "review", campaign=campaign, tally=own.tally(campaign), stuck=own.review_stuck(campaign),
            items=_shown(own, found[:PAGE]),
            people=people, campaigns={}, posts=posts, section="reviews",
            more=found[PAGE - 1].position if len(found) > PAGE else 0, done=query_text("done", longest=20),
        )  # fmt: skip

    @desk.get("/reviews/<identifier>/report")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def review_report(identifier: str) -> Response:
        own = mine()
        campaign = own.review(identifier)
        # Recorded before the first line leaves.
        searched(f"review {campaign.id}", ())
        answer = Response(own.review_report(campaign), mimetype="application/jsonl")
        answer.headers["Content-Disposition"] = f'attachment; filename="review-{campaign.id}.jsonl"'
        return answer


def _add_owning(
    desk: Blueprint,
    mine: Callable[[], Administration],
    guard: Guard,
    searched: Callable[[str, tuple[Person, ...]], None],
) -> None:
    @desk.get("/reviews/mine")
    @guard.person()
    def mine_to_review() -> str:
        own = mine()
        found = own.mine_to_review(after=_after(), limit=PAGE + 1)
        people, posts = own.names_of(found[:PAGE])
        searched("", tuple(people.values()))
        campaigns = {each.campaign: own.review_named(each.campaign) for each in found[:PAGE]}
        is_administrator = bool(identity().roles & {ADMINISTRATOR, AGENCY_ADMINISTRATOR})
        return render_template(
            "directory/mine.html", items=_shown(own, found[:PAGE]), people=people, posts=posts, campaigns=campaigns,
            more=found[PAGE - 1].position if len(found) > PAGE else 0, section="mine", unrecorded=0,
            everything=own.everything, done=query_text("done", longest=20), is_administrator=is_administrator,
        )  # fmt: skip

    @desk.post("/reviews/items/<int:position>/<verb>")
    @guard.person()
    def decide(position: int, verb: str) -> Answer:
        own = mine()
        verbs = {"confirm": own.confirm_access, "withdraw": own.withdraw_access}
        if verb not in verbs:
            raise Invalid
        item = verbs[verb](position, reason=_reason())
        done = "confirmed" if verb == "confirm" else "withdrawn"
        if request.form.get("back") == "review":
            return redirect(url_for("directory.review", identifier=item.campaign, done=done), 303)
        return redirect(url_for("directory.mine_to_review", done=done), 303)


def _add_duties(desk: Blueprint, mine: Callable[[], Administration], guard: Guard, render: Callable[..., str]) -> None:
    @desk.get("/duties")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def duties() -> str:
        own = mine()
        return render(
            own, "duties", rules=own.duty_rules(), always=sorted(tuple(sorted(pair)) for pair in APART),
            roles=[role.name for role in own.roles()], section="duties", done=query_text("done", longest=20),
        )  # fmt: skip

    @desk.post("/duties")
    @guard.person(ADMINISTRATOR)
    def add_duty_rule() -> Answer:
        roles = request.form.getlist("role")
        if any(len(role) > _LONGEST for role in roles):
            raise BadName
        mine().add_duty_rule(form_text("name", longest=LONGEST_TEXT), roles, reason=_reason())
        return redirect(url_for("directory.duties", done="entered"), 303)

    @desk.post("/duties/<identifier>/remove")
    @guard.person(ADMINISTRATOR)
    def remove_duty_rule(identifier: str) -> Answer:
        mine().remove_duty_rule(identifier, reason=_reason())
        return redirect(url_for("directory.duties", done="taken"), 303)


def _add_proofing(
    desk: Blueprint,
    mine: Callable[[], Administration],
    guard: Guard,
    searched: Callable[[str, tuple[Person, ...]], None],
    render: Callable[..., str],
) -> None:
    @desk.get("/proofing")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def proofing() -> str:
        own = mine()
        level = query_text("level", longest=1) or "3"
        if level not in map(str, LEVELS):
            raise Invalid
        waiting = own.vettings_waiting()
        page = own.proofings_due(int(level), after=query_text("after", longest=_LONGEST_NUMBER), limit=PAGE)
        searched("", (*(person for person, _ in waiting), *page.items))
        return render(
            own, "proofing", waiting=waiting, page=page, level=int(level), needs=EVIDENCE, valid=own.proofing_days(),
            me=identity().subject, section="proofing", done=query_text("done", longest=20),
        )  # fmt: skip

    @desk.post("/proofing/<identifier>/agree")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR, assurance=2)
    def agree_to_vetting(identifier: str) -> Answer:
        mine().agree_to_vetting(identifier)
        return redirect(url_for("directory.proofing", done="agreed"), 303)

    @desk.post("/proofing/<identifier>/refuse")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def refuse_vetting(identifier: str) -> Answer:
        mine().refuse_vetting(identifier, reason=_reason())
        return redirect(url_for("directory.proofing", done="refused"), 303)


def _add_vetting(
    desk: Blueprint,
    mine: Callable[[], Administration],
    guard: Guard,
    opened: Callable[[Person], None],
    render: Callable[..., str],
) -> None:
    @desk.get("/people/<subject>/proofing")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def vettings(subject: str) -> str:
        own = mine()
        person = own.person(subject)
        opened(person)
        return render(
            own, "vetting", person=person, history=own.vettings(subject), levels=LEVELS, ways=list(Way),
            kinds=list(Evidence), section="people", oneself=person.subject == identity().subject,
            may_change=own.may_change(person), done=query_text("done", longest=20),
        )  # fmt: skip

    @desk.post("/people/<subject>/proofing")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR, assurance=2)
    def vet(subject: str) -> Answer:
        level = form_text("level", longest=1)
        if level not in map(str, LEVELS):
            raise Invalid
        try:
            kinds = frozenset(map(Evidence, request.form.getlist("kind")))
        except ValueError as error:
            raise Invalid from error
        made = mine().vet(
            subject, level=int(level), way=_one_of(Way, "way"), kinds=kinds,
            reference=form_text("reference", longest=LONGEST_TEXT),
        )  # fmt: skip
        done = "vetted" if made.state is VettingState.HOLDS else "proposed"
        return redirect(url_for("directory.vettings", subject=subject, done=done), 303)

    @desk.post("/people/<subject>/proofing/withdraw")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def withdraw_level(subject: str) -> Answer:
        mine().withdraw_level(subject, reason=_reason())
        return redirect(url_for("directory.vettings", subject=subject, done="taken"), 303)


def _shown(own: Administration, found: list[Item]) -> list[tuple[Item, str, bool]]:
    """Each with the name of its place, and whether whoever looks decides about it."""
    places: dict[str, str] = {}
    for each in found:
        if each.organisation and each.organisation not in places:
            try:
                places[each.organisation] = own.organisation(each.organisation).name
            except NoSuchOrganisation:
                places[each.organisation] = each.organisation
    return [(each, places.get(each.organisation, ""), own.may_decide(each)) for each in found]


def _after() -> int:
    text = query_text("after", longest=_LONGEST_NUMBER)
    if text and not (text.isascii() and text.isdigit()):
        raise BadName
    return int(text or 0)


def _reason() -> str:
    return form_text("reason", longest=LONGEST_REASON)


def _one_of(kinds: type[E], name: str) -> E:
    try:
        return kinds(form_text(name, longest=_LONGEST))
    except ValueError as error:
        raise Invalid from error
