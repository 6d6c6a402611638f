# SPDX-License-Identifier: Apache-2.0
"""Forgets what nothing rests on any more, a bounded part at a time."""

from datetime import datetime

from sqlalchemy import delete, select

from core.db import Database

from ...store.tables import certificates, seconds
from ..models import AuthorizationState, OrderState
from .tables import authorizations, challenges, orders, wanted

_ENDED = (
    AuthorizationState.INVALID,
    AuthorizationState.DEACTIVATED,
    AuthorizationState.EXPIRED,
    AuthorizationState.REVOKED,
)


class Pruning:
    """The verb over all tables of orders."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def prune(self, *, over_before: datetime, limit: int = 500) -> int:
        """Forget at most so many orders and authorizations that nothing rests on; returns how many went.

        An order that brought a certificate is kept until that one has been over for as long: who may revoke or replace
        it is found by the order. An authorization is kept as long as any order that names it.
        """
        old = seconds(over_before)
        ended = [
            select(orders.c.id).where(orders.c.state == OrderState.INVALID, orders.c.expires < old),
            select(orders.c.id)
            .join(certificates, certificates.c.serial == orders.c.serial)
            .where(orders.c.state == OrderState.VALID, orders.c.expires < old, certificates.c.not_after < old),
        ]
        unused = (
            select(authorizations.c.id)
            .outerjoin(wanted, wanted.c.authorization == authorizations.c.id)
            .where(authorizations.c.state.in_(_ENDED), authorizations.c.expires < old, wanted.c.order.is_(None))
        )
        gone = 0
        for query in ended:
            with self._database.transaction() as connection:
                found = list(connection.execute(query.limit(limit)).scalars())
                connection.execute(delete(wanted).where(wanted.c.order.in_(found)))
                gone += connection.execute(delete(orders).where(orders.c.id.in_(found))).rowcount
        with self._database.transaction() as connection:
            found = list(connection.execute(unused.limit(limit)).scalars())
            connection.execute(delete(challenges).where(challenges.c.authorization.in_(found)))
            gone += connection.execute(delete(authorizations).where(authorizations.c.id.in_(found))).rowcount
        return gone
