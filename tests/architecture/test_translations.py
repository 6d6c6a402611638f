# SPDX-License-Identifier: Apache-2.0
"""Every English text has its Chinese one, in the catalogue of the component that shows it."""

from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

ROOT = Path(__file__).parents[2]
COMPONENTS = ("audit", "ca", "core", "directory", "gateway", "policies", "portals", "signatures", "sso", "app")
_METHODS = [("**/templates/**.html", "jinja2"), ("**.py", "python")]
_KEYWORDS = {"_": None, "N_": None, "gettext": None, "ngettext": (1, 2)}
_OPTIONS = {"**/templates/**.html": {"newstyle_gettext": "true", "silent": "false", "encoding": "utf-8"}}


@cache
def _texts(component: str) -> set[str]:
    found: set[str] = set()
    folder = ROOT / component
    for _, _, message, _, _ in extract_from_dir(str(folder), _METHODS, options_map=_OPTIONS, keywords=_KEYWORDS):
        found.add(message[0] if isinstance(message, tuple) else message)
    return found


def _path(component: str) -> Path:
    # The core's texts belong to its web base, which alone shows them.
    return ROOT / component / ("web/translations" if component == "core" else "translations") / "zh.po"


def _msgids(path: Path) -> list[str]:
    """As they stand in the file; babel's reader keeps one of each."""
    found: list[str] = []
    within = False
    for line in path.read_text("utf-8").splitlines() if path.exists() else ():
        if line.startswith("msgid "):
            found.append("")
        within = line.startswith("msgid ") or (within and line.startswith('"'))
        if within:
            found[-1] += line.removeprefix("msgid ")[1:-1]
    return found


@cache
def _catalogue(component: str) -> Catalog:
    path = _path(component)
    if not path.exists():
        return Catalog(locale="zh_Hans_CN")
    with path.open("rb") as file:
        return read_po(file, locale="zh_Hans_CN")


def _translated(catalogue: Catalog) -> set[str]:
    return {
        entry.id if isinstance(entry.id, str) else entry.id[0]
        for entry in catalogue
        if entry.id and not entry.fuzzy and all(entry.string if isinstance(entry.string, tuple) else [entry.string])
    }


@pytest.mark.parametrize("component", COMPONENTS)
def test_every_text_is_translated(component: str) -> None:
    known = _translated(_catalogue(component)) | _translated(_catalogue("core"))
    if component == "app":
        # The operator's terminal speaks English; only texts that reach a page count, and app shows none.
        return
    missing = _texts(component) - known
    assert not missing, f"{component}/translations/zh.po lacks: {sorted(missing)}"


@pytest.mark.parametrize("component", COMPONENTS)
def test_no_text_is_translated_twice(component: str) -> None:
    # Whoever reads the file keeps one of them without a word, and the other one's page shows it.
    twice = [text for text, count in Counter(_msgids(_path(component))).items() if count > 1]
    assert not twice, f"{component}/translations/zh.po says twice: {sorted(twice)}"


def test_a_text_that_is_there_twice_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "zh.po"
    path.write_text(
        'msgid ""\nmsgstr "a: b"\n\nmsgid "one"\nmsgstr "一"\n\nmsgid ""\n"o"\n"ne"\nmsgstr "壹"\n', "utf-8"
    )
    assert _msgids(path) == ["", "one", "one"]


@pytest.mark.parametrize("component", COMPONENTS)
def test_no_translation_is_stale(component: str) -> None:
    texts = _texts(component)
    stale = {entry for entry in _translated(_catalogue(component)) if entry not in texts}
    assert not stale, f"{component}/translations/zh.po translates what nobody says: {sorted(stale)}"


@pytest.mark.parametrize("component", COMPONENTS)
def test_places_for_values_survive_translation(component: str) -> None:
    catalogue = _catalogue(component)
    for entry in catalogue:
        if entry.id and "python-format" in entry.flags:
            assert not list(entry.check(catalogue)), entry.id
