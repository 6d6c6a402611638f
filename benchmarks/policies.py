# SPDX-License-Identifier: Apache-2.0
"""What one decision of the policies costs in processor time, asked anew and remembered, and how that grows.

`python -m benchmarks.policies` prints a table; it needs no city. Every person asks for another of a thousand portals;
each policy beyond the shipped ones opens one portal to one role, so that they all stand in one zone pair and action.
"""

import random
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from policies.bundle import read_source
from policies.cache import DecisionCache, key
from policies.config import SHIPPED
from policies.models import DecisionRequest
from policies.release import Release

QUESTIONS = 20_000
PORTALS = 1_000
_AT = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
_FILES = read_source(SHIPPED)


def release(policies: int) -> Release:
    """The shipped policies and as many more as make that number; fewer than the shipped ones are what is shipped."""
    more = policies - len(Release(_FILES, version="0").policies)
    text = "".join(
        f'@id("extra-{number}") permit (principal is Person, action == Action::"access", '
        f'resource == Target::"portal-{number}") when {{ resource in Class::"portal" && '
        f'principal in Role::"group-{number}" && context.assurance >= 1 }};\n'
        for number in range(max(0, more))
    )
    return Release(_FILES | {"extra.cedar": text.encode()}, version="1")


def questions(people: int, count: int) -> Iterator[DecisionRequest]:
    """Citizens in no order, each at a portal."""
    dice = random.Random(7)  # noqa: S311 - can be repeated
    good = DecisionRequest(
        principal_kind="person",
        roles=frozenset({"citizen"}),
        enabled=True,
        proofing=3,
        assurance=2,
        action="access",
        method="GET",
        resource="tax",
        resource_class="portal",
        classification=0,
        from_zone="external",
        to_zone="external",
        required_assurance=1,
        at=_AT,
    )
    for _ in range(count):
        who = dice.randrange(people)
        yield replace(good, subject=f"{who:08d}-7a3e-4f0e-9c43-2f1f6d1d7a01", resource=f"portal-{who % PORTALS}")


def anew(made: Release, people: int, count: int) -> float:
    """Microseconds of processor time for a decision that nobody made before; the slices are made by then."""
    asked = list(questions(people, count))
    for number in range(PORTALS):
        made.decide(replace(asked[0], resource=f"portal-{number}"))
    begun = time.process_time()
    for request in asked:
        made.decide(request)
    return (time.process_time() - begun) / len(asked) * 1e6


def remembered(made: Release, people: int, count: int) -> tuple[float, float]:
    """Microseconds where the process remembers 20,000 decisions, and the share that it remembered."""
    cache, hits = DecisionCache(most=20_000), 0
    asked = list(questions(people, count * 2))
    begun = 0.0
    for place, request in enumerate(asked):
        if place == count:
            hits, begun = 0, time.process_time()
        name = key(made.version, request)
        if name is not None and cache.get(name) is not None:
            hits += 1
        elif name is not None:
            cache.keep(name, made.decide(request))
    return (time.process_time() - begun) / count * 1e6, hits / count


def main() -> None:
    """Print the table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else QUESTIONS
    print("policies     people   anew us   per second   remembered us   of them remembered")
    for policies, people in ((100, 10_000), (10, 10_000), (1_000, 10_000), (100, 100_000), (100, 1_000_000)):
        made = release(policies)
        fresh = anew(made, people, count)
        again, share = remembered(made, people, count)
        print(
            f"{len(made.policies):>8} {people:>10,} {fresh:>9.0f} {1e6 / fresh:>12,.0f} {again:>15.1f} {share:>20.0%}"
        )


if __name__ == "__main__":
    main()
