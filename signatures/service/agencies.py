# SPDX-License-Identifier: Apache-2.0
"""What programs of agencies may do: written down by an operator, counted, recorded, and carried out once for a key."""

import hashlib
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Protocol

from audit import Event, Outcome, Recorder
from core.clock import Clock
from core.errors import Invalid, NotFound
from core.identity import Identity
from directory.models import Organisation

from ..agencies import (
    AgencyStore,
    Doing,
    KeyMalformed,
    Left,
    Program,
    ProgramUnknown,
    QuotaExceeded,
)
from ..errors import SecondAsked
from ..keeping import OrderOver, Purpose, State
from ..models import SealOrder, Wish
from ..shelf import NoSuchDocument, Shelf
from .once import Once
from .seconding import Seconding

_KEY = re.compile(r'"([A-Za-z0-9_-]{8,64})"')
_CLIENT = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_KEPT = timedelta(hours=24)
# A request that has not ended by then was cut off; longer than a document may take.
_HELD = 120
_LONGEST = timedelta(days=366)
_MOST = 1_000_000


class Organisations(Protocol):
    """The directory as far as programs need it."""

    def organisation(self, identifier: str, /) -> Organisation:
        """One organisation; strangers raise NotFound."""
        ...


@dataclass(frozen=True, kw_only=True)
class _About:
    """What is asked for with the seal, and what to call it."""

    # What an Idempotency-Key stands for, before the document itself: the same key for another wish is refused.
    said: bytes
    name: str
    result: str
    purpose: Purpose


class Agencies:
    """Programs and their requests; batches stand in ``batches``."""

    def __init__(
        self,
        *,
        store: AgencyStore,
        shelf: Shelf,
        once: Once,
        # Takes what keepers have to confirm.
        orders: Seconding,
        organisations: Organisations,
        recorder: Recorder,
        # Keeps a record of what is taken away until the log takes it.
        tell: Callable[[Event], None],
        clock: Clock,
    ) -> None:
        self._store = store
        self._shelf = shelf
        self._once = once
        self._orders = orders
        self._organisations = organisations
        self._recorder = recorder
        self._tell = tell
        self._clock = clock

    def let(
        self,
        client: str,
        *,
        organisation: str,
        doings: frozenset[str],
        per_minute: int,
        per_day: int,
        until: date,
        reason: str,
    ) -> Program:
        """Let a program do exactly this from now on, whatever it might before; on the record first.

        Raises:
            Invalid: something of it cannot be right.
            NotFound: the directory knows no such organisation.
        """
        today = self._clock.now().date()
        right = (
            _CLIENT.fullmatch(client)
            and doings
            and doings <= set(map(str, Doing))
            and today <= until <= today + _LONGEST
            and 1 <= per_minute <= per_day <= _MOST
            and 0 < len(reason.strip()) <= 400  # noqa: PLR2004 - the column's
        )
        if not right:
            raise Invalid
        program = Program(
            client=client,
            organisation=self._organisations.organisation(organisation).id,
            doings=frozenset(map(Doing, doings)),
            per_minute=per_minute,
            per_day=per_day,
            until=until,
            reason=reason.strip(),
        )
        told = {
            "rights": " ".join(sorted(program.doings)),
            "until": until.isoformat(),
            "quota": f"{per_minute}/min {per_day}/d",
        }
        said: tuple[str, str, dict[str, str]] = (client, program.organisation, told)
        self._say("signature.program.let", Outcome.INTENDED, *said, sealed={"reason": program.reason})
        self._store.let(program)
        self._say("signature.program.let", Outcome.SUCCESS, *said, sealed={"reason": program.reason})
        return program

    def end(self, client: str) -> None:
        """Let a program do nothing any more: its next request is refused, whether the log can be told now or not.

        Raises:
            NotFound: it was let do nothing.
        """
        found = self._store.program(client)
        if found is None:
            raise NotFound
        # A death between the two leaves a record of what the operator, who got no answer, will ask for again.
        self._tell(self._event("signature.program.ended", Outcome.SUCCESS, client, found.organisation, {}))
        self._store.end(client)

    def all(self) -> list[Program]:
        """Every program, by name."""
        return self._store.programs()

    def admit(self, identity: Identity, doing: Doing | None, *, counted: bool = True) -> tuple[Program, Left | None]:
        """The program that is calling, if it may do this and its agency has not used up its quota.

        With no ``doing`` whoever may do anything is let in: to see what became of what they asked for.

        Raises:
            ProgramUnknown: it may not; recorded.
            QuotaExceeded: it has; recorded.
        """
        found = self._store.program(identity.subject) if identity.kind == "client" else None
        if found is None or not found.may(doing, on=self._clock.now().date()):
            self._refuse(identity.subject, found.organisation if found else "", doing or "order", "not_let")
            raise ProgramUnknown
        if not counted:
            return found, None
        try:
            return found, self._store.use(found, at=self._clock.now())
        except QuotaExceeded:
            self._refuse(identity.subject, found.organisation, doing or "order", "quota")
            raise

    def seal(self, program: Program, identity: Identity, document: bytes, *, key: str) -> bytes:
        """The document with the seal of the program's organisation; with a ``key``, once for all requests that name it.

        Raises:
            TallygateError: as ``sign_beside``.
        """
        about = _About(said=b"seal\0", name="document.pdf", result="sealed.pdf", purpose=Purpose.DOCUMENT)
        return self._set(program, identity, document, about, key=key)

    def sign_beside(self, program: Program, identity: Identity, document: bytes, *, name: str, key: str) -> bytes:
        """A signature of the program's organisation over any file, to stand beside it; ``key`` as for ``seal``.

        ``name`` is what keepers of the seal are told that the file is called.

        Raises:
            KeyMalformed, KeyReused, KeyInUse: of the key.
            SecondAsked: keepers of the seal have to confirm it; it waits for them, and a ``key`` finds it again.
            OrderOver: they did not, or not in time.
            TallygateError: as ``Sealing.seal``.
        """
        said = b"beside\0" + name.encode() + b"\0"
        about = _About(said=said, name=name, result=f"{name}.p7s", purpose=Purpose.BESIDE)
        return self._set(program, identity, document, about, key=key)

    def _set(self, program: Program, identity: Identity, document: bytes, about: "_About", *, key: str) -> bytes:
        owner = f"client:{program.client}"
        wish, claim, lifetime = wish_of(program, identity), secrets.token_hex(16), timedelta(minutes=10)
        # A key is of the organisation too: what it led to is none of the next one's that the program acts for.
        asker, name, there = f"{owner}:{program.organisation}", "", ""
        if key:
            match = _KEY.fullmatch(key)
            if match is None:
                raise KeyMalformed
            name, lifetime = match.group(1), _KEPT
            digest = hashlib.sha256(about.said + document).hexdigest()
            claim, there = self._store.begin(asker, name, digest, claim=claim, at=self._clock.now(), hold=_HELD)
        order = SealOrder(document=document, organisation=program.organisation, caller="program")
        if not there and (self._orders.taken(claim) or self._orders.waits(replace(order, known=wish))):
            if name:
                # The key leads to the order, which bears the name of its claim.
                self._store.answered(asker, name, "")
            return self._ordered(replace(order, known=replace(wish, decision=identity.decision)), about, claim)
        if not there:
            try:
                there = self._once.seal(
                    claim,
                    order,
                    wish=wish,
                    owner=owner,
                    name=about.result,
                    lifetime=lifetime,
                    beside=about.purpose is Purpose.BESIDE,
                )
            finally:
                if name:
                    self._store.answered(asker, name, there)
        try:
            return self._shelf.read(owner, there)
        finally:
            if not name:
                # Nobody asked for it to be kept.
                self._forget(owner, there)

    def _ordered(self, order: SealOrder, about: "_About", identifier: str) -> bytes:
        found = self._orders.ask(order, name=about.name, purpose=about.purpose, identifier=identifier)
        if found.state is State.MADE:
            return self._orders.result(found.by, found.id)[0]
        if found.state not in {State.PENDING, State.CONFIRMED}:
            raise OrderOver
        raise SecondAsked(address=self._orders.address(found.id), order=found.id)

    def _forget(self, owner: str, identifier: str) -> None:
        try:
            self._shelf.remove(owner, identifier)
        except NoSuchDocument:
            return

    def _refuse(self, client: str, organisation: str, act: str, code: str) -> None:
        self._say("signature.program.refused", Outcome.DENIED, client, organisation, {"act": act, "code": code})

    def _say(
        self,
        type_: str,
        outcome: Outcome,
        client: str,
        organisation: str,
        attributes: dict[str, str],
        *,
        sealed: dict[str, str] | None = None,
    ) -> None:
        self._recorder.record(self._event(type_, outcome, client, organisation, attributes, sealed=sealed))

    def _event(
        self,
        type_: str,
        outcome: Outcome,
        client: str,
        organisation: str,
        attributes: dict[str, str],
        *,
        sealed: dict[str, str] | None = None,
    ) -> Event:
        return Event(
            key=secrets.token_hex(16),
            type=type_,
            outcome=outcome,
            at=self._clock.now(),
            source="signatures",
            subject=client,
            organisation=organisation,
            attributes=attributes,
            sealed=sealed or {},
        )


def wish_of(program: Program, identity: Identity) -> Wish:
    """A program's own wish, let through by the gateway."""
    return Wish(
        actor=program.client,
        assurance=identity.assurance,
        zone=identity.zone,
        session="",
        program_of=program.organisation,
    )
