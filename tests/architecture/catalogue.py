# SPDX-License-Identifier: Apache-2.0
"""The page about every event type, from what the types declare and what followers ask for."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from babel.messages.pofile import read_po

from audit.events import KINDS, Kind
from ca.service.reconciliation import ABOUT
from gateway.service.news import News as GatewayNews
from sso.service.news import News as SignOnNews

_CLASSES: Mapping[int, tuple[str, Mapping[int, str]]] = {
    2004: ("Detection Finding", {1: "Create"}),
    3001: ("Account Change", {1: "Create", 2: "Enable", 5: "Disable", 6: "Delete", 10: "MFA Factor Enable",
                              11: "MFA Factor Disable"}),
    3002: ("Authentication", {1: "Logon", 2: "Logoff"}),
    3003: ("Authorize Session", {1: "Assign Privileges"}),
    3004: ("Entity Management", {1: "Create", 3: "Update", 4: "Delete", 8: "Enable", 9: "Disable", 12: "Suspend",
                                 13: "Resume"}),
    3005: ("User Access Management", {1: "Assign Privileges", 2: "Revoke Privileges"}),
    4002: ("HTTP Activity", {}),
    6002: ("Application Lifecycle", {1: "Install", 3: "Start"}),
    6003: ("API Activity", {1: "Create", 2: "Read", 3: "Update", 4: "Delete"}),
}  # fmt: skip
_INTRODUCTION = Path(__file__).with_name("events-introduction.md")


def events_page(root: Path, generated: str) -> str:
    """The whole page."""
    with (root / "audit" / "translations" / "zh.po").open("rb") as file:
        chinese = {str(each.id): str(each.string) for each in read_po(file)}
    groups: dict[str, list[str]] = {}
    for name in sorted(KINDS):
        groups.setdefault(name.partition(".")[0], []).append(name)
    parts = [generated, "", _INTRODUCTION.read_text("utf-8").rstrip(), ""]
    for group, names in groups.items():
        parts += [f"## {group}", ""]
        for name in names:
            parts += [f"### `{name}`", "", *_told(name, KINDS[name], chinese), ""]
    return "\n".join(parts)


def followers(name: str) -> list[str]:
    """Roles that act on an entry of this type when it is told to them."""
    asked: Mapping[str, Sequence[str]] = {
        "ca": ABOUT,
        "gateway": GatewayNews.about,
        "sso": tuple(SignOnNews._ACTS),
    }
    return [role for role, about in asked.items() if any(name.startswith(each) for each in about)]


def ocsf(kind: Kind) -> str:
    """Class and activity in the words of the schema."""
    words, activities = _CLASSES[kind.ocsf_class]
    activity = "by method" if kind.ocsf_class == 4002 else activities.get(kind.activity, "Other")
    return f"{words} ({kind.ocsf_class}), {activity} ({kind.activity})"


def _told(name: str, kind: Kind, chinese: Mapping[str, str]) -> Iterator[str]:
    yield f"{kind.says} · {chinese[kind.says]}"
    yield ""
    yield f"- OCSF: {ocsf(kind)}"
    yield f"- Verb: {kind.verb.value}; kept as `{kind.retention.value}`"
    yield f"- Said by: {_list(kind.sources) or 'every role that keeps an outbox'}"
    if kind.needs:
        yield f"- Always has: {_list(kind.needs)}"
    if kind.of_subject:
        yield "- Manages: the subject"
    if kind.attributes:
        yield "- Attributes: " + ", ".join(
            f"`{each}`" + ("*" if each == kind.privilege else "") for each in sorted(kind.attributes)
        )
    if kind.sealed:
        yield f"- Sealed: {_list(kind.sealed)}"
    if acting := followers(name):
        yield f"- Heard by: {_list(acting)}"


def _list(names: object) -> str:
    assert isinstance(names, (list, frozenset, set))
    return ", ".join(f"`{each}`" for each in sorted(names))
