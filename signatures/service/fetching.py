# SPDX-License-Identifier: Apache-2.0
"""Asks for the trust lists that the settings name, again and again; the last good version counts until its own end.

A new version is a grant: its intent is recorded before it counts. One process of the role asks, and all of them read
what it kept.
"""

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from audit import Event, Recorder
from core.clock import Clock
from core.errors import Unavailable
from core.log import logger

from ..config import FetchedList
from ..errors import ListRefused
from ..trustlists import Pointer
from .following import Following
from .trusted import Fetched, FollowedLists

_SOON = timedelta(minutes=10)
_OK, _SAME = 200, 304
_LISTS = "etsi-lists"
_log = logger(__name__)


class Got(Protocol):
    """What an address answered."""

    @property
    def status(self) -> int:
        """Of HTTP."""
        ...

    @property
    def body(self) -> bytes:
        """All of it."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Names in lower case."""
        ...


Get = Callable[[str, Mapping[str, str]], Got]
"""Asks an https address with these headers; raises Unavailable."""
_Accept = Callable[..., object]


class ListFetching:
    """One round is ``work``."""

    def __init__(
        self,
        *,
        lists: FollowedLists,
        rules: Mapping[str, FetchedList],
        get: Get,
        recorder: Recorder,
        # Keeps a record of what is taken away until the log takes it.
        tell: Callable[[Event], object],
        clock: Clock,
        lock: Path,
    ) -> None:
        self._lists = lists
        self._rules = rules
        self._get = get
        self._following = Following(lists=lists, recorder=recorder, tell=tell, clock=clock, caller="signatures")
        self._clock = clock
        self._lock = lock

    def work(self) -> None:
        """Ask for what is due; what fails is noted and asked for again soon.

        Raises:
            RecordUnavailable: a new version was not taken, for it could not be recorded.
        """
        with self._alone() as alone:
            for name, rule in self._rules.items() if alone else ():
                if self._due(name, rule.every):
                    self._one(name, rule)
                if rule.kind == _LISTS:
                    self._led(name, rule)

    def _one(self, name: str, rule: FetchedList) -> None:
        own, told = rule.kind == "tallygate", self._failure(name)
        try:
            if own:
                self._following.pin(name, rule.signer.read_bytes(), told=told)
            else:
                self._following.pin_state(name, _certificates(rule.signer), told=told)
        except ListRefused as error:
            self._noted(name, failure=error.why)
            return
        except OSError:
            self._noted(name, failure="signer")
            return
        self._asked(name, rule.url, self._following.take if own else self._following.take_state)

    def _led(self, name: str, rule: FetchedList) -> None:
        """Follow every list that a list of lists leads to, and no longer one that it led to before."""
        try:
            pointers = self._lists.issue(name, at=self._clock.now()).pointers
        except ListRefused:
            # Without it nobody says who signs the others; what it led to counts no more (``FollowedLists``).
            return
        wanted = _first_of_each(pointers, but=rule.url)
        for gone in self._lists.led_to(name) - {f"{name}.{each}" for each in wanted}:
            self._following.drop_state(gone)
        for territory, pointer in wanted.items():
            led = f"{name}.{territory}"
            if not self._due(led, rule.every):
                continue
            try:
                self._following.pin_state(led, pointer.signers, told=self._failure(led))
            except ListRefused as error:
                self._noted(led, failure=error.why)
                continue
            self._asked(led, pointer.location, self._following.take_state)

    def _due(self, name: str, every: timedelta) -> bool:
        told = self._lists.fetched(name)
        if told is None:
            return True
        pause = min(every, _SOON) if told.failure else every
        return datetime.fromisoformat(told.asked) + pause <= self._clock.now()

    def _asked(self, name: str, url: str, accept: _Accept) -> None:
        told, now = self._lists.fetched(name), self._clock.now()
        # A server that says "still the same" is believed only while the same is still good.
        good = any(each.name == name and not each.why for each in self._lists.standings(at=now))
        headers = {"If-None-Match": told.etag} if told and told.etag and good else {}
        try:
            got = self._get(url, headers)
        except Unavailable:
            self._noted(name, failure="unreachable")
            return
        if got.status == _SAME and headers:
            self._noted(name, etag=told.etag if told else "")
            return
        if got.status != _OK:
            self._noted(name, failure="answer")
            return
        try:
            accept(name, got.body, told=self._failure(name))
        except ListRefused as error:
            self._noted(name, failure=error.why)
            return
        self._noted(name, etag=got.headers.get("etag", "")[:200])

    def _noted(self, name: str, *, failure: str = "", etag: str = "") -> None:
        now, told = self._clock.now().isoformat(), self._lists.fetched(name) or Fetched("")
        if failure:
            _log.warning("trust_list_not_fetched", list=name, failure=failure)
            self._lists.note(name, replace(told, asked=now, failure=failure))
        else:
            self._lists.note(name, Fetched(asked=now, answered=now, etag=etag))

    def _failure(self, name: str) -> str:
        told = self._lists.fetched(name)
        return told.failure if told else ""

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True
        finally:
            os.close(descriptor)


def _first_of_each(pointers: tuple[Pointer, ...], *, but: str) -> dict[str, Pointer]:
    """The list of each territory: the first that is XML, and never the list of lists itself."""
    found: dict[str, Pointer] = {}
    for each in pointers:
        territory = each.territory.lower()
        if each.location != but and not each.location.lower().endswith(".pdf") and territory.isalnum():
            found.setdefault(territory, each)
    return found


def _certificates(file: Path) -> list[bytes]:
    try:
        return [each.public_bytes(Encoding.DER) for each in x509.load_pem_x509_certificates(file.read_bytes())]
    except ValueError as error:
        raise ListRefused(why="form") from error
