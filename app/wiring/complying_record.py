# SPDX-License-Identifier: Apache-2.0
"""Evidence by record: entries, counters of the index, and what was compared with the log."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import Protocol

from audit.console.picture import DECISION, Count
from audit.console.views import VIEWS, WAY_OUT
from audit.models import Entry, Outcome
from audit.models_rules import PERSONAL
from audit.store import IndexChecked
from audit.web import Finding

_LOOKED_AT = 500
_DAYS = timedelta(days=30)
_FRESH = timedelta(minutes=5)
_ATTACKS = frozenset(
    {"ambiguous-path", "ambiguous-credential", "forwarded", "unaccepted", "credential", "origin", "unknown-host"}
)
"""Reasons for which nobody is refused who uses the site as it is meant."""
_ASKED = ("from", "to", "port", "protocol", "session")


class Log(Protocol):
    """The published log."""

    def size(self) -> int:
        """How many places."""
        ...

    def first(self) -> int:
        """From which on everything is kept."""
        ...

    def read(self, start: int, limit: int) -> Sequence[Entry]:
        """Entries in order."""
        ...

    def checkpoint(self, log: str = "") -> bytes:
        """The newest."""
        ...

    def opened_checkpoint(self, text: str) -> tuple[int, bytes]:
        """Its size and root, once its signature was verified."""
        ...


class Recorded:
    """Reads the newest entries once, and the counters of thirty days once."""

    def __init__(
        self,
        *,
        log: Log,
        counts: Callable[[datetime, datetime], Iterable[Count]],
        checked: Callable[[], IndexChecked],
        alarms: Callable[[], Mapping[str, int]],
        now: datetime,
    ) -> None:
        self._log = log
        self._counts = counts
        self._checked = checked
        # How many rules of alarms are in force, and how many are refused, by these words.
        self._alarms = alarms
        self._now = now

    @cached_property
    def _newest(self) -> Sequence[Entry]:
        log = self._log
        return log.read(max(log.first(), log.size() - _LOOKED_AT), _LOOKED_AT)

    @cached_property
    def _decisions(self) -> list[Entry]:
        return [one for one in self._newest if one.event.type == DECISION]

    @cached_property
    def _month(self) -> list[Count]:
        return list(self._counts(self._now - _DAYS, self._now + timedelta(hours=1)))

    def crossings(self) -> Finding:
        """Who came in across zones has a decision, with its number."""
        found = self._decisions
        foreign = [one for one in found if one.event.attributes.get("to_zone", one.event.zone) != one.event.zone]
        shown = (*_named(found[-1:]), f"{len(found)} decisions, {len(foreign)} across zones") if found else ()
        return Finding(met=bool(found) and all(one.event.decision for one in found), shown=shown)

    def five(self) -> Finding:
        """Source, destination, port, protocol and session of a decision that asked the policies stand in its entry."""
        found = [one for one in self._decisions if one.event.policy]
        if not found:
            return Finding(met=False, shown=())
        newest = _asked(found[-1])
        lacking = [one for one in found if not all(_asked(one)[name] for name in _ASKED[:4])]
        return Finding(
            met=not lacking,
            shown=(
                f"entry {found[-1].index}: " + " ".join(f"{name}={said or '-'}" for name, said in newest.items()),
                f"{len(lacking)} of {len(found)} lack one of them",
            ),
        )

    def outward(self) -> Finding:
        """Every way out to another network is decided and recorded: how many ended how."""
        found = Counter[str]()
        for one in self._month:
            if one.type == WAY_OUT:
                found[one.outcome.value] += one.times
        told = " ".join(f"{outcome}={times}" for outcome, times in found.items()) or "none"
        return Finding(met=True, shown=(f"/views/ways-out: {told} in 30 days",))

    def attacks(self) -> Finding:
        """Refusals for which no honest visitor is refused, by reason, in thirty days."""
        found = Counter[str]()
        for one in self._month:
            if one.outcome is Outcome.DENIED and one.reason in _ATTACKS:
                found[one.reason] += one.times
        return Finding(met=bool(found), shown=tuple(f"{reason}: {times}" for reason, times in found.most_common()))

    def attack_told(self) -> Finding:
        """A refusal says from where, what for, at what and when; and alarms are in force."""
        denied = [one for one in self._decisions if one.event.outcome is Outcome.DENIED]
        whole = [one for one in denied if one.event.attributes.get("reason") and (_source(one))]
        alarms = self._alarms()
        return Finding(
            met=bool(denied) and len(whole) == len(denied) and alarms.get("in force", 0) > 0,
            shown=(*_named(denied[-1:]), *(f"rules of alarms {word}: {number}" for word, number in alarms.items()))
            if denied
            else (),
        )

    def everybody(self) -> Finding:
        """Every decision is an entry, for each person."""
        found = self._decisions
        people = {one.event.subject for one in found if one.event.subject}
        said = f"{len(found)} decisions, {len(people)} subjects in the last {_LOOKED_AT}"
        return Finding(met=bool(found), shown=(f"{self._log.size()} entries", said) if found else ())

    def whole(self) -> Finding:
        """Time, who, kind, how it ended and why stand in each."""
        found = self._decisions
        lacking = [one for one in found if not one.event.attributes.get("reason")]
        return Finding(met=bool(found) and not lacking, shown=(*_named(found[-1:]), *_named(lacking[:3])))

    def kept(self) -> Finding:
        """A checkpoint is signed over them, and the index was compared with the log."""
        size, _ = self._log.opened_checkpoint(self._log.checkpoint().decode("utf-8"))
        checked = self._checked()
        return Finding(
            met=size > 0 and checked.found == 0,
            shown=(f"signed checkpoint over {size} entries", f"compared to {checked.place}, {checked.found} differ"),
        )

    def apart(self) -> Finding:
        """Two views of their own: who comes from afar, and who comes from the internet."""
        month = self._month
        shown = {name: sum(one.times for one in month if view.counts(one)) for name, view in VIEWS.items()}
        return Finding(
            met=bool(month) and {"remote-access", "internet-access"} <= shown.keys(),
            shown=tuple(f"/views/{name}: {times} in 30 days" for name, times in shown.items()) if month else (),
        )

    def running(self) -> Finding:
        """The record takes entries at this moment: the reading of this page is one."""
        newest = [one for one in self._newest if self._now - one.event.at <= _FRESH]
        stopped = sum(one.times for one in self._month if one.type == "log.stopped")
        return Finding(
            met=bool(newest), shown=(*_named(newest[-1:]), f"stopped {stopped} times in 30 days, each on the record")
        )

    def sealed(self) -> Finding:
        """Nothing personal stands in clear: it is ciphertext under a key of the person's own."""
        about = [one for one in self._newest if one.event.subject]
        clear = [one for one in self._newest if PERSONAL & set(one.event.attributes)]
        closed = sum(bool(one.ciphertext) for one in about)
        shown = (
            f"{closed} of {len(about)} entries about people have a sealed part",
            f"{len(clear)} with names in clear",
        )
        return Finding(met=bool(closed) and not clear, shown=shown if about else ())

    def by(self, begins: tuple[str, ...]) -> Callable[[], Finding]:
        """A look for what one kind of administrator did, by the beginnings of its types."""

        def look() -> Finding:
            found = Counter[str]()
            for one in self._month:
                if one.type.startswith(begins):
                    found[one.type] += one.times
            return Finding(met=bool(found), shown=tuple(f"{kind}: {times}" for kind, times in found.most_common(5)))

        return look

    def left(self) -> Finding:
        """Accounts were ended."""
        return self.by(("directory.person.disabled", "directory.person.left", "directory.review"))()


def _asked(entry: Entry) -> dict[str, object]:
    told = entry.event.attributes
    return {
        "from": " ".join(filter(None, (entry.event.zone, _source(entry)))),
        "to": " ".join(filter(None, (str(told.get("to_zone", "")), entry.event.object))),
        "port": told.get("port", ""),
        "protocol": told.get("protocol", ""),
        # That there is one; whose it is, the report need not say.
        "session": "named" if entry.event.session else "",
    }


def _source(entry: Entry) -> str:
    """The network of whoever is nobody; of a person the address is sealed, like all that is personal."""
    return str(entry.event.attributes.get("network", "")) or ("(address sealed)" if entry.ciphertext else "")


def _named(entries: Sequence[Entry]) -> list[str]:
    return [f"entry {one.index}: {one.event.at:%Y-%m-%d %H:%M} {one.event.outcome} {_said(one)}" for one in entries]


def _said(entry: Entry) -> str:
    told = entry.event.attributes
    names = ("method", "network", "to_zone", "reason")
    return " ".join([entry.event.type, *(f"{name}={told[name]}" for name in names if name in told)])
