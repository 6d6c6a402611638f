# SPDX-License-Identifier: Apache-2.0
"""A forbid that a missing attribute would disarm is refused, though Cedar's own validator accepts it."""

import pytest

from policies import PoliciesUnusable
from policies.config import SHIPPED
from policies.engine import read_policies
from policies.engine.lint import optional_attributes

SCHEMA = (
    (SHIPPED / "schema.cedarschema")
    .read_text("utf-8")
    .replace("path_public: Bool,", 'path_public: Bool, "level"?: Long,')
)


def read(condition: str) -> None:
    read_policies({"a.cedar": f'@id("f") @code("assurance") forbid (principal, action, resource) {condition};'}, SCHEMA)


def test_optional_attributes_are_found_in_the_schema() -> None:
    assert optional_attributes('entity A { x?: Long, "y z"? : Bool, // n?: Long,\n w: Long };') == {"x", "y z"}


@pytest.mark.parametrize(
    "condition",
    [
        "unless { context has level && context.level >= 3 }",
        "when { !(context has level && context.level >= 3) }",
        "when { resource.classification > 0 && !(context has level && context.level >= 3) }",
        "when { context.assurance < 3 }",
    ],
)
def test_a_forbid_that_also_forbids_without_the_attribute_passes(condition: str) -> None:
    read(condition)


@pytest.mark.parametrize(
    "condition",
    [
        "when { context has level && context.level < 3 }",
        "unless { !(context has level && context.level < 3) }",
        "when { if context has level then context.level < 3 else true }",
        "when { (context has level) == false }",
    ],
)
def test_a_forbid_that_a_missing_attribute_disarms_is_refused(condition: str) -> None:
    with pytest.raises(PoliciesUnusable) as refused:
        read(condition)
    assert "“level”" in refused.value.detail


@pytest.mark.parametrize("condition", ["when { context.level < 3 }", "unless { context.level >= 3 }"])
def test_reading_an_optional_attribute_without_a_presence_test_is_refused(condition: str) -> None:
    with pytest.raises(PoliciesUnusable):
        read(condition)
