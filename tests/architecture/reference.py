# SPDX-License-Identifier: Apache-2.0
"""Writes what docs/ has of the code (``pages``): ``python -m tests.architecture.reference``."""

import ast
import dataclasses
import importlib
import inspect
import textwrap
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Any

from app.settings import SECTIONS
from core.errors import TallygateError
from core.web.errors import _status
from tests.architecture.catalogue import events_page
from tests.architecture.profiles_page import profiles_page

ROOT = Path(__file__).parents[2]
COMPONENTS = ("core", "audit", "policies", "directory", "ca", "signatures", "sso", "gateway", "portals", "app")
_GENERATED = "<!-- Made by `python -m tests.architecture.reference`; a test compares it with the code. -->"
_SETTINGS = """\
# Settings

One TOML file describes a site. It is read strictly: an unknown key, a wrong type or a missing value stops the start
with the dotted key and the reason. Durations are written in seconds, relative paths are meant from the file's folder,
and secrets are never in the file.
"""
_ERRORS = """\
# Errors

Every refusal of Tallygate has a stable code. A page shows the sentence in the visitor's language and the code; an
interface answers with a problem document (RFC 9457) of the type `urn:tallygate:error:CODE`; OAuth endpoints answer as
RFC 6749 says. The kind alone decides the status. `%(name)s` stands for a value, which is part of the problem document.
An error of kind `internal` is shown as `internal`, whatever its code: the code is for the operational log.
"""


def main() -> None:
    """Write the pages."""
    for name, text in pages().items():
        (ROOT / "docs" / name).write_text(text, "utf-8")


def pages() -> dict[str, str]:
    """File name below docs/ to what it must hold."""
    return {
        "settings.md": _settings(),
        "errors.md": _errors(),
        "events.md": events_page(ROOT, _GENERATED),
        "profiles.md": profiles_page(_GENERATED),
    }


def settings_classes() -> set[str]:
    """Dotted name of every class the settings page describes."""
    return {f"{shape.__module__}.{shape.__name__}" for top in SECTIONS.values() for shape in _with_inner(top)}


def _settings() -> str:
    parts = [_GENERATED, _SETTINGS]
    for section, top in SECTIONS.items():
        for shape in _with_inner(top):
            title = f"`[{section}]`" if shape is top else f"{shape.__name__}, inside `[{section}]`"
            parts.append(f"## {title}\n\n{inspect.getdoc(shape)}\n")
            rows = [(f"`{name}`", kind, default, comment) for name, kind, default, comment in _fields(shape)]
            parts.append(_table(("key", "value", "default", "meaning"), rows))
    return "\n".join(parts)


def _with_inner(shape: type[Any]) -> list[type[Any]]:
    found = [shape]
    for hint in typing.get_type_hints(shape).values():
        for inner in (hint, *typing.get_args(hint)):
            if dataclasses.is_dataclass(inner):
                found += _with_inner(typing.cast("type[Any]", inner))
    return found


def _fields(shape: type[Any]) -> Iterator[tuple[str, str, str, str]]:
    comments, hints = _comments(shape), typing.get_type_hints(shape)
    for field in dataclasses.fields(shape):
        if field.default_factory is not dataclasses.MISSING:
            default = _written(field.default_factory())
        else:
            default = "required" if field.default is dataclasses.MISSING else _written(field.default)
        yield field.name, _kind(hints[field.name]), default, comments[field.name]


def _comments(shape: type[Any]) -> dict[str, str]:
    """The comment above each field; one comment may speak for the fields that follow it directly."""
    source = textwrap.dedent(inspect.getsource(shape))
    lines, found, said = source.splitlines(), {}, ""
    body = next(node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef)).body
    for node in body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            above: list[str] = []
            for line in reversed(lines[: node.lineno - 1]):
                if not line.strip().startswith("#"):
                    break
                above.insert(0, line.strip().removeprefix("#").strip())
            said = " ".join(above) or said
            found[node.target.id] = said
    return found


def _kind(hint: Any) -> str:
    inner = [part for part in typing.get_args(hint) if part is not type(None)]
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return f"{_kind(inner[0])}, or left out"
    if origin is tuple:
        return f"list of {_kind(inner[0])}"
    if origin is dict:
        return f"table of {_kind(inner[1])}"
    if isinstance(hint, type) and issubclass(hint, Enum):
        return " or ".join(f"`{member.value}`" for member in hint)
    words = {str: "text", int: "number", float: "number", bool: "true or false", Path: "path", timedelta: "seconds"}
    return words.get(hint) or str(hint.__name__)


def _written(value: Any) -> str:
    if dataclasses.is_dataclass(value):
        return "its own defaults"
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g}" if value < timedelta(days=1) else f"{int(value.total_seconds())}"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Path):
        return f"`{value.relative_to(ROOT)}` of the installation" if value.is_relative_to(ROOT) else f"`{value}`"
    if isinstance(value, Mapping | tuple):
        return ", ".join(f"`{each}`" for each in value) or "empty"
    return "none" if value is None else f"`{value}`" if isinstance(value, str) and value else str(value) or "empty"


def _errors() -> str:
    parts = [_GENERATED, _ERRORS]
    for component in COMPONENTS:
        rows = [
            (_code(each), each.kind.value, str(_status(each.__new__(each))), each.message, _when(each))
            for each in errors_of(component)
        ]
        if rows:
            parts.append(f"## {component}\n")
            parts.append(_table(("code", "kind", "status", "message", "when"), rows))
    return "\n".join(parts)


def errors_of(component: str) -> list[type[TallygateError]]:
    """Every error class of one component."""
    for module in _modules(component):
        importlib.import_module(module)
    found = {each for each in _below(TallygateError) if each.__module__.partition(".")[0] == component}
    return sorted(found, key=lambda each: (each.code, each.__module__, each.__name__))


def _modules(component: str) -> Iterator[str]:
    for path in sorted((ROOT / component).rglob("*.py")):
        if (path.parent / "__init__.py").exists() and path.stem != "__main__" and "rror" in path.read_text("utf-8"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts[:-1] if path.stem == "__init__" else parts)


def _below(shape: type[TallygateError]) -> Iterator[type[TallygateError]]:
    for each in shape.__subclasses__():
        yield each
        yield from _below(each)


def _code(shape: type[TallygateError]) -> str:
    oauth = getattr(shape, "oauth_code", None)
    return f"`{shape.code}`" + (f", OAuth `{oauth}`" if oauth and oauth != shape.code else "")


def _when(shape: type[TallygateError]) -> str:
    return (inspect.getdoc(shape) or "").partition("\n\n")[0].replace("\n", " ")


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(
        "| " + " | ".join(cell.replace("|", "\\|").replace("<", "&lt;") for cell in line) + " |\n" for line in lines
    )


if __name__ == "__main__":
    main()
