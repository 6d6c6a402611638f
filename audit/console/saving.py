# SPDX-License-Identifier: Apache-2.0
"""An officer's own saved searches: kept, listed, removed; keeping and removing are recorded."""

from collections.abc import Sequence
from urllib.parse import parse_qs

from core.clock import Clock

from ..models import Reader
from ..search import BadFilter, parse
from ..store import Saved, SavedStore
from .console import Console
from .errors import NoSuchSearch

LONGEST_NAME = 80
_LONGEST = 4_000


class SavedSearches:
    """The verbs; nobody sees another officer's."""

    def __init__(self, console: Console, *, store: SavedStore, clock: Clock) -> None:
        self._console = console
        self._store = store
        self._clock = clock

    def mine(self, reader: Reader) -> Sequence[Saved]:
        """This officer's, by name."""
        return self._store.all(reader.subject)

    def save(self, reader: Reader, *, name: str, query: str) -> Saved:
        """Keep a search under a name; ``query`` are the parameters of its address.

        Raises:
            BadFilter: the name is empty, too long or not printable, or the search is none.
            TooManySearches: the officer has as many as one may have.
            RecordUnavailable: it could not be recorded, and was not kept.
        """
        name = name.strip()
        if not name or len(name) > LONGEST_NAME or not name.isprintable():
            raise BadFilter(field="name")
        if len(query) > _LONGEST:
            raise BadFilter(field="query")
        try:
            parse(parse_qs(query, strict_parsing=True, max_num_fields=40) if query else {})
        except ValueError as error:
            raise BadFilter(field="query") from error
        sealed = {"title": name, "words": query} if query else {"title": name}
        self._console.record("audit.search.saved", reader, attributes={}, sealed=sealed)
        return self._store.add(reader.subject, name, query, self._clock.now())

    def remove(self, reader: Reader, identifier: str) -> None:
        """Forget one.

        Raises:
            NoSuchSearch: the officer has no such one.
            RecordUnavailable: it could not be recorded, and is still there.
        """
        if all(saved.id != identifier for saved in self._store.all(reader.subject)):
            raise NoSuchSearch
        self._console.record("audit.search.removed", reader, what=identifier, attributes={})
        self._store.remove(reader.subject, identifier)
