# SPDX-License-Identifier: Apache-2.0
"""Accounts that rot: dormant, expired, orphaned and shared ones, found page by page."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from ..models import Person, Scope
from ..store import Store
from .standings import Standings

PAGE = 400
MOST = 200
"""Of each kind in one list; who has more begins with these."""
DORMANT_DAYS = 90
_SERVANTS = "(&(objectClass=tallyCivilServant)(tallyEnabled=TRUE))"


@dataclass(frozen=True, kw_only=True)
class Unusual:
    """What was found; each list as long as ``MOST`` at most."""

    # Civil servants who have not logged in for so long, though they were entered before.
    dormant: tuple[Person, ...] = ()
    # Whose posts have all ended, and who are still let in.
    expired: tuple[Person, ...] = ()
    # Who hold no post and never did, or whose agency is gone.
    orphaned: tuple[Person, ...] = ()
    # Several accounts that share one address, by the address.
    shared: tuple[tuple[str, tuple[Person, ...]], ...] = ()


class Accounts:
    """The questions; safe to share between threads."""

    def __init__(self, standings: Standings, store: Store) -> None:
        self._standings = standings
        self._store = store

    def unusual(self, within: Scope) -> Unusual:
        """Look at every civil servant who is let in."""
        today, held = self._standings.today(), self._held()
        begin = (today - timedelta(days=DORMANT_DAYS)).isoformat()
        watched = self._store.seen_since()
        dormant: list[Person] = []
        expired: list[Person] = []
        orphaned: list[Person] = []
        addresses: dict[str, list[Person]] = {}
        agencies: dict[str, bool] = {}
        for people in self._pages(within):
            last = self._store.seen([person.subject for person in people]) if watched else {}
            for person in people:
                if person.mail:
                    addresses.setdefault(person.mail.lower(), []).append(person)
                # Nobody is called dormant for a time in which nobody looked.
                if watched and watched <= begin and last.get(person.subject, "") < begin:
                    dormant.append(person)
                if person.organisation not in agencies:
                    agencies[person.organisation] = self._standings.has_organisation(person.organisation)
                ends = held.get(person.subject)
                if ends is None or not agencies[person.organisation]:
                    orphaned.append(person)
                elif ends < today.isoformat():
                    expired.append(person)
        shared = tuple((mail, tuple(people)) for mail, people in sorted(addresses.items()) if len(people) > 1)
        return Unusual(
            dormant=tuple(dormant[:MOST]), expired=tuple(expired[:MOST]), orphaned=tuple(orphaned[:MOST]),
            shared=shared[:MOST],
        )  # fmt: skip

    def _held(self) -> dict[str, str]:
        """The last day of the last post of everybody who holds one; far off if it has none."""
        found: dict[str, str] = {}
        for holding in self._standings.all_holdings():
            last = holding.until.isoformat() if holding.until else "9999"
            found[holding.holder] = max(found.get(holding.holder, ""), last)
        return found

    def _pages(self, within: Scope) -> Iterator[tuple[Person, ...]]:
        after = ""
        while True:
            page = self._standings.directory.people_where(_SERVANTS, after=after, limit=PAGE, within=within)
            yield page.items
            if not page.after:
                return
            after = page.after
