# SPDX-License-Identifier: Apache-2.0
"""Orders and authorizations (RFC 8555 sections 7.4 and 7.5): what is asked for, and what must be shown first."""

import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from audit import Outcome
from core.clock import Clock

from ..config import AcmeSettings
from ..x509 import PROFILES, SubjectKind
from .limits import Limits
from .models import (
    Account,
    Authorization,
    AuthorizationState,
    Challenge,
    ChallengeState,
    Holder,
    Identifier,
    Kind,
    Method,
    Order,
    OrderState,
)
from .names import allows, read_identifier
from .notes import about_account, note
from .problems import Problem, Type
from .renewal import Renewal
from .store import Store

REQUESTER = "role:acme"
"""Profiles that name it among their requesters can be had by ACME."""
_MOST_IDENTIFIERS = 100
_NOT_FOUND = 404
_KINDS = {Holder.DEVICE: SubjectKind.DEVICE, Holder.ORGANISATION: SubjectKind.ORGANISATION}


def offered(holder: Holder | None = None) -> dict[str, str]:
    """Profiles that can be had by ACME, by name, with what they are for; the first is the default."""
    return {
        name: each.about
        for name, each in PROFILES.items()
        if REQUESTER in each.requesters and (holder is None or each.subject is _KINDS[holder])
    }


class Orders:
    """The verbs over orders and authorizations, each for one account."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        settings: AcmeSettings,
        limits: Limits,
        renewal: Renewal,
        nudge: Callable[[], None],
        look: Callable[[], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings
        self._limits = limits
        self._renewal = renewal
        self._nudge = nudge
        self._look = look

    def create(self, account: Account, wish: Mapping[str, Any]) -> Order:
        """A new order.

        Raises:
            Problem: it asks for what cannot be.
        """
        identifiers = self._identifiers(account, wish)
        if wish.get("notBefore") is not None or wish.get("notAfter") is not None:
            raise Problem(Type.MALFORMED, "the profile alone says how long a certificate is valid")
        profile = self._profile(account, wish)
        replaces = self._replaces(account, wish, identifiers)
        # A renewal that we asked for is never limited (RFC 9773 section 5).
        if not replaces:
            self._limits.new_order(account.id)
        at = self._clock.now()
        expires = at + self._settings.order_lifetime
        needed, fresh = [], []
        for identifier in identifiers:
            known = self._store.orders.usable(
                account.id, identifier.base, wildcard=identifier.wildcard, until=at + self._settings.order_lifetime / 7
            )
            if known is None:
                known = _authorization(account, identifier.base, wildcard=identifier.wildcard, expires=expires)
                fresh.append(known)
            needed.append(known)
        order = Order(
            id=secrets.token_hex(12),
            account=account.id,
            state=OrderState.PENDING,
            identifiers=identifiers,
            authorizations=tuple(each.id for each in needed),
            profile=profile,
            created=at,
            # Nothing is certified on the strength of what is over.
            expires=min(expires, *(each.expires for each in needed)),
            replaces=replaces,
        )
        made = self._store.orders.create(order, fresh)
        if made is None:
            if replaces and self._store.orders.replaced(replaces):
                raise Problem(Type.ALREADY_REPLACED, "that certificate is being replaced already")
            raise Problem(Type.MALFORMED, "an authorization changed at this very moment; ask again", status=409)
        return made

    def authorize(self, account: Account, wish: Mapping[str, Any]) -> tuple[Authorization, bool]:
        """Show control before there is an order (RFC 8555 section 7.4.1); and whether this is a new authorization.

        Raises:
            Problem: malformed, or not for this account.
        """
        identifier = read_identifier(wish.get("identifier"), wildcard=False)
        self._demand_allowed(account, (identifier,))
        at = self._clock.now()
        known = self._store.orders.usable(
            account.id, identifier, wildcard=False, until=at + self._settings.order_lifetime / 7
        )
        if known is not None:
            return known, False
        self._limits.new_order(account.id)
        expires = at + self._settings.order_lifetime
        made = _authorization(account, identifier, wildcard=False, expires=expires)
        self._store.orders.create(None, [made])
        return made, True

    def order(self, account: Account, identifier: str) -> Order:
        """One of its orders as it is now.

        Raises:
            Problem: no such order of this account.
        """
        found = self._store.orders.order(identifier)
        if found is None or found.account != account.id:
            raise _missing("order")
        if found.state in (OrderState.PENDING, OrderState.READY) and found.expires <= self._clock.now():
            self._store.orders.expire(at=self._clock.now())
            return self.order(account, identifier)
        return found

    def orders(self, account: Account, *, before: int) -> tuple[list[str], int]:
        """Its orders, newest first, and where the next page begins."""
        return self._store.orders.of_account(account.id, before=before)

    def authorization(self, account: Account, identifier: str) -> Authorization:
        """One of its authorizations as it is now.

        Raises:
            Problem: no such authorization of this account.
        """
        found = self._store.orders.authorization(identifier)
        if found is None or found.account != account.id:
            raise _missing("authorization")
        under_way = (AuthorizationState.PENDING, AuthorizationState.VALID)
        if found.state in under_way and found.expires <= self._clock.now():
            self._store.orders.expire(at=self._clock.now())
            return self.authorization(account, identifier)
        return found

    def deactivate(self, account: Account, identifier: str) -> Authorization:
        """Give up an authorization (RFC 8555 section 7.5.2).

        Raises:
            Problem: no such authorization of this account.
        """
        found = self.authorization(account, identifier)
        event = about_account(
            "ca.acme.authorization.deactivated",
            Outcome.SUCCESS,
            account,
            at=self._clock.now(),
            attributes={"authorization": found.id, "identifier": found.identifier.value},
        )
        self._store.orders.deactivate(found.id, note(event))
        self._nudge()
        return self.authorization(account, identifier)

    def challenge(self, account: Account, identifier: str) -> tuple[Authorization, Challenge]:
        """One challenge of its authorizations.

        Raises:
            Problem: no such challenge of this account.
        """
        challenge = self._store.orders.challenge(identifier)
        if challenge is None:
            raise _missing("challenge")
        return self.authorization(account, challenge.authorization), challenge

    def respond(self, account: Account, identifier: str) -> tuple[Authorization, Challenge]:
        """Have a challenge looked at: for the first time, or again at once while it is being tried.

        Raises:
            Problem: no such challenge of this account, or too many failures.
        """
        authorization, challenge = self.challenge(account, identifier)
        states = (ChallengeState.PENDING, ChallengeState.PROCESSING)
        if authorization.state is AuthorizationState.PENDING and challenge.state in states:
            self._limits.may_fail(account.id, authorization.identifier)
            self._store.orders.respond(challenge, at=self._clock.now())
            self._look()
        return self.challenge(account, identifier)

    def _identifiers(self, account: Account, wish: Mapping[str, Any]) -> tuple[Identifier, ...]:
        asked = wish.get("identifiers")
        if not isinstance(asked, list) or not 1 <= len(asked) <= _MOST_IDENTIFIERS:
            raise Problem(Type.MALFORMED, f"an order has 1 to {_MOST_IDENTIFIERS} identifiers")
        found = tuple(dict.fromkeys(read_identifier(each, wildcard=True) for each in asked))
        self._demand_allowed(account, found)
        return found

    def _demand_allowed(self, account: Account, identifiers: tuple[Identifier, ...]) -> None:
        refused = [
            Problem(Type.REJECTED_IDENTIFIER, f"{each.value} is not for this account", identifier=each)
            for each in identifiers
            if not allows(account.grant.names, each)
        ]
        if len(refused) == 1:
            raise refused[0]
        if refused:
            raise Problem(Type.REJECTED_IDENTIFIER, "some names are not for this account", subproblems=refused)

    def _profile(self, account: Account, wish: Mapping[str, Any]) -> str:
        known = offered(account.grant.holder)
        asked = wish.get("profile", next(iter(known), ""))
        if not isinstance(asked, str) or asked not in known:
            raise Problem(Type.INVALID_PROFILE, "there is no such profile for this account")
        return asked

    def _replaces(self, account: Account, wish: Mapping[str, Any], identifiers: tuple[Identifier, ...]) -> str:
        asked = wish.get("replaces")
        if asked is None:
            return ""
        certificate = self._renewal.certificate(asked)
        past = self._store.orders.of_serial(certificate.serial)
        if past is None or past.account != account.id:
            raise Problem(Type.UNAUTHORIZED, "this account has no such certificate to replace")
        if not set(past.identifiers) & set(identifiers):
            raise Problem(Type.MALFORMED, "the certificate to replace has none of these identifiers")
        if self._store.orders.replaced(str(asked)):
            raise Problem(Type.ALREADY_REPLACED, "that certificate is being replaced already")
        return str(asked)


def methods(identifier: Identifier, *, wildcard: bool) -> tuple[Method, ...]:
    """How control can be shown: of a wildcard by the name's zone alone, of an address never by it (RFC 8738)."""
    if wildcard:
        return (Method.DNS,)
    if identifier.kind is Kind.IP:
        return (Method.HTTP, Method.TLS)
    return (Method.DNS, Method.HTTP, Method.TLS)


def _authorization(account: Account, identifier: Identifier, *, wildcard: bool, expires: datetime) -> Authorization:
    name = secrets.token_hex(12)
    return Authorization(
        id=name,
        account=account.id,
        identifier=identifier,
        wildcard=wildcard,
        state=AuthorizationState.PENDING,
        expires=expires,
        challenges=tuple(
            Challenge(
                id=secrets.token_hex(12),
                authorization=name,
                method=method,
                # 256 bits; the standard asks for 128 (RFC 8555 section 8).
                token=secrets.token_urlsafe(32),
                state=ChallengeState.PENDING,
            )
            for method in methods(identifier, wildcard=wildcard)
        ),
    )


def _missing(what: str) -> Problem:
    return Problem(Type.MALFORMED, f"this account has no such {what}", status=_NOT_FOUND)
