# SPDX-License-Identifier: Apache-2.0
"""What nobody recorded and what becomes of it: undone through the one writer, or kept by somebody who says why."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from audit import Event, Outcome, new_key
from core.clock import Clock

from ..errors import ChangedSince, NoSuchChange, OwnRole
from ..ldap import Pool, Tree, accesslog
from ..ldap.accesslog import Seen
from ..ldap.changes import Change
from ..slapd import Cost, no_password
from ..store import Fate, Store
from ..store import Unrecorded as Row
from .events import event
from .journal import Journal


@dataclass(frozen=True, kw_only=True)
class Found:
    """One change that nobody recorded."""

    number: int
    at: datetime
    fate: Fate
    seen: Seen
    subject: str
    place: str

    @property
    def can_be_undone(self) -> bool:
        """A stretch of the log that is gone has nothing to undo."""
        return self.fate is Fate.OPEN and bool(self.seen.dn)


@dataclass(frozen=True, kw_only=True)
class About:
    """Whom a change concerns: branch of the tree, random identifier, organisation."""

    place: str
    subject: str = ""
    organisation: str = ""


class Unrecorded:
    """The verbs of whoever was alarmed."""

    def __init__(
        self,
        *,
        store: Store,
        journal: Journal,
        pool: Pool,
        tree: Tree,
        clock: Clock,
        cost: Cost,
        called: Callable[[str], str],
    ) -> None:
        """``called`` says what a person is called, empty for everybody else."""
        self._called = called
        self._store = store
        self._journal = journal
        self._pool = pool
        self._tree = tree
        self._clock = clock
        self._cost = cost

    def open(self) -> int:
        """How many nobody has settled."""
        return self._store.unsettled()

    def newest(self, *, limit: int = 100) -> tuple[Found, ...]:
        """The open ones first."""
        return tuple(self._found(row) for row in self._store.unrecorded(limit=limit))

    def undo(self, number: int, *, actor: str) -> None:
        """Bring back what was before. What only takes away again is done at once, the rest is recorded first.

        Raises:
            NoSuchChange: none of that number.
            ChangedSince: it is not as the change left it, or settled.
            OwnRole: nobody undoes what was done to themselves; the attempt is recorded.
            Pending: decided and recorded; the server follows.
        """
        found = self._open(number, actor, "undo")
        if not found.can_be_undone:
            raise ChangedSince
        key = new_key()
        series = found.seen.undoing(no_password=no_password(self._cost))
        with self._journal.alone():
            if not found.seen.stands(self._pool):
                raise ChangedSince
            if not all(change.takes_away for change in series):
                intent, done, failed = self._events("directory.change.undone", found, actor=actor, key=key)
                self._journal.grant(key, series, intent=intent, outcomes=(done,), failure=failed)
        if all(change.takes_away for change in series):
            _, done, _ = self._events("directory.change.undone", found, actor=actor, key=key)
            self._journal.take_away(series, done)
        self._store.settle(number, Fate.UNDONE)

    def preview(self, number: int) -> tuple[Change, ...]:
        """The changes that would undo it; their values are not to be shown without a record.

        Raises:
            NoSuchChange: none of that number.
            ChangedSince: it is not as the change left it, or settled.
        """
        found = self._open(number, "", "undo")
        if not found.can_be_undone or not found.seen.stands(self._pool):
            raise ChangedSince
        return found.seen.undoing(no_password="")

    def keep(self, number: int, *, actor: str, reason: str) -> None:
        """Let it stand, recorded from now on.

        Raises:
            NoSuchChange: none of that number.
            ChangedSince: it is settled already.
            OwnRole: nobody keeps what was done to themselves; the attempt is recorded.
        """
        found = self._open(number, actor, "keep")
        key = new_key()
        with self._journal.alone():
            intent, done, failed = self._events("directory.change.kept", found, actor=actor, key=key, reason=reason)
            self._journal.grant(key, (), intent=intent, outcomes=(done,), failure=failed)
        self._store.settle(number, Fate.KEPT)

    def _open(self, number: int, actor: str, act: str) -> Found:
        row = self._store.unrecorded_at(number) if number < _NO_NUMBER else None
        if row is None:
            raise NoSuchChange
        found = self._found(row)
        if found.fate is not Fate.OPEN:
            raise ChangedSince
        if found.subject and found.subject == actor:
            self._journal.refuse(
                event(
                    "directory.power.refused",
                    Outcome.DENIED,
                    self._clock.now(),
                    subject=found.subject,
                    actor=actor,
                    attributes={"act": act, "change": found.seen.verb, "code": OwnRole.code},
                    sealed={"name": self._called(found.subject)},
                )
            )
            raise OwnRole
        return found

    def _events(self, kind: str, found: Found, *, actor: str, key: str, reason: str = "") -> tuple[Event, Event, Event]:
        seen, whom = found.seen, about(found.seen, self._tree)
        names = {"name": self._called(whom.subject), "actor_name": self._called(actor)} if whom.subject else {}
        # Free text is sealed under the key of whom it is about; of an organisation there is none, so its author's.
        intent, done, failed = (
            event(
                kind,
                outcome,
                self._clock.now(),
                subject=whom.subject or actor,
                actor=actor,
                operation=key,
                organisation=whom.organisation,
                attributes={"change": seen.verb, "place": whom.place, "number": found.number, "of": seen.id},
                sealed={"reason": reason, "entry": seen.dn, **names} if whom.subject or actor else {},
            )
            for outcome in (Outcome.INTENDED, Outcome.SUCCESS, Outcome.FAILURE)
        )
        return intent, done, failed

    def _found(self, row: Row) -> Found:
        seen = accesslog.parse(row.body)
        whom = about(seen, self._tree)
        at = datetime.fromtimestamp(row.found, UTC)
        return Found(number=row.position, at=at, fate=row.fate, seen=seen, subject=whom.subject, place=whom.place)


_NO_NUMBER = 2**53
_FIRST = re.compile(r"[A-Za-z]+=([^,]+)")
_IDENTIFIER = re.compile(r"[A-Za-z0-9-]{1,64}")


def about(seen: Seen, tree: Tree) -> About:
    """Whom a change concerns, as far as the server's note tells."""
    dn = seen.dn.lower()
    branches = ("people", "organisations", "devices", "mandates", "roles")
    place = next((name for name in branches if dn.endswith(f",{tree.branch(name)}".lower())), "elsewhere")
    if place in ("people", "devices"):
        return About(place=place, subject=_first(seen.dn))
    if place == "organisations":
        return About(place=place, organisation=_first(seen.dn))
    if place == "mandates":
        holder, organisation = seen.value("tallyHolder"), seen.value("tallyOrganisation")
        return About(place=place, subject=_identifier(holder), organisation=_identifier(organisation))
    if place == "roles":
        return About(place=place, subject=_first(seen.value("member")))
    return About(place=place)


def _first(dn: str) -> str:
    found = _FIRST.match(dn)
    return _identifier(found[1]) if found else ""


def _identifier(text: str) -> str:
    """What is no identifier of ours cannot be whom a record is about: somebody who is no friend wrote it."""
    return text if _IDENTIFIER.fullmatch(text) else ""
