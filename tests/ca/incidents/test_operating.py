# SPDX-License-Identifier: Apache-2.0
"""The operator's commands over the peer API, and which roles have no business there."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ca.cli import Hall, group
from ca.errors import NotYourBusiness
from ca.incidents import Item, Stage
from ca.incidents.service import OPERATOR
from core.errors import TallygateError
from tests.ca.incidents.house import House
from tests.ca.sites import Site
from tests.ca.world import ask
from tests.fakes.people import CITIZEN, OFFICER


def _no_hall() -> Hall:
    raise AssertionError("no ceremony is held here")


def _run(site: Site, *arguments: str) -> Result:
    return CliRunner().invoke(group(site.peer, _no_hall), ["incident", *arguments], catch_exceptions=False)


def _digest(result: Result) -> str:
    return next(line.split()[1] for line in result.output.splitlines() if line.startswith("digest "))


def test_a_preview_is_the_default_and_the_digest_executes(desk: Site) -> None:
    serial = desk.authority.issue(ask()).serial
    wanted = ("revoke", "--holder", CITIZEN.subject, "--reason", "superseded", "--explain", "A key leaked.")
    shown = _run(desk, *wanted)
    assert shown.exit_code == 0, shown.output
    assert "Nothing was done." in shown.output
    assert "certificates 1," in shown.output
    desk.runner.round()
    assert desk.authority.status(serial).good
    done = _run(desk, *wanted, "--execute", _digest(shown))
    assert "as soon as a registration officer has agreed" in done.output
    identifier = done.output.split()[0]
    assert desk.incidents.incident(identifier).stage is Stage.PROPOSED
    assert desk.incidents.incident(identifier).opener == OPERATOR
    desk.incidents.approve(identifier, by=OFFICER.subject, digest=_digest(shown))
    assert "paused" in _run(desk, "pause", identifier).output
    assert "running" in _run(desk, "resume", identifier).output
    desk.runner.round()
    assert not desk.authority.status(serial).good
    last = _run(desk, "show", identifier, "--certificates").output
    assert f"{serial} revoked" in last
    assert identifier in _run(desk, "list").output


def test_a_selection_that_grew_is_not_executed(desk: Site) -> None:
    desk.authority.issue(ask())
    wanted = ("renew", "--profile", "citizen", "--explain-zh", "密钥泄露")
    digest = _digest(_run(desk, *wanted))
    desk.authority.issue(ask())
    done = _run(desk, *wanted, "--execute", digest)
    assert done.exit_code == 1
    assert "not the one that was looked at" in done.output
    found, _ = desk.incidents.incidents()
    assert {each.stage for each in found} == {Stage.PREVIEW, Stage.WITHDRAWN}


def test_deadlines_keys_and_files_by_options(desk: Site, tmp_path: Path) -> None:
    house = House(desk.world, desk.authority, desk.incidents, desk.runner)
    issued = desk.authority.issue(ask())
    (tmp_path / "leaf.pem").write_bytes(issued.certificate)
    (tmp_path / "serials.txt").write_text(f"{issued.serial}\n", "utf-8")
    day = (desk.world.clock.now().date().replace(year=desk.world.clock.now().year + 1)).isoformat()
    done = _run(
        desk, "renew", "--key", str(tmp_path / "leaf.pem"), "--serials", str(tmp_path / "serials.txt"),
        "--revoke-after", day, "--unrenewed-only", "--explain", "x", "--since", "2020-01-01", "--until", day,
        "--issuer", "people",
    )  # fmt: skip
    assert "then unrenewed" in done.output
    made = desk.incidents.incident(done.output.split()[0])
    assert (house.serials(made), house.counts(made)) == ([issued.serial], {Item.PENDING: 1})
    assert "withdrawn" in _run(desk, "withdraw", made.id).output
    with pytest.raises(TallygateError) as refused:
        _run(desk, "stop", made.id)
    assert refused.value.code == "incident_over"


@pytest.mark.parametrize("role", ["sso", "gateway", "signatures"])
def test_no_other_role_has_business_with_incidents(desk: Site, role: str) -> None:
    peer = desk.peer(role)
    for attempt in (lambda: peer.preview_incident({"act": "revoke"}), peer.incidents, lambda: peer.incident("x")):
        with pytest.raises(TallygateError) as refused:
            attempt()
        assert refused.value.code == NotYourBusiness.code
    assert desk.world.recorder.types()[-1] == "ca.call.refused"


@pytest.mark.parametrize(
    "plan",
    [
        {},
        {"act": "revoke"},
        {"act": "revoke", "holder": "x", "text": "x", "more": 1},
        {"act": 1, "holder": "x", "text": "x"},
        {"act": "revoke", "holder": ["x"], "text": "x"},
        {"act": "revoke", "profiles": "citizen", "text": "x"},
        {"act": "revoke", "profiles": [None], "text": "x"},
        {"act": "revoke", "keys": "\ud800", "text": "x"},
        {"act": "revoke", "serials": "\ud800", "text": "x"},
        {"act": "revoke", "holder": "x" * 1000, "text": "x"},
        {"act": "renew", "holder": "x", "text": "x", "deadline": "2030-01-01"},
        {"act": "revoke", "holder": "x", "text": "\ud800"},
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_answered_with_a_problem(desk: Site, plan: dict[str, object]) -> None:
    with pytest.raises(TallygateError) as refused:
        desk.peer().preview_incident(plan)
    assert refused.value.kind.status == 400
    assert desk.incidents.incidents() == ([], 0)
