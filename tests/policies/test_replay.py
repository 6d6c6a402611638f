# SPDX-License-Identifier: Apache-2.0
"""What the record keeps of a question is enough to ask it again; who gains and who loses is told by route and group."""

from dataclasses import replace
from typing import Any

import pytest

from policies.models import Action, DecisionRequest, Past
from policies.record import noted, past, read
from policies.release import Release
from policies.replay import changes, questions, usage

from .conftest import AT, Ask


def entry(request: DecisionRequest, **changed: Any) -> dict[str, Any]:
    """An entry as the audit service shows it."""
    return {
        "type": "gateway.decision", "outcome": "success", "time": request.at.isoformat(), "policy": "1-x",
        "subject": request.subject or None, "organisation": request.organisation or None, "object": request.resource,
        "zone": request.from_zone, "attributes": {"policies": "a b", "reason": "allowed", **noted(request)}, **changed,
    }  # fmt: skip


def test_every_question_about_access_comes_back_as_it_was_asked(shipped: Release) -> None:
    asked = [request for request in shipped.questions if request.action == Action.ACCESS]
    assert len(asked) > 50
    for request in asked:
        device = request.subject if request.principal_kind == "device" else None
        kept = replace(request, mandates=frozenset(), owner="", acting_for="", device=device)
        found = past(entry(request))
        assert found is not None
        assert found == Past(request=kept, allowed=True, reasons=("a", "b"))


@pytest.mark.parametrize("changed", [{"policy": ""}, {"attributes": {"reason": "allowed", "assurance": 1}}])
def test_where_no_policy_was_asked_there_is_nothing_to_replay(ask: Ask, changed: dict[str, Any]) -> None:
    assert past(entry(ask(), **changed)) is None
    assert past(entry(ask(), attributes={**noted(ask()), "kind": "robot"})) is None


class _Audit:
    """The audit service's pages."""

    def __init__(self, entries: list[dict[str, Any]]) -> None:
        self.entries = entries
        self.asked: list[str] = []

    def call(self, _method: str, path: str) -> "_Audit":
        self.asked.append(path)
        return self

    def json(self) -> dict[str, Any]:
        page, self.entries = self.entries[:2], self.entries[2:]
        return {"entries": page, "next": 100 - len(self.asked) if self.entries else None}


def test_the_record_is_read_page_by_page(ask: Ask) -> None:
    audit = _Audit([entry(ask(subject=str(number))) for number in range(5)])
    found = list(read(audit, since=AT))  # type: ignore[arg-type]  # the part of a peer that is used
    assert [each.request.subject for each in found] == ["0", "1", "2", "3", "4"]
    assert "type=gateway.decision&from=2026-11-20T08%3A00&limit=500" in audit.asked[0]
    # What was decided for other enforcement points, and at the way out, is asked for beside it.
    assert "type=gateway.evaluation" in audit.asked[-2]
    assert "type=gateway.egress.decided" in audit.asked[-1]
    assert [path.partition("after=")[2] for path in audit.asked] == ["", "99", "98", "", ""]


def _stricter(files: dict[str, bytes]) -> Release:
    access = files["access.cedar"].replace(b"context.assurance >= 1\n", b"context.assurance >= 2\n")
    assert access != files["access.cedar"]
    return Release({**files, "access.cedar": access}, version="candidate")


def test_who_loses_and_who_gains_is_told_by_route_group_and_network(
    shipped: Release, shipped_files: dict[str, bytes], ask: Ask
) -> None:
    stricter = _stricter(shipped_files)
    weak = [ask(subject=name, at=AT.replace(minute=minute)) for name, minute in (("a", 1), ("a", 2), ("b", 3))]
    strong = ask(subject="c", assurance=2)
    asked = questions(Past(request=each, allowed=True, reasons=()) for each in (*weak, strong))
    assert asked.total() == 4
    assert len(asked) == 3
    (loss,) = changes(asked, before=shipped.decide, after=stricter.decide)
    assert (loss.resource, loss.group, loss.from_zone, loss.gains) == ("tax", "citizen", "external", False)
    assert (loss.times, loss.subjects, loss.was, loss.becomes) == (3, 2, "allowed", "assurance")
    (gain,) = changes(asked, before=stricter.decide, after=shipped.decide)
    assert (gain.gains, gain.times, gain.because) == (True, 3, ("portal-for-everybody-known",))


def test_what_is_answered_alike_is_no_change(shipped: Release, ask: Ask) -> None:
    asked = questions([Past(request=ask(), allowed=True, reasons=())])
    assert changes(asked, before=shipped.decide, after=shipped.decide) == []


def test_policies_that_never_decided_are_named_first(ask: Ask) -> None:
    seen = [
        Past(request=ask(), allowed=True, reasons=reasons) for reasons in (("a",), ("a", "b"), ("b", "a"), ("zone:z",))
    ]
    told = [(use.name, use.hits, use.alone) for use in usage(seen, ("a", "b", "c"))]
    assert told == [("c", 0, 0), ("zone:z", 1, 1), ("b", 2, 0), ("a", 3, 1)]
