# SPDX-License-Identifier: Apache-2.0
"""Applications as administrators see them, and the lock by which one stops one at once.

Locking takes away: one administrator does it, and everything that was given to the application ends with it. Unlocking
gives: one asks, another confirms.
"""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from audit import Outcome
from core.clock import Clock
from core.errors import NotFound

from ..errors import LockOver, OwnReset
from ..models import Client, ClientLock
from ..store import Store
from .collaborators import People
from .key_sets import KeySets
from .letters import Letters
from .records import Records


@dataclass(frozen=True, kw_only=True)
class ClientPage:
    """Everything on the page of one."""

    client: Client
    lock: ClientLock | None
    # 0: not since this was noted.
    used_at: int
    # Its public keys, as they count now; None: it has an address for them where nothing can be had.
    keys: list[Mapping[str, Any]] | None


class Locks:
    """Lists, locks, unlocks."""

    def __init__(
        self,
        *,
        people: People,
        store: Store,
        records: Records,
        key_sets: KeySets,
        letters: Letters,
        clock: Clock,
        fresh: Callable[[], None],
        nudge: Callable[[], None],
    ) -> None:
        self._people = people
        self._store = store
        self._records = records
        self._key_sets = key_sets
        self._letters = letters
        self._clock = clock
        self._fresh = fresh
        self._nudge = nudge

    def all(self, *, subject: str, administers: bool) -> list[tuple[Client, ClientLock | None, int]]:
        """What somebody may see, with locks and last use: an administrator everything, others their own agency's."""
        agency = "" if administers else self._people.person(subject).organisation
        if not administers and not agency:
            return []
        locks, uses = self._store.locks.all(), self._store.locks.uses()
        return [(each, locks.get(each.id), uses.get(each.id, 0)) for each in self._store.clients.all(agency=agency)]

    def page(self, client_id: str, *, subject: str, administers: bool) -> ClientPage:
        """One of these.

        Raises:
            NotFound: none, or another agency's: which of both is not said.
        """
        client = self._one(client_id)
        if not administers and (not client.agency or client.agency != self._people.person(subject).organisation):
            raise NotFound
        keyed = self._key_sets.keyed(client)
        return ClientPage(
            client=client,
            lock=self._store.locks.find(client_id),
            used_at=self._store.locks.uses().get(client_id, 0),
            keys=None if client.jwks_uri and not keyed.jwks else _keys(keyed),
        )

    def lock(self, client_id: str, *, reason: str, actor: str) -> None:
        """Lock one; every token of it ends.

        Raises:
            NotFound: there is none.
            LockOver: locked already, or the site's own gateway, without which nobody could unlock it.
        """
        if self._one(client_id).trusted:
            raise LockOver
        lock = ClientLock(client_id=client_id, reason=reason, locked_by=actor, locked_at=self._now())
        locked = self._store.locks.lock(
            lock,
            self._now(),
            self._records.client_locked(lock),
            lambda grant: self._records.tokens_revoked(grant, reason="client locked"),
        )
        if not locked:
            raise LockOver
        client = self._one(client_id)
        if client.contact:
            self._letters.tell(
                self._store.applications.asker_of(client_id), "client-locked", to=client.contact, title=client.name
            )
        self._nudge()

    def ask(self, client_id: str, *, reason: str, actor: str) -> None:
        """Ask to unlock one.

        Raises:
            LockOver: it is not locked, or somebody asks already.
            RecordUnavailable: nothing was asked for.
        """
        lock = self._locked(client_id)
        if lock.asked_by:
            raise LockOver
        asked = replace(lock, asked_by=actor, asked_at=self._now(), asked_reason=reason)
        self._fresh()
        self._records.write(self._records.client_unlocked(asked, Outcome.INTENDED, step="asked", actor=actor))
        outcome = self._records.client_unlocked(asked, Outcome.SUCCESS, step="asked", actor=actor)
        if not self._store.locks.ask(lock, asked, outcome):
            raise LockOver
        self._nudge()

    def decide(self, client_id: str, *, yes: bool, actor: str) -> None:
        """Confirm what another asked for, or decline; whoever asked may take it back.

        Raises:
            OwnReset: whoever asked confirms; that they tried is on record.
            LockOver: nobody asks, or somebody was faster.
            RecordUnavailable: nothing was decided.
        """
        lock = self._locked(client_id)
        if not lock.asked_by:
            raise LockOver
        if yes and lock.asked_by == actor:
            self._deny(lock, actor)
            raise OwnReset
        self._fresh()
        step = "confirmed" if yes else "declined"
        self._records.write(self._records.client_unlocked(lock, Outcome.INTENDED, step=step, actor=actor))
        outcome = self._records.client_unlocked(lock, Outcome.SUCCESS, step=step, actor=actor)
        if not yes:
            declined = replace(lock, asked_by="", asked_at=0, asked_reason="")
            if not self._store.locks.ask(lock, declined, outcome):
                raise LockOver
        elif not self._store.locks.unlock(lock, outcome):
            raise LockOver
        self._nudge()

    def _deny(self, lock: ClientLock, actor: str) -> None:
        denied = replace(lock, asked_reason="")
        self._records.write(self._records.client_unlocked(denied, Outcome.DENIED, step="confirmed", actor=actor))

    def _locked(self, client_id: str) -> ClientLock:
        lock = self._store.locks.find(self._one(client_id).id)
        if lock is None:
            raise LockOver
        return lock

    def _one(self, client_id: str) -> Client:
        client = self._store.clients.named({client_id}).get(client_id)
        if client is None:
            raise NotFound
        return client

    def _now(self) -> int:
        return int(self._clock.now().timestamp())


def _keys(client: Client) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = json.loads(client.jwks)["keys"] if client.jwks else []
    return found


class Uses:
    """When applications proved who they are: noted in memory, written down once in a while by each worker."""

    def __init__(self, *, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._noted: dict[str, int] = {}

    def note(self, client_id: str) -> None:
        """One did just now."""
        with self._lock:
            self._noted[client_id] = int(self._clock.now().timestamp())

    def write(self) -> None:
        """Write down what was noted; what is lost with a worker is a minute of it."""
        with self._lock:
            noted, self._noted = self._noted, {}
        if noted:
            self._store.locks.used(noted)
