# SPDX-License-Identifier: Apache-2.0
"""What an order holds: its document on the shelf, how the seal is to look, and what the record is told of it."""

import hashlib
import json
import secrets
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

from audit import Event, Outcome

from ..errors import CannotSeal
from ..keeping import Order, Purpose
from ..looks import Certification, Locking, Permits, Placement
from ..models import SealOrder, Wish
from ..shelf import Facts, NoSuchDocument, Shelf, ShelfUnreadable, Shelved
from .desk import Desk, name_of_file

KEPT = timedelta(days=7)
"""How long what was sealed can be fetched."""


@dataclass(frozen=True, kw_only=True)
class Proof:
    """How a keeper confirmed at sign-on; only ``Confirming`` makes one, of a token that fits."""

    # By which the record names the confirmation.
    consent: str
    # "passkey" or "card".
    by: str


class Documents:
    """The documents of orders, each on the shelf under its order's name."""

    def __init__(self, *, shelf: Shelf, desk: Desk) -> None:
        self._shelf = shelf
        self._desk = desk

    def keep(self, identifier: str, document: bytes, *, name: str, purpose: Purpose) -> Shelved:
        """Put one there.

        Raises:
            ShelfFull: there is no room.
            CannotSeal: it is no PDF, where one is to be sealed.
        """
        facts = Facts(name=name_of_file(name), sha256=hashlib.sha256(document).hexdigest())
        if purpose is Purpose.BESIDE:
            facts = self._facts(document, facts)
        elif purpose is not Purpose.BATCH:
            facts = self._desk.facts(document, name=name)
        return self._shelf.put(owner(identifier), document, facts=facts, limits=self._desk.limits)

    def one(self, order: Order) -> Shelved | None:
        """What is known of it, as long as it is there."""
        try:
            return self._shelf.one(owner(order.id), order.document)
        except NoSuchDocument:
            return None

    def read(self, order: Order) -> bytes:
        """What lies there; raises NoSuchDocument."""
        return self._shelf.read(owner(order.id), order.document)

    def asked_for(self, order: Order) -> bytes | None:
        """The document that was asked for; None if what lies there is another, or nothing."""
        try:
            document = self.read(order)
        except (NoSuchDocument, ShelfUnreadable):
            return None
        return document if hashlib.sha256(document).hexdigest() == order.sha256 else None

    def result(self, order: Order) -> tuple[bytes, str]:
        """What was sealed, and what to call the file; raises NoSuchDocument when its time is over."""
        kept = self._shelf.one(owner(order.id), order.result)
        return self._shelf.read(owner(order.id), order.result), kept.facts.name

    def sealed(self, order: Order, result: str) -> bytes:
        """What lies there as the result of an order that does not name it yet."""
        return self._shelf.read(owner(order.id), result)

    def remove(self, identifier: str, document: str) -> None:
        """Forget one; nothing if its time on the shelf was over."""
        try:
            self._shelf.remove(owner(identifier), document)
        except NoSuchDocument:
            return

    def clear(self, identifier: str) -> None:
        """Forget all that lies there for an order: what was to be sealed, and what was sealed and is nobody's."""
        for each in self._shelf.of(owner(identifier)):
            self.remove(identifier, each.id)

    def title(self, order: Order) -> str:
        """What to call it; nothing when it is gone."""
        kept = self.one(order)
        return (kept.facts.title or kept.facts.name) if kept else ""

    def name_of_result(self, order: Order) -> str:
        """What to call the file that comes of it."""
        kept = self._shelf.one(owner(order.id), order.document).facts.name
        return f"{kept}.p7s" if order.purpose is Purpose.BESIDE else f"{kept.removesuffix('.pdf')}-sealed.pdf"

    def _facts(self, document: bytes, known: Facts) -> Facts:
        """Of any file; of a PDF also how many pages a keeper can look at."""
        try:
            return self._desk.facts(document, name=known.name)
        except CannotSeal:
            return known


def owner(identifier: str) -> str:
    """By which the shelf knows an order."""
    return f"order:{identifier}"


def claim(order: Order) -> str:
    """Under which it is sealed once."""
    return f"order-{order.id}"


def asker_of(order: Order) -> Wish:
    """Who asked."""
    return Wish(
        actor=order.by,
        assurance=order.assurance,
        zone=order.zone,
        session=order.session,
        program_of=order.program_of,
    )


def keepers_of(order: Order) -> tuple[Wish | None, Wish | None]:
    """Who stands in for its program, and who confirmed it."""
    first = Wish(
        actor=order.first,
        assurance=order.first_assurance,
        zone=order.first_zone,
        session=order.first_session,
    )
    second = Wish(
        actor=order.second,
        assurance=order.second_assurance,
        zone=order.second_zone,
        session=order.second_session,
    )
    return first if order.first else None, second if order.second else None


def stood_in(order: Order, keeper: Wish) -> Order:
    """The order with its first keeper, where it takes two."""
    return replace(
        order,
        first=keeper.actor,
        first_session=keeper.session,
        first_assurance=keeper.assurance,
        first_zone=keeper.zone,
    )


def confirmed(order: Order, keeper: Wish) -> Order:
    """The order with the keeper who confirmed it last."""
    return replace(
        order,
        second=keeper.actor,
        second_session=keeper.session,
        second_assurance=keeper.assurance,
        second_zone=keeper.zone,
    )


def look_of(order: SealOrder) -> str:
    """Where the seal goes and what it permits, as an order keeps it."""
    said = {"placement": asdict(order.placement), "permits": asdict(order.permits)}
    return json.dumps({**said, "code": order.code, "further": order.further, "caption": order.caption})


def carried_out(order: Order, document: bytes) -> SealOrder:
    """What to do when it is confirmed."""
    said = json.loads(order.look)
    permits = said["permits"]
    first, second = keepers_of(order)
    return SealOrder(
        document=document,
        organisation=order.organisation,
        caller=order.caller,
        reference=f"order {order.id}",
        first=first,
        second=second,
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


def event(
    type_: str,
    order: Order,
    actor: str,
    *,
    at: datetime,
    outcome: Outcome = Outcome.SUCCESS,
    reason: str = "",
    proof: Proof | None = None,
) -> Event:
    """What the record is told."""
    told: dict[str, str | int | bool] = {"reference": f"order {order.id}", "caller": order.caller}
    if reason:
        told["reason"] = reason
    if proof is not None:
        told |= {"consent": proof.consent, "confirmed_by": proof.by}
    return Event(
        key=secrets.token_hex(16),
        type=type_,
        outcome=outcome,
        at=at,
        source="signatures",
        subject=order.by,
        actor=actor if actor != order.by else "",
        object=order.commitment,
        organisation=order.organisation,
        decision=order.decision,
        attributes=told,
    )
