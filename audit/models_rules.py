# SPDX-License-Identifier: Apache-2.0
"""The rules an event must keep; an append-only log cannot be repaired, so they are strict from entry 0.

An event that keeps them is, encoded, valid for the schema of its OCSF class: tests hold every type to that. What a type
does not declare is refused, so a name or an address cannot slip into the clear header under a name nobody thought of.
"""

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from typing import Any

from .errors import BadEvent
from .events import KINDS, Kind
from .events.kinds import words
from .models import Event, Outcome

_KEY = re.compile(r"[0-9a-f]{32}", flags=re.ASCII)
_SOURCE = re.compile(r"[a-z][a-z0-9-]{0,31}(:[a-z0-9-]{1,31})?", flags=re.ASCII)
_ATTRIBUTE = re.compile(r"[a-z][a-z0-9_]{0,63}", flags=re.ASCII)
# A random identifier, or a role: never a name or an address.
_SOMEBODY = re.compile(r"[A-Za-z0-9._:/~+=-]*", flags=re.ASCII)
_SEALED = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}", flags=re.ASCII)
_IDENTIFIERS = ("subject", "actor", "object", "organisation", "session", "zone", "decision", "policy")
_SOMEBODIES = ("subject", "actor", "session")
_IDENTIFIER_LENGTH = 256
# Names of what only the sealed part may hold, whatever a type declares.
PERSONAL = words(
    "actor_name address birthday city dn email id_number identity_number ip"
    " login_name name name_en name_zh object_name passport path person phone phone_number postcode street"
    " surname telephone text user user_name username"
)
_MOST = 64
# Beyond this, readers that keep numbers as IEEE doubles (RFC 8259 section 6) would see another value.
_LARGEST = 2**53 - 1
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)


def check(checked: Event) -> None:
    """Demand every rule.

    Raises:
        BadEvent: names the first one that is broken.
    """
    # What was decoded from bytes has the annotated types only after this.
    event: Any = checked
    if not isinstance(event.key, str) or not _KEY.fullmatch(event.key):
        raise BadEvent(why="its key is not 32 lower-case hex digits")
    if not isinstance(event.type, str) or event.type not in KINDS:
        raise BadEvent(why="its type is not listed in audit.events")
    if not isinstance(event.outcome, Outcome):
        raise BadEvent(why="its outcome is unknown")
    if not isinstance(event.source, str) or not _SOURCE.fullmatch(event.source):
        raise BadEvent(why="its source is not a role")
    if not isinstance(event.at, datetime) or event.at.tzinfo is None or not EARLIEST <= event.at < LATEST:
        raise BadEvent(why="its time is not an aware time of this age")
    for name in _IDENTIFIERS:
        value = getattr(event, name)
        # What is printable has no lone surrogates.
        if not isinstance(value, str) or len(value) > _IDENTIFIER_LENGTH or not value.isprintable():
            raise BadEvent(why=f"its {name} is not an identifier of at most 256 characters")
    kind = KINDS[event.type]
    _parts(event, kind)
    _attributes(event.attributes, kind)
    _sealed(event, kind)


def _parts(event: Any, kind: Kind) -> None:
    """What its type and class demand."""
    if kind.sources and event.source not in kind.sources:
        raise BadEvent(why=f"{event.source} does not say {event.type}")
    for name in _SOMEBODIES:
        if not _SOMEBODY.fullmatch(getattr(event, name)):
            raise BadEvent(why=f"its {name} is not a random identifier")
    for name in kind.needs:
        if not getattr(event, name):
            raise BadEvent(why=f"{event.type} needs its {name}")


def _attributes(attributes: Any, kind: Kind) -> None:
    if not isinstance(attributes, Mapping) or len(attributes) > _MOST:
        raise BadEvent(why="it has more than 64 attributes")
    for name, value in attributes.items():
        if name not in kind.attributes and not _is_of_family(name, _ATTRIBUTE, kind.attributes):
            raise BadEvent(why=_undeclared(name))
        if isinstance(value, int):
            if not -_LARGEST <= value <= _LARGEST:
                raise BadEvent(why=f"its attribute {name} is too large a number")
        elif not _is_text(value, _LARGEST):
            raise BadEvent(why=f"its attribute {name} is neither text, whole number nor truth value")
    if kind.privilege and not (isinstance(given := attributes.get(kind.privilege), str) and given):
        raise BadEvent(why=f"it needs its attribute {kind.privilege}")


def _undeclared(name: Any) -> str:
    if not isinstance(name, str) or not _ATTRIBUTE.fullmatch(name):
        return "an attribute's name is not in snake_case"
    if name in PERSONAL:
        return f"its attribute {name} is personal and belongs into the sealed part"
    return f"its attribute {name} is not declared in audit.events"


def _sealed(event: Any, kind: Kind) -> None:
    sealed = event.sealed
    if not isinstance(sealed, Mapping) or len(sealed) > _MOST:
        raise BadEvent(why="it has more than 64 sealed fields")
    if sealed and not event.subject:
        raise BadEvent(why="its sealed part needs a subject, whose key seals it")
    for name, value in sealed.items():
        if name not in kind.sealed and not _is_of_family(name, _SEALED, kind.sealed):
            raise BadEvent(why=f"its sealed field {str(name)[:64]!r} is not declared in audit.events")
        if not _is_text(value, _LARGEST):
            raise BadEvent(why=f"its sealed field {name} is not text")


def _is_of_family(name: Any, form: re.Pattern[str], declared: AbstractSet[str]) -> bool:
    """Whether a type declares every name of this beginning: ``before.*``, ``filter_*``."""
    if not isinstance(name, str) or not form.fullmatch(name):
        return False
    return any(each.endswith("*") and name.startswith(each[:-1]) and name != each[:-1] for each in declared)


def _is_text(value: object, longest: int) -> bool:
    """Whether it is a string that UTF-8 can carry (no lone surrogates)."""
    if not isinstance(value, str) or len(value) > longest:
        return False
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
