# SPDX-License-Identifier: Apache-2.0
"""Rules that add nothing are reported, and a rule that nobody answers for is not released."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from policies import PoliciesUnusable
from policies.bundle import JOURNAL, release
from policies.cli import policies
from policies.config import SHIPPED
from policies.engine import needless, read_policies
from policies.release import Release
from tests.fakes.recorder import ListRecorder

from .conftest import AT

SCHEMA = (SHIPPED / "schema.cedarschema").read_text("utf-8")


def found(*texts: str) -> list[tuple[str, str, str]]:
    names = "abc"
    text = "\n".join(f'@id("{name}") @code("role") {each};' for name, each in zip(names, texts, strict=False))
    return [(pair.policy, pair.kind, pair.by) for pair in needless(read_policies({"x.cedar": text}, SCHEMA))]


WIDE = 'permit (principal is Person, action == Action::"access", resource in Class::"portal")'


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        # Said twice, in another order and in other words.
        (
            f"{WIDE} when {{ context.assurance >= 1 && context.device }}",
            f"{WIDE} when {{ context.device && context.assurance >= 1 }}",
            [("b", "duplicate", "a")],
        ),
        (
            WIDE,
            'permit (principal is Person, action == Action::"access", resource) when { resource in Class::"portal" }',
            [("b", "duplicate", "a")],
        ),
        (
            f"{WIDE} unless {{ context.device || context.path_public }}",
            f"{WIDE} when {{ !context.path_public && !context.device }}",
            [("b", "duplicate", "a")],
        ),
        # In another's shadow, whichever stands first.
        (WIDE, f"{WIDE} when {{ context.device }}", [("b", "shadowed", "a")]),
        (f"{WIDE} unless {{ context.device }}", WIDE, [("a", "shadowed", "b")]),
        (
            'permit (principal is Person, action in [Action::"access", Action::"login"], resource in Class::"portal")',
            WIDE,
            [("b", "shadowed", "a")],
        ),
        ("permit (principal, action, resource)", WIDE, [("b", "shadowed", "a")]),
        # Neither: another condition, another effect, another action.
        (f"{WIDE} when {{ context.assurance >= 1 }}", f"{WIDE} when {{ context.assurance >= 2 }}", []),
        (WIDE.replace("permit", "forbid"), WIDE, []),
        (WIDE, WIDE.replace("access", "login"), []),
        (f"{WIDE} when {{ context.device }}", f"{WIDE} unless {{ context.device }}", []),
        (f"{WIDE} when {{ context.device || context.path_public }}", f"{WIDE} when {{ context.device }}", []),
    ],
)
def test_what_adds_nothing_is_found_and_nothing_else(one: str, other: str, said: list[tuple[str, str, str]]) -> None:
    assert found(one, other) == said


def test_the_shipped_policies_have_owners_and_none_is_needless(shipped: Release) -> None:
    assert shipped.unexplained() == []
    assert shipped.needless() == ()


def test_a_policy_without_owner_is_not_released_but_decides_where_it_is_in_force(
    tmp_path: Path, shipped_files: dict[str, bytes], key: Ed25519PrivateKey, recorder: ListRecorder
) -> None:
    owned = b' @owner("portals")\n@reason("machines report by their own certificate")\n'
    bare = dict(shipped_files) | {"access.cedar": shipped_files["access.cedar"].replace(owned, b"\n")}
    assert bare != shipped_files
    with pytest.raises(PoliciesUnusable) as refused:
        release(tmp_path / "p", bare, key=key, journal=tmp_path / JOURNAL, recorder=recorder, at=AT, actor="a")
    assert "device-interface" in refused.value.detail
    assert recorder.events == []
    # Sites born before owners were asked for still start.
    assert Release.proved(bare, version="1-x").unexplained() == ["device-interface names no @owner and no @reason"]


def test_the_check_tells_of_both(tmp_path: Path, shipped_files: dict[str, bytes]) -> None:
    for name, content in shipped_files.items():
        (tmp_path / name).write_bytes(content)
    with (tmp_path / "access.cedar").open("a", encoding="utf-8") as file:
        file.write(
            '@id("again") permit (principal, action == Action::"access", resource in Class::"public")'
            " when { context.device };"
        )
    said = CliRunner().invoke(policies, ["check", "--source", str(tmp_path)])
    assert said.exit_code == 1
    assert "SHADOWED again adds nothing to public-class" in said.output
    assert "WRONG again names no @owner" in said.output


def test_the_matrix_is_shown() -> None:
    said = CliRunner().invoke(policies, ["zones"]).output
    (line,) = [line for line in said.splitlines() if line.startswith("internal ")]
    assert line.split() == ["internal", "ferry", "live", "none", "none"]
