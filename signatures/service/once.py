# SPDX-License-Identifier: Apache-2.0
"""Seals a document once for a claim, however often it is asked and wherever it dies.

Every attempt has a decision of its own, numbered under the claim, of which the table of sealings takes one. What an
attempt signed lies on the shelf before its outcome is written, so an attempt that succeeded has its document, and the
document of one that did not is thrown away unseen.
"""

import hashlib
from dataclasses import replace
from datetime import timedelta

from core.clock import Clock
from core.errors import Unavailable

from ..agencies import AgencyStore
from ..models import SealOrder, Wish
from ..shelf import Facts, Limits, NoSuchDocument, Shelf
from ..store import SigningState
from .sealing import Sealing

_ATTEMPTS = 50


class Once:
    """Sealing under claims."""

    def __init__(self, *, sealing: Sealing, shelf: Shelf, store: AgencyStore, clock: Clock, room: int) -> None:
        """``room`` is how many bytes everybody's documents may take together."""
        self._sealing = sealing
        self._shelf = shelf
        self._store = store
        self._clock = clock
        self._room = room

    def seal(
        self,
        claim: str,
        order: SealOrder,
        *,
        wish: Wish,
        owner: str,
        name: str,
        lifetime: timedelta,
        beside: bool = False,
    ) -> str:
        """Where on the shelf, as ``owner``'s, the sealed document lies; nobody else may be at this claim.

        With ``beside`` it is a signature that stands beside the document.

        Raises:
            TallygateError: as ``Sealing.seal``; the claim can be tried again.
            Unavailable: it was tried too often.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            decision = f"{claim}.{attempt}"
            state, there = self._sealing.settled(decision), self._store.result(decision)
            if state is SigningState.MADE:
                return there
            if state is SigningState.FAILED:
                self._drop(owner, there)
                continue
            kept: list[str] = []

            def keep(sealed: bytes, decision: str = decision, kept: list[str] = kept) -> None:
                kept.append(self._put(owner, sealed, name=name, lifetime=lifetime))
                self._store.keep_result(decision, kept[0], at=self._clock.now())

            try:
                seal = self._sealing.sign_beside if beside else self._sealing.seal
                seal(replace(order, known=replace(wish, decision=decision)), keep=keep)
            except BaseException:
                for each in kept:
                    self._drop(owner, each)
                raise
            return kept[0]
        raise Unavailable

    def there(self, claim: str) -> str:
        """Where the sealed document lies, if this claim has one already; nobody else may be at it."""
        for attempt in range(1, _ATTEMPTS + 1):
            state = self._sealing.settled(f"{claim}.{attempt}")
            if state is not SigningState.FAILED:
                return self._store.result(f"{claim}.{attempt}") if state is SigningState.MADE else ""
        return ""

    def _put(self, owner: str, sealed: bytes, *, name: str, lifetime: timedelta) -> str:
        facts = Facts(name=name, sha256=hashlib.sha256(sealed).hexdigest(), signatures=1)
        limits = Limits(most=100_000, most_bytes=self._room, most_bytes_of_all=self._room, lifetime=lifetime)
        return self._shelf.put(owner, sealed, facts=facts, limits=limits).id

    def _drop(self, owner: str, identifier: str) -> None:
        try:
            self._shelf.remove(owner, identifier)
        except NoSuchDocument:
            # It never came so far, or somebody took it away already.
            return
