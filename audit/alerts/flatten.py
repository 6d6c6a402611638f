# SPDX-License-Identifier: Apache-2.0
"""An entry becomes a row that rules can look at; what needs memory is worked out here, from the clear header alone.

Remembered, by name of what is remembered: a person's last login, which files were in force as policies, how the log
was stopped. A person is remembered as an identifier with a time and a place, and forgotten on demand.

Time: sources write their own, and a source's clock may be wrong. A row's time is that of its event, but always after
the row before, and not after a bound that whoever reads gives: the present, and what the entries around it say.
"""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from ..events import KINDS
from ..models import Attribute, Entry, Event, Outcome
from .fields import ENTRY, HEADER, NUMBERS, TIME, WORDS
from .places import Place, Places

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
Value = str | int | None
Flat = Mapping[str, Value]
_WORDS, _NUMBERS = frozenset(WORDS), frozenset(NUMBERS)
_NEVER_TO_RULES = frozenset({"audit.alert.raised"})
_LAST_POLICY = "policy"
_LAST_OF_LOG = "log"
_SOONEST = timedelta(seconds=1)
SPEAKING = ("gateway", "sso")
"""Sources that always have something to say while people work."""


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What one name is remembered for: an entry, its time in microseconds, and a word."""

    entry: int
    at: int
    word: str = ""


class Flattener:
    """Makes rows; ``memory`` is asked and changed as it goes, in the order of the log."""

    def __init__(self, *, places: Places, zone: tzinfo) -> None:
        self._places = places
        self._zone = zone

    @staticmethod
    def names(entry: Entry) -> list[str]:
        """Under which names something may be remembered that this entry is compared with."""
        always = [f"source:{source}" for source in SPEAKING]
        match entry.event.type:
            case "sso.login" if entry.event.subject:
                return [*always, f"login:{entry.event.subject}", f"place:{entry.event.subject}"]
            case "policy.released":
                return [*always, _LAST_POLICY, f"policy:{entry.event.attributes.get('content', '')}"]
            case "log.started" | "log.stopped":
                return [*always, _LAST_OF_LOG]
            case _:
                return always

    def row(self, entry: Entry, memory: MutableMapping[str, Memory], *, after: int, until: int) -> Flat | None:
        """One row, later than ``after``, and not after ``until`` as far as that goes.

        None for what rules never see: that an alert was raised.
        """
        event = entry.event
        at = max(after + 1, min(micros(event.at), until))
        if event.type in _NEVER_TO_RULES:
            return None
        said = event.attributes
        local = event.at.astimezone(self._zone)
        kind = KINDS[event.type]
        row: dict[str, Value] = {ENTRY: entry.index, TIME: at}
        row |= {name: getattr(event, name) or None for name in HEADER if name != "outcome"}
        row |= {"outcome": event.outcome.value, "class_uid": kind.ocsf_class, "activity_id": kind.activity}
        for name, value in said.items():
            if name in _WORDS:
                row[name] = _word(value)
            elif name in _NUMBERS:
                row[name] = _number(value)
        row |= {"hour": local.hour, "weekday": local.isoweekday()}
        row |= {"own": int(bool(event.actor) and event.actor == event.subject)}
        row |= {"by_role": int(event.actor.startswith("role:"))}
        row |= _silence(event, memory, entry=entry.index, at=at)
        place = self._places.of(str(said.get("network", "")))
        row["location"] = place.name if place else None
        if event.type == "sso.login" and event.outcome is Outcome.SUCCESS and event.subject:
            row |= self._login(event, memory, entry=entry.index, at=at, place=place)
        elif event.type == "policy.released" and event.outcome is Outcome.SUCCESS:
            row |= _released(event, memory, entry=entry.index, at=at)
        elif event.type in ("log.started", "log.stopped"):
            row |= _log_stood(event, memory, entry=entry.index, at=at, after=after)
        return row

    def _login(
        self, event: Event, memory: MutableMapping[str, Memory], *, entry: int, at: int, place: Place | None
    ) -> dict[str, Value]:
        name, where = f"login:{event.subject}", f"place:{event.subject}"
        before, there = memory.get(name), memory.get(where)
        memory[name] = Memory(entry=entry, at=at)
        found: dict[str, Value] = {}
        if before is not None:
            found |= {"previous": before.entry, "idle_days": timedelta(microseconds=at - before.at).days}
        if place is None:
            # A login from nowhere known does not make one forget the last known place.
            return found
        memory[where] = Memory(entry=entry, at=at, word=place.name)
        left = self._places.by_name.get(there.word) if there else None
        if there is None or left is None:
            return found
        kilometres = left.kilometres(place)
        hours = max(timedelta(microseconds=at - there.at), _SOONEST) / timedelta(hours=1)
        return found | {"travel_from": there.entry, "travel_km": kilometres, "travel_kmh": round(kilometres / hours)}


def micros(at: datetime) -> int:
    """Microseconds since 1970, exactly."""
    return (at - _EPOCH) // _MICROSECOND


def moment(at: int) -> datetime:
    """The time that so many microseconds stand for."""
    return _EPOCH + at * _MICROSECOND


def _silence(event: Event, memory: MutableMapping[str, Memory], *, entry: int, at: int) -> dict[str, Value]:
    """Which of the others has been silent longest, seen from this entry, and for how long."""
    if event.source in SPEAKING:
        memory[f"source:{event.source}"] = Memory(entry=entry, at=at)
    if event.type in ("log.started", "log.stopped"):
        # The record itself stood still: nobody could speak.
        for source in SPEAKING:
            if known := memory.get(f"source:{source}"):
                memory[f"source:{source}"] = Memory(entry=known.entry, at=at)
    others = [(found, source) for source in SPEAKING if (found := memory.get(f"source:{source}")) is not None]
    if not others:
        return {}
    last, source = min(others, key=lambda each: each[0].at)
    return {"silent_source": source, "silent_seconds": (at - last.at) // 1_000_000, "heard_last": last.entry}


def _released(event: Event, memory: MutableMapping[str, Memory], *, entry: int, at: int) -> dict[str, Value]:
    content = str(event.attributes.get("content", ""))
    if not content:
        return {}
    last, known = memory.get(_LAST_POLICY), memory.get(f"policy:{content}")
    now = Memory(entry=entry, at=at, word=content)
    memory[_LAST_POLICY] = memory[f"policy:{content}"] = now
    if last is None or known is None or last.word == content:
        return {"rolled_back": 0}
    return {"rolled_back": 1, "previous": known.entry}


def _log_stood(
    event: Event, memory: MutableMapping[str, Memory], *, entry: int, at: int, after: int
) -> dict[str, Value]:
    before = memory.get(_LAST_OF_LOG)
    memory[_LAST_OF_LOG] = Memory(entry=entry, at=at, word=event.type)
    if event.type == "log.stopped" or before is None:
        return {}
    stopped = before.word == "log.stopped"
    silent = (at - after) // 1_000_000
    return {"unclean": int(not stopped), "stopped_seconds": silent, "previous": before.entry}


def _word(value: Attribute) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _number(value: Attribute) -> Value:
    return int(value) if isinstance(value, int) else value
