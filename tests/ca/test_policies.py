# SPDX-License-Identifier: Apache-2.0
"""Who may have what made: the profiles' own rules, and the shipped policies behind the wiring's adapter."""

import dataclasses
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest

from app.wiring.permitting import ShippedPolicies
from ca import IssueRequest
from ca.errors import IssuanceDenied
from ca.service import CertificateAuthority, RequesterRules
from ca.x509 import PROFILES
from directory import Mandate
from policies import DecisionRequest
from policies.errors import BundleRefused
from policies.keys import read_policy_key
from policies.models import Decision
from policies.service import PolicyEngine
from tests.fakes.people import CITIZEN, CLERK, COMPANY, KIOSK, OFFICER

from .world import World, ask

AT_DESK = {"assurance": 2, "zone": "management"}


@pytest.fixture
def guarded(world: World, released: Path) -> CertificateAuthority:
    engine = PolicyEngine.load(released, read_policy_key(released.parent / "policy-key.pem"))
    directory = world.directory
    return world.open(ShippedPolicies(engine, directory=directory, clock=world.clock))


def _desk(request: IssueRequest, **changes: object) -> IssueRequest:
    return dataclasses.replace(request, **{**AT_DESK, **changes})  # type: ignore[arg-type]  # fields by name


@pytest.mark.parametrize(
    ("profile", "subject"),
    [
        ("citizen", CITIZEN.subject),
        ("citizen-signing", CITIZEN.subject),
        ("civil-servant", CLERK.subject),
        ("organisation-seal", COMPANY.id),
        ("device-client", KIOSK.id),
    ],
)
def test_an_officer_at_the_desk_issues_every_kind(
    world: World, guarded: CertificateAuthority, profile: str, subject: str
) -> None:
    issued = guarded.issue(_desk(ask(profile, subject=subject)))
    assert guarded.status(issued.serial).good
    assert world.recorder.events[-1].policy


@pytest.mark.parametrize("changes", [{"assurance": 1}, {"zone": "external"}, {"zone": ""}, {"zone": "moon"}])
def test_an_officer_elsewhere_or_weakly_identified_does_not(
    guarded: CertificateAuthority, changes: dict[str, object]
) -> None:
    with pytest.raises(IssuanceDenied):
        guarded.issue(_desk(ask(), **changes))


def test_roles_count_as_the_directory_has_them_now(world: World, guarded: CertificateAuthority) -> None:
    world.directory.people[OFFICER.subject] = dataclasses.replace(OFFICER, roles=frozenset())
    with pytest.raises(IssuanceDenied):
        guarded.issue(_desk(ask()))
    world.directory.people[OFFICER.subject] = dataclasses.replace(OFFICER, enabled=False)
    with pytest.raises(IssuanceDenied):
        guarded.issue(_desk(ask()))


def test_an_unreadable_release_stops_issuance(guarded: CertificateAuthority, released: Path) -> None:
    for path in released.rglob("*"):
        if path.is_file():
            path.write_bytes(b"tampered")
    with pytest.raises(BundleRefused):
        guarded.issue(_desk(ask()))


class _Listening:
    """A policy engine that remembers what it was asked."""

    def __init__(self, inner: PolicyEngine) -> None:
        self._inner = inner
        self.asked: list[DecisionRequest] = []

    def reload(self) -> bool:
        return self._inner.reload()

    def decide(self, request: DecisionRequest) -> Decision:
        self.asked.append(request)
        return self._inner.decide(request)


def test_policies_are_given_no_mandate_that_ran_out(world: World, released: Path) -> None:
    today = world.clock.now().date()
    mandates = (
        Mandate(organisation="mill", scope="all", until=today),
        Mandate(organisation="forge", scope="all", until=today - timedelta(days=1)),
    )
    world.directory.people[OFFICER.subject] = dataclasses.replace(OFFICER, mandates=mandates)
    engine = _Listening(PolicyEngine.load(released, read_policy_key(released.parent / "policy-key.pem")))
    rules = ShippedPolicies(cast("PolicyEngine", engine), directory=world.directory, clock=world.clock)
    world.open(rules).issue(_desk(ask()))
    assert [request.mandates for request in engine.asked] == [frozenset({"mill"})]


def test_a_role_of_the_site_asks_on_its_own_behalf(guarded: CertificateAuthority) -> None:
    request = ask("organisation-seal", subject=COMPANY.id, actor="role:signatures")
    issued = guarded.issue(dataclasses.replace(request, actor_roles=frozenset({"role:signatures"})))
    assert guarded.status(issued.serial).good


def test_a_person_may_renew_through_a_role_but_an_officer_not_for_himself() -> None:
    own = ask(actor=CITIZEN.subject, roles=frozenset({"role:sso"}))
    assert RequesterRules().decide(own, PROFILES["citizen"]).allowed
    officer = ask(subject=OFFICER.subject)
    assert RequesterRules().decide(officer, PROFILES["citizen"]).reasons == ("not-for-oneself",)
