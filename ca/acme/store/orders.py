# SPDX-License-Identifier: Apache-2.0
"""Orders, authorizations and challenges; every change of one that ends or opens another is one transaction."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from core.db import Database

from ...store import Note
from ...store.tables import moment, put, seconds
from ..models import (
    Authorization,
    AuthorizationState,
    Challenge,
    ChallengeState,
    Identifier,
    Kind,
    Method,
    Order,
    OrderState,
)
from .tables import accounts, authorizations, challenges, grants, orders, wanted

_OPEN = (OrderState.PENDING, OrderState.READY)


class Orders:
    """The verbs over orders and what they wait for."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, order: Order | None, fresh: Sequence[Authorization]) -> Order | None:
        """Keep new authorizations, and the order that needs them if there is one.

        Authorizations that the order names beside ``fresh`` may have changed since they were looked at; the order is
        ready only if all are valid now. None if one of them cannot be used any more, or if another order was quicker
        in replacing the same certificate: nothing is kept then.
        """
        with self._database.transaction() as connection:
            for each in fresh:
                connection.execute(insert(authorizations), _authorization_row(each))
                connection.execute(insert(challenges), [_challenge_row(one) for one in each.challenges])
            if order is None:
                return None
            if order.replaces and _replaced(connection, order.replaces):
                connection.rollback()
                return None
            states = _states(connection, order.authorizations)
            usable = {AuthorizationState.PENDING, AuthorizationState.VALID}
            if len(states) != len(order.authorizations) or not set(states) <= usable:
                connection.rollback()
                return None
            ready = set(states) == {AuthorizationState.VALID}
            state = OrderState.READY if ready else OrderState.PENDING
            connection.execute(insert(orders), _order_row(order, state))
            links = [{"authorization": each, "order": order.id} for each in order.authorizations]
            connection.execute(insert(wanted), links)
        return self.order(order.id)

    def order(self, identifier: str) -> Order | None:
        """One order."""
        with self._database.reading() as connection:
            row = connection.execute(select(orders).where(orders.c.id == identifier)).one_or_none()
        return None if row is None else _order(row)

    def of_account(self, account: str, *, before: int = 0, limit: int = 50) -> tuple[list[str], int]:
        """The newest orders of an account that are not invalid, and where the next page begins (0: no more)."""
        query = select(orders.c.id, orders.c.position).where(
            orders.c.account == account, orders.c.state != OrderState.INVALID
        )
        if before:
            query = query.where(orders.c.position < before)
        with self._database.reading() as connection:
            rows = list(connection.execute(query.order_by(orders.c.position.desc()).limit(limit + 1)))
        more = rows[limit - 1].position if len(rows) > limit else 0
        return [row.id for row in rows[:limit]], more

    def of_serial(self, serial: str) -> Order | None:
        """The order that a certificate was made for."""
        with self._database.reading() as connection:
            row = connection.execute(select(orders).where(orders.c.serial == serial)).first()
        return None if row is None else _order(row)

    def issued_to(self, account: str) -> list[str]:
        """Serials of what an account ordered, named by itself or by the grant that it is bound to."""
        mine = select(accounts.c.id).where((accounts.c.id == account) | (accounts.c.kid == account))
        query = select(orders.c.serial).where(orders.c.account.in_(mine), orders.c.serial != "")
        with self._database.reading() as connection:
            return list(connection.execute(query).scalars())

    def granted_by(self, officer: str) -> list[str]:
        """Serials of what came of an officer's grants."""
        query = (
            select(orders.c.serial)
            .join(accounts, accounts.c.id == orders.c.account)
            .join(grants, grants.c.kid == accounts.c.kid)
            .where(grants.c.officer == officer, orders.c.serial != "")
        )
        with self._database.reading() as connection:
            return list(connection.execute(query).scalars())

    def replaced(self, certificate: str) -> bool:
        """Whether an order that is not invalid replaces that certificate."""
        with self._database.reading() as connection:
            return _replaced(connection, certificate)

    def authorization(self, identifier: str) -> Authorization | None:
        """One authorization with its challenges."""
        with self._database.reading() as connection:
            row = connection.execute(select(authorizations).where(authorizations.c.id == identifier)).one_or_none()
            return None if row is None else _authorization(connection, row)

    def usable(self, account: str, identifier: Identifier, *, wildcard: bool, until: datetime) -> Authorization | None:
        """An authorization of that account that is good until then: a valid one, or else one that waits."""
        query = select(authorizations).where(
            authorizations.c.account == account,
            authorizations.c.kind == identifier.kind,
            authorizations.c.value == identifier.value,
            authorizations.c.wildcard.is_(wildcard),
            authorizations.c.expires > seconds(until),
        )
        with self._database.reading() as connection:
            for state in (AuthorizationState.VALID, AuthorizationState.PENDING):
                row = connection.execute(query.where(authorizations.c.state == state)).first()
                if row is not None:
                    return _authorization(connection, row)
        return None

    def proved(self, account: str, *, at: datetime) -> set[tuple[Identifier, bool]]:
        """What an account has shown and may still rely on: identifiers, and whether for a wildcard."""
        query = select(authorizations).where(
            authorizations.c.account == account,
            authorizations.c.state == AuthorizationState.VALID,
            authorizations.c.expires > seconds(at),
        )
        with self._database.reading() as connection:
            rows = list(connection.execute(query))
        return {(Identifier(Kind(row.kind), row.value), bool(row.wildcard)) for row in rows}

    def waiting(self, account: str) -> int:
        """How many authorizations of an account are pending."""
        query = (
            select(func.count())
            .select_from(authorizations)
            .where(authorizations.c.account == account, authorizations.c.state == AuthorizationState.PENDING)
        )
        with self._database.reading() as connection:
            return int(connection.execute(query).scalar_one())

    def deactivate(self, identifier: str, note: Note) -> None:
        """Give an authorization up; orders that wait for it become invalid."""
        with self._database.transaction() as connection:
            given_up = (AuthorizationState.PENDING, AuthorizationState.VALID)
            query = update(authorizations).where(
                authorizations.c.id == identifier, authorizations.c.state.in_(given_up)
            )
            if connection.execute(query.values(state=AuthorizationState.DEACTIVATED)).rowcount:
                _close_challenges(connection, identifier)
                _invalidate_orders(connection, identifier, "")
                put(connection, note)

    def challenge(self, identifier: str) -> Challenge | None:
        """One challenge."""
        with self._database.reading() as connection:
            row = connection.execute(select(challenges).where(challenges.c.id == identifier)).one_or_none()
        return None if row is None else _challenge(row)

    def respond(self, challenge: Challenge, *, at: datetime) -> None:
        """Let it be looked at, at once; the others of its authorization stay as they are."""
        with self._database.transaction() as connection:
            query = update(challenges).where(
                challenges.c.id == challenge.id,
                challenges.c.state.in_((ChallengeState.PENDING, ChallengeState.PROCESSING)),
            )
            connection.execute(query.values(state=ChallengeState.PROCESSING, due=seconds(at)))

    def due(self, *, at: datetime, lease: timedelta, limit: int) -> list[str]:
        """Take challenges that are to be looked at now; nobody else does for the length of the lease."""
        query = select(challenges.c.id, challenges.c.due).where(
            challenges.c.state == ChallengeState.PROCESSING, challenges.c.due <= seconds(at)
        )
        with self._database.reading() as connection:
            rows = list(connection.execute(query.limit(limit)))
        taken = []
        for row in rows:
            with self._database.transaction() as connection:
                mine = update(challenges).where(challenges.c.id == row.id, challenges.c.due == row.due)
                if connection.execute(mine.values(due=seconds(at + lease))).rowcount:
                    taken.append(row.id)
        return taken

    def succeeded(self, challenge: Challenge, note: Note, *, at: datetime, until: datetime) -> bool:
        """Control was shown: challenge and authorization are valid, and orders that waited for nothing else ready."""
        with self._database.transaction() as connection:
            query = update(authorizations).where(
                authorizations.c.id == challenge.authorization,
                authorizations.c.state == AuthorizationState.PENDING,
                authorizations.c.expires > seconds(at),
            )
            if not connection.execute(query.values(state=AuthorizationState.VALID, expires=seconds(until))).rowcount:
                return False
            done = update(challenges).where(challenges.c.id == challenge.id)
            valid = {"state": ChallengeState.VALID, "validated": seconds(at), "error": "", "due": None}
            connection.execute(done.values(attempts=challenge.attempts + 1, **valid))
            _close_challenges(connection, challenge.authorization)
            _open_orders(connection, challenge.authorization)
            put(connection, note)
        return True

    def missed(self, challenge: Challenge, error: str, *, due: datetime) -> None:
        """It did not succeed and is looked at again."""
        with self._database.transaction() as connection:
            query = update(challenges).where(
                challenges.c.id == challenge.id, challenges.c.state == ChallengeState.PROCESSING
            )
            connection.execute(query.values(attempts=challenge.attempts + 1, error=error, due=seconds(due)))

    def failed(self, challenge: Challenge, error: str, note: Note) -> None:
        """It did not succeed for good: challenge, authorization and the orders that wait for it are invalid."""
        with self._database.transaction() as connection:
            query = update(challenges).where(
                challenges.c.id == challenge.id, challenges.c.state == ChallengeState.PROCESSING
            )
            lost = {"state": ChallengeState.INVALID, "error": error, "due": None}
            if not connection.execute(query.values(attempts=challenge.attempts + 1, **lost)).rowcount:
                return
            ended = update(authorizations).where(
                authorizations.c.id == challenge.authorization, authorizations.c.state == AuthorizationState.PENDING
            )
            connection.execute(ended.values(state=AuthorizationState.INVALID))
            _close_challenges(connection, challenge.authorization)
            _invalidate_orders(connection, challenge.authorization, error)
            put(connection, note)

    def begin(self, order: str, *, csr: bytes, key_hash: str, claim: str, until: datetime) -> bool:
        """Ready becomes processing, with what is to be certified; False if it was not ready any more."""
        with self._database.transaction() as connection:
            query = update(orders).where(orders.c.id == order, orders.c.state == OrderState.READY)
            begun = {"state": OrderState.PROCESSING, "csr": csr, "key_hash": key_hash}
            return bool(connection.execute(query.values(claim=claim, claimed=seconds(until), **begun)).rowcount)

    def stranded(self, *, claim: str, at: datetime, until: datetime, limit: int = 16) -> list[tuple[Order, str]]:
        """Take over processing orders whose process gave up or died; each with the hash of its key."""
        query = select(orders.c.id).where(orders.c.state == OrderState.PROCESSING, orders.c.claimed <= seconds(at))
        with self._database.reading() as connection:
            found = list(connection.execute(query.limit(limit)).scalars())
        taken = []
        for each in found:
            with self._database.transaction() as connection:
                mine = update(orders).where(
                    orders.c.id == each, orders.c.state == OrderState.PROCESSING, orders.c.claimed <= seconds(at)
                )
                row = connection.execute(
                    mine.values(claim=claim, claimed=seconds(until)).returning(*orders.c)
                ).one_or_none()
                if row is not None:
                    taken.append((_order(row), row.key_hash))
        return taken

    def put_off(self, order: str, *, claim: str, until: datetime) -> None:
        """Leave a processing order for later; nobody takes it before."""
        with self._database.transaction() as connection:
            query = update(orders).where(orders.c.id == order, orders.c.claim == claim)
            connection.execute(query.values(claimed=seconds(until)))

    def finish(self, order: str, *, claim: str, serial: str, note: Note) -> bool:
        """Processing becomes valid; False if somebody else took it over."""
        with self._database.transaction() as connection:
            query = update(orders).where(
                orders.c.id == order, orders.c.state == OrderState.PROCESSING, orders.c.claim == claim
            )
            if not connection.execute(query.values(state=OrderState.VALID, serial=serial)).rowcount:
                return False
            put(connection, note)
        return True

    def invalidate(self, order: str, *, claim: str, error: str) -> None:
        """Processing becomes invalid."""
        with self._database.transaction() as connection:
            query = update(orders).where(
                orders.c.id == order, orders.c.state == OrderState.PROCESSING, orders.c.claim == claim
            )
            connection.execute(query.values(state=OrderState.INVALID, error=error))

    def expire(self, *, at: datetime) -> None:
        """End what was not finished in time."""
        now = seconds(at)
        with self._database.transaction() as connection:
            late = update(orders).where(orders.c.state.in_(_OPEN), orders.c.expires <= now)
            connection.execute(late.values(state=OrderState.INVALID))
            for before, after in (
                (AuthorizationState.PENDING, AuthorizationState.INVALID),
                (AuthorizationState.VALID, AuthorizationState.EXPIRED),
            ):
                over = update(authorizations).where(authorizations.c.state == before, authorizations.c.expires <= now)
                connection.execute(over.values(state=after))


def _replaced(connection: Connection, certificate: str) -> bool:
    query = select(orders.c.id).where(orders.c.replaces == certificate, orders.c.state != OrderState.INVALID)
    return connection.execute(query.limit(1)).first() is not None


def _states(connection: Connection, which: Iterable[str]) -> list[AuthorizationState]:
    query = select(authorizations.c.state).where(authorizations.c.id.in_(list(which)))
    return [AuthorizationState(each) for each in connection.execute(query).scalars()]


def _close_challenges(connection: Connection, authorization: str) -> None:
    """Nobody looks any more at what else was offered."""
    query = update(challenges).where(
        challenges.c.authorization == authorization, challenges.c.state == ChallengeState.PROCESSING
    )
    connection.execute(query.values(state=ChallengeState.PENDING, due=None))


def _waiting_orders(connection: Connection, authorization: str) -> list[str]:
    query = (
        select(orders.c.id)
        .join(wanted, wanted.c.order == orders.c.id)
        .where(wanted.c.authorization == authorization, orders.c.state.in_(_OPEN))
    )
    return list(connection.execute(query).scalars())


def _open_orders(connection: Connection, authorization: str) -> None:
    for order in _waiting_orders(connection, authorization):
        needs = select(wanted.c.authorization).where(wanted.c.order == order)
        lacking = select(func.count()).where(
            authorizations.c.id.in_(needs), authorizations.c.state != AuthorizationState.VALID
        )
        if not connection.execute(lacking).scalar_one():
            ready = update(orders).where(orders.c.id == order, orders.c.state == OrderState.PENDING)
            connection.execute(ready.values(state=OrderState.READY))


def _invalidate_orders(connection: Connection, authorization: str, error: str) -> None:
    found = _waiting_orders(connection, authorization)
    connection.execute(update(orders).where(orders.c.id.in_(found)).values(state=OrderState.INVALID, error=error))


def _order_row(order: Order, state: OrderState) -> dict[str, Any]:
    return {
        "id": order.id,
        "account": order.account,
        "state": state,
        "identifiers": json.dumps([each.document() for each in order.identifiers]),
        "authorizations": json.dumps(order.authorizations),
        "profile": order.profile,
        "created": seconds(order.created),
        "expires": seconds(order.expires),
        "replaces": order.replaces,
        "csr": b"",
        "key_hash": "",
        "serial": "",
        "error": "",
        "claim": "",
        "claimed": 0,
    }


def _order(row: Any) -> Order:
    return Order(
        id=row.id,
        account=row.account,
        state=OrderState(row.state),
        identifiers=tuple(Identifier(Kind(each["type"]), each["value"]) for each in json.loads(row.identifiers)),
        authorizations=tuple(json.loads(row.authorizations)),
        profile=row.profile,
        created=moment(row.created),
        expires=moment(row.expires),
        replaces=row.replaces,
        csr=row.csr,
        serial=row.serial,
        error=json.loads(row.error) if row.error else None,
    )


def _authorization_row(each: Authorization) -> dict[str, Any]:
    return {
        "id": each.id,
        "account": each.account,
        "kind": each.identifier.kind,
        "value": each.identifier.value,
        "wildcard": each.wildcard,
        "state": each.state,
        "expires": seconds(each.expires),
    }


def _authorization(connection: Connection, row: Any) -> Authorization:
    query = select(challenges).where(challenges.c.authorization == row.id).order_by(challenges.c.method)
    return Authorization(
        id=row.id,
        account=row.account,
        identifier=Identifier(Kind(row.kind), row.value),
        wildcard=bool(row.wildcard),
        state=AuthorizationState(row.state),
        expires=moment(row.expires),
        challenges=tuple(_challenge(each) for each in connection.execute(query)),
    )


def _challenge_row(each: Challenge) -> dict[str, Any]:
    return {
        "id": each.id,
        "authorization": each.authorization,
        "method": each.method,
        "token": each.token,
        "state": each.state,
        "attempts": 0,
        "validated": None,
        "error": "",
        "due": None,
    }


def _challenge(row: Any) -> Challenge:
    return Challenge(
        id=row.id,
        authorization=row.authorization,
        method=Method(row.method),
        token=row.token,
        state=ChallengeState(row.state),
        attempts=row.attempts,
        validated=moment(row.validated) if row.validated is not None else None,
        error=json.loads(row.error) if row.error else None,
    )
