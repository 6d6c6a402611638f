# SPDX-License-Identifier: Apache-2.0
"""Seals that take two: one keeper asks, another one looks at the document and confirms, and only then is the key used.

An order is ``pending`` for a day. Confirming it moves it to ``confirmed`` for one of several that press at once, and
the seal is set under the order as its claim, so whatever dies the replay ends with one sealed document. What cannot be
sealed goes back to ``pending``, and nothing was sealed.
"""

import hashlib
import json
import secrets
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import timedelta

from audit import Event, Outcome, Recorder
from core.clock import Clock
from core.errors import TallygateError

from ..errors import CannotSeal, NoSuchPage, SandboxFailed, SecondAsked
from ..keeping import KeepingStore, NoSuchOrder, Order, OrderChanged, OrderOver, SamePerson, State
from ..looks import Certification, Locking, Permits, Placement
from ..models import SealOrder, Wish
from ..sandbox import ReaderPool
from ..shelf import NoSuchDocument, Shelf, ShelfUnreadable, Shelved
from .desk import Desk
from .keepers import LASTS
from .once import Once
from .permission import Permission
from .sealing import Sealing

# The sealed document can be fetched as long.
_KEPT = timedelta(days=7)
_ABANDONED_AFTER = timedelta(minutes=10)


class Seconding:
    """Orders that wait for a second keeper."""

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
        self._shelf = shelf
        self._readers = readers
        self._recorder = recorder
        self._nudge = nudge
        self._clock = clock
        self._address = address

    def seal(self, order: SealOrder, *, name: str = "document.pdf") -> bytes:
        """The sealed document, where the seal takes one person; else the order is taken and waits.

        Raises:
            SecondAsked: it waits for a second keeper.
            TallygateError: as ``Sealing.seal``.
        """
        if not self._sealing.takes_two(order.organisation):
            return self._sealing.seal(order)
        raise SecondAsked(address=self._address(self.ask(order, name=name).id))

    def ask(self, order: SealOrder, *, name: str) -> Order:
        """Take an order for a day.

        Raises:
            WishUsed: the gateway let this request through once, and an order was made of it.
            ShelfFull: there is no room for the document.
            TallygateError: as ``Sealing.propose``.
        """
        wish, commitment = self._sealing.propose(order)
        identifier, now = secrets.token_hex(16), self._clock.now()
        kept = self._desk.keep(_owner(identifier), order.document, name=name)
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
            look=_written(order),
            document=kept.id,
            sha256=kept.facts.sha256,
            commitment=commitment,
            made_at=now,
            until=now + LASTS,
        )
        try:
            self._store.add(made, self._event("signature.order.asked", made, wish.actor))
        except BaseException:
            self._shelf.remove(_owner(identifier), kept.id)
            raise
        self._nudge()
        return made

    def concerning(self, subject: str) -> list[tuple[Order, str]]:
        """Orders of a person and those that wait for them, each with what to call it."""
        found = self._store.concerning(subject, self._store.kept_by(subject))
        return [(each, self._title(each)) for each in found]

    def one(self, subject: str, identifier: str) -> tuple[Order, Shelved | None]:
        """One order and what is known of its document, as long as that is there.

        Raises:
            NoSuchOrder: there is none, or it does not concern them.
        """
        order = self._concerned(subject, identifier)
        try:
            return order, self._shelf.one(_owner(order.id), order.document)
        except NoSuchDocument:
            return order, None

    def look(self, subject: str, identifier: str, *, page: int, across: int) -> tuple[bytes, int]:
        """A page of the document as PNG, and how many there are; recorded before it is shown.

        Raises:
            NoSuchOrder, NoSuchDocument, NoSuchPage, CannotSeal: there is nothing to be seen.
        """
        order = self._concerned(subject, identifier)
        document = self._shelf.read(_owner(order.id), order.document)
        self._recorder.record(self._event("signature.order.read", order, subject))
        try:
            picture = self._readers.picture(document, page=page, across=across)
        except SandboxFailed as error:
            raise (NoSuchPage if error.reason == "no_page" else CannotSeal) from error
        return picture.png, picture.pages

    def result(self, subject: str, identifier: str) -> tuple[bytes, str]:
        """The sealed document, and what to call the file.

        Raises:
            NoSuchOrder: there is none, it does not concern them, or it is not sealed.
            NoSuchDocument: its time is over.
        """
        order = self._concerned(subject, identifier)
        if order.state is not State.MADE:
            raise NoSuchOrder
        self._recorder.record(self._event("signature.order.read", order, subject))
        kept = self._shelf.one(_owner(order.id), order.result)
        return self._shelf.read(_owner(order.id), order.result), kept.facts.name

    def confirm(self, identifier: str, second: SealOrder, *, sha256: str) -> Order:
        """The second keeper's yes to the document of this hash; ``second`` says who that is, as its header came.

        Raises:
            IdentityRefused: nobody we believe says who they are; recorded.
            NoSuchOrder: there is none, or it does not concern them.
            SamePerson: they asked for it, or in the same session; recorded.
            OrderChanged: it is not the document that was asked for or shown; recorded.
            OrderOver: somebody was faster, or its day is over; recorded.
            TallygateError: as ``Sealing.seal``; the order waits again.
        """
        order = self._store.one(identifier)
        wish = self._permission.wish(replace(second, organisation=order.organisation), order.commitment)
        if wish.actor not in self._store.rule(order.organisation).keepers and wish.actor != order.by:
            raise NoSuchOrder
        asked = replace(second, organisation=order.organisation, reference=f"order {order.id}")
        if order.state is not State.PENDING or order.until <= self._clock.now():
            self._permission.refuse(asked, wish, order.commitment, code=OrderOver.code)
            raise OrderOver
        if wish.actor == order.by or not wish.session or wish.session == order.session:
            self._permission.refuse(asked, wish, order.commitment, code=SamePerson.code)
            raise SamePerson
        if sha256 != order.sha256 or self._document(order) is None:
            self._permission.refuse(asked, wish, order.commitment, code=OrderChanged.code)
            raise OrderChanged
        confirmed = replace(
            order,
            second=wish.actor,
            second_session=wish.session,
            second_assurance=wish.assurance,
            second_zone=wish.zone,
            state=State.CONFIRMED,
        )
        self._store.confirm(confirmed, at=self._clock.now())
        # A death from here on leaves a confirmed order, which the replay carries out.
        self._carry_out(confirmed)
        return self._store.one(identifier)

    def refuse(self, subject: str, identifier: str) -> None:
        """A keeper's no, or the asker's own.

        Raises:
            NoSuchOrder, OrderOver: as ``confirm``.
        """
        order = self._concerned(subject, identifier)
        state = State.WITHDRAWN if subject == order.by else State.REFUSED
        self._end(order, state, subject)

    def replay(self) -> int:
        """Carry out what was confirmed when a process died, and end what nobody confirmed within its day."""
        now, ended = self._clock.now(), 0
        for order in self._store.unfinished(before=now - _ABANDONED_AFTER):
            if self._store.retake(order, at=now):
                try:
                    self._carry_out(order)
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

    def _carry_out(self, order: Order) -> None:
        document = self._document(order)
        wish = Wish(actor=order.by, assurance=order.assurance, zone=order.zone, session=order.session)
        second = Wish(
            actor=order.second,
            assurance=order.second_assurance,
            zone=order.second_zone,
            session=order.second_session,
        )
        try:
            if document is None:
                raise OrderChanged
            name = self._shelf.one(_owner(order.id), order.document).facts.name.removesuffix(".pdf")
            result = self._once.seal(
                f"order-{order.id}",
                replace(_read(order, document), second=second),
                wish=wish,
                owner=_owner(order.id),
                name=f"{name}-sealed.pdf",
                lifetime=_KEPT,
            )
        except TallygateError:
            self._store.give_back(order)
            raise
        self._store.made(order, result=result)
        self._nudge()

    def _end(self, order: Order, state: State, actor: str) -> None:
        self._store.end(order, state, self._event("signature.order.ended", order, actor, reason=state.value))
        self._nudge()
        try:
            self._shelf.remove(_owner(order.id), order.document)
        except NoSuchDocument:
            # Its time on the shelf was over.
            return

    def _document(self, order: Order) -> bytes | None:
        """The document that was asked for; None if what lies there is another, or nothing."""
        try:
            document = self._shelf.read(_owner(order.id), order.document)
        except (NoSuchDocument, ShelfUnreadable):
            return None
        return document if hashlib.sha256(document).hexdigest() == order.sha256 else None

    def _title(self, order: Order) -> str:
        try:
            facts = self._shelf.one(_owner(order.id), order.document).facts
        except NoSuchDocument:
            return ""
        return facts.title or facts.name

    def _concerned(self, subject: str, identifier: str) -> Order:
        order = self._store.one(identifier)
        if subject not in {order.by, order.second} | self._store.rule(order.organisation).keepers:
            raise NoSuchOrder
        return order

    def _event(self, type_: str, order: Order, actor: str, *, reason: str = "") -> Event:
        attributes = {"reference": f"order {order.id}", "caller": order.caller}
        return Event(
            key=secrets.token_hex(16),
            type=type_,
            outcome=Outcome.SUCCESS,
            at=self._clock.now(),
            source="signatures",
            subject=order.by,
            actor=actor if actor != order.by else "",
            object=order.commitment,
            organisation=order.organisation,
            decision=order.decision,
            attributes={**attributes, **({"reason": reason} if reason else {})},
        )


def _owner(identifier: str) -> str:
    return f"order:{identifier}"


def _written(order: SealOrder) -> str:
    said = {"placement": asdict(order.placement), "permits": asdict(order.permits)}
    return json.dumps({**said, "code": order.code, "further": order.further, "caption": order.caption})


def _read(order: Order, document: bytes) -> SealOrder:
    said = json.loads(order.look)
    permits = said["permits"]
    return SealOrder(
        document=document,
        organisation=order.organisation,
        caller=order.caller,
        reference=f"order {order.id}",
        placement=Placement(**said["placement"]),
        permits=Permits(
            certification=Certification(permits["certification"]),
            locking=Locking(permits["locking"]),
            fields=tuple(permits["fields"]),
        ),
        code=said["code"],
        further=said["further"],
        caption=said["caption"],
    )
