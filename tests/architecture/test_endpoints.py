# SPDX-License-Identifier: Apache-2.0
"""Every view carries a guard mark, and whoever is let in without the gateway stands in docs/public-endpoints.md.

That page is written by hand on purpose: a new open endpoint needs a line there, which a reviewer sees.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMPONENTS = ("app", "audit", "ca", "core", "directory", "gateway", "policies", "portals", "signatures", "sso")
_ROUTES = {"get", "post", "put", "patch", "delete", "route"}
_MARKS = {"public", "own", "peer", "person"}
_OPEN = {"public", "own"}


@dataclass(frozen=True, order=True)
class View:
    """One view as the source shows it; ``mark`` is empty when none stands directly under the route."""

    file: str
    methods: str
    path: str
    mark: str = ""
    why: str = ""


def _text(node: ast.expr | None, module: ast.Module) -> str:
    """A string literal, or the module's constant of that name."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    for each in module.body:
        if isinstance(each, ast.Assign) and isinstance(node, ast.Name) and ast.unparse(each.targets[0]) == node.id:
            return _text(each.value, module)
    return ast.unparse(node) if node else ""


def _keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((each.value for each in call.keywords if each.arg == name), None)


def _method_of(node: ast.expr, names: set[str]) -> str:
    """``post`` for ``<anything>.post(...)``; empty if it is no such call."""
    called = node.func if isinstance(node, ast.Call) else None
    return called.attr if isinstance(called, ast.Attribute) and called.attr in names else ""


def _is_mark(node: ast.expr) -> bool:
    owner = node.func.value if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else None
    return isinstance(owner, ast.Name) and owner.id.lstrip("_") == "guard" and bool(_method_of(node, _MARKS))


def _prefix(maker: ast.FunctionDef, module: ast.Module) -> str:
    for node in ast.walk(maker):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Blueprint":
            given = _keyword(node, "url_prefix")
            return _text(given, module) if isinstance(given, ast.Constant) else ""
    return ""


@cache
def _lenders(component: Path) -> list[tuple[ast.Call, ast.Module]]:
    """Every call of a component that hands on a mark; its files are read once for all makers."""
    texts = [file.read_text("utf-8") for file in sorted(component.rglob("*.py"))]
    modules = [ast.parse(text) for text in texts if re.search(r"\bmark\s*=", text)]
    calls = ((node, module) for module in modules for node in ast.walk(module) if isinstance(node, ast.Call))
    return [(call, module) for call, module in calls if _keyword(call, "mark") is not None]


def _lent(maker: ast.FunctionDef, component: Path) -> Iterator[tuple[ast.expr, str, ast.Module]]:
    """Marks that callers hand to ``maker``, with the path they put before its views."""
    for call, module in _lenders(component):
        if isinstance(call.func, ast.Name) and call.func.id == maker.name:
            mark = _keyword(call, "mark")
            if isinstance(mark, ast.Name):
                # Bound in the caller: mark = guard.person(ROLE).
                bound = [each for each in ast.walk(module) if isinstance(each, ast.Assign)]
                mark = next((each.value for each in bound if ast.unparse(each.targets[0]) == mark.id), None)
            if mark is not None and _is_mark(mark):
                yield mark, _text(_keyword(call, "prefix"), module), module


def _views(file: Path, root: Path) -> Iterator[View]:
    text = file.read_text("utf-8")
    if not re.search(r"^\s*@", text, re.MULTILINE) or not re.search(rf"\.\s*({'|'.join(_ROUTES)})\s*\(", text):
        # No decorator, or no call of such a name: nothing is routed here.
        return
    module = ast.parse(text)
    where = str(file.relative_to(root))
    for maker in (node for node in ast.walk(module) if isinstance(node, ast.FunctionDef)):
        for view in (node for node in maker.body if isinstance(node, ast.FunctionDef)):
            # One mark may stand under several addresses of one view.
            routes = [each for each in view.decorator_list if isinstance(each, ast.Call) and _method_of(each, _ROUTES)]
            first = view.decorator_list.index(routes[0]) if routes else 0
            under = next(iter(view.decorator_list[first + len(routes) :]), None)
            for route in routes:
                listed = _keyword(route, "methods")
                verb = _method_of(route, _ROUTES)
                methods = ", ".join(ast.literal_eval(listed)) if listed else "GET" if verb == "route" else verb.upper()
                path = _prefix(maker, module) + _text(route.args[0] if route.args else None, module)
                if under is not None and _is_mark(under):
                    yield _marked(View(where, methods, path), under, module)
                elif isinstance(under, ast.Name) and under.id in {each.arg for each in maker.args.kwonlyargs}:
                    lent = list(_lent(maker, root / Path(where).parts[0]))
                    yield from (_marked(View(where, methods, prefix + path), mark, at) for mark, prefix, at in lent)
                    if not lent:
                        yield View(where, methods, path)
                else:
                    yield View(where, methods, path)


def _marked(view: View, mark: ast.expr, module: ast.Module) -> View:
    assert isinstance(mark, ast.Call)
    kind = _method_of(mark, _MARKS)
    why = _text(mark.args[0] if mark.args else None, module) if kind in _OPEN else ""
    return View(view.file, view.methods, view.path, kind, why)


@cache
def _all() -> list[View]:
    return sorted(
        view for component in COMPONENTS for file in (ROOT / component).rglob("*.py") for view in _views(file, ROOT)
    )


def test_a_mark_stands_directly_under_every_route() -> None:
    views = _all()
    assert len(views) > 70
    assert [view for view in views if not view.mark] == []


def test_no_route_escapes_this_reading() -> None:
    sources = {file: file.read_text("utf-8") for component in COMPONENTS for file in (ROOT / component).rglob("*.py")}
    assert [str(file) for file, source in sources.items() if "add_url_rule" in source] == []
    decorators = re.compile(r"^\s*@\w+\.(?:get|post|put|patch|delete|route)\(", re.MULTILINE)
    written = sum(len(decorators.findall(source)) for source in sources.values())
    # Pages that two doors lend their marks to are read once for each.
    assert written == len({(view.file, view.methods, view.path.removeprefix("/direct")) for view in _all()})


def test_open_endpoints_stand_on_the_public_page() -> None:
    page = (ROOT / "docs" / "public-endpoints.md").read_text("utf-8")
    listed = {tuple(cell.strip() for cell in line.strip("|").split("|")) for line in page.splitlines() if "`" in line}
    present = {
        (f"`{view.file}`", view.methods, f"`{view.path}`", view.mark, view.why) for view in _all() if view.mark in _OPEN
    }
    rows = "\n".join("| " + " | ".join(row) + " |" for row in sorted(present - listed))
    assert present <= listed, f"docs/public-endpoints.md lacks:\n{rows}"
    stale = {row for row in listed - present if len(row) == len(("file", "methods", "path", "mark", "why"))}
    assert stale == set()


@pytest.mark.parametrize(
    ("decorators", "mark"),
    [
        ('@pages.get("/")\n    @guard.public("why")', "public"),
        ('@pages.get("/")', ""),
        ('@pages.get("/")\n    @pages.post("/")\n    @guard.own("why")', "own"),
        ('@guard.public("why")\n    @pages.get("/")', ""),
        ('@pages.get("/")\n    @cached\n    @guard.public("why")', ""),
        ('@pages.get("/")\n    @mark', ""),
    ],
)
def test_a_missing_mark_is_noticed(tmp_path: Path, decorators: str, mark: str) -> None:
    file = tmp_path / "sso" / "web.py"
    file.parent.mkdir()
    file.write_text(f"def blueprint(guard):\n    {decorators}\n    def view():\n        pass\n", "utf-8")
    assert {view.mark for view in _views(file, tmp_path)} == {mark}
