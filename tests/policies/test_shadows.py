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
from policies.release import Release, differing
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


# Rows of the zone matrix

ROW = """[[live]]
id = "{name}"
origin = "external"
destination = "external"
classes = {classes}
actions = {actions}
assurance = {assurance}
"""


def _rows(shipped_files: dict[str, bytes], *more: tuple[str, str, str, int]) -> list[str]:
    added = "".join(
        ROW.format(name=name, classes=classes, actions=actions, assurance=assurance)
        for name, classes, actions, assurance in more
    )
    made = Release({**shipped_files, "zones.toml": shipped_files["zones.toml"] + added.encode()}, version="candidate")
    return [f"{each.kind} {each.row} {each.told}" for each in made.rows_remarked()]


def test_the_shipped_rows_say_nothing_too_much(shipped_files: dict[str, bytes]) -> None:
    assert _rows(shipped_files) == []


def test_rows_that_could_be_one_and_rows_that_nobody_may_use_are_told(shipped_files: dict[str, bytes]) -> None:
    told = _rows(
        shipped_files,
        ("one", '["office"]', '["access"]', 3),
        ("two", '["console"]', '["access"]', 3),
        # Another assurance, or another pair of classes and actions, is another row.
        ("three", '["other"]', '["access"]', 2),
        ("four", '["spare"]', '["issue", "sign"]', 3),
    )
    assert "mergeable two could be one row with one" in told
    assert not [line for line in told if line.startswith(("mergeable three", "mergeable four"))]
    assert "idle four lets pass what no policy permits: spare, issue, sign" in told


def test_a_release_tells_which_policies_and_rows_differ_wherever_they_stand(shipped_files: dict[str, bytes]) -> None:
    before = Release(shipped_files, version="1")
    access = shipped_files["access.cedar"]
    spare = b'@id("spare") @owner("o") @reason("r") permit (principal, action, resource) when { false };\n'
    stricter = access.replace(
        b'context.assurance >= 1\n};\n\n@id("office', b'context.assurance >= 2\n};\n\n@id("office'
    )
    zones = (
        shipped_files["zones.toml"]
        + ROW.format(name="more", classes='["spare"]', actions='["access"]', assurance=1).encode()
    )
    after = Release({**shipped_files, "access.cedar": spare + stricter, "zones.toml": zones}, version="2")
    assert differing(before, after) == ["CHANGED portal-for-everybody-known", "ADDED spare", "ADDED zone:more"]
    assert [line.replace("ADDED", "REMOVED") for line in differing(before, after)] == differing(after, before)
    # What only moved within its file is the same.
    assert differing(before, Release({**shipped_files, "access.cedar": b"// moved\n\n" + access}, version="3")) == []
