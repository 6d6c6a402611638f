# SPDX-License-Identifier: Apache-2.0
"""Drafts, signatures and orders; every change of a draft names the version that it was made from."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    delete,
    insert,
    select,
    tuple_,
    update,
)
from sqlalchemy.engine import Connection, Row

from core.db import Database, migrate

from ..errors import DraftMoved, NoSuchDraft
from .models import MOST_DRAFTS, Act, Draft, Order, State

_METADATA = MetaData()
_DRAFTS = Table(
    "policy_drafts",
    _METADATA,
    Column("id", String(32), primary_key=True),
    Column("title", String(200), nullable=False),
    Column("state", String(16), nullable=False),
    Column("base", String(80), nullable=False),
    Column("author", String(256), nullable=False),
    # Epoch milliseconds.
    Column("created", BigInteger, nullable=False),
    Column("changed", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("trial", String(256), nullable=False, server_default=""),
)
_FILES = Table(
    "policy_files",
    _METADATA,
    Column("draft", String(32), primary_key=True),
    Column("name", String(80), primary_key=True),
    Column("content", Text, nullable=False),
)
_SIGNATURES = Table(
    "policy_signatures",
    _METADATA,
    Column("draft", String(32), primary_key=True),
    Column("administrator", String(256), primary_key=True),
    Column("signature", String(128), nullable=False),
)
_ORDERS = Table(
    "policy_orders",
    _METADATA,
    Column("id", Integer, primary_key=True),
    Column("draft", String(32), nullable=False),
    Column("act", String(16), nullable=False),
    Column("actor", String(256), nullable=False),
    Column("at", BigInteger, nullable=False),
    # Of no use any more: it is signed with the draft.
    Column("without_shadow", String(256), nullable=False),
    Column("state", String(16), nullable=False),
    Column("told", Text, nullable=False),
)
_MIGRATIONS = Path(__file__).parent / "migrations"
_SHOWN = 20
_WAITING, _WITHDRAWN = "waiting", "withdrawn"
"""States of an order: nobody has carried it out, and nobody is to."""


class DeskStore:
    """The tables and their verbs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, path: Path) -> Self:
        """The tables in one SQLite file, brought up to date."""
        database = Database.open(f"sqlite:///{path}", connections=8)
        migrate(database, _MIGRATIONS)
        path.chmod(0o600)
        return cls(database)

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def begin(self, draft: Draft) -> None:
        """Keep a new draft with its files."""
        with self._database.transaction() as connection:
            connection.execute(
                insert(_DRAFTS).values(
                    id=draft.id,
                    title=draft.title,
                    state=draft.state,
                    base=draft.base,
                    author=draft.author,
                    created=_stamp(draft.created),
                    changed=_stamp(draft.changed),
                    version=draft.version,
                    sequence=draft.sequence,
                    trial=draft.trial,
                )
            )
            self._put(connection, draft.id, draft.files)

    def get(self, identifier: str) -> Draft:
        """One draft, whole.

        Raises:
            NoSuchDraft: there is none.
        """
        with self._database.reading() as connection:
            row = connection.execute(select(_DRAFTS).where(_DRAFTS.c.id == identifier)).one_or_none()
            if row is None:
                raise NoSuchDraft
            files = connection.execute(select(_FILES).where(_FILES.c.draft == identifier).order_by(_FILES.c.name))
            signed = connection.execute(
                select(_SIGNATURES).where(_SIGNATURES.c.draft == identifier).order_by(_SIGNATURES.c.administrator)
            )
            return _draft(
                row,
                {each.name: each.content for each in files},
                {each.administrator: each.signature for each in signed},
            )

    def drafts(self, before: str = "") -> tuple[tuple[Draft, ...], str]:
        """A page of them, the newest first, without files and with who signed; and where the next one begins.

        Raises:
            NoSuchDraft: there is none to begin after.
        """
        wanted = select(_DRAFTS).order_by(_DRAFTS.c.created.desc(), _DRAFTS.c.id.desc()).limit(MOST_DRAFTS + 1)
        with self._database.reading() as connection:
            if before:
                last = connection.execute(select(_DRAFTS).where(_DRAFTS.c.id == before)).one_or_none()
                if last is None:
                    raise NoSuchDraft
                wanted = wanted.where(tuple_(_DRAFTS.c.created, _DRAFTS.c.id) < (last.created, last.id))
            *rows, after = (*connection.execute(wanted).all(), None)
            if len(rows) > MOST_DRAFTS:
                after = rows.pop()
            signed: dict[str, dict[str, str]] = {}
            named = [row.id for row in rows]
            for each in connection.execute(select(_SIGNATURES).where(_SIGNATURES.c.draft.in_(named))):
                signed.setdefault(each.draft, {})[each.administrator] = each.signature
            return tuple(_draft(row, {}, signed.get(row.id, {})) for row in rows), rows[-1].id if after else ""

    def change(
        self,
        draft: Draft,
        *,
        at: datetime,
        files: Mapping[str, str] | None = None,
        state: State | None = None,
        sequence: int | None = None,
        trial: str | None = None,
    ) -> None:
        """Change what nobody changed meanwhile.

        Raises:
            DraftMoved: somebody did.
        """
        values: dict[str, Any] = {"version": draft.version + 1, "changed": _stamp(at)}
        if state is not None:
            values["state"] = state
        if sequence is not None:
            values["sequence"] = sequence
        if trial is not None:
            values["trial"] = trial
        with self._database.transaction() as connection:
            same = (_DRAFTS.c.id == draft.id, _DRAFTS.c.version == draft.version)
            if connection.execute(update(_DRAFTS).where(*same).values(**values)).rowcount != 1:
                raise DraftMoved
            if files is not None:
                connection.execute(delete(_FILES).where(_FILES.c.draft == draft.id))
                self._put(connection, draft.id, files)
            if state is State.WITHDRAWN:
                # What waits for the clerk is given up with it.
                waiting = (_ORDERS.c.draft == draft.id, _ORDERS.c.state == _WAITING)
                connection.execute(update(_ORDERS).where(*waiting).values(state=_WITHDRAWN))
            if state is State.PROPOSED:
                # What was signed for another number counts for nothing.
                connection.execute(delete(_SIGNATURES).where(_SIGNATURES.c.draft == draft.id))

    def sign(self, draft: Draft, *, administrator: str, signature: str) -> None:
        """Keep a verified signature.

        Raises:
            DraftMoved: the draft is another one now, or this administrator has signed it.
        """
        with self._database.transaction() as connection:
            same = (_DRAFTS.c.id == draft.id, _DRAFTS.c.version == draft.version)
            there = (_SIGNATURES.c.draft == draft.id, _SIGNATURES.c.administrator == administrator)
            if (
                connection.execute(select(_DRAFTS.c.id).where(*same)).one_or_none() is None
                or connection.execute(select(_SIGNATURES.c.draft).where(*there)).one_or_none() is not None
            ):
                raise DraftMoved
            connection.execute(
                insert(_SIGNATURES).values(draft=draft.id, administrator=administrator, signature=signature)
            )

    def order(self, *, draft: str, act: Act, actor: str, at: datetime) -> None:
        """Keep an order, unless the same one waits already.

        Raises:
            DraftMoved: it does, or the draft is no proposal any more.
        """
        with self._database.transaction() as connection:
            waiting = (_ORDERS.c.draft == draft, _ORDERS.c.act == act, _ORDERS.c.state == _WAITING)
            over = (_DRAFTS.c.id == draft, _DRAFTS.c.state != State.PROPOSED)
            if (
                connection.execute(select(_ORDERS.c.id).where(*waiting)).first() is not None
                or connection.execute(select(_DRAFTS.c.id).where(*over)).first() is not None
            ):
                raise DraftMoved
            connection.execute(
                insert(_ORDERS).values(
                    draft=draft,
                    act=act,
                    actor=actor,
                    at=_stamp(at),
                    without_shadow="",
                    state=_WAITING,
                    told="",
                )
            )

    def waiting(self) -> tuple[Order, ...]:
        """What the clerk has not answered yet, in the order in which it was asked."""
        with self._database.reading() as connection:
            rows = connection.execute(select(_ORDERS).where(_ORDERS.c.state == _WAITING).order_by(_ORDERS.c.id))
            return tuple(map(_order, rows))

    def orders(self, draft: str | None = None) -> tuple[Order, ...]:
        """The newest orders, of one draft or of all."""
        wanted = select(_ORDERS).order_by(_ORDERS.c.id.desc()).limit(_SHOWN)
        with self._database.reading() as connection:
            rows = connection.execute(wanted if draft is None else wanted.where(_ORDERS.c.draft == draft))
            return tuple(map(_order, rows))

    def answer(self, number: int, *, done: bool, told: str, at: datetime) -> None:
        """What became of an order; a release ends its draft. An order that was answered stays as it is.

        One that was given up while the clerk was at it was carried out all the same, if the clerk says so.
        """
        open_ones = (_WAITING, _WITHDRAWN) if done else (_WAITING,)
        with self._database.transaction() as connection:
            same = (_ORDERS.c.id == number, _ORDERS.c.state.in_(open_ones))
            row = connection.execute(select(_ORDERS).where(*same)).one_or_none()
            if row is None:
                return
            state = "done" if done else "refused"
            connection.execute(update(_ORDERS).where(*same).values(state=state, told=told))
            if done and row.act == Act.RELEASE:
                ended = update(_DRAFTS).where(_DRAFTS.c.id == row.draft)
                connection.execute(
                    ended.values(state=State.RELEASED, changed=_stamp(at), version=_DRAFTS.c.version + 1)
                )

    @staticmethod
    def _put(connection: Connection, draft: str, files: Mapping[str, str]) -> None:
        for name, content in files.items():
            connection.execute(insert(_FILES).values(draft=draft, name=name, content=content))


def _draft(row: Row[Any], files: Mapping[str, str], signatures: Mapping[str, str]) -> Draft:
    return Draft(
        id=row.id,
        title=row.title,
        state=State(row.state),
        base=row.base,
        author=row.author,
        created=_moment(row.created),
        changed=_moment(row.changed),
        version=row.version,
        sequence=row.sequence,
        trial=row.trial,
        files=files,
        signatures=signatures,
    )


def _order(row: Row[Any]) -> Order:
    return Order(
        id=row.id,
        draft=row.draft,
        act=Act(row.act),
        actor=row.actor,
        at=_moment(row.at),
        state=row.state,
        told=row.told,
    )


def _stamp(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _moment(stamp: int) -> datetime:
    return datetime.fromtimestamp(stamp / 1000, UTC)
