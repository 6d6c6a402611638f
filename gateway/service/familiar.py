# SPDX-License-Identifier: Apache-2.0
"""What was worked out for somebody at one place, for their next request there: most requests differ only in their path.

Nothing here decides whether somebody may pass. What is kept is used again only where everything it followed from is the
same: the very caller that identification found once more, zone, host, listener, method, proxy, and whether the path is
public. A decision is given again only where the engine would give its own again, of the same version; else it is made
anew, and what is kept saves the writing of its event alone.
"""

import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from audit import Event, encode_event
from policies import Code, Decision

from ..models import Caller, Question, Ruling

Key = tuple[str, str, str, str, bool]
"""Session, host, listener, method, and whether the path is public."""


class EventOf(Protocol):
    """What makes an event of a ruling."""

    def __call__(self, question: Question, ruling: Ruling, *, number: str, at: datetime) -> Event:
        """The event."""
        ...


_MOST = 16_384
# What stands in JSON as it is; everything else is encoded the long way.
_ADDRESS = re.compile(r"[0-9A-Fa-f.:]{2,45}\Z", re.ASCII)
_PATH = re.compile(r'[^"\\\x00-\x1f\x7f\ud800-\udfff]{1,4096}\Z')
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Known:
    """One ruling on one caller, and how its event is written."""

    def __init__(self, ruling: Ruling, decision: Decision, *, lasting: str) -> None:
        """``lasting`` is the version under which the engine gives the decision again; empty if it does not."""
        self.ruling = ruling
        self.decision = decision
        self.lasting = lasting
        # None before its second event, and where it cannot be.
        self.written: Written | None = None
        self.events = 0

    def holds(self, caller: Caller, zone: str, peer: str) -> bool:
        """Whether it is about this caller, coming from there."""
        known = self.ruling
        return known.caller is caller and known.zone == zone and known.asked.get("peer", "") == peer


class Familiar:
    """One per worker; bounded, and for its event loop alone."""

    def __init__(self) -> None:
        self._known: dict[Key, Known] = {}

    def get(self, key: Key, caller: Caller, zone: str, peer: str) -> Known | None:
        """What is known of this caller there."""
        known = self._known.get(key)
        return known if known is not None and known.holds(caller, zone, peer) else None

    def keep(self, key: Key, known: Known) -> None:
        """Remember, unless the decision is an error."""
        if known.decision.code == Code.ERROR:
            return
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[key] = known


class Written:
    """The encoded event of rulings that differ in number, time, request, address and path alone."""

    def __init__(self, encoded: bytes, tokens: Sequence[bytes]) -> None:
        """``encoded`` holds a token in each value's place."""
        # Found and not matched: an expression of tokens would be compiled for this one event.
        places = sorted((at, number) for number, token in enumerate(tokens) for at in _places(encoded, token))
        pieces, start = [], 0
        for at, number in places:
            pieces.append(encoded[start:at])
            start = at + len(tokens[number])
        self._format = b"%b".join(piece.replace(b"%", b"%%") for piece in (*pieces, encoded[start:]))
        self._order = [number for _, number in places]

    def made(self, values: Sequence[bytes]) -> bytes:
        """The event with these values."""
        return self._format % tuple([values[place] for place in self._order])


def _places(encoded: bytes, token: bytes) -> Iterator[int]:
    at = encoded.find(token)
    while at >= 0:
        yield at
        at = encoded.find(token, at + len(token))


def values(question: Question, path: str, *, number: str, at: datetime) -> tuple[bytes, ...] | None:
    """What differs, as it stands in the bytes; None where it cannot stand there as it is."""
    if not (question.number and _ADDRESS.match(question.address) and _PATH.match(path)):
        return None
    return (
        number.encode(),
        b"%d" % ((at - _EPOCH) // _MILLISECOND),
        question.number.encode(),
        question.address.encode(),
        path.encode(),
    )


def learned(question: Question, ruling: Ruling, event_of: EventOf, *, at: datetime) -> Written | None:
    """How events of this ruling are written, learned from one with tokens that stand nowhere else."""
    if ruling.target is None or not ruling.caller.subject:
        return None
    number, request, address, path = (secrets.token_hex(16) for _ in range(4))
    moment = at + timedelta(days=secrets.randbelow(10_000), milliseconds=secrets.randbelow(86_400_000))
    probe = replace(question, number=request, address=address)
    encoded = encode_event(
        event_of(probe, replace(ruling, target=replace(ruling.target, path=path)), number=number, at=moment)
    )
    time = b"%d" % ((moment - _EPOCH) // _MILLISECOND)
    written = Written(encoded, (number.encode(), time, request.encode(), address.encode(), path.encode()))
    given = values(question, ruling.target.path, number=number, at=at)
    # What it makes of the very question is what the codec makes of it, or it is not used.
    if given is None or written.made(given) != encode_event(event_of(question, ruling, number=number, at=at)):
        return None
    return written
