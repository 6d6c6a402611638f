# SPDX-License-Identifier: Apache-2.0
"""Letters to people about their account: written down with what they are about, posted in the background.

Nobody who asks for something waits for a letter, so an answer's time tells nobody whether one was written. An address
is looked up when a letter goes out, and stands in no table here.
"""

import json
import secrets
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from string import Template

from core.clock import Clock
from core.errors import NotFound, TallygateError, Unavailable
from core.log import logger

from ..models import Letter
from ..store import Store
from .collaborators import People
from .seals import Broken, Seal

Post = Callable[[str, str, str, str], bool]
"""Hand over a letter: address, subject, text and a number that stays the same when it is tried again.

Whether it was taken; False if it never can be, because the site writes to no such address. Raises Unavailable.
"""

_FOLDER = Path(__file__).parents[1] / "templates" / "sso"
KINDS = (
    "browser",
    "failures",
    "travel",
    "password",
    "profile",
    "link",
    "waiting",
    "ready",
    "recovered",
    "reset",
    "reset-done",
    "client-granted",
    "client-refused",
    "client-locked",
    "assessment",
)
_TEXTS = {kind: Template((_FOLDER / f"letter-{kind}.txt").read_text("utf-8")) for kind in KINDS}
_LIFETIME = 24 * 3600
_INTERVAL = 1.0
_LIMIT = 20
_FIRST, _LONGEST = 15, 3600


class Letters:
    """Every worker looks; one delivers each."""

    def __init__(
        self,
        *,
        site: str,
        issuer: str,
        store: Store,
        people: People,
        post: Post | None,
        state_key: bytes,
        clock: Clock,
        before: Callable[[], object],
    ) -> None:
        """``before`` is done at the beginning of each round; without ``post`` nothing is ever written."""
        self._site = site
        self._issuer = issuer
        self._store = store
        self._people = people
        self._post = post
        self._facts = Seal(state_key, "letter", clock=clock)
        self._clock = clock
        self._before = before
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def possible(self) -> bool:
        """Whether the site sends mail at all."""
        return self._post is not None

    def letter(self, subject: str, kind: str, facts: Mapping[str, str]) -> Letter:
        """One to be written down with what it is about."""
        at = self._now()
        return Letter(
            id=secrets.token_hex(16),
            subject=subject,
            kind=kind,
            facts=self._facts.close(json.dumps(dict(facts))),
            attempts=0,
            due_at=at,
            expires_at=at + _LIFETIME,
        )

    def tell(self, subject: str, kind: str, **facts: str) -> None:
        """Write one down by itself."""
        if self.possible:
            self._store.letters.add(self.letter(subject, kind, facts))

    def remind(self, subject: str, kind: str, name: str, *, until: int, **facts: str) -> bool:
        """Write one down unless one of this name was; whether that was done now. Remembered until a time."""
        return self.possible and self._store.letters.remind(name, self.letter(subject, kind, facts), until=until)

    def start(self) -> None:
        """Deliver in the background from now on."""
        self._thread = threading.Thread(target=self._run, name="letters", daemon=True)
        self._thread.start()

    def round(self) -> int:
        """Do what comes before, and deliver what is due; how many were taken."""
        self._before()
        taken = 0
        for letter in self._store.letters.due(self._now(), limit=_LIMIT):
            pause = min(_FIRST << min(letter.attempts, 10), _LONGEST)
            if self._store.letters.take(letter, due_at=self._now() + pause):
                taken += self._delivered(letter)
        return taken

    def _delivered(self, letter: Letter) -> bool:
        taken = False
        try:
            taken = self._handed_over(letter)
        except Unavailable:
            logger(__name__).warning("letter_waits", kind=letter.kind, attempts=letter.attempts + 1)
            return False
        except (NotFound, Broken):
            # Nobody to tell any more, or written under another key.
            logger(__name__).warning("letter_dropped", kind=letter.kind)
        self._store.letters.done(letter)
        return taken

    def _handed_over(self, letter: Letter) -> bool:
        if self._post is None:
            return False
        person = self._people.person(letter.subject)
        facts = json.loads(self._facts.open(letter.facts))
        # What changed an address is told to the one before.
        address = facts.pop("to", "") or person.mail
        if not address or not person.enabled:
            return False
        text = _TEXTS[letter.kind].substitute(site=self._site, account=f"{self._issuer}/account", **facts)
        subject, _, body = text.partition("\n")
        return self._post(address, subject.strip(), body.lstrip("\n"), letter.id)

    def _run(self) -> None:
        while not self._stopping.wait(_INTERVAL):
            try:
                self.round()
            except TallygateError as error:
                logger(__name__).warning("letters_wait", code=error.code)
            except Exception:  # noqa: BLE001 - the thread must live, or nobody is told any more
                logger(__name__).exception("letters_failed")

    def _now(self) -> int:
        return int(self._clock.now().timestamp())
