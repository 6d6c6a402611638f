# SPDX-License-Identifier: Apache-2.0
"""What follows from posts and grants, worked out without a directory."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from directory.errors import BadName
from directory.models import Person, PersonKind
from directory.models_powers import Entitlement, Grant, Holding, Post, Role, last_days, last_days_text
from directory.powers import Facts, clash, ever, memberships, preview, standing

DAY = date(2026, 11, 20)
NEXT, BEFORE = DAY + timedelta(days=1), DAY - timedelta(days=1)
CLERK = Person(subject="s", username="clerk", kind=PersonKind.CIVIL_SERVANT, name="Clerk")
FILE, READ = Entitlement("tax", "returns.file"), Entitlement("tax", "returns.read")
ROLES = {
    "tax-clerk": Role(name="tax-clerk", entitlements=frozenset({FILE, READ})),
    "reader": Role(name="reader", entitlements=frozenset({READ})),
}
COUNTER = Post(id="p1", name="Counter", organisation="tax", roles=frozenset({"tax-clerk"}))
ARCHIVE = Post(id="p2", name="Archive", organisation="tax", roles=frozenset({"reader"}))


def holding(post: str, *, since: date = BEFORE, until: date | None = None) -> Holding:
    return Holding(id=f"h-{post}", holder="s", post=post, since=since, until=until)


def grant(role: str = "", *, what: Entitlement | None = None, since: date = BEFORE, until: date = NEXT) -> Grant:
    return Grant(id=f"g-{role}{what}", holder="s", role=role, entitlement=what, since=since, until=until)


def facts(*held: Holding, grants: tuple[Grant, ...] = ()) -> Facts:
    return Facts(person=CLERK, holdings=held, grants=grants, posts={"p1": COUNTER, "p2": ARCHIVE}, roles=ROLES)


def test_access_is_the_union_and_says_by_which_ways_it_came() -> None:
    found = standing(facts(holding("p1"), grants=(grant("reader"), grant(what=READ))), DAY)
    assert found.roles.keys() == {"civil-servant", "tax-clerk", "reader"}
    (filed,) = found.entitlements[FILE]
    assert (filed.post, filed.role, filed.grant) == (COUNTER, "tax-clerk", None)
    by_post, by_role, direct = found.entitlements[READ]
    assert by_post.post == COUNTER
    assert by_role.grant is not None
    assert by_role.role == "reader"
    assert direct.grant is not None
    assert direct.role == ""


def test_a_disabled_person_may_do_nothing_but_is_remembered() -> None:
    held = facts(holding("p1"))
    out = replace(held, person=replace(CLERK, enabled=False))
    assert standing(out, DAY).roles == {}
    assert memberships(out, DAY) == {"tax-clerk": None}


@pytest.mark.parametrize(
    ("since", "until", "holds"),
    [
        (DAY, DAY, True), (BEFORE, BEFORE, False), (NEXT, NEXT, False), (BEFORE, NEXT, True), (DAY, None, True),
    ],
)  # fmt: skip
def test_a_day_counts_whole(since: date, until: date | None, holds: bool) -> None:  # noqa: FBT001 - a column
    assert ("tax-clerk" in memberships(facts(holding("p1", since=since, until=until)), DAY)) is holds
    if until:
        assert ("reader" in memberships(facts(grants=(grant("reader", since=since, until=until),)), DAY)) is holds


def test_of_several_ways_the_one_that_lasts_longest_counts() -> None:
    two = facts(holding("p2", until=DAY), grants=(grant("reader", until=NEXT),))
    assert memberships(two, DAY) == {"reader": NEXT}
    endless = facts(holding("p2"), grants=(grant("reader", until=NEXT),))
    assert memberships(endless, DAY) == {"reader": None}


def test_duties_are_kept_apart_over_everything_that_is_still_to_come() -> None:
    later = facts(grants=(grant("ra-officer", since=NEXT), grant("security-officer")))
    assert clash(ever(later, DAY)) == ("ra-officer", "security-officer")
    over = facts(grants=(grant("ra-officer", until=BEFORE), grant("security-officer")))
    assert clash(ever(over, DAY)) is None


def test_a_preview_tells_what_is_gained_and_lost() -> None:
    told = preview(facts(holding("p1")), facts(holding("p2")), DAY)
    assert (told.gained_roles, told.lost_roles) == (("reader",), ("tax-clerk",))
    assert (told.gained, told.lost) == ((), (FILE,))
    assert preview(facts(), facts(), DAY).changes_nothing
    refused = preview(facts(), facts(grants=(grant("ra-officer"), grant("security-officer"))), DAY)
    assert refused.clash == ("ra-officer", "security-officer")


def test_last_days_are_read_back_and_a_broken_note_keeps_nobody_in() -> None:
    text = last_days_text({"b": DAY, "a": NEXT, "endless": None})
    assert text == "a:20261121 b:20261120"
    assert last_days(text) == {"a": NEXT, "b": DAY}
    assert last_days("a:soon b") == {"a": date.min, "b": date.min}


@pytest.mark.parametrize(
    "text", ["", "tax", "tax/", "/x", "tax/a b", "Tax/x", "tax/x)(uid=*", "tax/" + "x" * 61, "t/\0"]
)
def test_what_cannot_be_an_entitlement_is_none(text: str) -> None:
    with pytest.raises(BadName):
        Entitlement.parse(text)
