# SPDX-License-Identifier: Apache-2.0
"""Grants and the accounts bound with them."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, insert, select, update
from sqlalchemy.exc import IntegrityError

from core.db import Database

from ...store import Note
from ...store.tables import moment, put, seconds
from ..models import Account, AccountState, AuthorizationState, ChallengeState, Grant, GrantState, Holder, OrderState
from .tables import accounts, authorizations, challenges, grants, orders


@dataclass(frozen=True)
class Bound:
    """How binding a new account ended: the account, and whether it is new."""

    account: Account
    new: bool


class Accounts:
    """The verbs over accounts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def grant(self, grant: Grant, note: Note) -> None:
        """Keep a new grant."""
        row = {
            "kid": grant.kid,
            "holder": grant.holder,
            "subject": grant.subject,
            "names": json.dumps(grant.names),
            "officer": grant.officer,
            "created": seconds(grant.created),
            "expires": seconds(grant.expires),
            "state": grant.state,
            "account": "",
        }
        with self._database.transaction() as connection:
            connection.execute(insert(grants), row)
            put(connection, note)

    def granted(self, kid: str) -> Grant | None:
        """One grant."""
        with self._database.reading() as connection:
            row = connection.execute(select(grants).where(grants.c.kid == kid)).one_or_none()
        return None if row is None else _grant(row)

    def grants(self, *, before: str = "", limit: int = 50) -> list[Grant]:
        """The newest grants, from the one after ``before`` on."""
        query = select(grants).order_by(grants.c.created.desc(), grants.c.kid.desc())
        with self._database.reading() as connection:
            if before:
                last = connection.execute(select(grants).where(grants.c.kid == before)).one_or_none()
                if last is None:
                    return []
                later = and_(grants.c.created == last.created, grants.c.kid < last.kid)
                query = query.where((grants.c.created < last.created) | later)
            return [_grant(row) for row in connection.execute(query.limit(limit))]

    def withdraw_grant(self, kid: str, note: Note) -> bool:
        """Revoke a grant with the account that rests on it; False if it was revoked already."""
        with self._database.transaction() as connection:
            done = connection.execute(
                update(grants)
                .where(grants.c.kid == kid, grants.c.state != GrantState.REVOKED)
                .values(state=GrantState.REVOKED)
                .returning(grants.c.account)
            ).one_or_none()
            if done is None:
                return False
            if done.account:
                _end(connection, done.account, AccountState.REVOKED, AuthorizationState.REVOKED)
            put(connection, note)
        return True

    def bind(self, account: Account, note: Note, *, at: datetime) -> Bound | None:
        """Create an account and use its grant up, in one transaction.

        None if the grant was used or revoked or is over. Whoever was quicker with the same key is the account.
        """
        try:
            with self._database.transaction() as connection:
                used = connection.execute(
                    update(grants)
                    .where(
                        grants.c.kid == account.grant.kid,
                        grants.c.state == GrantState.OPEN,
                        grants.c.expires > seconds(at),
                    )
                    .values(state=GrantState.USED, account=account.id)
                )
                if not used.rowcount:
                    return None
                row = {
                    "id": account.id,
                    "state": account.state,
                    "jwk": account.jwk,
                    "thumbprint": account.thumbprint,
                    "contacts": json.dumps(account.contacts),
                    "created": seconds(account.created),
                    "kid": account.grant.kid,
                }
                connection.execute(insert(accounts), row)
                put(connection, note)
        except IntegrityError:
            found = self.by_thumbprint(account.thumbprint)
            return None if found is None else Bound(found, new=False)
        return Bound(account, new=True)

    def account(self, identifier: str) -> Account | None:
        """One account."""
        return self._one(_joined().where(accounts.c.id == identifier))

    def by_thumbprint(self, thumbprint: str) -> Account | None:
        """The account of a key."""
        return self._one(_joined().where(accounts.c.thumbprint == thumbprint))

    def set_contacts(self, identifier: str, contacts: tuple[str, ...], note: Note) -> None:
        """Replace how its people are reached."""
        with self._database.transaction() as connection:
            query = update(accounts).where(accounts.c.id == identifier, accounts.c.state == AccountState.VALID)
            if connection.execute(query.values(contacts=json.dumps(contacts))).rowcount:
                put(connection, note)

    def set_key(self, identifier: str, *, old: str, jwk: str, thumbprint: str, note: Note) -> Account | None:
        """Replace the key ``old``; None if that is done, otherwise the account that has the new key already."""
        query = update(accounts).where(
            accounts.c.id == identifier, accounts.c.thumbprint == old, accounts.c.state == AccountState.VALID
        )
        try:
            with self._database.transaction() as connection:
                changed = connection.execute(query.values(jwk=jwk, thumbprint=thumbprint)).rowcount
                if changed:
                    put(connection, note)
        except IntegrityError:
            return self.by_thumbprint(thumbprint)
        return None if changed else self.account(identifier)

    def deactivate(self, identifier: str, note: Note) -> None:
        """End an account by its own wish, with what it has under way."""
        with self._database.transaction() as connection:
            if _end(connection, identifier, AccountState.DEACTIVATED, AuthorizationState.DEACTIVATED):
                put(connection, note)

    def _one(self, query: Select[Any]) -> Account | None:
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _account(row)


def _end(connection: Connection, account: str, state: AccountState, authorization: AuthorizationState) -> bool:
    query = update(accounts).where(accounts.c.id == account, accounts.c.state == AccountState.VALID)
    if not connection.execute(query.values(state=state)).rowcount:
        return False
    open_states = [AuthorizationState.PENDING, AuthorizationState.VALID]
    ended = update(authorizations).where(authorizations.c.account == account, authorizations.c.state.in_(open_states))
    gone = list(connection.execute(ended.values(state=authorization).returning(authorizations.c.id)).scalars())
    connection.execute(
        update(challenges)
        .where(challenges.c.authorization.in_(gone), challenges.c.state == ChallengeState.PROCESSING)
        .values(state=ChallengeState.INVALID, due=None)
    )
    # What is processing has its intent in the record already; it is finished or invalidated as always.
    under_way = [OrderState.PENDING, OrderState.READY]
    connection.execute(
        update(orders)
        .where(orders.c.account == account, orders.c.state.in_(under_way))
        .values(state=OrderState.INVALID)
    )
    return True


def _joined() -> Select[Any]:
    columns = [column.label(f"grant_{column.name}") for column in grants.c]
    return select(accounts, *columns).join(grants, accounts.c.kid == grants.c.kid)


def _account(row: Any) -> Account:
    return Account(
        id=row.id,
        state=AccountState(row.state),
        jwk=row.jwk,
        thumbprint=row.thumbprint,
        contacts=tuple(json.loads(row.contacts)),
        created=moment(row.created),
        grant=_grant(row, "grant_"),
    )


def _grant(row: Any, prefix: str = "") -> Grant:
    found = {name: getattr(row, prefix + name) for name in [each.name for each in grants.c]}
    return Grant(
        kid=found["kid"],
        holder=Holder(found["holder"]),
        subject=found["subject"],
        names=tuple(json.loads(found["names"])),
        officer=found["officer"],
        created=moment(found["created"]),
        expires=moment(found["expires"]),
        state=GrantState(found["state"]),
        account=found["account"],
    )
