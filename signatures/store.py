# SPDX-License-Identifier: Apache-2.0
"""Tables ``seals``, ``signings`` and ``outbox``: rows in, models out."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Column, Connection, MetaData, String, Table, Text, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from audit import Event
from core.db import Database, Drain, Outbox

from .errors import NoSeal, SealChanged, WishUsed
from .models import Seal, SealState

_metadata = MetaData()
_seals = Table(
    "seals",
    _metadata,
    Column("serial", String(40), primary_key=True),
    Column("organisation", String(64)),
    Column("certificate", Text),
    Column("chain", Text),
    Column("key", String(120)),
    Column("state", String(16)),
    Column("name", String(200)),
    Column("name_zh", String(200)),
    Column("made_at", String(40)),
)
_signings = Table(
    "signings",
    _metadata,
    Column("key", String(32), primary_key=True),
    Column("organisation", String(64)),
    Column("actor", String(64)),
    Column("commitment", String(64)),
    Column("serial", String(40)),
    Column("state", String(16)),
    Column("at", String(40)),
    Column("decision", String(64)),
)
_outbox = Outbox(_metadata)
_NAMES = tuple(column.name for column in _seals.columns)
# Asked for every seal.
_LOOK = f"SELECT {', '.join(_NAMES)} FROM seals WHERE organisation = ? AND state = ?"  # noqa: S608 - our own names


class SigningState(StrEnum):
    """How far one sealing came."""

    # The intent has its receipt or is about to; no signature left this role.
    INTENDED = "intended"
    # The document was sealed; its record is in the outbox or in the log.
    MADE = "made"
    # It ended without a sealed document.
    FAILED = "failed"


# Of every seal; to build them again each time would cost more than to carry them out.
_INTENDED = insert(_signings)
_FINISHED = (
    update(_signings)
    .where(_signings.c.key == bindparam("ended"), _signings.c.state == SigningState.INTENDED.value)
    .values(state=bindparam("as"))
)


@dataclass(frozen=True, kw_only=True)
class Signing:
    """One sealing, from its intent on."""

    # Key of the intent's event.
    key: str
    organisation: str
    actor: str
    commitment: str
    serial: str
    at: datetime
    # Of the gateway, by which the person's request came through; empty for the operator's.
    decision: str = ""


class Store:
    """Everything this role keeps in tables; ``encode`` turns an event into the bytes of an outbox row."""

    def __init__(self, database: Database, *, encode: Callable[[Event], bytes]) -> None:
        self._database = database
        self._encode = encode
        self._sqlite = database.engine.dialect.name == "sqlite"
        # Records on their way to the log.
        self.outbox = Drain(database, _outbox)

    def check(self) -> None:
        """Answer one trivial query.

        Raises:
            DatabaseUnavailable: it did not.
        """
        self._database.check()

    def seal_of(self, organisation: str) -> Seal:
        """The seal an organisation uses now.

        Raises:
            NoSeal: it has none.
        """
        if self._sqlite:
            found = self._database.look_up(_LOOK, (organisation, SealState.ACTIVE.value))
            if not found:
                raise NoSeal
            return _seal(SimpleNamespace(**dict(zip(_NAMES, found[0], strict=True))))
        query = select(_seals).where(_seals.c.organisation == organisation, _seals.c.state == SealState.ACTIVE.value)
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise NoSeal
        return _seal(row)

    def seals(self) -> list[Seal]:
        """Every seal, those that retired too."""
        with self._database.reading() as connection:
            return [_seal(row) for row in connection.execute(select(_seals))]

    def rename_key(self, seal: Seal, key: str) -> bool:
        """Say where a seal's key lies now; False if it is no longer as it was read."""
        change = update(_seals).where(_seals.c.serial == seal.serial, _seals.c.key == seal.key).values(key=key)
        with self._database.transaction() as connection:
            return connection.execute(change).rowcount == 1

    def put_seal(self, seal: Seal, *, instead_of: Seal | None) -> None:
        """Make this the organisation's seal; the one it replaces retires.

        Raises:
            SealChanged: the organisation's seal is no longer the one that was to be replaced.
        """
        try:
            with self._database.transaction() as connection:
                if instead_of is not None:
                    _retire(connection, instead_of)
                _add(connection, seal)
        except IntegrityError as error:
            # The index allows one active seal for each organisation: somebody else's came in between.
            raise SealChanged from error

    def intend(self, signing: Signing) -> None:
        """Remember that a sealing is about to happen.

        Raises:
            WishUsed: one was intended by the same decision already.
        """
        row = {
            "key": signing.key,
            "organisation": signing.organisation,
            "actor": signing.actor,
            "commitment": signing.commitment,
            "serial": signing.serial,
            "state": SigningState.INTENDED.value,
            "at": signing.at.astimezone(UTC).isoformat(),
            "decision": signing.decision,
        }
        try:
            with self._database.transaction() as connection:
                connection.execute(_INTENDED, row)
        except IntegrityError as error:
            # The keys are drawn at random; what came twice is the decision.
            raise WishUsed from error

    def finish(self, key: str, state: SigningState, outcome: Event | None) -> bool:
        """End a sealing and put its outcome into the outbox; says False if it had ended already.

        Raises:
            OutboxFull: the record cannot keep up; the sealing has not ended and its document must not leave.
        """
        # What needs no turn is done before it comes.
        told = [] if outcome is None else [(outcome.key, self._encode(outcome))]
        with self._database.transaction() as connection:
            changed = connection.execute(_FINISHED, {"ended": key, "as": state.value})
            if changed.rowcount != 1:
                return False
            if told:
                _outbox.put_all(connection, told)
        return True

    def by_decision(self, decision: str) -> tuple[Signing, SigningState] | None:
        """What was intended by one decision, and how far that came; nothing if nothing was."""
        with self._database.reading() as connection:
            row = connection.execute(select(_signings).where(_signings.c.decision == decision)).one_or_none()
        return None if row is None else (_signing(row), SigningState(row.state))

    def unfinished(self, *, before: datetime) -> list[Signing]:
        """Sealings whose process died between intent and outcome."""
        query = (
            select(_signings)
            .where(
                _signings.c.state == SigningState.INTENDED.value,
                _signings.c.at < before.astimezone(UTC).isoformat(),
            )
            .limit(1000)
        )
        with self._database.reading() as connection:
            return [_signing(row) for row in connection.execute(query)]

    def tell(self, event: Event) -> None:
        """Put a record into the outbox, of what is taken away in other tables or files.

        Raises:
            OutboxFull: the record cannot keep up.
        """
        with self._database.transaction() as connection:
            self._put(connection, event)

    def put(self, connection: Connection, event: Event) -> None:
        """Put a record into the outbox, on a transaction of these tables.

        Raises:
            OutboxFull: the record cannot keep up.
        """
        self._put(connection, event)

    def _put(self, connection: Connection, event: Event) -> None:
        _outbox.put(connection, key=event.key, body=self._encode(event))


def _retire(connection: Connection, seal: Seal) -> None:
    retired = connection.execute(
        update(_seals)
        .where(_seals.c.serial == seal.serial, _seals.c.state == SealState.ACTIVE.value)
        .values(state=SealState.RETIRED.value)
    )
    if retired.rowcount != 1:
        raise SealChanged


def _add(connection: Connection, seal: Seal) -> None:
    connection.execute(
        insert(_seals).values(
            serial=seal.serial,
            organisation=seal.organisation,
            certificate=seal.certificate,
            chain=seal.chain,
            key=seal.key,
            state=SealState.ACTIVE.value,
            name=seal.name,
            name_zh=seal.name_zh,
            made_at=seal.made_at.isoformat(),
        )
    )


def _seal(row: Any) -> Seal:
    return Seal(
        organisation=row.organisation,
        serial=row.serial,
        certificate=row.certificate,
        chain=row.chain,
        key=row.key,
        state=SealState(row.state),
        name=row.name,
        name_zh=row.name_zh,
        made_at=datetime.fromisoformat(row.made_at),
    )


def _signing(row: Any) -> Signing:
    return Signing(
        key=row.key,
        organisation=row.organisation,
        actor=row.actor,
        commitment=row.commitment,
        serial=row.serial,
        at=datetime.fromisoformat(row.at),
        decision=row.decision,
    )
