# SPDX-License-Identifier: Apache-2.0
"""The tables of reviews; every verb is one transaction, and each move of a state names the state before it."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import date
from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, Row, String, Table, func, insert, select, update

from core.db import Database

from .models import LATE, Campaign, Item, ItemState, Kind, ScopeKind, Stage, Tally, Undecided

_metadata = MetaData()
_campaigns = Table(
    "review_campaigns",
    _metadata,
    Column("id", String(36), primary_key=True),
    Column("name", String(120), nullable=False),
    Column("scope", String(16), nullable=False),
    Column("of", String(64), nullable=False),
    Column("due", String(10), nullable=False),
    Column("heads", String(64), nullable=False),
    Column("owner", String(36), nullable=False),
    Column("undecided", String(16), nullable=False),
    Column("by", String(36), nullable=False),
    Column("reason", String(500), nullable=False),
    Column("stage", String(16), nullable=False, index=True),
    Column("branch", String(8), nullable=False),
    Column("after", BigInteger, nullable=False),
    Column("reminded", String(10), nullable=False),
    Column("seal", String(64), nullable=False),
)
_items = Table(
    "review_items",
    _metadata,
    Column("position", Integer, primary_key=True, autoincrement=True),
    Column("campaign", String(36), nullable=False),
    Column("kind", String(8), nullable=False),
    Column("access", String(36), nullable=False),
    Column("holder", String(36), nullable=False),
    Column("what", String(64), nullable=False),
    Column("organisation", String(64), nullable=False),
    Column("owner", String(36), nullable=False),
    Column("state", String(16), nullable=False),
    Column("decided_by", String(36), nullable=False),
    Column("decided", BigInteger, nullable=False),
    Column("reason", String(500), nullable=False),
    Column("failed", String(64), nullable=False),
    Index("review_items_access", "campaign", "access", unique=True),
    Index("review_items_owner", "owner", "state", "position"),
    Index("review_items_state", "campaign", "state", "position"),
    Index("review_items_going", "state", "position"),
    sqlite_autoincrement=True,
)
MOST_CAMPAIGNS = 200
"""In one list; the newest."""


class Board:
    """Rows in, models out."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, of: Campaign) -> None:
        """Write a campaign down, to be collected."""
        with self._database.transaction() as connection:
            connection.execute(insert(_campaigns).values(**{**asdict(of), "due": of.due.isoformat()}))

    def campaign(self, identifier: str) -> Campaign | None:
        """One campaign."""
        with self._database.reading() as connection:
            row = connection.execute(select(_campaigns).where(_campaigns.c.id == identifier)).one_or_none()
        return _campaign(row) if row else None

    def campaigns(self, *stages: Stage) -> list[Campaign]:
        """Campaigns of these stages, or all; latest end first."""
        query = select(_campaigns).order_by(_campaigns.c.due.desc(), _campaigns.c.id).limit(MOST_CAMPAIGNS)
        with self._database.reading() as connection:
            return [_campaign(row) for row in connection.execute(query.where(_campaigns.c.stage.in_(stages or Stage)))]

    def collected(self, of: Campaign, found: Sequence[Item], *, branch: Kind, after: int, done: bool) -> None:
        """Add what one page brought and note how far that is, in one transaction: a page read twice adds nothing."""
        with self._database.transaction() as connection:
            query = select(_items.c.access).where(
                _items.c.campaign == of.id, _items.c.access.in_([each.access for each in found])
            )
            known = set(connection.execute(query).scalars())
            rows = [_without_position(asdict(each)) for each in found if each.access not in known]
            if rows:
                connection.execute(insert(_items), rows)
            stage = Stage.OPEN if done else Stage.COLLECTING
            connection.execute(
                update(_campaigns).where(_campaigns.c.id == of.id).values(branch=branch, after=after, stage=stage)
            )

    def item(self, position: int) -> Item | None:
        """One access under review."""
        with self._database.reading() as connection:
            row = connection.execute(select(_items).where(_items.c.position == position)).one_or_none()
        return _item(row) if row else None

    def items(
        self, campaign: str, *states: ItemState, after: int = 0, limit: int, owner: str | None = None
    ) -> list[Item]:
        """Accesses of a campaign in order, by key; those in these states, or all."""
        query = select(_items).where(_items.c.campaign == campaign, _items.c.position > after)
        query = query.where(_items.c.state.in_(states)) if states else query
        query = query.where(_items.c.owner == owner) if owner is not None else query
        with self._database.reading() as connection:
            return [_item(row) for row in connection.execute(query.order_by(_items.c.position).limit(limit))]

    def all_items(self, campaign: str, *, page: int = 1000) -> Iterator[Item]:
        """Every access of a campaign, page by page."""
        after = 0
        while found := self.items(campaign, after=after, limit=page):
            yield from found
            after = found[-1].position

    def waiting_for(self, owner: str, *, after: int = 0, limit: int) -> list[Item]:
        """What one owner has to decide about, over all campaigns that are open."""
        going = select(_campaigns.c.id).where(_campaigns.c.stage == Stage.OPEN)
        query = select(_items).where(
            _items.c.owner == owner, _items.c.state == ItemState.OPEN, _items.c.position > after,
            _items.c.campaign.in_(going),
        )  # fmt: skip
        with self._database.reading() as connection:
            return [_item(row) for row in connection.execute(query.order_by(_items.c.position).limit(limit))]

    def owners_waiting(self, campaign: str) -> dict[str, int]:
        """How much each owner still has to decide about."""
        query = select(_items.c.owner, func.count()).where(
            _items.c.campaign == campaign, _items.c.state == ItemState.OPEN
        )
        with self._database.reading() as connection:
            rows = connection.execute(query.group_by(_items.c.owner)).all()
        return {str(owner): int(count) for owner, count in rows}

    def tally(self, campaign: str) -> Tally:
        """How the accesses of a campaign stand."""
        query = select(_items.c.state, func.count()).where(_items.c.campaign == campaign).group_by(_items.c.state)
        with self._database.reading() as connection:
            return Tally(**{str(state): count for state, count in connection.execute(query)})

    def decide(self, of: Item, state: ItemState, *, by: str, at: int, reason: str) -> bool:
        """Keep a decision; whether it was still to be made. What is decided too late is kept as such."""
        wanted = LATE[state] if of.state is ItemState.ESCALATED else state
        waits = update(_items).where(_items.c.position == of.position, _items.c.state == of.state)
        if of.state is ItemState.OPEN:
            going = select(_campaigns.c.id).where(_campaigns.c.stage == Stage.OPEN)
            waits = waits.where(_items.c.campaign.in_(going))
        with self._database.transaction() as connection:
            made = waits.values(state=wanted, decided_by=by, decided=at, reason=reason)
            return bool(connection.execute(made).rowcount)

    def withdrawing(self, *, after: int = 0, limit: int) -> list[Item]:
        """What has been decided to be taken away and may still be there, of all campaigns."""
        going = (ItemState.WITHDRAWING, ItemState.LATE_WITHDRAWING)
        query = select(_items).where(_items.c.state.in_(going), _items.c.position > after)
        with self._database.reading() as connection:
            return [_item(row) for row in connection.execute(query.order_by(_items.c.position).limit(limit))]

    def failed(self, position: int, code: str) -> None:
        """It could not be taken away; why, as a code, until it is."""
        with self._database.transaction() as connection:
            connection.execute(update(_items).where(_items.c.position == position).values(failed=code[:64]))

    def stuck(self, campaign: str) -> int:
        """How many accesses of a campaign could not be taken away so far."""
        query = select(func.count()).where(_items.c.campaign == campaign, _items.c.failed != "")
        with self._database.reading() as connection:
            return int(connection.execute(query).scalar_one())

    def withdrawn(self, position: int) -> None:
        """It has been taken away."""
        with self._database.transaction() as connection:
            for state, done in (
                (ItemState.WITHDRAWING, ItemState.WITHDRAWN),
                (ItemState.LATE_WITHDRAWING, ItemState.LATE_WITHDRAWN),
            ):
                going = update(_items).where(_items.c.position == position, _items.c.state == state)
                connection.execute(going.values(state=done, failed=""))

    def end(self, of: Campaign, *, at: int, reason: str) -> None:
        """The last day is over: settle what nobody decided, as the campaign says, all in one transaction."""
        settled: dict[str, Any] = {"state": ItemState.ESCALATED}
        if of.undecided is Undecided.WITHDRAW:
            settled = {"state": ItemState.WITHDRAWING, "decided": at, "reason": reason}
        left = update(_items).where(_items.c.campaign == of.id, _items.c.state == ItemState.OPEN)
        with self._database.transaction() as connection:
            going = update(_campaigns).where(_campaigns.c.id == of.id, _campaigns.c.stage == Stage.OPEN)
            if connection.execute(going.values(stage=Stage.CLOSING)).rowcount:
                connection.execute(left.values(**settled))

    def close(self, identifier: str, *, seal: str) -> None:
        """Keep the seal; nothing of the campaign's result changes from here on."""
        closing = update(_campaigns).where(_campaigns.c.id == identifier, _campaigns.c.stage == Stage.CLOSING)
        with self._database.transaction() as connection:
            connection.execute(closing.values(stage=Stage.CLOSED, seal=seal))

    def reminded(self, identifier: str, day: date) -> bool:
        """Note that owners are reminded on this day; whether nobody did so before."""
        due = update(_campaigns).where(_campaigns.c.id == identifier, _campaigns.c.reminded != day.isoformat())
        with self._database.transaction() as connection:
            return bool(connection.execute(due.values(reminded=day.isoformat())).rowcount)


def _without_position(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != "position"}


def _campaign(row: Row[Any]) -> Campaign:
    told = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public way to a row as a mapping
    told["due"] = date.fromisoformat(told["due"])
    for name, kind in (("scope", ScopeKind), ("undecided", Undecided), ("stage", Stage), ("branch", Kind)):
        told[name] = kind(told[name])
    return Campaign(**told)


def _item(row: Row[Any]) -> Item:
    told = dict(row._mapping)  # noqa: SLF001 - as above
    return Item(**{**told, "kind": Kind(told["kind"]), "state": ItemState(told["state"])})
