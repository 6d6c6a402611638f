# SPDX-License-Identifier: Apache-2.0
"""Who is calling: each client proves itself in the one way it is registered for, and in no other."""

from collections.abc import Callable
from typing import ClassVar

from core.clock import Clock
from core.errors import NotFound, Unauthenticated

from ..errors import InvalidClient
from ..models import Call, Client
from ..oauth.rfc6749 import Credentials, credentials, secret_matches
from ..oauth.rfc6749.clients import Way
from ..oauth.rfc7523 import TYPE, asserted, unverified_client
from ..oauth.rfc8705 import registered
from ..store import Store
from .collaborators import Cards
from .key_sets import KeySets
from .locks import Uses


class ClientAuthentication:
    """Authenticates clients; what they signed counts once."""

    def __init__(
        self,
        *,
        issuer: str,
        store: Store,
        machines: Cards,
        key_sets: KeySets,
        clock: Clock,
        uses: Uses,
        test: bool = False,
    ) -> None:
        """``machines`` verifies the certificates of machines; ``test``: clients for tests, and no others."""
        self._issuer = issuer
        self._store = store
        self._machines = machines
        self._key_sets = key_sets
        self._clock = clock
        self._uses = uses
        self._test = test

    def authenticate(self, call: Call) -> Client:
        """The client of a request.

        Raises:
            InvalidClient: unknown, not proved, said in two ways or in another way than the registered one.
            Unavailable: the certificate's issuer does not answer.
        """
        given = credentials(call, assertion_type=TYPE)
        name = given.client_id
        if given.way == "assertion":
            name = unverified_client(given.unverified_assertion)
            if given.client_id not in ("", name):
                raise InvalidClient
        client = self._store.clients.find(name)
        if client is None or client.test is not self._test:
            # As long as a wrong secret takes.
            secret_matches(None, given)
            raise InvalidClient
        way, prove = self._METHODS[client.method]
        if given.way != way:
            raise InvalidClient
        client = self._key_sets.keyed(client)
        prove(self, client, given, call)
        self._uses.note(client.id)
        return client

    def _by_secret(self, client: Client, given: Credentials, _call: Call) -> None:
        if not secret_matches(client, given):
            raise InvalidClient

    def _by_assertion(self, client: Client, given: Credentials, _call: Call) -> None:
        at = int(self._clock.now().timestamp())
        found = asserted(client, given.unverified_assertion, issuer=self._issuer, at=at)
        if not self._store.assertions.consume(found.identifier, found.expires_at):
            raise InvalidClient

    def _by_certificate(self, client: Client, _given: Credentials, call: Call) -> None:
        try:
            card = self._machines.verify(call.unverified_certificate, at=self._clock.now())
            good = bool(client.certificate_subject) and card.subject == client.certificate_subject
            if not good or not self._machines.good(card.serial):
                raise InvalidClient
        except (Unauthenticated, NotFound) as error:
            raise InvalidClient from error

    def _by_own_certificate(self, client: Client, _given: Credentials, call: Call) -> None:
        if not registered(client, call.unverified_certificate):
            raise InvalidClient

    def _by_name(self, client: Client, _given: Credentials, _call: Call) -> None:
        if not client.public:
            raise InvalidClient

    _METHODS: ClassVar[dict[str, tuple[Way, Callable[["ClientAuthentication", Client, Credentials, Call], None]]]] = {
        "client_secret_basic": ("basic", _by_secret),
        "private_key_jwt": ("assertion", _by_assertion),
        "tls_client_auth": ("named", _by_certificate),
        "self_signed_tls_client_auth": ("named", _by_own_certificate),
        "none": ("named", _by_name),
    }
