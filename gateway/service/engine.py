# SPDX-License-Identifier: Apache-2.0
"""The policies, as decisions use them."""

from datetime import datetime
from typing import Protocol

from policies import Decision, DecisionRequest


class Engine(Protocol):
    """The policies, as decisions use them."""

    @property
    def version(self) -> str:
        """Of the release that decides: the same before and after, it was the same in between."""
        ...

    def decide(self, request: DecisionRequest) -> Decision:
        """Answer; an error is a denial."""
        ...

    def place(self, *, listener: str, address: str, peer: str = "") -> str:
        """The zone a request comes from; empty if its address or peer has no business at the listener."""
        ...

    def speaks(self, peer: str) -> bool:
        """Whether a certificate, by its digest, is one of a proxy that speaks for a zone."""
        ...

    def spoken_for(self, listener: str) -> frozenset[str]:
        """Zones that a proxy may speak for at a listener, by its certificate."""
        ...

    def edge(self, action: str, at: datetime) -> int:
        """Until when an answer about this action holds, in seconds since 1970; 0 if no time ends it."""
        ...

    def lasting(self, action: str) -> str:
        """The version by which the same question has the same answer again; empty if each is to be asked."""
        ...
