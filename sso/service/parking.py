# SPDX-License-Identifier: Apache-2.0
"""Where a request waits while its person logs in or agrees: sealed, in the addresses and forms of its own browser.

Anybody may ask for anything here, so nothing of a request is kept before somebody has proved who they are
(docs/decisions/0010). The seal makes it unreadable and unchangeable; it counts for a while, in the browser it began
in, and for one answer.
"""

import hmac
import secrets
from dataclasses import replace
from datetime import timedelta

from core.clock import Clock

from ..errors import InteractionLost, Redirectable
from ..models import AuthorizationRequest, Interaction, Session
from ..store import digest, texts
from .seals import Broken, Seal

LONGEST = 7500
"""Characters of a sealed request or a ticket: an address that carries one must pass nginx, which takes 8 KiB of it."""
_LONGEST_AT_FIRST = 7200
"""Later steps write a digest and a number into it."""


class Parking:
    """Seals and opens; keeps nothing."""

    def __init__(self, *, key: bytes, clock: Clock, lifetime: timedelta) -> None:
        self._interactions = Seal(key, "interaction", clock=clock)
        self._tickets = Seal(key, "ticket", clock=clock)
        self._clock = clock
        self._lifetime = int(lifetime.total_seconds())

    def begin(
        self, request: AuthorizationRequest | None, *, browser: str, session: Session | None, page: str = ""
    ) -> Interaction:
        """A request that waits from now on; None is the wish to see a page of "My account".

        Raises:
            Redirectable: it is too long to be carried about.
        """
        interaction = Interaction(
            id=secrets.token_urlsafe(18),
            browser=digest(browser),
            request=request,
            begun_as=session.login if session else "",
            agreed_as="",
            expires_at=self._now() + self._lifetime,
            page=page,
        )
        if len(self.sealed(interaction)) > _LONGEST_AT_FIRST:
            raise Redirectable(why="the request is too long")
        return interaction

    def sealed(self, interaction: Interaction) -> str:
        """As it travels."""
        return self._interactions.close(texts.interaction_text(interaction))

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
        return self._tickets.close(texts.interaction_text(replace(interaction, ticket=secrets.token_urlsafe(18))))

    def of_ticket(self, ticket: str) -> Interaction:
        """At the card host, which sees none of the browser's cookies of here.

        Raises:
            InteractionLost: changed, or over.
        """
        return self._open(self._tickets, ticket)

    def _open(self, seal: Seal, sealed: str) -> Interaction:
        try:
            found = texts.interaction_of(seal.open(sealed))
        except Broken as error:
            raise InteractionLost from error
        if found.expires_at <= self._now():
            raise InteractionLost
        return found

    def _now(self) -> int:
        return int(self._clock.now().timestamp())
