# SPDX-License-Identifier: Apache-2.0
"""In a page, nothing that came from outside is ever taken for markup or for a text of ours."""

import ast
from collections.abc import Iterator
from pathlib import Path

from jinja2 import Environment, nodes

ROOT = Path(__file__).parents[2]
COMPONENTS = ("app", "audit", "ca", "core", "directory", "gateway", "policies", "portals", "signatures", "sso")
_TRANSLATING = {"_", "ngettext"}
_DECLARING = {"Markup", "markupsafe", "render_template_string"}
_TRUSTING = {"safe", "forceescape", "xmlattr", "striptags"}


def _templates() -> list[Path]:
    return [path for component in COMPONENTS for path in (ROOT / component).rglob("*.html")]


def _strange(page: nodes.Template) -> Iterator[str]:
    for call in page.find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name in _TRANSLATING:
            keys = call.args if call.node.name == "_" else call.args[:2]
            if not keys or not all(isinstance(key, nodes.Const) and isinstance(key.value, str) for key in keys):
                yield f"{call.node.name}() at line {call.lineno} translates a value; use the filter in_words"
    for tag in page.find_all(nodes.Filter):
        if tag.name in _TRUSTING:
            yield f"filter {tag.name} at line {tag.lineno}"
    for block in page.find_all((nodes.ScopedEvalContextModifier, nodes.EvalContextModifier)):
        yield f"escaping is changed at line {block.lineno}"


def _reading() -> Environment:
    return Environment(autoescape=True, extensions=["jinja2.ext.do"])


def test_only_literal_texts_are_translated_and_nothing_is_declared_safe() -> None:
    templates = _templates()
    assert len(templates) > 30
    found = {
        f"{path.relative_to(ROOT)}: {what}"
        for path in templates
        for what in _strange(_reading().parse(path.read_text("utf-8")))
    }
    assert found == set()


def test_the_check_sees_what_it_forbids() -> None:
    for offence in (
        "{{ _(title) }}",
        "{{ _('a' ~ title) }}",
        '{{ ngettext("%(num)s", many, 2) }}',
        "{{ title | safe }}",
        "{% autoescape false %}{{ title }}{% endautoescape %}",
    ):
        assert list(_strange(_reading().parse(offence))), offence


def test_no_code_declares_markup() -> None:
    found = [
        str(path.relative_to(ROOT))
        for component in COMPONENTS
        for path in (ROOT / component).rglob("*.py")
        if any(name in (text := path.read_text("utf-8")) for name in _DECLARING)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom | ast.Import) and any(alias.name in _DECLARING for alias in node.names)
    ]
    assert found == []
