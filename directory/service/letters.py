# SPDX-License-Identifier: Apache-2.0
"""Telling people by letter what is theirs to do: written down at once, handed over by the house.

The address and the language are looked up when a letter goes out, so that whoever changed them gets it where they are.
"""

from collections.abc import Callable
from datetime import date, timedelta

from core.clock import Clock
from core.errors import Unavailable
from core.log import logger

from ..errors import NoSuchPerson
from ..letters import Board, Letter, Subject, key_of, text_of
from ..models import Person
from ..reviews import Campaign

Post = Callable[[str, str, str, str], bool]
"""Hand over a letter: address, heading, text, and a number that stays the same when it is tried again.

Whether it was taken; False if it never can be, because the site writes to no such address. Raises Unavailable.
"""
LIMIT = 50
"""Letters of one turn of the house."""
_FIRST, _LONGEST = 15, 3600
_KEPT = timedelta(days=100)
_log = logger(__name__)


class Letters:
    """The verbs; safe to share between threads. Without ``post`` nothing is ever written down."""

    def __init__(
        self,
        board: Board,
        *,
        person: Callable[[str], Person],
        language: Callable[[str], str],
        post: Post | None,
        places: dict[str, str],
        clock: Clock,
    ) -> None:
        """``places`` are the site's title and the addresses that texts name: ``reviews`` and ``account``."""
        self._board = board
        self._person = person
        self._language = language
        self._post = post
        self._places = places
        self._clock = clock

    def of_review(self, owner: Person, campaign: Campaign, left: int, day: date) -> None:
        """Remind somebody of what they have to decide; once a day and campaign."""
        facts = {"left": str(left), "due": campaign.due.isoformat()}
        self._write(Subject.REVIEW, owner.subject, facts, campaign.id, day.isoformat())

    def of_proofing(self, person: Person, until: date) -> None:
        """Tell somebody that their proofing ends soon; once for each end."""
        facts = {"level": str(person.proofing.level), "until": until.isoformat()}
        self._write(Subject.PROOFING, person.subject, facts, until.isoformat())

    def of_expiry(self, person: Person, *, now: int) -> None:
        """Tell somebody that their proofing has ended, and what counts now."""
        begun = person.proofing.date.isoformat() if person.proofing.date else ""
        level = str(person.proofing.level)
        self._write(Subject.EXPIRED, person.subject, {"level": level, "now": str(now)}, level, begun)

    def round(self) -> int:
        """Hand over what is due; how many were taken.

        Raises:
            DirectoryUnavailable: nobody can be looked up; call again later.
        """
        if self._post is None:
            return 0
        at, taken = self._now(), 0
        for letter in self._board.due(at, limit=LIMIT):
            pause = min(_FIRST << min(letter.attempts, 10), _LONGEST)
            if self._board.take(letter, again=at + pause):
                taken += self._handed_over(letter, self._post)
        self._board.forget(at - int(_KEPT.total_seconds()))
        return taken

    def _handed_over(self, letter: Letter, post: Post) -> bool:
        try:
            person = self._person(letter.subject)
            language = self._language(letter.subject)
        except NoSuchPerson:
            self._board.done(letter.id)
            return False
        taken = False
        if person.enabled and person.mail:
            heading, text = text_of(letter.about, language, {**self._places, **letter.facts})
            try:
                taken = post(person.mail, heading, text, letter.id)
            except Unavailable as error:
                _log.warning("letter_waits", about=letter.about.value, attempts=letter.attempts + 1, code=error.code)
                return False
        self._board.done(letter.id)
        return taken

    def _write(self, about: Subject, subject: str, facts: dict[str, str], *what: str) -> None:
        if self._post is not None:
            self._board.write(key_of(about.value, subject, *what), subject, about, facts, at=self._now())

    def _now(self) -> int:
        return int(self._clock.now().timestamp())
