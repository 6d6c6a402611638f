# SPDX-License-Identifier: Apache-2.0
"""Each way in which Cedar, used carelessly, would fail open is closed here and stays closed."""

import cedarpy
import pytest

from policies import PoliciesUnusable
from policies.config import SHIPPED
from policies.engine import Ruleset
from policies.engine.slices import Finer, compiled, slices
from policies.engine.source import read_policies

from .conftest import Ask

SCHEMA = (SHIPPED / "schema.cedarschema").read_text("utf-8")
PERMIT = '@id("all") permit (principal, action, resource);'
FORBID = '@id("off") @code("disabled") forbid (principal is Person, action, resource) unless { principal.enabled };'
ZONES = frozenset({"external"})


def rules(text: str, *, schema: str = SCHEMA) -> Ruleset:
    return Ruleset(policies={"a.cedar": text}, schema=schema, zones=ZONES)


def test_the_trap_exists_cedar_without_a_schema_skips_a_forbid_that_errs() -> None:
    result = cedarpy.is_authorized(
        {"principal": 'Person::"p"', "action": 'Action::"access"', "resource": 'Target::"t"', "context": {}},
        "permit (principal, action, resource); forbid (principal, action, resource) unless { context.aal >= 3 };",
        [],
    )
    assert result.allowed
    assert result.diagnostics.errors


def test_a_sound_set_answers(ask: Ask) -> None:
    answer = rules(PERMIT + FORBID).ask(ask())
    assert answer.allowed
    assert answer.reasons == ("all",)


def test_a_context_attribute_that_is_missing_denies(ask: Ask) -> None:
    schema = SCHEMA.replace("path_public: Bool,", "path_public: Bool, aal: Long,")
    text = (
        PERMIT + FORBID + '@id("f") @code("assurance") forbid (principal, action, resource) unless {context.aal >= 3};'
    )
    answer = rules(text, schema=schema).ask(ask())
    assert not answer.allowed
    assert answer.failed


def test_an_entity_attribute_that_is_missing_denies(ask: Ask) -> None:
    schema = SCHEMA.replace("  proofing: Long,", "  proofing: Long, badge: Long,")
    assert rules(PERMIT + FORBID, schema=schema).ask(ask()).failed


def test_a_forbid_that_errs_denies_although_a_permit_holds(ask: Ask) -> None:
    overflow = (
        '@id("f") @code("clearance") forbid (principal, action, resource) '
        "when { context.at * 9223372036854775807 > 0 };"
    )
    answer = rules(PERMIT + FORBID + overflow).ask(ask())
    assert not answer.allowed
    assert answer.failed


@pytest.mark.parametrize(
    "change",
    [
        {"enabled": 1},
        {"clearance": "9"},
        {"clearance": 2**63},
        {"proofing": None},
        {"roles": frozenset({None})},
        {"principal_kind": "king"},
        {"assurance": 1.5},
        {"methods": ("pwd", 3)},
        {"owner": None},
        {"subject": "\ud800"},
        {"at": None},
    ],
)
def test_an_attribute_of_the_wrong_kind_denies(ask: Ask, change: dict[str, object]) -> None:
    answer = rules(PERMIT + FORBID).ask(ask(**change))
    assert not answer.allowed
    assert answer.failed


def test_a_set_without_permits_denies(ask: Ask) -> None:
    answer = rules(FORBID).ask(ask())
    assert not answer.allowed
    assert not answer.failed


def test_an_empty_slice_denies(ask: Ask) -> None:
    empty = cedarpy.is_authorized(
        {"principal": 'Person::"p"', "action": 'Action::"access"', "resource": 'Target::"t"', "context": {}},
        compiled([]),
        [],
    )
    assert not empty.allowed


def test_an_unknown_zone_or_action_denies(ask: Ask) -> None:
    sound = rules(PERMIT + FORBID)
    assert not sound.ask(ask(from_zone="moon")).allowed
    assert not sound.ask(ask(to_zone="moon")).allowed
    assert not sound.ask(ask(action="conquer")).allowed


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no forbid at all"),
        (PERMIT, "no forbid at all"),
        ("permit (principal, action, resource);" + FORBID, "no usable @id"),
        ('@id("") permit (principal, action, resource);' + FORBID, "no usable @id"),
        ('@id("Über") permit (principal, action, resource);' + FORBID, "no usable @id"),
        (PERMIT + PERMIT + FORBID, "two policies are called all"),
        ('@id("f") forbid (principal, action, resource);', "no known @code"),
        ('@id("f") @code("mood") forbid (principal, action, resource);', "no known @code"),
        ('@id("t") permit (principal == ?principal, action, resource);' + FORBID, "templates"),
        ("permit (", "a.cedar"),
        ('@id("a") permit (principal is King, action, resource);' + FORBID, "a.cedar"),
        ('@id("a") permit (principal, action, resource) when { context.mood == "good" };' + FORBID, "a.cedar"),
        ('@id("a") permit (principal, action, resource) when { context.assurance > "1" };' + FORBID, "a.cedar"),
    ],
)
def test_an_unsound_set_is_refused_when_it_is_read(text: str, why: str) -> None:
    with pytest.raises(PoliciesUnusable) as refused:
        rules(text)
    assert why in refused.value.detail


def test_a_schema_that_does_not_parse_is_refused() -> None:
    with pytest.raises(PoliciesUnusable):
        rules(PERMIT + FORBID, schema="entity ;")


def test_every_slice_holds_every_forbid_and_leaves_out_only_what_cannot_hold() -> None:
    files = {path.name: path.read_text("utf-8") for path in SHIPPED.glob("*.cedar")}
    policies = read_policies(files, SCHEMA)
    made = slices(policies, {"internet", "external", "internal", "management"})
    forbids = {policy.id for policy in policies if policy.forbids}
    names = {
        key: {tree.annotations["id"] for tree in handle.to_pst().static_policies.values()}
        for key, handle in made.items()
    }
    assert all(forbids <= found for found in names.values())
    assert "console-audit" in names["management", "management", "access"]
    assert "console-audit" not in names["external", "external", "access"]
    assert "office-for-civil-servants" not in names["external", "internal", "access"]
    assert "login-page" not in names["external", "external", "access"]
    assert max(len(found) for found in names.values()) < len(policies)


def test_a_finer_slice_leaves_out_the_permits_of_other_classes_and_resources() -> None:
    files = {path.name: path.read_text("utf-8") for path in SHIPPED.glob("*.cedar")}
    policies = read_policies(files, SCHEMA)
    forbids, made = {policy.id for policy in policies if policy.forbids}, Finer(policies)

    def names(zone: str, resource_class: str, resource: str) -> set[str]:
        handle = made.get((zone, zone, "access"), resource_class=resource_class, resource=resource)
        return {tree.annotations["id"] for tree in handle.to_pst().static_policies.values()} - forbids

    assert names("management", "console", "ca") == {"console-ca"} | names("management", "console", "elsewhere")
    assert names("external", "portal", "tax") == {"portal-for-everybody-known", "public-path"}
    assert names("external", "spaceport", "tax") == {"public-path"}
