# SPDX-License-Identifier: Apache-2.0
"""What holds for every question, not only for those somebody thought of."""

from dataclasses import replace
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from policies.bundle import read_source
from policies.config import SHIPPED
from policies.engine import Ruleset
from policies.engine.slices import compiled
from policies.models import Action, Code, DecisionRequest, ResourceClass
from policies.release import Release

from .conftest import AT

FILES = read_source(SHIPPED)
RELEASE = Release(FILES, version="shipped")
ROLES = (
    "citizen",
    "civil-servant",
    "security-officer",
    "ra-officer",
    "directory-administrator",
    "security-administrator",
    "audit-administrator",
    "stranger",
)
NAMES = ("tax", "documents", "audit", "ca", "directory", "sso", "citizen", "civil-servant", "server", "")
ZONES = ("internet", "external", "internal", "management", "moon", "")
PEOPLE = ("a", "b", "")

requests = st.builds(
    DecisionRequest,
    principal_kind=st.sampled_from(["person", "device", "client", "anonymous"]),
    subject=st.sampled_from(PEOPLE),
    roles=st.frozensets(st.sampled_from(ROLES)),
    organisation=st.sampled_from(PEOPLE),
    mandates=st.frozensets(st.sampled_from(PEOPLE)),
    enabled=st.booleans(),
    proofing=st.integers(0, 3),
    assurance=st.integers(0, 3),
    methods=st.sampled_from([(), ("pwd",), ("hwk", "pop")]),
    clearance=st.integers(0, 3),
    action=st.sampled_from([*Action, "conquer"]),
    method=st.sampled_from(["GET", "POST", ""]),
    resource=st.sampled_from(NAMES),
    resource_class=st.sampled_from([*ResourceClass, "spaceport"]),
    owner=st.sampled_from(PEOPLE),
    classification=st.integers(0, 3),
    from_zone=st.sampled_from(ZONES),
    to_zone=st.sampled_from(ZONES),
    required_assurance=st.integers(0, 3),
    device=st.sampled_from([None, "d"]),
    path_public=st.booleans(),
    at=st.just(AT),
)


@given(requests)
def test_every_question_gets_a_whole_answer(request: DecisionRequest) -> None:
    decision = RELEASE.decide(request)
    assert decision.allowed == (decision.code == Code.ALLOWED)
    assert decision.version == "shipped"
    assert bool(decision.reasons) or not decision.allowed
    assert decision.step_up is None or request.assurance < decision.step_up <= request.proofing


@given(requests)
def test_who_steps_up_as_told_gets_in(request: DecisionRequest) -> None:
    decision = RELEASE.decide(request)
    if decision.step_up is not None:
        assert RELEASE.decide(replace(request, assurance=decision.step_up)).allowed


@given(requests)
def test_an_unknown_zone_denies(request: DecisionRequest) -> None:
    assert not RELEASE.decide(replace(request, from_zone="moon")).allowed
    assert not RELEASE.decide(replace(request, to_zone="moon")).allowed


@given(requests)
def test_a_disabled_principal_gets_nowhere(request: DecisionRequest) -> None:
    if request.principal_kind != "anonymous":
        assert not RELEASE.decide(replace(request, enabled=False)).allowed


@given(requests)
def test_nothing_passes_between_internal_and_external(request: DecisionRequest) -> None:
    assert not RELEASE.decide(replace(request, from_zone="internal", to_zone="external")).allowed
    assert not RELEASE.decide(replace(request, from_zone="external", to_zone="internal")).allowed


@given(requests)
def test_what_belongs_to_nobody_is_neither_issued_nor_signed_nor_sealed(request: DecisionRequest) -> None:
    if request.action in {Action.ISSUE, Action.SIGN, Action.SEAL}:
        assert not RELEASE.decide(replace(request, owner="")).allowed


@given(requests)
def test_nobody_issues_above_what_was_proved_of_oneself(request: DecisionRequest) -> None:
    issuing = replace(request, action=Action.ISSUE, owner=request.subject)
    if RELEASE.decide(issuing).allowed:
        assert min(issuing.assurance, issuing.proofing) >= 2


@given(requests)
def test_less_is_never_more(request: DecisionRequest) -> None:
    """Whoever is denied is denied too with less of what counts in favour."""
    weaker = replace(
        request,
        roles=frozenset(),
        mandates=frozenset(),
        organisation="",
        assurance=0,
        clearance=0,
        proofing=0,
        device=None,
    )
    if RELEASE.decide(weaker).allowed:
        assert RELEASE.decide(replace(weaker, roles=request.roles - {"security-officer"})).allowed
        assert RELEASE.decide(replace(weaker, assurance=request.assurance)).allowed


@cache
def _texts() -> dict[str, str]:
    """Each policy as a file has it."""
    return {policy.id: str(compiled([policy])) for policy in RELEASE._rules.policies}


def _without(names: frozenset[str]) -> Release:
    files = {name: content for name, content in FILES.items() if not name.endswith(".cedar")}
    files["all.cedar"] = "\n".join(text for name, text in _texts().items() if name not in names).encode()
    return Release(files, version="fewer")


PERMITS = [policy.id for policy in RELEASE._rules.policies if not policy.forbids]


@settings(max_examples=60, deadline=None)
@given(requests, st.frozensets(st.sampled_from(PERMITS), min_size=1))
def test_removing_permits_never_allows_more(request: DecisionRequest, removed: frozenset[str]) -> None:
    if _without(removed).decide(request).allowed:
        assert RELEASE.decide(request).allowed


@settings(max_examples=200)
@given(requests)
def test_a_slice_answers_as_the_whole_set_would(request: DecisionRequest) -> None:
    rules = RELEASE._rules
    whole = Ruleset.__new__(Ruleset)
    whole.__dict__.update(rules.__dict__)
    handle = compiled(rules.policies)
    whole._slices = dict.fromkeys(rules._slices, handle)
    whole._finer = None
    assert rules.ask(request) == whole.ask(request)
