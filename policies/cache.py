# SPDX-License-Identifier: Apache-2.0
"""Decisions that were made before, under keys that only the same question to the same version has.

A key holds every part of a question in its own place and of its exact type: nothing is joined into a text, and True is
not taken for 1, which Python's own comparison would do. The time is not part of it, so what depends on the time is not
kept; errors are not kept either. What a person is or holds is part of the question: whoever loses a role asks another.
"""

import threading
from dataclasses import fields

from .models import Code, Decision, DecisionRequest

Key = tuple[object, ...]
_NAMES = tuple(field.name for field in fields(DecisionRequest) if field.name != "at")
_KINDS: dict[str, tuple[type, ...]] = {
    "enabled": (bool,),
    "path_public": (bool,),
    **dict.fromkeys(("proofing", "assurance", "clearance", "classification", "required_assurance", "port"), (int,)),
    "device": (str, type(None)),
    "roles": (frozenset,),
    "mandates": (frozenset,),
    "methods": (tuple,),
}
_EXACT = tuple((name, _KINDS.get(name, (str,))) for name in _NAMES)


def key(version: str, request: DecisionRequest) -> Key | None:
    """The question's key; None if any part is not of its exact type, and the question is then asked anew."""
    parts: list[object] = [version]
    for name, kinds in _EXACT:
        part = getattr(request, name)
        kind = type(part)
        # An action or a class may be one of our enumerations, which are texts.
        if kind not in kinds:
            if not (kinds == (str,) and isinstance(part, str)):
                return None
            part = str(part)
        elif kind in (frozenset, tuple) and not all(type(each) is str for each in part):
            return None
        parts.append(part)
    return tuple(parts)


class DecisionCache:
    """The decisions of one release; bounded, safe for threads."""

    def __init__(self, *, most: int) -> None:
        self.most = most
        self._kept: dict[Key, Decision] = {}
        self._lock = threading.Lock()

    def get(self, asked: Key) -> Decision | None:
        """What was answered before."""
        return self._kept.get(asked)

    def keep(self, asked: Key, decision: Decision) -> None:
        """Remember, unless it is an error or another version's answer; the oldest makes room."""
        if decision.code == Code.ERROR or decision.version != asked[0]:
            return
        with self._lock:
            while len(self._kept) >= self.most:
                del self._kept[next(iter(self._kept))]
            self._kept[asked] = decision
