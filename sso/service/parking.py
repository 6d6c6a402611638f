# SPDX-License-Identifier: Apache-2.0
"""Where a request waits while its person logs in or agrees: sealed, in the addresses and forms of its own browser.

Anybody may ask for anything here, so nothing of a request is kept before somebody has proved who they are
(docs/decisions/0010). The seal makes it unreadable and unchangeable; it counts for a while, in the browser it began
in, and for one answer.
"""

import base64
import hmac
import secrets
from dataclasses import replace
from datetime import timedelta

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from core.clock import Clock

from ..errors import InteractionLost, Redirectable
from ..models import AuthorizationRequest, Interaction, Session
from ..store import digest, texts

LONGEST = 7500
"""Characters of a sealed request or a ticket: an address that carries one must pass nginx, which takes 8 KiB of it."""
_LONGEST_AT_FIRST = 7200
"""Later steps write a digest and a number into it."""


class Parking:
    """Seals and opens; keeps nothing."""

    def __init__(self, *, key: bytes, clock: Clock, lifetime: timedelta) -> None:
        self._interactions = _seal(key, "interaction")
        self._tickets = _seal(key, "ticket")
        self._clock = clock
        self._lifetime = int(lifetime.total_seconds())

    def begin(self, request: AuthorizationRequest | None, *, browser: str, session: Session | None) -> Interaction:
        """A request that waits from now on; None is the wish to see "My account".

        Raises:
            Redirectable: it is too long to be carried about.
        """
        interaction = Interaction(
            id=secrets.token_urlsafe(18),
            browser=digest(browser),
            request=request,
            begun_as=session.digest if session else "",
            agreed_as="",
            expires_at=self._now() + self._lifetime,
        )
        if len(self.sealed(interaction)) > _LONGEST_AT_FIRST:
            raise Redirectable(why="the request is too long")
        return interaction

    def sealed(self, interaction: Interaction) -> str:
        """As it travels."""
        return self._close(self._interactions, interaction)

    def opened(self, sealed: str, *, browser: str) -> Interaction:
        """As it was sealed, in the browser that began it; whether it was answered already is the store's to say.

        Raises:
            InteractionLost: changed, over, or another browser's.
        """
        found = self._open(self._interactions, sealed)
        if not browser or not hmac.compare_digest(found.browser, digest(browser)):
            raise InteractionLost
        return found

    def ticket(self, interaction: Interaction) -> str:
        """What the card host is shown: the same request under a number of its own, for one card login."""
        return self._close(self._tickets, replace(interaction, ticket=secrets.token_urlsafe(18)))

    def of_ticket(self, ticket: str) -> Interaction:
        """At the card host, which sees none of the browser's cookies of here.

        Raises:
            InteractionLost: changed, or over.
        """
        return self._open(self._tickets, ticket)

    def _close(self, seal: Fernet, interaction: Interaction) -> str:
        return seal.encrypt_at_time(texts.interaction_text(interaction).encode(), self._now()).decode()

    def _open(self, seal: Fernet, sealed: str) -> Interaction:
        try:
            # Read strictly: the library would skip what is no base64url, and stop at the first padding.
            if base64.urlsafe_b64encode(base64.urlsafe_b64decode(sealed)) != sealed.encode():
                raise InteractionLost
            found = texts.interaction_of(seal.decrypt(sealed).decode())
        except (InvalidToken, ValueError) as error:
            raise InteractionLost from error
        if found.expires_at <= self._now():
            raise InteractionLost
        return found

    def _now(self) -> int:
        return int(self._clock.now().timestamp())


def _seal(key: bytes, purpose: str) -> Fernet:
    """A key for each purpose, so that nothing sealed for one is taken for another."""
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=f"tallygate sso {purpose}".encode()).derive(key)
    return Fernet(base64.urlsafe_b64encode(derived))
