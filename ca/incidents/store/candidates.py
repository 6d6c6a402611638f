# SPDX-License-Identifier: Apache-2.0
"""Which certificates a selector means: pages by the key of one index, never a walk over the whole table.

The selector's narrowest part leads, through an index that is ordered by position; the rest is asked of what it yields.
So a preview costs as much as there are certificates of that one part, within the window, however many others there are.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, select

from core.db import Database

from ...models import Standing, State
from ...store.tables import certificates, revocations, seconds
from ..models import Chosen, Selector

PAGE = 1000
_AT_ONCE = 500
_LIVE = (State.INTENDED, State.SIGNED, State.DELIVERED)
_COLUMNS = (
    certificates.c.position,
    certificates.c.serial,
    certificates.c.issuer,
    certificates.c.profile,
    certificates.c.actor,
    certificates.c.state,
)


@dataclass(frozen=True)
class Found:
    """A certificate that is selected."""

    position: int
    serial: str
    issuer: str
    profile: str
    actor: str
    possibly_issued: bool


class Candidates:
    """Reads the certificates; changes nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def horizon(self) -> int:
        """Position of the newest certificate."""
        with self._database.reading() as connection:
            return connection.execute(select(func.max(certificates.c.position))).scalar_one() or 0

    def known(self, serials: Iterable[str]) -> set[str]:
        """Those that were used here, whatever became of them."""
        found: set[str] = set()
        with self._database.reading() as connection:
            for some in _chunks(sorted(serials)):
                query = select(certificates.c.serial).where(certificates.c.serial.in_(some))
                found |= set(connection.execute(query).scalars())
        return found

    def successors(self, chosen: Chosen, *, since: datetime, limit: int = 50) -> tuple[bytes, list[bytes]]:
        """A certificate, and what its holder got of that kind since and may still use; DER, newest first."""
        newer = (
            select(certificates.c.der)
            .outerjoin(revocations, revocations.c.serial == certificates.c.serial)
            .where(
                certificates.c.subject == chosen.subject,
                certificates.c.position > chosen.position,
                func.coalesce(certificates.c.profile, "") == chosen.profile,
                func.coalesce(certificates.c.state, "").in_((State.SIGNED, State.DELIVERED)),
                func.coalesce(certificates.c.created, 0) >= seconds(since),
                revocations.c.standing.is_(None),
            )
            .order_by(certificates.c.position.desc())
            .limit(limit)
        )
        own = select(certificates.c.der).where(certificates.c.position == chosen.position)
        with self._database.reading() as connection:
            return connection.execute(own).scalar_one(), list(connection.execute(newer).scalars())

    def matching(
        self,
        selector: Selector,
        *,
        at: datetime,
        after: int = 0,
        until: int,
        named: Iterable[str] | None = None,
        of_officer: frozenset[str] = frozenset(),
    ) -> Iterator[list[Found]]:
        """Pages of what is selected between two positions, the first exclusive; what led to it twice comes twice.

        ``named`` are the serials that alone may come, ``of_officer`` those that the selector's officer has to answer
        for beside what is in the officer's name.
        """
        low, high = self._bounds(selector, after, until)
        if low >= high:
            return
        for leading, values in _ways(selector, named, of_officer):
            asked = _query(selector, leading, at).where(certificates.c.position <= high)
            for value in values:
                for page in self._pages(asked, leading, value, low):
                    found = [_found(row) for row in page if _answers_for(selector, row, of_officer)]
                    if found:
                        yield found

    def _bounds(self, selector: Selector, after: int, until: int) -> tuple[int, int]:
        """The positions that can lie in the window: serial numbers of rows grow with time, but clocks are corrected."""
        if not selector.since and not selector.until:
            return after, until
        query = select(func.min(certificates.c.position), func.max(certificates.c.position)).where(*_window(selector))
        with self._database.reading() as connection:
            first, last = connection.execute(query).one()
        return (max(after, first - 1), min(until, last)) if first is not None else (0, 0)

    def _pages(self, asked: Select[Any], leading: str, value: Any, low: int) -> Iterator[Sequence[Any]]:
        if leading == "serial":
            with self._database.reading() as connection:
                query = asked.where(certificates.c.serial.in_(value), certificates.c.position > low)
                rows = connection.execute(query).all()
            yield rows
            return
        after = low
        while True:
            with self._database.reading() as connection:
                rows = _page(connection, asked, leading, value, after)
            yield rows
            if len(rows) < PAGE:
                return
            after = rows[-1].position


def _ways(
    selector: Selector, named: Iterable[str] | None, of_officer: frozenset[str]
) -> Iterator[tuple[str, Sequence[Any]]]:
    """The columns whose index leads, each with the values to look up there."""
    if named is not None:
        yield "serial", list(_chunks(sorted(named)))
    elif selector.keys:
        yield "key_hash", selector.keys
    elif selector.holder:
        yield "subject", (selector.holder,)
    elif selector.officer:
        yield "actor", (selector.officer,)
        yield "serial", list(_chunks(sorted(of_officer)))
    elif selector.profiles:
        yield "profile", selector.profiles
    elif selector.issuers:
        yield "issuer", selector.issuers
    else:
        yield "", ("",)


def _page(connection: Connection, asked: Select[Any], leading: str, value: Any, after: int) -> Sequence[Any]:
    query = asked.where(certificates.c.position > after).order_by(certificates.c.position).limit(PAGE)
    if leading:
        query = query.where(certificates.c[leading] == value)
    return connection.execute(query).all()


def _query(selector: Selector, leading: str, at: datetime) -> Select[Any]:
    """What is alive and selected; what does not lead is asked in a way that no index answers, so that none leads."""
    asked: list[ColumnElement[bool]] = [
        func.coalesce(certificates.c.state, "").in_(_LIVE),
        certificates.c.not_after >= seconds(at),
        revocations.c.standing.is_(None) | (revocations.c.standing != Standing.REVOKED),
    ]
    several = {"key_hash": selector.keys, "profile": selector.profiles, "issuer": selector.issuers}
    several["subject"] = (selector.holder,) if selector.holder else ()
    for name, values in several.items():
        if values and name != leading:
            asked.append(func.coalesce(certificates.c[name], "").in_(values))
    created = func.coalesce(certificates.c.created, 0)
    if selector.since:
        asked.append(created >= seconds(selector.since))
    if selector.until:
        asked.append(created <= seconds(selector.until))
    joined = select(*_COLUMNS).outerjoin(revocations, revocations.c.serial == certificates.c.serial)
    return joined.where(*asked)


def _window(selector: Selector) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if selector.since:
        found.append(certificates.c.created >= seconds(selector.since))
    if selector.until:
        found.append(certificates.c.created <= seconds(selector.until))
    return found


def _answers_for(selector: Selector, row: Any, of_officer: frozenset[str]) -> bool:
    return not selector.officer or row.actor == selector.officer or row.serial in of_officer


def _found(row: Any) -> Found:
    return Found(
        position=row.position,
        serial=row.serial,
        issuer=row.issuer,
        profile=row.profile,
        actor=row.actor,
        possibly_issued=row.state == State.INTENDED,
    )


def _chunks(found: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(found), _AT_ONCE):
        yield found[start : start + _AT_ONCE]
