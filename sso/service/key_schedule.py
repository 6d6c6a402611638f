# SPDX-License-Identifier: Apache-2.0
"""The key that signs tokens changes by itself: announced, then signing, then believed for a while, then gone.

Every worker looks once in a while, one acts (the folder's lock), and all of them, seeing the folder, sign and believe
alike. Between two states passes ``overlap``, which is longer than any token lives and any portal keeps the list of
keys. What a crash cut off, the next look goes on with: each step is one file put in the place of another.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from audit import Recorder
from core.clock import Clock
from core.log import logger

from ..config import SSOSettings
from ..oauth.rfc7517 import KeyRing, thumbprint
from .keys import load_retained, load_signing
from .rotation import (
    alone,
    announce,
    announced,
    cut_off,
    end_unfinished,
    put,
    removal,
    take_over,
)

_DATES = "dates.json"
KeyState = Literal["announced", "signing", "retained"]


@dataclass(frozen=True, kw_only=True)
class ScheduledKey:
    """One key as it stands, and when it goes on to its next state; None if it does not by itself."""

    kid: str
    state: KeyState
    since: datetime
    until: datetime | None


class KeySchedule:
    """Looks after the folder of keys for one worker, and keeps its ring as the folder is."""

    def __init__(
        self,
        folder: Path,
        *,
        ring: KeyRing,
        recorder: Recorder,
        settings: SSOSettings,
        clock: Clock,
        publish: Callable[[KeyRing], None],
    ) -> None:
        """``publish`` puts the list where the site's own roles read it; it is called at each look."""
        self._folder = folder
        self._ring = ring
        self._recorder = recorder
        self._every = timedelta(days=settings.key_days)
        self._overlap = settings.key_overlap
        self._clock = clock
        self._publish = publish

    def look(self) -> None:
        """Take the one step that is due, if one is, and see what others did.

        Raises:
            RecordUnavailable: a step was due and could not be recorded; it was not taken.
            OSError: the folder cannot be read or written.
        """
        try:
            with alone(self._folder):
                self._step()
        finally:
            self._see()

    def standing(self) -> list[ScheduledKey]:
        """Every key that is believed, the newest first."""
        dates, signing = self._dates(), thumbprint(load_signing(self._folder).public_key())
        found = []
        fresh = announced(self._folder)
        if fresh is not None:
            key, since = fresh
            kid = thumbprint(key.public_key())
            found.append(ScheduledKey(kid=kid, state="announced", since=since, until=since + self._overlap))
        since = dates.get(signing, self._clock.now())
        until = since + self._every if self._every else None
        found.append(ScheduledKey(kid=signing, state="signing", since=since, until=until))
        for kept in load_retained(self._folder):
            kid = thumbprint(kept)
            if kid != signing:
                since = dates.get(f"retained {kid}", self._clock.now())
                until = since + self._overlap if self._every else None
                found.append(ScheduledKey(kid=kid, state="retained", since=since, until=until))
        return found

    def _step(self) -> None:
        now = self._clock.now()
        dates = self._dated(now)
        fresh = announced(self._folder)
        if fresh is not None:
            if now >= fresh[1] + self._overlap:
                take_over(self._folder, recorder=self._recorder)
                self._dated(now)
            return
        end_unfinished(self._folder, recorder=self._recorder)
        if cut_off(self._folder):
            announce(self._folder, recorder=self._recorder, at=now)
            return
        if not self._every:
            return
        for kept in load_retained(self._folder):
            kid = thumbprint(kept)
            if now >= dates[f"retained {kid}"] + self._overlap:
                self._recorder.record(removal(kid, since=dates[f"retained {kid}"], at=now))
                (self._folder / f"retained-{kid}.pem").unlink()
                return
        if now >= dates[thumbprint(load_signing(self._folder).public_key())] + self._every:
            announce(self._folder, recorder=self._recorder, at=now)

    def _see(self) -> None:
        """What the folder says now is what this worker signs with and believes."""
        fresh = announced(self._folder)
        known = [fresh[0].public_key()] if fresh is not None else []
        self._ring.become(load_signing(self._folder), retained=[*known, *load_retained(self._folder)])
        try:
            self._publish(self._ring)
        except OSError:
            logger(__name__).exception("keys_not_published")

    def _dated(self, now: datetime) -> Mapping[str, datetime]:
        """Since when each key is what it is; what nobody noted yet is so since now."""
        known = self._dates()
        signing = thumbprint(load_signing(self._folder).public_key())
        retained = {f"retained {thumbprint(each)}" for each in load_retained(self._folder)} - {f"retained {signing}"}
        wanted = {name: known.get(name, now) for name in sorted({signing, *retained})}
        if wanted != known:
            said: dict[str, Any] = {name: at.isoformat() for name, at in wanted.items()}
            put(self._folder / _DATES, json.dumps(said).encode())
        return wanted

    def _dates(self) -> Mapping[str, datetime]:
        try:
            found: Mapping[str, str] = json.loads((self._folder / _DATES).read_bytes())
        except FileNotFoundError:
            return {}
        return {name: datetime.fromisoformat(at) for name, at in found.items()}
