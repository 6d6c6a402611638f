# SPDX-License-Identifier: Apache-2.0
"""The rules an event must keep; an append-only log cannot be repaired, so they are strict from entry 0."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from .errors import BadEvent
from .events import KINDS
from .models import Event, Outcome

_KEY = re.compile(r"[0-9a-f]{32}", flags=re.ASCII)
_SOURCE = re.compile(r"[a-z][a-z0-9-]{0,31}(:[a-z0-9-]{1,31})?", flags=re.ASCII)
_ATTRIBUTE = re.compile(r"[a-z][a-z0-9_]{0,63}", flags=re.ASCII)
_SEALED = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}", flags=re.ASCII)
_IDENTIFIERS = ("subject", "actor", "object", "organisation", "session", "zone", "decision", "policy")
_IDENTIFIER_LENGTH = 256
_MOST = 64
# Beyond this, readers that keep numbers as IEEE doubles (RFC 8259 section 6) would see another value.
_LARGEST = 2**53 - 1
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)


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
    if not isinstance(event.at, datetime) or event.at.tzinfo is None or not _EARLIEST <= event.at < _LATEST:
        raise BadEvent(why="its time is not an aware time of this age")
    for name in _IDENTIFIERS:
        value = getattr(event, name)
        if not _is_text(value, _IDENTIFIER_LENGTH) or not value.isprintable():
            raise BadEvent(why=f"its {name} is not an identifier of at most 256 characters")
    _attributes(event.attributes)
    _sealed(event)


def _attributes(attributes: Any) -> None:
    if not isinstance(attributes, Mapping) or len(attributes) > _MOST:
        raise BadEvent(why="it has more than 64 attributes")
    for name, value in attributes.items():
        if not isinstance(name, str) or not _ATTRIBUTE.fullmatch(name):
            raise BadEvent(why="an attribute's name is not in snake_case")
        if isinstance(value, int) and not -_LARGEST <= value <= _LARGEST:
            raise BadEvent(why=f"its attribute {name} is too large a number")
        if not isinstance(value, int) and not _is_text(value, _LARGEST):
            raise BadEvent(why=f"its attribute {name} is neither text, whole number nor truth value")


def _sealed(event: Any) -> None:
    if not isinstance(event.sealed, Mapping) or len(event.sealed) > _MOST:
        raise BadEvent(why="it has more than 64 sealed fields")
    if event.sealed and not event.subject:
        raise BadEvent(why="its sealed part needs a subject, whose key seals it")
    for name, value in event.sealed.items():
        if not isinstance(name, str) or not _SEALED.fullmatch(name):
            raise BadEvent(why="a sealed field's name is not an identifier")
        if not _is_text(value, _LARGEST):
            raise BadEvent(why=f"its sealed field {name} is not text")


def _is_text(value: object, longest: int) -> bool:
    """Whether it is a string that UTF-8 can carry (no lone surrogates)."""
    if not isinstance(value, str) or len(value) > longest:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
