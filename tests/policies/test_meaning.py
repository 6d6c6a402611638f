# SPDX-License-Identifier: Apache-2.0
"""Rules that add nothing are found by what they mean, and nothing is reported that is not so."""

import inspect
import sys
import time
from collections.abc import Callable
from itertools import product
from random import Random

import pytest

from policies.engine.meaning import covered
from policies.engine.shadows import meaningless
from policies.engine.source import Policy, read_policies

_World = tuple[int, str, bool]
CLEAR = '@id("clear") @code("clearance") forbid (principal is Person, action, resource) '


@pytest.fixture(scope="module")
def schema(shipped_files: dict[str, bytes]) -> str:
    return shipped_files["schema.cedarschema"].decode()


def _read(schema: str, *texts: str) -> tuple[Policy, ...]:
    return read_policies({"some.cedar": "\n".join(texts)}, schema)


def _permit(name: str, when: str, action: str = "access") -> str:
    return f'@id("{name}") permit (principal is Person, action == Action::"{action}", resource) when {{ {when} }};'


def _found(schema: str, *texts: str) -> set[tuple[str, str, str]]:
    return {(each.policy, each.kind, each.by) for each in meaningless(_read(schema, *texts))}


def test_the_shipped_policies_all_do_something(shipped_files: dict[str, bytes], schema: str) -> None:
    texts = [text.decode() for name, text in shipped_files.items() if name.endswith(".cedar")]
    begun = time.process_time()
    assert _found(schema, *texts) == set()
    assert time.process_time() - begun < 60


@pytest.mark.parametrize(
    ("policy", "other"),
    [
        ("context.assurance >= 3", "context.assurance > 1"),
        ("context.assurance == 2", "context.assurance >= 1 && context.assurance < 3"),
        ('context.from_zone == "internal"', 'context.from_zone != "internet"'),
        ('principal in Role::"citizen" && context.assurance >= 2', "context.assurance >= 2 || context.device"),
        ('resource == Target::"tax"', 'resource != Target::"audit"'),
        ('resource.owner == principal.subject && resource.owner == "a"', 'principal.subject == "a"'),
        ("if context.device then context.assurance >= 2 else context.assurance >= 1", "context.assurance >= 1"),
        ("principal.clearance >= resource.classification && resource.classification >= 2", "principal.clearance >= 2"),
    ],
)  # fmt: skip
def test_what_another_says_in_other_words(schema: str, policy: str, other: str) -> None:
    assert ("narrow", "implied", "wide") in _found(schema, _permit("narrow", policy), _permit("wide", other))


@pytest.mark.parametrize(
    ("policy", "other"),
    [
        ("context.assurance >= 1", "context.assurance >= 2"),
        ('context.from_zone != "internet"', 'context.from_zone == "internal"'),
        ('principal in Role::"citizen"', 'principal in Role::"civil-servant"'),
        ("resource.owner == principal.subject", "resource.owner == principal.organisation"),
        ("principal.mandates.contains(resource.owner)", "principal.mandates.contains(principal.subject)"),
        ('context.methods.contains("x509")', 'context.methods.contains("pwd")'),
        ('principal.subject like "a*"', 'principal.subject == "a"'),
    ],
)  # fmt: skip
def test_what_differs_is_never_called_needless(schema: str, policy: str, other: str) -> None:
    assert _found(schema, _permit("one", policy), _permit("other", other)) <= {("other", "implied", "one")}


def test_of_two_that_mean_the_same_the_later_is_needless(schema: str) -> None:
    same = _permit("first", "context.assurance >= 2"), _permit("second", "!(context.assurance < 2)")
    assert _found(schema, *same) == {("second", "implied", "first")}


def test_a_permit_that_a_forbid_covers_permits_nothing(schema: str) -> None:
    dead = _permit("dead", "resource.classification >= 3 && principal.clearance <= 2")
    assert ("dead", "forbidden", "clear") in _found(
        schema, dead, CLEAR + "unless { principal.clearance >= resource.classification };"
    )


def test_and_one_that_several_cover_together_names_those_and_no_others(schema: str) -> None:
    low = '@id("low") @code("assurance") forbid (principal, action, resource) when { context.assurance < 2 };'
    high = '@id("high") @code("assurance") forbid (principal, action, resource) when { context.assurance >= 2 };'
    other = '@id("other") @code("zone") forbid (principal, action, resource) when { context.from_zone == "internet" };'
    found = _found(schema, _permit("dead", "context.device"), other, low, high)
    assert ("dead", "forbidden", "low high") in found


@pytest.mark.parametrize(
    "never",
    [
        "context.assurance > 2 && context.assurance < 3",
        'context.from_zone == "internal" && context.from_zone == "external"',
        'resource in Class::"portal" && resource in Class::"office"',
        'resource.owner == "a" && resource.owner == principal.subject && principal.subject == "b"',
        "context.assurance > 3",
    ],
)
def test_what_can_never_hold_is_told(schema: str, never: str) -> None:
    assert ("never", "never", "") in _found(schema, _permit("never", never))


def test_a_search_that_takes_too_long_says_nothing(schema: str) -> None:
    [one, other] = _read(schema, _permit("a", "context.assurance >= 2"), _permit("b", "context.assurance >= 1"))
    assert covered(one, [other])
    assert not covered(one, [other], steps=2)


def test_it_agrees_with_going_through_every_question(schema: str) -> None:
    """Against plain enumeration, over conditions made at random."""
    dice = Random(20261129)  # noqa: S311 - can be repeated
    parts: dict[str, Callable[[_World], bool]] = {
        "context.assurance >= 2": lambda world: world[0] >= 2,
        "context.assurance < 3": lambda world: world[0] < 3,
        'context.from_zone == "internal"': lambda world: world[1] == "internal",
        'context.from_zone != "external"': lambda world: world[1] != "external",
        "context.device": lambda world: world[2],
        "!context.device": lambda world: not world[2],
    }
    worlds = list(product(range(4), ("internal", "external", "elsewhere"), (True, False)))
    for _ in range(60):
        made = []
        for name in ("one", "other"):
            chosen = dice.sample(sorted(parts), dice.randint(1, 3))
            word = dice.choice([" && ", " || "])
            joined = all if word == " && " else any
            made.append((
                _permit(name, word.join(chosen)),
                {world for world in worlds if joined(parts[each](world) for each in chosen)},
            ))  # fmt: skip
        [one, other] = _read(schema, *(text for text, _ in made))
        assert covered(one, [other]) == (made[0][1] <= made[1][1])
        assert covered(one, []) == (not made[0][1])


def test_of_more_conditions_than_can_be_remembered_nothing_is_said(schema: str) -> None:
    text = '@id("many") permit (principal is Person, action == Action::"access", resource) '
    text += " ".join(f'when {{ principal in Role::"r{number}" }}' for number in range(300)) + ";"
    [policy] = _read(schema, text)
    usual = sys.getrecursionlimit()
    # A thousand of them meet the usual one, a second later.
    sys.setrecursionlimit(len(inspect.stack(0)) + 200)
    try:
        assert not covered(policy, [])
    finally:
        sys.setrecursionlimit(usual)
