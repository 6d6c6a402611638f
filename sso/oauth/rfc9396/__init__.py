# SPDX-License-Identifier: Apache-2.0
"""Rich authorization requests: what exactly a client may do, in the common members of section 2.2 and no others.

Nothing here is remembered: such details are always shown to the person, whatever was agreed to before.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from ...errors import InvalidDetails
from ...models import Client
from ..rfc7515 import Unverified, strict_object
from .signing import LONGEST as LONGEST_SIGNATURE
from .signing import TYPE as SIGNATURE
from .signing import ToSign as ToSign
from .signing import check_signature
from .signing import confirmed as confirmed
from .signing import seal_of as seal_of
from .signing import signs as signs
from .signing import to_sign as to_sign

_LISTS = ("locations", "actions", "datatypes", "privileges")
_MEMBERS = frozenset({"type", "identifier", *_LISTS})
_MOST = 8
_LONGEST_TEXT = 200
_LONGEST = 1500


def details_of(text: str, client: Client) -> str:
    """The details a client asks for, in canonical JSON; empty for none.

    Raises:
        InvalidDetails: unreadable, of a type it is not registered for, or with a member nobody would understand.
    """
    if not text:
        return ""
    longest = LONGEST_SIGNATURE if SIGNATURE in client.detail_types else _LONGEST
    if len(text) > longest:
        raise InvalidDetails(why="too long")
    try:
        listed = strict_object(f'{{"details":{text}}}'.encode())
    except Unverified as error:
        raise InvalidDetails(why="not JSON") from error
    found = listed.get("details")
    if set(listed) != {"details"} or not isinstance(found, list) or not 0 < len(found) <= _MOST:
        raise InvalidDetails(why="not a list of a few")
    for each in found:
        if not isinstance(each, dict):
            raise InvalidDetails(why="not a list of objects")
        for check in CHECKS:
            check(each, client)
    if len(found) > 1 and any(each["type"] == SIGNATURE for each in found):
        # Whoever confirms a signature confirms nothing else with it.
        raise InvalidDetails(why="a signature beside something else")
    return _canonical(found)


def details_without_person(text: str, client: Client) -> str:
    """The same where nobody can be asked for a card or a passkey; signatures are nothing for there.

    Raises:
        InvalidDetails: as ``details_of``, and for signatures.
    """
    found = details_of(text, client)
    if signs(found):
        raise InvalidDetails(why="nobody is there to confirm a signature")
    return found


def narrowed(text: str, granted: str, client: Client) -> str:
    """Those of the granted ones that a token request names (section 6); all if it names none.

    Raises:
        InvalidDetails: one that was not granted.
    """
    if not text:
        return granted
    wanted = json.loads(details_of(text, client))
    if not granted or any(each not in json.loads(granted) for each in wanted):
        raise InvalidDetails(why="not what was granted")
    return _canonical(wanted)


def in_words(details: str) -> list[tuple[str, list[str]]]:
    """Each with its type and what it says, for a page."""
    found = json.loads(details) if details else []
    return [
        (each["type"], [text for name in sorted(each) if name != "type" for text in _said(each[name])])
        for each in found
        if each["type"] != SIGNATURE
    ]


def check_type(details: Mapping[str, Any], client: Client) -> None:
    """A type the client is registered for (section 2)."""
    kind = details.get("type")
    if not isinstance(kind, str) or kind not in client.detail_types:
        raise InvalidDetails(why="type")


def check_members(details: Mapping[str, Any], _client: Client) -> None:
    """Members that are defined, each as it is defined (section 2.2, or by the type)."""
    if details["type"] == SIGNATURE:
        check_signature(details)
        return
    if not set(details) <= _MEMBERS or not _is_text(details.get("identifier", "-")):
        raise InvalidDetails(why="an unknown member")
    for name in _LISTS:
        values = details.get(name, ["-"])
        if not isinstance(values, list) or not values or not all(_is_text(value) for value in values):
            raise InvalidDetails(why=name)


CHECKS: tuple[Callable[[Mapping[str, Any], Client], None], ...] = (check_type, check_members)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_TEXT and value.isprintable()


def _said(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _canonical(details: list[Any]) -> str:
    return json.dumps(details, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
