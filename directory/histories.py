# SPDX-License-Identifier: Apache-2.0
"""How one entry was changed: what the record tells, put into fields with a value before and a value after."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class Kind(StrEnum):
    """What has a history."""

    PERSON = "person"
    ORGANISATION = "organisation"
    DEPARTMENT = "department"
    POST = "post"
    ROLE = "role"
    DEVICE = "device"
    SERVICE = "service"


RECORDED_AS = {Kind.ORGANISATION: "organisation", Kind.ROLE: "role", Kind.SERVICE: "offer"}
"""How the record is asked for an entry; everything else is the subject of its events."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One change as the record tells it; ``sealed`` is None if it can be opened no more, empty if it was not."""

    index: int
    at: datetime
    type: str
    says: str
    outcome: str
    subject: str = ""
    actor: str = ""
    organisation: str = ""
    attributes: Mapping[str, str | int | bool] = field(default_factory=dict)
    sealed: Mapping[str, str] | None = field(default_factory=dict)

    @property
    def reason(self) -> str:
        """Why, if it was opened."""
        return (self.sealed or {}).get("reason", "")


@dataclass(frozen=True)
class Difference:
    """One field; what is empty was not there, or is not there any more."""

    field: str
    before: str
    after: str


class Changes(Protocol):
    """What the record can be asked; ``officer`` is who asks, and is on record before the answer."""

    def of(
        self, kind: str, identifier: str, *, officer: str, after: int | None, limit: int, language: str, opens: bool
    ) -> tuple[Sequence[Change], int | None]:
        """The newest changes, and where the next page begins."""

    def proof(self, kind: str, identifier: str, index: int, *, officer: str) -> tuple[bytes, str]:
        """The bytes of one of them and its proof."""


def differences(change: Change) -> list[Difference]:
    """What a change made of which fields; of what was not opened only what stands in the clear header."""
    sealed = change.sealed or {}
    found = [
        Difference(name, sealed.get(f"before.{name}", ""), sealed.get(f"after.{name}", ""))
        for name in dict.fromkeys(
            key.partition(".")[2] for key in sealed if key.startswith(("before.", "after."))
        )
    ]  # fmt: skip
    clear = {name: str(value) for name, value in change.attributes.items()} | {"organisation": change.organisation}
    verb = _GAINED.get(change.type) or _LOST.get(change.type)
    if verb:
        found += [_turned(verb, clear.get(verb, ""), gained=change.type in _GAINED)]
    elif change.type in _OTHERWISE:
        found += _OTHERWISE[change.type](clear, sealed)
    if clear.get("until") and change.type in _GAINED:
        found.append(Difference("until", "", clear["until"]))
    return [each for each in found if each.before != each.after or each.before]


def _turned(name: str, value: str, *, gained: bool) -> Difference:
    return Difference(name, "", value) if gained else Difference(name, value, "")


def _state(was: str, now: str) -> "_Told":
    def told(clear: Mapping[str, str], _sealed: Mapping[str, str]) -> list[Difference]:
        found = [Difference("account", was, now)]
        if clear.get("state"):
            found.append(Difference("state", clear.get("was", ""), clear["state"]))
        return found

    return told


def _entered(clear: Mapping[str, str], sealed: Mapping[str, str]) -> list[Difference]:
    name = sealed.get("name", "") or clear.get("names", "") or sealed.get("username", "")
    found = [Difference("name", "", name)]
    if clear.get("kind") == "mandate":
        found = [Difference("scope", "", clear.get("scope", "")), Difference("until", "", clear.get("until", ""))]
    if clear.get("proofing"):
        found.append(Difference("level", "", clear["proofing"]))
    return found


def _removed(clear: Mapping[str, str], _sealed: Mapping[str, str]) -> list[Difference]:
    return [Difference("name", clear.get("names", ""), "")]


def _called(clear: Mapping[str, str], _sealed: Mapping[str, str]) -> list[Difference]:
    return [Difference("name", clear.get("before", ""), clear.get("after", ""))]


def _proofed(clear: Mapping[str, str], _sealed: Mapping[str, str]) -> list[Difference]:
    return [
        Difference("level", clear.get("was", ""), clear.get("level", "")),
        Difference("until", "", clear.get("until", "")),
    ]


def _unproofed(clear: Mapping[str, str], _sealed: Mapping[str, str]) -> list[Difference]:
    return [Difference("level", clear.get("level", ""), clear.get("to", "0"))]


def _moved(clear: Mapping[str, str], _sealed: Mapping[str, str]) -> list[Difference]:
    # What was held before ends by events of its own.
    agency = Difference("organisation", clear.get("from", ""), clear.get("organisation", ""))
    return [Difference("post", "", clear.get("post", "")), *([agency] if agency.before != agency.after else [])]


def _device(clear: Mapping[str, str], _sealed: Mapping[str, str]) -> list[Difference]:
    return [Difference("state", clear.get("was", ""), clear.get("state", ""))]


def _rights(clear: Mapping[str, str], _sealed: Mapping[str, str]) -> list[Difference]:
    return [Difference(name, "", clear.get(name, "")) for name in ("rights", "scope", "until")]


def _day(clear: Mapping[str, str], _sealed: Mapping[str, str]) -> list[Difference]:
    return [Difference("act", "", clear.get("act", "")), Difference("day", "", clear.get("day", ""))]


def _day_off(clear: Mapping[str, str], _sealed: Mapping[str, str]) -> list[Difference]:
    return [Difference("act", clear.get("act", ""), ""), Difference("day", clear.get("day", ""), "")]


def _something(clear: Mapping[str, str], sealed: Mapping[str, str]) -> list[Difference]:
    """What is not written down as it was: a password, a number."""
    told = any(name.startswith(("before.", "after.")) for name in sealed)
    return [] if told or not clear.get("what") else [Difference("what", "", clear["what"])]


_Told = Callable[[Mapping[str, str], Mapping[str, str]], list[Difference]]
_GAINED = {
    "directory.role.granted": "role",
    "directory.post.given": "post",
    "directory.entitlement.granted": "entitlement",
    "directory.power.added": "what",
    "directory.mandate.granted": "scope",
    "directory.representative.named": "capacity",
}
_LOST = {
    "directory.role.withdrawn": "role",
    "directory.post.taken": "post",
    "directory.entitlement.withdrawn": "entitlement",
    "directory.power.removed": "what",
    "directory.mandate.withdrawn": "scope",
    "directory.representative.removed": "capacity",
}
_OTHERWISE: dict[str, _Told] = {
    "directory.person.created": _entered,
    "directory.person.changed": _something,
    "directory.person.disabled": _state("enabled", "disabled"),
    "directory.person.enabled": _state("disabled", "enabled"),
    "directory.person.moved": _moved,
    "directory.person.left": _state("employed", "left"),
    "directory.person.scheduled": _day,
    "directory.person.called-off": _day_off,
    "directory.device.disabled": _state("enabled", "disabled"),
    "directory.device.enabled": _state("disabled", "enabled"),
    "directory.device.changed": _device,
    "directory.software.let": _rights,
    "directory.software.closed": _state("reads", "closed"),
    "directory.software.barred": _state("reads", "closed"),
    "directory.software.released": _state("closed", "reads"),
    "directory.entry.created": _entered,
    "directory.entry.changed": _called,
    "directory.entry.removed": _removed,
    "directory.proofing.granted": _proofed,
    "directory.proofing.ended": _unproofed,
}
