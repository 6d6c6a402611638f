# SPDX-License-Identifier: Apache-2.0
"""What one entry of the record says is so from then on."""

from collections.abc import Iterator
from dataclasses import dataclass

from audit import Event, Outcome

ON, OFF = "on", "off"
THERE = "there"
PEOPLE, DEVICES = "people", "devices"
HOLDINGS, GRANTS, MANDATES, REPRESENTATIVES = "holdings", "grants", "mandates", "representatives"
_BRANCHES = {
    "organisation": "organisations", "device": DEVICES, "department": "departments", "post": "posts",
}  # fmt: skip
_MENDED = "mended"


@dataclass(frozen=True)
class Told:
    """This is there, in this state."""

    branch: str
    key: str
    state: str = THERE


@dataclass(frozen=True)
class Gone:
    """This is there no longer; with ``everything`` whatever begins with the key."""

    branch: str
    key: str
    everything: bool = False


def told(event: Event) -> tuple[Told | Gone, ...]:
    """What it says; nothing of what did not happen."""
    if event.outcome is not Outcome.SUCCESS or not event.type.startswith("directory."):
        return ()
    return tuple(_told(event))


def _told(event: Event) -> Iterator[Told | Gone]:
    subject, what = event.subject.lower(), {name: str(value) for name, value in event.attributes.items()}
    match event.type.removeprefix("directory."):
        case "person.created" | "person.enabled":
            yield Told(PEOPLE, subject, ON)
        case "person.disabled":
            yield Told(PEOPLE, subject, OFF)
        case "person.left":
            for branch in (HOLDINGS, GRANTS, MANDATES, REPRESENTATIVES):
                yield Gone(branch, f"{subject} ", everything=True)
        case "person.moved":
            yield Gone(HOLDINGS, f"{subject} ", everything=True)
            yield Gone(GRANTS, f"{subject} ", everything=True)
            yield Told(HOLDINGS, f"{subject} {what['post']}")
        case "device.enabled":
            yield Told(DEVICES, subject, ON)
        case "device.disabled":
            yield Told(DEVICES, subject, OFF)
        case "entry.created" if what.get("kind") == "mandate":
            yield Told(MANDATES, _mandate(event, what))
        case "entry.created" if what.get("kind") in _BRANCHES and subject:
            yield Told(_BRANCHES[what["kind"]], subject, ON if what["kind"] == "device" else THERE)
        case "entry.removed" if what.get("kind") in _BRANCHES and subject:
            yield Gone(_BRANCHES[what["kind"]], subject)
        case _:
            yield from _given(event, subject, what)


def _given(event: Event, subject: str, what: dict[str, str]) -> Iterator[Told | Gone]:
    match event.type.removeprefix("directory."):
        case "post.given":
            yield Told(HOLDINGS, f"{subject} {what['post']}")
        case "post.taken":
            yield Gone(HOLDINGS, f"{subject} {what['post']}")
        case "role.granted" if what.get("because") != _MENDED and "post" not in what:
            yield Told(GRANTS, f"{subject} {what['role']}")
        case "role.withdrawn" if what.get("because") != _MENDED and "post" not in what:
            yield Gone(GRANTS, f"{subject} {what['role']}")
        case "entitlement.granted":
            yield Told(GRANTS, f"{subject} {what['entitlement']}")
        case "entitlement.withdrawn":
            yield Gone(GRANTS, f"{subject} {what['entitlement']}")
        case "mandate.granted":
            yield Told(MANDATES, _mandate(event, what))
        case "mandate.withdrawn":
            yield Gone(MANDATES, _mandate(event, what))
        case "representative.named":
            yield Told(REPRESENTATIVES, f"{subject} {event.organisation.lower()}")
        case "representative.removed":
            yield Gone(REPRESENTATIVES, f"{subject} {event.organisation.lower()}")


def _mandate(event: Event, what: dict[str, str]) -> str:
    whom = event.organisation or what.get("principal", "")
    return f"{event.subject} {whom} {what.get('scope', '')}".lower()
