# SPDX-License-Identifier: Apache-2.0
"""Where a request is: in the address, in a signed object, at an address of the client, or pushed beforehand."""

import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from core.clock import Clock
from core.errors import Unavailable

from ..errors import (
    BadRequest,
    InvalidProof,
    InvalidRequestObject,
    InvalidRequestURI,
    InvalidToken,
    Redirectable,
    RequestNotSupported,
    RequestURINotSupported,
)
from ..models import AuthorizationRequest, Call, Client, Pushed
from ..oauth.openid import ID_TOKEN_TYP, hint_of
from ..oauth.rfc6749 import Draft, drafted, single, validated
from ..oauth.rfc6749.authorization import Parameters
from ..oauth.rfc7517 import KeyRing
from ..oauth.rfc9101 import request_of
from ..oauth.rfc9126 import URN, found, kept, number_of, pushable
from ..store import Store, digest
from .possession import Possession

Fetch = Callable[[str], str]
"""The text at a registered address, by the one guarded way out; raises Unavailable."""


class Requests:
    """Finds requests, and keeps those that are pushed."""

    def __init__(
        self,
        *,
        issuer: str,
        store: Store,
        clock: Clock,
        fetch: Fetch,
        lifetime: timedelta,
        possession: Possession,
        keyed: Callable[[Client], Client],
        keys: KeyRing,
    ) -> None:
        self._issuer = issuer
        self._store = store
        self._clock = clock
        self._fetch = fetch
        self._keyed = keyed
        self._keys = keys
        self._possession = possession
        self._lifetime = int(lifetime.total_seconds())

    def draft(self, parameters: Parameters) -> Draft:
        """The request a browser brings; one that was pushed is used up by this.

        Raises:
            BadRequest: client or return address are not certain.
        """
        client_id = single(parameters, "client_id")
        named = single(parameters, "request_uri") if "request_uri" in parameters else ""
        if not named.startswith(URN):
            return self._drafted(parameters)
        pushed = self._store.pushed.consume(digest(number_of(named)), client_id, self._now())
        if pushed is None:
            raise BadRequest(why="request_uri")
        inner, signed = found(pushed.parameters)
        return replace(drafted(inner, self._store.clients.find), pushed=True, signed=signed)

    def validated(self, draft: Draft) -> AuthorizationRequest:
        """A request, every check passed; whom it is about is known if it says so.

        Raises:
            Redirectable: the first that fails.
        """
        request, hint = validated(draft), draft.one("id_token_hint")
        if not hint:
            return request
        try:
            known = hint_of(self._keys.read(hint, typ=ID_TOKEN_TYP, issuer=self._issuer))
        except InvalidToken as error:
            raise Redirectable(why="id_token_hint") from error
        if known.client_id != draft.client.id or request.subject not in ("", known.subject):
            raise Redirectable(why="id_token_hint")
        return replace(request, subject=known.subject)

    def push(self, client: Client, call: Call) -> tuple[str, int]:
        """Keep a request of an authenticated client until its browser comes; its address and how long that counts.

        Raises:
            BadRequest, Redirectable, BadTokenRequest: it would be refused there too.
        """
        asked = {**pushable(call.parameters), "client_id": [client.id]}
        draft = replace(self._drafted(asked), pushed=True)
        request = self.validated(draft)
        # RFC 9449 section 10.1: the key that pushes is the one that redeems.
        jkt = self._possession.key(client, call) if call.unverified_proofs else ""
        if jkt and request.jkt not in ("", jkt):
            raise InvalidProof
        number = secrets.token_urlsafe(32)
        self._store.pushed.put(
            Pushed(
                digest=digest(number),
                client_id=client.id,
                parameters=kept({**draft.unverified, **({"dpop_jkt": [jkt]} if jkt else {})}, signed=draft.signed),
                expires_at=self._now() + self._lifetime,
            )
        )
        return f"{URN}{number}", self._lifetime

    def _drafted(self, parameters: Parameters) -> Draft:
        if "request" not in parameters and "request_uri" not in parameters:
            return drafted(parameters, self._store.clients.find)
        client = self._store.clients.find(single(parameters, "client_id"))
        if client is None:
            raise BadRequest(why="client_id")
        client = self._keyed(client)
        try:
            return replace(drafted(self._object(client, parameters), self._store.clients.find), signed=True)
        except Redirectable as error:
            # Told to the client only where the address beside the object is certain; else it is a page.
            return replace(drafted(parameters, self._store.clients.find), error=error)

    def _object(self, client: Client, parameters: Parameters) -> Parameters:
        by_value, by_reference = parameters.get("request", ()), parameters.get("request_uri", ())
        if by_value and by_reference:
            raise InvalidRequestObject(why="request and request_uri")
        values = by_value or by_reference
        if len(values) != 1:
            raise InvalidRequestObject(why="given twice")
        if by_value and not client.jwks:
            raise RequestNotSupported(why="request")
        text = values[0]
        if by_reference:
            if not client.jwks or not client.request_uris:
                raise RequestURINotSupported(why="request_uri")
            text = self._fetched(client, text)
        return request_of(client, text, issuer=self._issuer, at=self._now())

    def _fetched(self, client: Client, address: str) -> str:
        if address not in client.request_uris:
            raise InvalidRequestURI(why="not registered")
        try:
            return self._fetch(address)
        except Unavailable as error:
            raise InvalidRequestURI(why="not to be had") from error

    def _now(self) -> int:
        return int(self._clock.now().timestamp())
