# SPDX-License-Identifier: Apache-2.0
"""How an entry of the directory was changed: for the directory's desk alone, recorded first, nothing else opened."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from audit.models import Outcome
from tests.fakes.audit_console import LI, OFFICER, WANG, ConsoleFake

AT = f"/api/v1/changes/subject/{LI}"


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> ConsoleFake:
    made = ConsoleFake(Path(tmp_path_factory.mktemp("changes")), span=40)
    made.fill()
    told = {"source": "directory", "zone": "", "decision": "", "actor": OFFICER}
    by = {"name": "Li Xiaoming", "actor_name": "Zhao Min"}
    for role in ("case-worker", "head-of-section"):
        for outcome in (Outcome.INTENDED, Outcome.SUCCESS):
            made.add(type="directory.role.granted", subject=LI, outcome=outcome, attributes={"role": role},
                     sealed={**by, "reason": "needed"}, **told)  # fmt: skip
    made.add(type="directory.person.read", subject=LI, sealed={"name": "Li Xiaoming"}, **told)
    made.add(type="directory.role.granted", subject=WANG, attributes={"role": "case-worker"}, sealed=by, **told)
    # Somebody else's doing, in which Li is the actor.
    made.add(type="directory.person.disabled", subject=WANG, sealed=by, **(told | {"actor": LI}))
    made.add(type="directory.post.given", subject=WANG, organisation="tax-bureau", sealed=by,
             attributes={"post": "p1"}, **told)  # fmt: skip
    made.add(type="directory.entry.created", subject="tax-bureau", attributes={"kind": "organisation"},
             sealed={"name": "Tax bureau"}, **told)  # fmt: skip
    for name in ("case-worker", "worker"):
        made.add(type="directory.power.added", attributes={"kind": "role", "of": name, "what": "tax/read"}, **told)
    made.add(type="directory.entry.created", attributes={"kind": "offer", "names": "tax"}, **told)
    return made


def _changes(fake: ConsoleFake, path: str, query: str = f"officer={OFFICER}") -> dict[str, Any]:
    answer = fake.peer(f"{path}?{query}", caller="directory")
    assert answer.status_code == 200, answer.text
    found = json.loads(answer.data)
    assert isinstance(found, dict)
    return found


def test_the_history_of_a_person_is_what_happened_to_them_and_no_reading(fake: ConsoleFake) -> None:
    found = _changes(fake, AT)
    assert [(each["type"], each["attributes"]["role"]) for each in found["changes"]] == [
        ("directory.role.granted", "head-of-section"),
        ("directory.role.granted", "case-worker"),
    ]
    assert found["next"] is None
    # Not asked to open: nothing personal.
    assert [each["sealed"] for each in found["changes"]] == [{}, {}]


def test_sealed_parts_are_opened_on_demand_and_the_record_says_by_whom_and_how_many(fake: ConsoleFake) -> None:
    before = fake.log.size()
    found = _changes(fake, AT, f"officer={OFFICER}&open=1&limit=1")
    assert found["changes"][0]["sealed"]["reason"] == "needed"
    (recorded,) = fake.log.read(before, 10)
    event = recorded.event
    assert (event.type, event.subject, event.actor) == ("audit.read", LI, OFFICER)
    assert event.attributes == {"view": "history", "hits": 1, "opened": 1, "reader": "directory"}
    older = _changes(fake, AT, f"officer={OFFICER}&limit=1&after={found['next']}")
    assert older["changes"][0]["attributes"]["role"] == "case-worker"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("organisation/tax-bureau", ["directory.entry.created", "directory.post.given"]),
        # "worker" is another role, though its word stands in the name of this one.
        ("role/worker", ["directory.power.added"]),
        ("role/case-worker", ["directory.power.added"]),
        ("offer/tax", ["directory.entry.created"]),
        ("role/nothing", []),
        ("subject/nobody", []),
    ],
)
def test_what_has_no_person_has_a_history_too(fake: ConsoleFake, path: str, expected: list[str]) -> None:
    found = _changes(fake, f"/api/v1/changes/{path}")["changes"]
    assert [each["type"] for each in found] == expected
    if path.startswith("role") and found:
        assert found[0]["attributes"]["of"] == path.partition("/")[2]


def test_each_change_comes_with_its_proof_and_nobody_elses_does(fake: ConsoleFake) -> None:
    index = _changes(fake, AT)["changes"][0]["index"]
    told = _changes(fake, f"{AT}/{index}")
    assert json.loads(base64.b64decode(told["entry"]))["type"] == "directory.role.granted"
    assert told["proof"].startswith(f"c2sp.org/tlog-proof@v1\nindex {index}\n")
    for path in (f"/api/v1/changes/subject/{WANG}/{index}", f"{AT}/0", f"{AT}/99999", f"{AT}/x"):
        assert fake.peer(f"{path}?officer={OFFICER}", caller="directory").status_code == 404


def test_what_other_roles_told_about_a_person_is_not_told_here(fake: ConsoleFake) -> None:
    login = next(i for i in range(fake.log.size()) if fake.log_row(i).type == "sso.login")
    assert fake.peer(f"{AT}/{login}?officer={OFFICER}", caller="directory").status_code == 404


@pytest.mark.parametrize(
    "query",
    ["", "officer=", f"officer={OFFICER}&officer=x", f"officer={OFFICER}&open=2", f"officer={OFFICER}&person=x",
     f"officer={OFFICER}&limit=0", f"officer={OFFICER}&after=x", "officer=%00"],
)  # fmt: skip
def test_nobody_reads_without_a_name_and_bad_questions_are_refused(fake: ConsoleFake, query: str) -> None:
    before = fake.log.size()
    assert fake.peer(f"{AT}?{query}", caller="directory").status_code == 400
    assert fake.log.size() == before


@pytest.mark.parametrize("path", ["/api/v1/changes/moon/x", f"/api/v1/changes/subject/{'x' * 300}"])
def test_an_entry_of_no_kind_is_refused(fake: ConsoleFake, path: str) -> None:
    assert fake.peer(f"{path}?officer={OFFICER}", caller="directory").status_code == 400


@pytest.mark.parametrize("caller", ["sso", "app"])
def test_no_other_role_reads_it(fake: ConsoleFake, caller: str) -> None:
    assert fake.peer(f"{AT}?officer={OFFICER}", caller=caller).status_code == 403


def test_an_erased_persons_changes_stay_without_what_was_sealed_and_nothing_is_told_unrecorded(
    fake: ConsoleFake,
) -> None:
    fake.log.erase(LI)
    assert _changes(fake, AT, f"officer={OFFICER}&open=1")["changes"][0]["sealed"] is None
    fake.log.down = True
    assert fake.peer(f"{AT}?officer={OFFICER}", caller="directory").status_code == 503
    fake.log.down = False
