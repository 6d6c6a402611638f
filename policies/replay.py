# SPDX-License-Identifier: Apache-2.0
"""What a candidate would change: questions that were asked, answered by the policies in force and by the new ones."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from .models import Code, Decision, DecisionRequest, Past

Decide = Callable[[DecisionRequest], Decision]


@dataclass(frozen=True, kw_only=True)
class Change:
    """One kind of question that is answered otherwise, as people see it: route, group and network."""

    resource: str
    # Kind of principal, or its roles.
    group: str
    from_zone: str
    gains: bool
    # Codes of the answers, before and after.
    was: str
    becomes: str
    times: int
    # Different people and devices.
    subjects: int
    # Policies and zone rows that decide then.
    because: tuple[str, ...]


@dataclass
class _Sum:
    times: int = 0
    subjects: set[str] = field(default_factory=set)


def questions(past: Iterable[Past]) -> Counter[DecisionRequest]:
    """The questions and how often each was asked; of the time the hour counts, so that equal ones are asked once."""
    return Counter(
        replace(each.request, at=each.request.at.replace(minute=0, second=0, microsecond=0)) for each in past
    )


def changes(asked: Counter[DecisionRequest], *, before: Decide, after: Decide) -> list[Change]:
    """Who gains and who loses, most frequent first. Only allowing and denying count, not how a denial is explained."""
    sums: dict[tuple[str, str, str, bool, str, str, tuple[str, ...]], _Sum] = {}
    for request, times in asked.items():
        was, becomes = before(request), after(request)
        if was.allowed == becomes.allowed:
            continue
        group = " ".join(sorted(request.roles)) or request.principal_kind
        place = (request.resource, group, request.from_zone, becomes.allowed, was.code, becomes.code, becomes.reasons)
        found = sums.setdefault(place, _Sum())
        found.times += times
        found.subjects.add(request.subject)
    made = [
        Change(
            resource=resource, group=group, from_zone=zone, gains=gains, was=was, becomes=becomes,
            times=each.times, subjects=len(each.subjects), because=because,
        )
        for (resource, group, zone, gains, was, becomes, because), each in sums.items()
    ]  # fmt: skip
    return sorted(made, key=lambda change: (-change.times, change.resource, change.group))


def disagreements(past: Iterable[Past]) -> list[Change]:
    """What a release in shadow answered otherwise when it was asked beside the one in force; the newest version's."""
    sums: dict[tuple[str, str, str, bool, str, str], _Sum] = {}
    newest = ""
    for each in past:
        if not each.shadow:
            continue
        version, code = each.shadow
        newest = newest or version
        if version != newest:
            continue
        request = each.request
        group = " ".join(sorted(request.roles)) or request.principal_kind
        was = Code.ALLOWED if each.allowed else "denied"
        found = sums.setdefault((request.resource, group, request.from_zone, not each.allowed, was, code), _Sum())
        found.times += 1
        found.subjects.add(request.subject)
    made = [
        Change(
            resource=resource, group=group, from_zone=zone, gains=gains, was=was, becomes=becomes,
            times=each.times, subjects=len(each.subjects), because=(newest,),
        )
        for (resource, group, zone, gains, was, becomes), each in sums.items()
    ]  # fmt: skip
    return sorted(made, key=lambda change: (-change.times, change.resource, change.group))


@dataclass(frozen=True, kw_only=True)
class Use:
    """How often one policy decided, or one row of the zone matrix was met."""

    name: str
    hits: int
    # Times it was the only reason; one that never is may stand in another's shadow. Of a row: times it refused.
    alone: int


def rows_used(
    past: Iterable[Past], names: Iterable[str], row: Callable[[DecisionRequest], tuple[str, bool]]
) -> Iterator[Use]:
    """Every row of the matrix, the least met first; what was never met joins zones for nobody."""
    hits: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    for each in past:
        name, passes = row(each.request)
        hits[name] += 1
        refused[name] += not passes
    for name in sorted(names, key=lambda name: (hits[name], name)):
        yield Use(name=name, hits=hits[name], alone=refused[name])


def usage(past: Iterable[Past], names: Iterable[str]) -> Iterator[Use]:
    """Every policy, the least used first; what was never a reason may be superfluous (GB/T 22239 8.1.3.2 b)."""
    hits: Counter[str] = Counter()
    alone: Counter[str] = Counter()
    for each in past:
        hits.update(each.reasons)
        if len(each.reasons) == 1:
            alone.update(each.reasons)
    for name in sorted({*names, *hits}, key=lambda name: (hits[name], name)):
        yield Use(name=name, hits=hits[name], alone=alone[name])
