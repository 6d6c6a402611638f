# SPDX-License-Identifier: Apache-2.0
"""Clients that register themselves: with an initial access token only, for one agency, with no scope beyond it."""

import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from audit import Outcome
from core.clock import Clock
from core.errors import Unavailable

from ..errors import BadClient, InvalidClientMetadata, InvalidToken, NotInvited
from ..models import Client, Invitation, Visitor
from ..oauth.rfc6749.addresses import host_of
from ..oauth.rfc6749.tokens import DEVICE_CODE
from ..oauth.rfc7591 import check_metadata, check_sector, client_of, metadata_of, sector_of
from ..store import Store, digest
from .clients import check_client
from .limits import Limits
from .records import Records
from .requests import Fetch

_LONGEST_TOKEN = 100


@dataclass(frozen=True, kw_only=True)
class Registered:
    """A client and the secrets that it is told once."""

    client: Client
    secret: str = ""
    manage: str = ""


class Registration:
    """Registers, tells, changes and removes."""

    def __init__(
        self,
        *,
        issuer: str,
        store: Store,
        records: Records,
        limits: Limits,
        fetch: Fetch,
        clock: Clock,
        fresh: Callable[[], None],
        nudge: Callable[[], None],
    ) -> None:
        self._issuer = issuer
        self._store = store
        self._records = records
        self._limits = limits
        self._fetch = fetch
        self._clock = clock
        self._fresh = fresh
        self._nudge = nudge

    def register(
        self, authorization: str | None, read: Callable[[], Mapping[str, Any]], *, visitor: Visitor
    ) -> dict[str, Any]:
        """Register a client; what it is told holds its secrets. Nothing is read of it before it may ask.

        Raises:
            NotInvited: no initial access token, or one that is over or used up.
            InvalidClientMetadata, InvalidRedirectURI: what it asks for is not to be had.
            TooMany: this token, or this network, has to wait.
            RecordUnavailable: nothing was registered.
        """
        token = _bearer(authorization)
        if not token:
            raise NotInvited
        self._limits.count(registration__network=visitor.network, registration__token=digest(token))
        invitation = self._store.invitations.find(digest(token), self._now())
        if invitation is None:
            raise NotInvited
        self._fresh()
        name = f"app-{secrets.token_hex(8)}"
        secret, manage = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        client = self._checked(
            read(),
            client_id=name,
            ceiling=invitation.scopes,
            sector=invitation.sector,
            secret_hash=digest(secret),
            manage_hash=digest(manage),
        )
        self._records.write(self._records.client(client, "sso.client.intended", Outcome.INTENDED))
        outcome = self._records.client(client, "sso.client.registered", Outcome.SUCCESS)
        if not self._store.invitations.register(invitation, client, at=self._now(), outcome=outcome):
            raise NotInvited
        self._nudge()
        told = self._told(client) | {"registration_access_token": manage, "client_id_issued_at": self._now()}
        if client.secret_hash:
            told |= {"client_secret": secret, "client_secret_expires_at": 0}
        return told

    def read(self, authorization: str | None, client_id: str) -> dict[str, Any]:
        """A registration, for whoever has its management token.

        Raises:
            InvalidToken: another client's, or none: that there is such a client is not said either.
        """
        return self._told(self._own(authorization, client_id))

    def change(
        self, authorization: str | None, client_id: str, read: Callable[[], Mapping[str, Any]]
    ) -> dict[str, Any]:
        """Replace a registration (RFC 7592 section 2.2); with a new management token, which is told this once.

        The one it was asked with counts until the new one is used, so that a lost answer locks nobody out.

        Raises:
            InvalidToken, InvalidClientMetadata, InvalidRedirectURI: as above.
            RecordUnavailable: nothing was changed.
        """
        known = self._own(authorization, client_id)
        given = read()
        if given.get("client_id", client_id) != client_id or "client_secret" in given:
            raise InvalidClientMetadata(why="client_id or client_secret")
        if given.get("token_endpoint_auth_method", known.method) != known.method:
            raise InvalidClientMetadata(why="token_endpoint_auth_method")
        self._fresh()
        client = self._checked(
            {**given, "token_endpoint_auth_method": known.method},
            client_id=client_id,
            ceiling=known.ceiling,
            # Who people are must never change afterwards.
            sector=known.sector,
            secret_hash=known.secret_hash,
            manage_hash=digest(manage := secrets.token_urlsafe(32)),
        )
        client = replace(client, manage_before=digest(_bearer(authorization)))
        # Whose it is, and that it only tests, it cannot change by itself.
        client = replace(client, test=known.test, contact=known.contact, agency=known.agency)
        if client.test and DEVICE_CODE in client.grants:
            raise InvalidClientMetadata(why="grant_types")
        self._records.write(self._records.client(client, "sso.client.intended", Outcome.INTENDED))
        outcome = self._records.client(client, "sso.client.registered", Outcome.SUCCESS)
        if not self._store.invitations.change(client, was=known.manage_hash, outcome=outcome):
            raise InvalidToken
        self._nudge()
        return self._told(client) | {"registration_access_token": manage}

    def remove(self, authorization: str | None, client_id: str) -> None:
        """Remove a client and everything that was given to it (RFC 7592 section 2.3).

        Raises:
            InvalidToken: as above.
        """
        client = self._own(authorization, client_id)
        record = self._records.client(client, "sso.client.removed", Outcome.SUCCESS)
        removed = self._store.invitations.remove(
            client, self._now(), record, lambda grant: self._records.tokens_revoked(grant, reason="client removed")
        )
        if not removed:
            raise InvalidToken
        self._nudge()

    def _checked(self, given: Mapping[str, Any], *, sector: str, client_id: str, **more: Any) -> Client:
        check_metadata(given)
        try:
            found = sector or self._sector(given) or client_id
            client = client_of(given, client_id=client_id, sector=found, **more)
            check_client(client)
        except BadClient as error:
            raise InvalidClientMetadata(why=str(error.parameters.get("why", ""))) from error
        return client

    def _sector(self, given: Mapping[str, Any]) -> str:
        address = given.get("sector_identifier_uri")
        if not address:
            return sector_of(given)
        try:
            check_sector(given, self._fetch(address))
        except Unavailable as error:
            raise InvalidClientMetadata(why="sector_identifier_uri") from error
        return host_of(address)

    def _told(self, client: Client) -> dict[str, Any]:
        return metadata_of(client) | {"registration_client_uri": f"{self._issuer}/register/{client.id}"}

    def _own(self, authorization: str | None, client_id: str) -> Client:
        token, client = digest(_bearer(authorization)), self._store.clients.find(client_id)
        known = client.manage_hash if client is not None and client.manage_hash else "-" * 64
        before = client.manage_before if client is not None and client.manage_before else "-" * 64
        present, earlier = hmac.compare_digest(token, known), hmac.compare_digest(token, before)
        if client is None or not (present or earlier):
            raise InvalidToken
        if present and client.manage_before:
            self._store.clients.settle(client)
        return client

    def _now(self) -> int:
        return int(self._clock.now().timestamp())


def invite(store: Store, records: Records, *, sector: str, scopes: frozenset[str], uses: int, expires_at: int) -> str:
    """An initial access token, recorded before it counts; done by the operator's tools, never over the network.

    Raises:
        RecordUnavailable: there is none.
    """
    token = secrets.token_urlsafe(32)
    invitation = Invitation(digest=digest(token), sector=sector, scopes=scopes, uses_left=uses, expires_at=expires_at)
    records.write(records.invitation(invitation, Outcome.INTENDED))
    store.invitations.put(invitation)
    records.write(records.invitation(invitation, Outcome.SUCCESS))
    return token


def _bearer(authorization: str | None) -> str:
    scheme, _, token = (authorization or "").partition(" ")
    return token if scheme.lower() == "bearer" and len(token) <= _LONGEST_TOKEN and token.isascii() else ""
