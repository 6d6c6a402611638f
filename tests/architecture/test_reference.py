# SPDX-License-Identifier: Apache-2.0
"""The pages about settings, errors and events say what the code says, and nothing in the code is missing from them."""

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

from audit.events import KINDS
from tests.architecture.reference import COMPONENTS, errors_of, pages, settings_classes

ROOT = Path(__file__).parents[2]
_CODE = re.compile(r"[a-z][a-z0-9_]*")


@pytest.mark.parametrize("page", ["settings.md", "errors.md", "events.md"])
def test_a_page_is_up_to_date(page: str) -> None:
    written = (ROOT / "docs" / page).read_text("utf-8")
    assert written == pages()[page], "run python -m tests.architecture.reference"


def test_every_settings_class_is_described() -> None:
    present = {
        f"{path.relative_to(ROOT).with_suffix('').as_posix().replace('/', '.')}.{node.name}"
        for component in COMPONENTS
        for path in (ROOT / component).rglob("*.py")
        if re.search(r"^\s*class \w+Settings\b", text := path.read_text("utf-8"), re.MULTILINE)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ClassDef) and node.name.endswith("Settings")
    }
    assert present
    assert present <= settings_classes()


def test_every_setting_and_error_says_what_it_means() -> None:
    empty = [line for text in pages().values() for line in text.splitlines() if line.endswith("|  |")]
    assert empty == []


def test_every_event_type_that_the_code_names_is_in_the_catalogue() -> None:
    written = (ROOT / "docs" / "events.md").read_text("utf-8")
    assert re.findall(r"^### `(.*)`$", written, flags=re.MULTILINE) == sorted(KINDS)
    beginnings = {name.partition(".")[0] for name in KINDS}
    named = re.compile(rf"\b(?:type|kind|says?)\b\W{{1,4}}\"((?:{'|'.join(beginnings)})(?:\.[a-z_]+)+)\"")
    found = {
        name
        for component in COMPONENTS
        for path in (ROOT / component).rglob("*.py")
        for name in named.findall(path.read_text("utf-8"))
    }
    assert len(found) > 10
    assert found <= set(KINDS)


def test_a_code_is_stable_and_has_one_status() -> None:
    kinds = defaultdict(set)
    for component in COMPONENTS:
        for error in errors_of(component):
            assert _CODE.fullmatch(error.code), error
            kinds[error.code].add(error.kind)
    assert {code: found for code, found in kinds.items() if len(found) > 1} == {}
