# SPDX-License-Identifier: Apache-2.0
"""Seals that take more than who asks: keepers look at the documents and confirm, and only then is the key used.

An order is ``pending`` for a day. Confirming it moves it to ``confirmed`` for one of several that press at once, and
the seal is set under the order as its claim, so whatever dies the replay ends with one sealed document. What cannot be
sealed goes back to ``pending``, and nothing was sealed. A paper takes its sealed revision before its order is done; a
batch is worked off when its order is.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Protocol

from audit import Event, Outcome, Recorder
from core.clock import Clock
from core.errors import TallygateError

from ..agencies import Item
from ..errors import CannotSeal, NoSuchPage, SandboxFailed, SecondAsked, WishUsed
from ..keeping import KeepingStore, NoSuchOrder, NotKeeper, Order, OrderChanged, OrderOver, Purpose, SamePerson, State
from ..models import SealOrder, Wish
from ..sandbox import ReaderPool
from ..shelf import NoSuchDocument, Shelf, Shelved
from .desk import Desk
from .keepers import LASTS
from .once import Once
from .ordered import (
    KEPT,
    Documents,
    Proof,
    asker_of,
    carried_out,
    claim,
    confirmed,
    event,
    look_of,
    owner,
    stood_in,
)
from .permission import Permission
from .sealing import Sealing

_CALLER = "sign"
_ABANDONED_AFTER = timedelta(minutes=10)
# A confirmation whose process died outlives the order's day by this much, and is not carried out weeks later.
_LATE = timedelta(hours=1)


class Follower(Protocol):
    """What an order was for, where that is more than a document."""

    def ready(self, order: Order, /) -> None:
        """Raises OrderOver if it went on without the order, OrderChanged if it is not what was asked for."""
        ...

    def carried(self, order: Order, sealed: bytes, /) -> None:
        """Go on with what was sealed; again for the same changes nothing. Raises OrderOver as ``ready``."""
        ...


class Batched(Follower, Protocol):
    """Batches, whose documents keepers look at."""

    def documents(self, order: Order, /, *, after: str) -> Sequence[Item]:
        """The next ones by name."""
        ...

    def document(self, order: Order, number: int, /) -> bytes:
        """One of them; raises NoSuchDocument."""
        ...


class Seconding:
    """Orders that wait for keepers."""

    def __init__(
        self,
        *,
        store: KeepingStore,
        sealing: Sealing,
        permission: Permission,
        once: Once,
        desk: Desk,
        shelf: Shelf,
        readers: ReaderPool,
        recorder: Recorder,
        nudge: Callable[[], None],
        clock: Clock,
        # Where an order is shown, by its identifier.
        address: Callable[[str], str],
    ) -> None:
        self._store = store
        self._sealing = sealing
        self._permission = permission
        self._once = once
        self._desk = desk
        self._documents = Documents(shelf=shelf, desk=desk)
        self._readers = readers
        self._recorder = recorder
        self._nudge = nudge
        self._clock = clock
        self.address = address
        self._papers: Follower | None = None
        self._batches: Batched | None = None

    def lead(self, *, papers: Follower | None = None, batches: Batched | None = None) -> None:
        """Whom orders lead to; said once, before any is carried out."""
        self._papers, self._batches = papers or self._papers, batches or self._batches

    def waits(self, order: SealOrder) -> bool:
        """Whether this order needs more keepers than who asks."""
        program = order.known is not None and bool(order.known.program_of)
        return self._sealing.missing(order.organisation, program=program) > 0

    def keeps(self, subject: str, order: SealOrder) -> None:
        """Whether a person may go on with what others asked for: where the seal has keepers, they alone.

        Raises:
            NotKeeper: they are none; recorded.
        """
        keepers = self._store.rule(order.organisation).keepers
        if keepers and subject not in keepers:
            wish = Wish(actor=subject, assurance=0, zone="", session="")
            self._permission.refuse(order, wish, order.reference, code=NotKeeper.code)
            raise NotKeeper

    def sign_beside(self, order: SealOrder, *, name: str) -> bytes:
        """A signature to stand beside a file, where nobody else is needed; else the order is taken and waits.

        Raises:
            SecondAsked: it waits for a keeper.
            TallygateError: as ``Sealing.sign_beside``.
        """
        if not self.waits(order):
            return self._sealing.sign_beside(order)
        asked = self.ask(order, name=name, purpose=Purpose.BESIDE)
        raise SecondAsked(address=self.address(asked.id), order=asked.id)

    def seal(self, order: SealOrder, *, name: str = "document.pdf") -> bytes:
        """The sealed document, where nobody else is needed; else the order is taken and waits.

        Raises:
            SecondAsked: it waits for a keeper.
            TallygateError: as ``Sealing.seal``.
        """
        if not self.waits(order):
            return self._sealing.seal(order)
        asked = self.ask(order, name=name)
        raise SecondAsked(address=self.address(asked.id), order=asked.id)

    def ask(
        self,
        order: SealOrder,
        *,
        name: str,
        purpose: Purpose = Purpose.DOCUMENT,
        about: str = "",
        identifier: str = "",
    ) -> Order:
        """Take an order for a day; the one that is there already for the same turn, batch or ``identifier``.

        Raises:
            WishUsed: the gateway let this request through once, and an order was made of it.
            ShelfFull: there is no room for the document.
            TallygateError: as ``Sealing.propose``.
        """
        known = self._known(about, identifier)
        if known is not None:
            return known
        if purpose is Purpose.BATCH:
            wish, commitment = self._sealing.admit(order)
        else:
            wish, commitment = self._sealing.propose(order, beside=purpose is Purpose.BESIDE)
        identifier, now = identifier or secrets.token_hex(16), self._clock.now()
        kept = self._documents.keep(identifier, order.document, name=name, purpose=purpose)
        # A death here leaves a document of nobody's, which the shelf forgets.
        made = Order(
            id=identifier,
            organisation=order.organisation,
            by=wish.actor,
            session=wish.session,
            assurance=wish.assurance,
            zone=wish.zone,
            caller=order.caller,
            decision=wish.decision,
            look=look_of(order),
            document=kept.id,
            sha256=kept.facts.sha256,
            commitment=commitment,
            made_at=now,
            until=now + LASTS,
            purpose=purpose,
            about=about,
            program_of=wish.program_of,
        )
        try:
            self._store.add(made, self._event("signature.order.asked", made, wish.actor))
        except BaseException as error:
            self._documents.remove(identifier, kept.id)
            known = self._known(about, identifier) if isinstance(error, WishUsed) else None
            if known is not None:
                # Somebody was faster with the same.
                return known
            raise
        self._nudge()
        return made

    def taken(self, identifier: str) -> bool:
        """Whether there is an order of this identifier, however it ended."""
        return self._known("", identifier) is not None

    def waiting(self, about: str) -> Order | None:
        """The order for a turn that has no end yet."""
        return self._store.waiting(about)

    def newest(self, about: str) -> Order | None:
        """The newest order for a turn or a batch."""
        return self._store.newest(about)

    def asked_by(self, client: str, identifier: str, *, organisation: str) -> Order:
        """One that a program asked for, in the name of the organisation that it acts for.

        Raises:
            NoSuchOrder: there is none, or another one asked, or for another organisation.
        """
        order = self._store.one(identifier)
        if order.by != client or not order.program_of or order.program_of != organisation:
            raise NoSuchOrder
        return order

    def name(self, order: Order) -> str:
        """What its document is called; nothing when it is gone."""
        return self._documents.title(order)

    def concerning(self, subject: str) -> list[tuple[Order, str]]:
        """Orders of a person and those that wait for them, each with what to call it."""
        found = self._store.concerning(subject, self._store.kept_by(subject))
        return [(each, self._documents.title(each)) for each in found]

    def one(self, subject: str, identifier: str) -> tuple[Order, Shelved | None]:
        """One order and what is known of its document, as long as that is there.

        Raises:
            NoSuchOrder: there is none, or it does not concern them.
        """
        order = self._concerned(subject, identifier)
        return order, self._documents.one(order)

    def missing(self, order: Order) -> int:
        """How many keepers still have to confirm it."""
        missing = self._sealing.missing(order.organisation, program=bool(order.program_of))
        return missing - int(bool(order.first)) if order.state is State.PENDING else 0

    def documents(self, subject: str, identifier: str, *, after: str) -> Sequence[Item]:
        """The next documents of an order for a batch, by name; none for another order.

        Raises:
            NoSuchOrder: as ``one``.
        """
        order = self._concerned(subject, identifier)
        if self._batches is None or order.purpose is not Purpose.BATCH:
            return ()
        return self._batches.documents(order, after=after)

    def pages(self, subject: str, identifier: str, *, number: int = 0) -> int:
        """How many pages the document has, or one of a batch; 0 if it cannot be opened.

        Raises:
            NoSuchOrder, NoSuchDocument: it is not there.
        """
        order = self._concerned(subject, identifier)
        if order.purpose is not Purpose.BATCH:
            kept = self._documents.one(order)
            return kept.facts.pages if kept else 0
        if not number:
            return 1
        try:
            return self._desk.facts(self._shown(order, number), name="").pages
        except CannotSeal:
            return 0

    def look(self, subject: str, identifier: str, *, page: int, across: int, number: int = 0) -> tuple[bytes, int]:
        """A page of the document, or of one of a batch, as PNG, and how many there are; recorded before it is shown.

        Raises:
            NoSuchOrder, NoSuchDocument, NoSuchPage, CannotSeal: there is nothing to be seen.
        """
        order = self._concerned(subject, identifier)
        document = self._shown(order, number)
        self._recorder.record(self._event("signature.order.read", order, subject))
        try:
            picture = self._readers.picture(document, page=page, across=across)
        except SandboxFailed as error:
            raise (NoSuchPage if error.reason == "no_page" else CannotSeal) from error
        return picture.png, picture.pages

    def document(self, subject: str, identifier: str) -> tuple[bytes, str]:
        """The document as it waits, whole, and the name of its file: of what cannot be drawn, keepers see it so.

        Raises:
            NoSuchOrder: as ``one``.
            NoSuchDocument: it is not there, or it is a batch, whose documents are looked at one by one.
            OrderChanged: what lies there is not what was asked for.
        """
        order, kept = self.one(subject, identifier)
        if kept is None or order.purpose is Purpose.BATCH:
            raise NoSuchDocument
        document = self._documents.asked_for(order)
        if document is None:
            raise OrderChanged
        self._recorder.record(self._event("signature.order.read", order, subject))
        return document, kept.facts.name

    def result(self, subject: str, identifier: str) -> tuple[bytes, str]:
        """The sealed document, and what to call the file.

        Raises:
            NoSuchOrder: there is none, it does not concern them, or it is not sealed.
            NoSuchDocument: its time is over.
        """
        order = self._concerned(subject, identifier)
        if order.state is not State.MADE or not order.result:
            raise NoSuchOrder
        self._recorder.record(self._event("signature.order.read", order, subject))
        return self._documents.result(order)

    def confirmable(self, identifier: str, second: SealOrder, *, sha256: str) -> Order:
        """The order, if this keeper may confirm the document of this hash; ``second`` says who, as the header came.

        Raises:
            IdentityRefused: nobody we believe says who they are; recorded.
            TallygateError: as ``confirm``.
        """
        order = self._store.one(identifier)
        wish = self._permission.wish(replace(second, organisation=order.organisation), order.commitment)
        self._check(order, wish, sha256)
        return order

    def confirm(self, identifier: str, keeper: Wish, *, sha256: str, proof: Proof) -> Order:
        """A keeper's yes to the document of this hash, which sign-on says they confirmed for just that.

        Raises:
            NoSuchOrder: there is none, or it does not concern them.
            SamePerson: they asked for it or stand in for it, or in the same session; recorded.
            OrderChanged: it is not the document that was asked for or shown; recorded.
            OrderOver: somebody was faster, or its day is over; recorded.
            RecordUnavailable: the confirmation has no receipt; it does not count.
            TallygateError: as ``Sealing.seal``; the order waits again.
        """
        order = self._store.one(identifier)
        self._check(order, keeper, sha256)
        kind = "signature.order.confirmed"
        self._recorder.record(self._event(kind, order, keeper.actor, outcome=Outcome.INTENDED, proof=proof))
        try:
            counted = self._counted(order, keeper, self._event(kind, order, keeper.actor, proof=proof))
        except TallygateError:
            self._recorder.record(self._event(kind, order, keeper.actor, outcome=Outcome.FAILURE, proof=proof))
            raise
        self._nudge()
        # A death from here on leaves a confirmed order, which the replay carries out.
        if counted.state is State.CONFIRMED:
            self._carry_out(counted)
        return self._store.one(identifier)

    def refuse(self, subject: str, identifier: str) -> None:
        """A keeper's no, or the asker's own.

        Raises:
            NoSuchOrder, OrderOver: as ``confirm``.
        """
        order = self._concerned(subject, identifier)
        if order.state is not State.PENDING:
            raise OrderOver
        state = State.WITHDRAWN if subject == order.by else State.REFUSED
        self._end(order, state, subject)

    def replay(self) -> int:
        """Carry out what was confirmed when a process died, and end what nobody confirmed within its day."""
        now, ended = self._clock.now(), 0
        for order in self._store.unfinished(before=now - _ABANDONED_AFTER):
            if self._store.retake(order, at=now):
                try:
                    self._go_on(order)
                except TallygateError:
                    # It waits for a keeper again, or the next round tries.
                    continue
                ended += 1
        for order in self._store.overdue(at=now):
            try:
                self._end(order, State.EXPIRED, "")
            except OrderOver:
                continue
            ended += 1
        return ended

    def _go_on(self, order: Order) -> None:
        """Carry out what was confirmed, unless its day is long over and nothing was sealed within it."""
        if order.until + _LATE <= self._clock.now() and not self._once.there(claim(order)):
            self._end(order, State.EXPIRED, "")
        else:
            self._carry_out(order)

    def _known(self, about: str, identifier: str) -> Order | None:
        """The order that is there already for the same."""
        if identifier:
            try:
                return self._store.one(identifier)
            except NoSuchOrder:
                return None
        return self._store.waiting(about) if about else None

    def _check(self, order: Order, wish: Wish, sha256: str) -> None:
        if wish.actor not in self._store.rule(order.organisation).keepers and wish.actor != order.by:
            raise NoSuchOrder
        asked = SealOrder(document=b"", organisation=order.organisation, caller=_CALLER, reference=f"order {order.id}")
        if order.state is not State.PENDING or order.until <= self._clock.now():
            self._permission.refuse(asked, wish, order.commitment, code=OrderOver.code)
            raise OrderOver
        known = wish.actor in {order.by, order.first}
        if known or wish.session in {"", order.session, order.first_session}:
            self._permission.refuse(asked, wish, order.commitment, code=SamePerson.code)
            raise SamePerson
        try:
            self._stands(order, sha256)
        except OrderChanged as error:
            self._permission.refuse(asked, wish, order.commitment, code=error.code)
            raise
        except OrderOver as error:
            self._permission.refuse(asked, wish, order.commitment, code=error.code)
            self._end(order, State.OVERTAKEN, "")
            raise

    def _stands(self, order: Order, sha256: str) -> None:
        """Raises OrderChanged if the document is another, OrderOver if what it was for went on without it."""
        if sha256 != order.sha256 or self._documents.asked_for(order) is None:
            raise OrderChanged
        follower = self._follower(order)
        if follower is not None:
            follower.ready(order)

    def _counted(self, order: Order, keeper: Wish, told: Event) -> Order:
        """The order with this confirmation, in the transaction of its record."""
        now = self._clock.now()
        if self.missing(order) > 1:
            stands = stood_in(order, keeper)
            self._store.stand_in(stands, at=now, event=told)
            return stands
        done = replace(confirmed(order, keeper), state=State.CONFIRMED)
        self._store.confirm(done, at=now, event=told)
        return done

    def _carry_out(self, order: Order) -> None:
        document, follower, result = self._documents.asked_for(order), self._follower(order), ""
        try:
            if document is None:
                raise OrderChanged
            # What was sealed before a death is handed over, whatever became of the paper since.
            if follower is not None and not self._once.there(claim(order)):
                follower.ready(order)
            if order.purpose is not Purpose.BATCH:
                result = self._sealed(order, document)
            if follower is not None and result:
                follower.carried(order, self._documents.sealed(order, result))
        except OrderOver:
            self._end(replace(order, state=State.CONFIRMED), State.OVERTAKEN, "")
            raise
        except TallygateError:
            self._store.give_back(order)
            raise
        self._store.made(order, result=result)
        self._nudge()
        if follower is not None and not result:
            # A death before this line is nothing: batches look for themselves, only later.
            follower.carried(order, b"")

    def _sealed(self, order: Order, document: bytes) -> str:
        """Where on the shelf the sealed document lies, or the signature that stands beside it."""
        return self._once.seal(
            claim(order),
            carried_out(order, document),
            wish=asker_of(order),
            owner=owner(order.id),
            name=self._documents.name_of_result(order),
            lifetime=KEPT,
            beside=order.purpose is Purpose.BESIDE,
        )

    def _follower(self, order: Order) -> Follower | None:
        return {Purpose.PAPER: self._papers, Purpose.BATCH: self._batches}.get(order.purpose)

    def _end(self, order: Order, state: State, actor: str) -> None:
        self._store.end(order, state, self._event("signature.order.ended", order, actor, reason=state.value))
        self._nudge()
        self._documents.clear(order.id)

    def _shown(self, order: Order, number: int) -> bytes:
        if order.purpose is not Purpose.BATCH:
            return self._documents.read(order)
        if self._batches is None:
            raise NoSuchDocument
        return self._batches.document(order, number)

    def _concerned(self, subject: str, identifier: str) -> Order:
        order = self._store.one(identifier)
        if subject not in {order.by, order.first, order.second} | self._store.rule(order.organisation).keepers:
            raise NoSuchOrder
        return order

    def _event(self, type_: str, order: Order, actor: str, **more: Any) -> Event:
        return event(type_, order, actor, at=self._clock.now(), **more)
