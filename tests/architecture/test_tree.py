# SPDX-License-Identifier: Apache-2.0
"""What every file of the tree owes its reader."""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMPONENTS = ("app", "audit", "ca", "core", "directory", "gateway", "policies", "portals", "signatures", "sso")
FORBIDDEN_NAMES = {"utils", "helpers", "common", "manager", "misc"}


def _tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()]


@cache
def _read(path: Path) -> tuple[str | None, list[ast.stmt]]:
    """What a module says of itself, and its imports; read once for all who ask."""
    module = ast.parse(path.read_text("utf-8"))
    return ast.get_docstring(module), [
        node for node in _statements(module) if isinstance(node, ast.Import | ast.ImportFrom)
    ]


def _statements(node: ast.AST) -> Iterator[ast.stmt]:
    """Every statement below a node; nothing is imported within an expression, and of those there are many more."""
    for part in ("body", "handlers", "orelse", "finalbody", "cases"):
        inner = getattr(node, part, ())
        for each in inner if isinstance(inner, list) else ():
            if isinstance(each, ast.stmt):
                yield each
            yield from _statements(each)


def test_every_source_file_names_its_licence() -> None:
    lacking = [
        str(path.relative_to(ROOT))
        for path in _tracked("*.py", "*.html", "*.css", "*.svg", "*.cedar", "*.po", "scripts/*", ".ci/*")
        if "SPDX-License-Identifier: Apache-2.0" not in path.read_text("utf-8")[:400]
    ]
    assert not lacking


def test_every_module_says_what_it_promises() -> None:
    lacking = [
        str(path.relative_to(ROOT))
        for component in COMPONENTS
        for path in sorted((ROOT / component).rglob("*.py"))
        if not _read(path)[0]
    ]
    assert not lacking


def test_every_package_is_listed() -> None:
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["packages"])
    present = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for component in COMPONENTS
        for path in (ROOT / component).rglob("__init__.py")
    }
    assert listed == present


def test_what_lies_beside_the_code_is_shipped_with_it() -> None:
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    folders = {package: ROOT.joinpath(*package.split(".")) for package in tool["packages"]}
    shipped = {
        path
        for package, patterns in tool["package-data"].items()
        for pattern in patterns
        for path in folders[package].glob(pattern)
    }
    shipped |= {path for folder in folders.values() for path in folder.glob("*.py")}
    present = {path for component in COMPONENTS for path in _tracked(f"{component}/*")}
    assert sorted(str(path.relative_to(ROOT)) for path in present - shipped) == []


def _strangely_imported(node: ast.AST, component: str, depth: int) -> bool:
    if isinstance(node, ast.ImportFrom):
        return node.level > depth or (node.level == 0 and (node.module or "").partition(".")[0] == component)
    return isinstance(node, ast.Import) and any(alias.name.partition(".")[0] == component for alias in node.names)


def test_imports_are_relative_inside_a_component_and_absolute_across() -> None:
    found = [
        str(path.relative_to(ROOT))
        for component in COMPONENTS
        for path in (ROOT / component).rglob("*.py")
        for node in _read(path)[1]
        if _strangely_imported(node, component, len(path.relative_to(ROOT).parts) - 1)
    ]
    assert found == []


def test_no_room_is_a_rag_bag() -> None:
    found = [
        str(path.relative_to(ROOT))
        for component in COMPONENTS
        for path in (ROOT / component).rglob("*.py")
        if path.stem in FORBIDDEN_NAMES or path.parent.name in FORBIDDEN_NAMES
    ]
    assert not found


def test_no_test_is_skipped() -> None:
    pattern = re.compile(r"pytest\.(mark\.)?(skip|xfail|importorskip)|unittest\.skip")
    found = [
        str(path)
        for path in _tracked("tests/*.py")
        if pattern.search(path.read_text("utf-8")) and path != Path(__file__)
    ]
    assert not found


def test_locks_name_no_index() -> None:
    for lock in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / lock).read_text("utf-8")
        assert "--index-url" not in text
        assert "://" not in text
        names = re.findall(r"^([a-z0-9._-]+(?:\[[a-z,-]+\])?)==", text, re.MULTILINE)
        assert len(names) > 40
        assert text.count("--hash=sha256:") >= len(names)
    client = (ROOT / "requirements-certbot.lock").read_text("utf-8")
    assert "://" not in client
    assert client.count("--hash=sha256:") >= len(re.findall(r"^[a-z0-9._-]+==", client, re.MULTILINE)) > 0


def test_pages_hold_no_inline_code() -> None:
    pattern = re.compile(r"<script(?![^>]*\bsrc=)|\sstyle=|\son[a-z]+=|javascript:", re.IGNORECASE)
    found = [str(path) for path in _tracked("*.html") if pattern.search(path.read_text("utf-8"))]
    assert not found


def test_every_form_that_changes_something_has_its_token() -> None:
    forms = [
        (path.name, form)
        for path in _tracked("*.html")
        for form in re.findall(r"<form\b.*?</form>", path.read_text("utf-8"), re.DOTALL | re.IGNORECASE)
    ]
    posting = [(name, form) for name, form in forms if re.search(r'method="post"', form, re.IGNORECASE)]
    assert posting
    assert [name for name, form in posting if "csrf_token" not in form] == []
