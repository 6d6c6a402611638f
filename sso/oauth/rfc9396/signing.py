# SPDX-License-Identifier: Apache-2.0
"""The type ``document_signature``: one person signs these documents, by their hashes, with this key, and nothing else.

What the person is shown is what is granted. The grant says beside it how the person confirmed it, and when: by a card
or a passkey that was shown for this very request.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ...errors import InvalidDetails

TYPE = "document_signature"
HASH = "sha-256"
MOST = 8
"""Documents of one confirmation; so many can be looked through on a page, and fit a request."""
LONGEST = 2000
By = Literal["passkey", "card"]
_MEMBERS = frozenset({"type", "credential", "hash", "documents"})
# Where an organisation's seal is confirmed instead of a signature of one's own.
_SEAL = "seal"
_NAMES = ("name", "name_zh")
_DOCUMENT = frozenset({"digest", "label"})
_DIGEST = re.compile(r"[0-9a-f]{64}")
_CREDENTIAL = re.compile(r"[0-9a-f]{32}")
_LONGEST_LABEL = 120


@dataclass(frozen=True, kw_only=True)
class SealOf:
    """The organisation whose seal is confirmed, as the page calls it."""

    name: str
    name_zh: str


@dataclass(frozen=True, kw_only=True)
class ToSign:
    """One document, as the page shows it."""

    # SHA-256, hexadecimal.
    digest: str
    label: str


def check_signature(details: Mapping[str, Any]) -> None:
    """The members of this type, each of one form, and no digest twice.

    Raises:
        InvalidDetails: otherwise.
    """
    documents, credential = details.get("documents"), details.get("credential")
    if set(details) - {_SEAL} != _MEMBERS or details.get("hash") != HASH:
        raise InvalidDetails(why="the members of a signature")
    if _SEAL in details:
        _check_seal(details[_SEAL])
    if not isinstance(credential, str) or not _CREDENTIAL.fullmatch(credential):
        raise InvalidDetails(why="credential")
    if not isinstance(documents, list) or not 0 < len(documents) <= MOST:
        raise InvalidDetails(why="documents")
    for each in documents:
        if not isinstance(each, dict) or set(each) != _DOCUMENT:
            raise InvalidDetails(why="documents")
        digest, label = each["digest"], each["label"]
        if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
            raise InvalidDetails(why="digest")
        if not _readable(label):
            raise InvalidDetails(why="label")
    if len({each["digest"] for each in documents}) != len(documents):
        raise InvalidDetails(why="a digest twice")


def _check_seal(said: object) -> None:
    if not isinstance(said, dict) or set(said) != set(_NAMES) or not all(map(_readable, said.values())):
        raise InvalidDetails(why="seal")


def _readable(text: object) -> bool:
    return isinstance(text, str) and 0 < len(text.strip()) <= _LONGEST_LABEL and text.isprintable()


def signs(details: str) -> bool:
    """Whether some canonical details ask for signatures."""
    return bool(to_sign(details))


def to_sign(details: str) -> tuple[ToSign, ...]:
    """The documents that would be signed; none if the details are about something else."""
    found = json.loads(details) if details else []
    return tuple(ToSign(**one) for each in found if each["type"] == TYPE for one in each["documents"])


def seal_of(details: str) -> SealOf | None:
    """Whose seal is confirmed; nothing where somebody signs for themselves."""
    found = json.loads(details) if details else []
    return next((SealOf(**each[_SEAL]) for each in found if each["type"] == TYPE and _SEAL in each), None)


def confirmed(details: str, *, by: By, at: int) -> str:
    """As they are granted: with how the person confirmed them, and when (RFC 9396 section 7.1)."""
    said = {"confirmed": {"by": by, "at": at}}
    found = [each | said if each["type"] == TYPE else each for each in json.loads(details)]
    return json.dumps(found, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
