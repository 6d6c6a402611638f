# SPDX-License-Identifier: Apache-2.0
"""Thousands of documents sealed by one confirmation: resumable at any step, each signed once, one process at a batch.

A batch takes documents, is confirmed by the number of them and a digest of the list, and is then worked off in the
background by whichever process holds its lock; a process that dies leaves the lock to the next one. Where the seal
takes more than who confirmed it, the list is an order (``seconding``), and the batch begins when that is done.
"""

import fcntl
import hashlib
import io
import os
import secrets
import threading
import unicodedata
import zipfile
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from audit import Event, Outcome, Recorder
from core.clock import Clock
from core.errors import Kind, TallygateError
from core.log import logger

from ..agencies import (
    AgencyStore,
    Batch,
    BatchClosed,
    BatchDiffers,
    BatchNotThere,
    BatchState,
    Item,
    ItemState,
    NameTaken,
    NoSuchBatch,
)
from ..errors import NothingSent
from ..keeping import Order, OrderChanged, OrderOver, Purpose
from ..keeping import State as OrderState
from ..models import SealOrder, Wish
from ..shelf import Facts, Limits, NoSuchDocument, Shelf, ShelfUnreadable
from .agencies import Organisations
from .once import Once
from .ordered import keepers_of
from .seconding import Seconding

_PAUSE = 2.0
_CALLER = "batch"
_PROGRAM = "client"
SHOWN = 50
"""Documents of a batch that keepers see at once."""
_LATER = frozenset({Kind.UNAVAILABLE, Kind.INTERNAL, Kind.TOO_MANY})
_log = logger(__name__)


def list_digest(items: Iterator[tuple[str, str]]) -> tuple[int, str]:
    """How many, and SHA-256 over ``SHA-256 two spaces name`` lines in the order of names (as sha256sum writes them)."""
    count, digest = 0, hashlib.sha256()
    for name, sha256 in items:
        digest.update(f"{sha256}  {name}\n".encode())
        count += 1
    return count, digest.hexdigest()


class Batches:
    """The verbs of one owner's batches, and the work on everybody's."""

    def __init__(
        self,
        *,
        store: AgencyStore,
        shelf: Shelf,
        once: Once,
        # Takes lists that keepers have to confirm.
        orders: Seconding,
        organisations: Organisations,
        # Whether a program is still let have this organisation's seal set.
        lets: Callable[[str, str, str], bool],
        recorder: Recorder,
        clock: Clock,
        folder: Path,
        # Documents of one batch, bytes of everything that is kept, how long, and how many are sealed at once.
        most: int,
        room: int,
        lifetime: timedelta,
        together: int,
    ) -> None:
        self._store = store
        self._shelf = shelf
        self._once = once
        self._orders = orders
        self._organisations = organisations
        self._lets = lets
        self._recorder = recorder
        self._clock = clock
        self._folder = folder
        self._most = most
        self._limits = Limits(most=2 * most, most_bytes=room, most_bytes_of_all=room, lifetime=lifetime)
        self._lifetime = lifetime
        self._together = together
        self._awake = threading.Event()

    def open(self, owner: str, organisation: str, *, assurance: int = 0, zone: str = "internal") -> Batch:
        """A new batch that takes documents; nothing is granted yet.

        Raises:
            NotFound: the directory knows no such organisation.
        """
        self._organisations.organisation(organisation)
        batch = Batch(
            id=secrets.token_hex(16),
            owner=owner,
            organisation=organisation,
            assurance=assurance,
            zone=zone,
            state=BatchState.OPEN,
            made_at=self._clock.now(),
        )
        self._store.new_batch(batch)
        return batch

    def one(self, owner: str, identifier: str) -> Batch:
        """One of an owner's, and how far it is; raises NoSuchBatch."""
        return self._store.batch(owner, identifier)

    def add(self, owner: str, identifier: str, name: str, document: bytes) -> bool:
        """Put a document in, on disk when this returns; says False if the very same is in it already.

        Raises:
            NoSuchBatch, NameTaken, BatchClosed, NothingSent, ShelfFull: it is not put in.
        """
        batch = self._store.batch(owner, identifier)
        if batch.state is not BatchState.OPEN:
            raise BatchClosed
        if not document:
            raise NothingSent
        sha256 = hashlib.sha256(document).hexdigest()
        source = self._shelf.put(_shelf(batch), document, facts=Facts(name=name, sha256=sha256), limits=self._limits).id
        added = False
        try:
            added = self._store.add(batch, name=name, sha256=sha256, source=source, most=self._most)
        finally:
            if not added:
                self._shelf.remove(_shelf(batch), source)
        return added

    def start(self, owner: str, identifier: str, *, count: int, digest: str) -> Batch:
        """Confirm the batch: these documents, no others. Again for a batch that was started by the same list.

        It waits where the seal takes more keepers than who confirms it.

        Raises:
            NoSuchBatch: there is none.
            BatchDiffers: it does not hold just these, or none at all.
            NameTaken: two of its names are one where the results are unpacked: another case, another form of a letter.
            TallygateError: as ``Seconding.ask``; it takes documents again.
        """
        batch = self._store.batch(owner, identifier)
        held = list_digest((each.name, each.sha256) for each in self._store.listed(batch))
        if held != (count, digest) or not count:
            raise BatchDiffers
        if batch.state is BatchState.OPEN and len({_unpacked(each.name) for each in self._store.listed(batch)}) < count:
            raise NameTaken
        if batch.state is BatchState.OPEN:
            waits = self._orders.waits(_order(batch, b""))
            to = BatchState.WAITING if waits else BatchState.STARTING
            self._store.move(batch, to, digest=digest, started_at=self._clock.now())
            batch = self._store.batch(owner, identifier)
            # A document that slipped in meanwhile was not confirmed.
            if list_digest((each.name, each.sha256) for each in self._store.listed(batch)) != held:
                self._store.move(batch, BatchState.OPEN, digest="")
                raise BatchDiffers
        if batch.state is BatchState.WAITING:
            # A death before this leaves a batch that waits without an order; whoever starts it again asks.
            self._ask(batch, count)
        self._announce(batch)
        self._awake.set()
        return self._store.batch(owner, identifier)

    def order(self, batch: Batch) -> Order | None:
        """The order that it waited or waits for."""
        return self._orders.newest(batch.id)

    def address(self, order: Order) -> str:
        """Where keepers look at it."""
        return self._orders.address(order.id)

    def ready(self, order: Order) -> None:
        """See ``seconding.Follower``.

        Raises:
            OrderOver: the batch does not wait.
            OrderChanged: it does not hold what was asked for.
        """
        try:
            batch = self._store.batch(self._store.owner_of(order.about), order.about)
        except NoSuchBatch as error:
            raise OrderOver from error
        if batch.state is not BatchState.WAITING:
            raise OrderOver
        if self._digest(batch) != order.sha256:
            raise OrderChanged

    def carried(self, _order: Order, _sealed: bytes) -> None:
        """Look at the batches that wait at once, and not in a moment."""
        self._awake.set()

    def documents(self, order: Order, *, after: str) -> list[Item]:
        """The next documents of an order's batch, by name."""
        return self._store.page(order.about, after=after, limit=SHOWN)

    def document(self, order: Order, number: int) -> bytes:
        """One of them; raises NoSuchDocument."""
        try:
            item = self._store.numbered(order.about, number)
        except NoSuchBatch as error:
            raise NoSuchDocument from error
        return self._shelf.read(f"batch:{order.about}", item.source)

    def result(self, owner: str, identifier: str, name: str) -> bytes:
        """One sealed document; raises NoSuchBatch if it is not there."""
        batch = self._store.batch(owner, identifier)
        item = self._store.item(batch, name)
        if item.state is not ItemState.MADE:
            raise NoSuchBatch
        return self._shelf.read(_shelf(batch), item.result)

    def items(self, owner: str, identifier: str) -> Iterator[Item]:
        """Every document and what became of it, in the order of names."""
        return self._store.listed(self._store.batch(owner, identifier))

    def packed(self, owner: str, identifier: str) -> Iterator[bytes]:
        """Every sealed document in one ZIP file, piece by piece: one document is held at a time."""
        batch = self._store.batch(owner, identifier)
        sink = _Sink()
        with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as box:
            for item in self._store.listed(batch):
                if item.state is ItemState.MADE:
                    # A date that says nothing: the same batch packs to the same bytes.
                    box.writestr(zipfile.ZipInfo(item.name), self._shelf.read(_shelf(batch), item.result))
                    yield sink.taken()
        yield sink.taken()

    def seen(self, subject: str, organisations: Collection[str], *, limit: int) -> list[Batch]:
        """The newest batches that concern a person: begun in their name, or with the seal of one of these."""
        return self._store.seen(_operator(subject), organisations, limit=limit)

    def concerning(self, subject: str, organisations: Collection[str], identifier: str) -> Batch:
        """One of those.

        Raises:
            NoSuchBatch: there is none, or it does not concern them.
        """
        batch = self._store.named(identifier)
        if batch.owner != _operator(subject) and batch.organisation not in organisations:
            raise NoSuchBatch
        return batch

    def failed(self, batch: Batch, *, after: int, limit: int) -> list[Item]:
        """Those of its documents that could not be sealed, some at a time."""
        return self._store.failed(batch, after=after, limit=limit)

    def ends(self, batch: Batch) -> datetime:
        """Until when it and its documents are kept."""
        return batch.made_at + self._lifetime

    def stop(self, batch: Batch, *, by: str) -> None:
        """Let nothing of a batch be sealed any more; what is sealed stays. This bites before the record knows.

        Raises:
            BatchNotThere: nothing of it is being sealed.
        """
        # State: a death after this leaves a stop that works and that whoever works on batches tells the record.
        stopped = batch.state in {BatchState.STARTING, BatchState.RUNNING} and self._store.move(
            batch, BatchState.STOPPING, ended_at=self._clock.now(), stopped_by=by
        )
        if not stopped:
            raise BatchNotThere
        self._tell_stop(self._store.named(batch.id))

    def resume(self, batch: Batch, *, by: str) -> None:
        """Go on with a batch that was stopped, with the documents that were confirmed and no others; recorded first.

        Raises:
            BatchNotThere: it was not stopped.
            NotKeeper: the seal has keepers, and they are none; recorded.
            RecordUnavailable: the intent has no receipt; it stays stopped.
        """
        if batch.state is BatchState.STOPPING:
            self._tell_stop(batch)
            batch = self._store.named(batch.id)
        if batch.state is not BatchState.STOPPED:
            raise BatchNotThere
        self._orders.keeps(by, _order(batch, b""))
        told: dict[str, str | int | bool] = {"documents": batch.waiting, "digest": batch.digest}
        each = secrets.token_hex(16)
        self._say(batch, "signature.batch.resumed", Outcome.INTENDED, told, at=self._clock.now(), by=by, key=each)
        if not self._store.move(batch, BatchState.RUNNING, ended_at=None):
            raise BatchNotThere
        self._awake.set()

    def packed_for(self, batch: Batch, *, by: str) -> Iterator[bytes]:
        """Every sealed document of it in one ZIP file, for a person; on the record before the first byte."""
        told: dict[str, str | int | bool] = {"made": batch.made}
        each = secrets.token_hex(16)
        self._say(batch, "signature.batch.read", Outcome.SUCCESS, told, at=self._clock.now(), by=by, key=each)
        return self.packed(batch.owner, batch.id)

    def work(self) -> int:
        """Go on with every batch that nobody else is at; how many documents got their end."""
        done = 0
        states = (
            BatchState.WAITING,
            BatchState.STARTING,
            BatchState.RUNNING,
            BatchState.STOPPING,
            BatchState.ENDING,
        )
        for batch in self._store.batches(*states):
            with self._alone(batch) as mine:
                if mine:
                    done += self._work_off(self._store.batch(batch.owner, batch.id))
        return done

    def tidy(self) -> None:
        """Forget batches whose documents are over."""
        now = self._clock.now()
        self._store.tidy(at=now, batches_before=now - self._lifetime)

    def run(self) -> None:
        """Work in a thread that ends with the process; whatever fails is tried again."""
        threading.Thread(target=self._forever, name="batches", daemon=True).start()

    def _forever(self) -> None:
        while True:
            self._awake.wait(_PAUSE)
            self._awake.clear()
            try:
                self.work()
            except Exception as error:  # noqa: BLE001 - whatever it was, the next round goes on where this one ended
                _log.warning("batch_interrupted", cause=type(error).__name__)

    def _work_off(self, batch: Batch) -> int:
        if batch.state is BatchState.STOPPING:
            self._tell_stop(batch)
            return 0
        order = self._orders.newest(batch.id)
        if batch.state is BatchState.WAITING and order is not None:
            self._let(batch, order)
            batch = self._store.batch(batch.owner, batch.id)
        if batch.state is BatchState.STARTING and self._goes_on(batch):
            self._announce(batch)
        batch = self._store.batch(batch.owner, batch.id)
        done, after = 0, 0
        with ThreadPoolExecutor(self._together) as pool:
            while self._store.state(batch) is BatchState.RUNNING and (
                items := self._store.waiting(batch, after=after, limit=8 * self._together)
            ):
                after = items[-1].number
                done += sum(pool.map(lambda item: self._seal(batch, item, order), items))
        batch = self._store.batch(batch.owner, batch.id)
        if batch.state is BatchState.STOPPING:
            self._tell_stop(batch)
        if batch.state is BatchState.RUNNING and not batch.waiting:
            self._store.move(batch, BatchState.ENDING, ended_at=self._clock.now())
            batch = self._store.batch(batch.owner, batch.id)
        if batch.state is BatchState.ENDING:
            outcome = Outcome.FAILURE if batch.failed else Outcome.SUCCESS
            told: dict[str, str | int | bool] = {"made": batch.made, "failed": batch.failed}
            self._say(batch, "signature.batch.ended", outcome, told, at=batch.ended_at)
            self._store.move(batch, BatchState.DONE)
        return done

    def _ask(self, batch: Batch, count: int) -> None:
        """Take the order for its list; one that was answered already is not asked for again."""
        if self._orders.newest(batch.id) is not None:
            return
        lines = "".join(f"{each.sha256}  {each.name}\n" for each in self._store.listed(batch))
        order, name = _order(batch, lines.encode()), f"{count} documents · {count}份文件"
        try:
            self._orders.ask(order, name=name, purpose=Purpose.BATCH, about=batch.id)
        except TallygateError:
            self._store.move(batch, BatchState.OPEN, digest="")
            raise

    def _let(self, batch: Batch, order: Order) -> None:
        """Go on as the keepers said; nothing while they have not."""
        now = self._clock.now()
        if order.state is OrderState.MADE and self._digest(batch) == order.sha256:
            self._store.move(batch, BatchState.STARTING, started_at=now)
        elif order.state not in {OrderState.PENDING, OrderState.CONFIRMED}:
            self._store.move(batch, BatchState.REFUSED, ended_at=now)

    def _digest(self, batch: Batch) -> str:
        return list_digest((each.name, each.sha256) for each in self._store.listed(batch))[1]

    def _seal(self, batch: Batch, item: Item, order: Order | None) -> bool:
        """Bring one item to its end; says False if that must be tried again later, or the batch was stopped."""
        if self._store.state(batch) is not BatchState.RUNNING or not self._goes_on(batch):
            return False
        shelf, claim = _shelf(batch), hashlib.sha256(f"{batch.id} {item.number}".encode()).hexdigest()[:32]
        first, second = keepers_of(order) if order is not None else (None, None)
        try:
            document = self._shelf.read(shelf, item.source)
            if hashlib.sha256(document).hexdigest() != item.sha256:
                # Not what was confirmed.
                raise OrderChanged
            result = self._once.seal(
                claim,
                replace(_order(batch, document), reference=f"{batch.id}/{item.number}", first=first, second=second),
                wish=_wish(batch),
                owner=shelf,
                name=item.name,
                lifetime=self._lifetime,
            )
        except TallygateError as error:
            if error.kind in _LATER and not isinstance(error, ShelfUnreadable):
                return False
            self._store.ended(item, ItemState.FAILED, code=error.code)
        else:
            self._store.ended(item, ItemState.MADE, result=result)
            # What came is needed no more.
            self._shelf.remove(shelf, item.source)
        return True

    def _goes_on(self, batch: Batch) -> bool:
        """Whether its program is still let; otherwise the batch stops, until somebody lets it go on."""
        kind, _, client = batch.owner.partition(":")
        if kind != _PROGRAM or self._lets(client, batch.organisation, _CALLER):
            return True
        self._store.move(batch, BatchState.STOPPING, ended_at=self._clock.now(), stopped_by="")
        return False

    def _announce(self, batch: Batch) -> None:
        """The confirmation is on the record before the first document is sealed."""
        if batch.state is not BatchState.STARTING:
            return
        count = batch.waiting + batch.made + batch.failed
        told: dict[str, str | int | bool] = {"documents": count, "digest": batch.digest}
        self._say(batch, "signature.batch.started", Outcome.INTENDED, told, at=batch.started_at)
        self._store.move(batch, BatchState.RUNNING)

    def _tell_stop(self, batch: Batch) -> None:
        # How many are sealed still grows while those under way end; what is told is the same whoever tells it.
        told: dict[str, str | int | bool] = {"documents": batch.waiting + batch.made + batch.failed}
        # A batch can be stopped more than once, each time at another moment.
        key = _key(f"{batch.id} stopped {batch.ended_at}")
        said: dict[str, Any] = {"at": batch.ended_at, "by": batch.stopped_by, "key": key}
        self._say(batch, "signature.batch.stopped", Outcome.SUCCESS, told, **said)
        self._store.move(batch, BatchState.STOPPED)

    def _say(
        self,
        batch: Batch,
        type_: str,
        outcome: Outcome,
        attributes: dict[str, str | int | bool],
        *,
        at: datetime | None,
        by: str = "",
        key: str = "",
    ) -> None:
        self._recorder.record(
            Event(
                # The same however often it is told.
                key=key or _key(f"{batch.id} {type_}"),
                type=type_,
                outcome=outcome,
                at=at or self._clock.now(),
                source="signatures",
                subject=by or batch.owner.partition(":")[2],
                object=batch.id,
                organisation=batch.organisation,
                attributes=attributes,
            )
        )

    @contextmanager
    def _alone(self, batch: Batch) -> Iterator[bool]:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._folder / f"{batch.id}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True
        finally:
            os.close(descriptor)


class _Sink(io.RawIOBase):
    """A file that is read while it is written; the writer is told that it cannot seek."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, data: Any, /) -> int:
        """Take a piece."""
        self._pieces.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        """What was written since."""
        data = b"".join(self._pieces)
        self._pieces.clear()
        return data


def _unpacked(name: str) -> str:
    """What some systems take a file's name for: there one of two results would silently replace the other."""
    return unicodedata.normalize("NFKC", name).casefold().rstrip(" .")


def _shelf(batch: Batch) -> str:
    return f"batch:{batch.id}"


def _order(batch: Batch, document: bytes) -> SealOrder:
    return SealOrder(
        document=document,
        organisation=batch.organisation,
        caller=_CALLER,
        reference=batch.id,
        known=_wish(batch),
    )


def _operator(subject: str) -> str:
    """By which a batch is known that an operator began in a person's name."""
    return f"operator:{subject}"


def _key(about: str) -> str:
    return hashlib.sha256(about.encode()).hexdigest()[:32]


def _wish(batch: Batch) -> Wish:
    kind, _, actor = batch.owner.partition(":")
    program_of = batch.organisation if kind == _PROGRAM else ""
    return Wish(actor=actor, assurance=batch.assurance, zone=batch.zone, session="", program_of=program_of)
