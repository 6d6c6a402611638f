# SPDX-License-Identifier: Apache-2.0
"""A person confirms a signature: by a passkey or a card that is shown for this very request, after it was read.

A login that was there before confirms nothing, however sure it is. What was confirmed is recorded before it counts.
"""

import json
from collections.abc import Callable
from dataclasses import replace

from core.clock import Clock
from core.errors import Unavailable

from ..config import SSOSettings
from ..errors import ConfirmationNeeded, InteractionLost, PasskeyRefused
from ..factors import strength
from ..models import Interaction, Session, Visitor
from ..oauth.rfc9396 import to_sign
from ..store import Door, Patience, Store, digest
from .passkeys import Passkeys
from .records import Records

_TWO = 2


class Confirming:
    """Passkey, or card."""

    def __init__(
        self,
        *,
        store: Store,
        records: Records,
        passkeys: Passkeys,
        settings: SSOSettings,
        clock: Clock,
        fresh: Callable[[], None],
    ) -> None:
        self._store = store
        self._records = records
        self._passkeys = passkeys
        self._network_free = settings.network_free
        self._patience = Patience.of(settings)
        self._clock = clock
        self._fresh = fresh

    def card_shown(self, interaction: Interaction, session: Session) -> bool:
        """Whether this session's person showed a card within this very request."""
        return interaction.logged_in(session) and "sc" in session.methods

    def by_card(self, interaction: Interaction, *, session: Session, visitor: Visitor) -> Interaction:
        """The card that was shown within this request counts, once its holder has read what it is for.

        Raises:
            ConfirmationNeeded: none was; recorded.
            Unavailable: the record is out of reach.
        """
        self._fresh()
        if not self.card_shown(interaction, session):
            self._failed(interaction, session, visitor, method="card", reason="not in force")
            raise ConfirmationNeeded
        return self._confirmed(interaction, session, "card")

    def by_passkey(
        self, sealed: str, unverified: str, *, interaction: Interaction, session: Session, visitor: Visitor
    ) -> Interaction:
        """A passkey of this session's own person, asked for by the page that showed what is signed.

        Raises:
            PasskeyRefused: it does not count, is somebody else's, or there were too many from this network.
            Unavailable: directory, record or news of the record are out of reach.
        """
        self._fresh()
        door = Door(key=digest(f"network\0{visitor.network}"), free=self._network_free, forgets=False)
        if not self._store.attempts.knock([door], self._patience, at=self._now()):
            self._failed(interaction, session, visitor, method="passkey", reason="waiting")
            raise PasskeyRefused
        client = _client(interaction)
        try:
            self._records.write(self._records.login_attempted(visitor, method="passkey", client=client, account=""))
            shown = self._passkeys.proved(interaction, sealed, unverified)
        except Unavailable:
            self._store.attempts.give_back([door], self._patience)
            raise
        except PasskeyRefused:
            self._failed(interaction, session, visitor, method="passkey", reason="wrong")
            raise
        if shown.passkey.subject != session.subject or strength(shown.methods) < _TWO:
            self._failed(interaction, session, visitor, method="passkey", reason="not in force")
            raise PasskeyRefused
        self._store.attempts.forgive([door])
        return self._confirmed(interaction, session, "passkey")

    def _confirmed(self, interaction: Interaction, session: Session, by: str) -> Interaction:
        request = interaction.request
        if request is None:
            raise InteractionLost
        documents = to_sign(request.details)
        (asked,) = json.loads(request.details)
        self._records.write(
            self._records.signature_confirmed(
                session,
                client=request.client_id,
                by=by,
                credential=asked["credential"],
                labels=[each.label for each in documents],
                digests=[each.digest for each in documents],
            )
        )
        return replace(interaction, confirmed_by=by, confirmed_at=self._now(), confirmed_as=session.digest)

    def _failed(
        self, interaction: Interaction, session: Session, visitor: Visitor, *, method: str, reason: str
    ) -> None:
        failed = self._records.login_failed(
            visitor, method=method, reason=reason, client=_client(interaction), subject=session.subject
        )
        self._records.write(failed)

    def _now(self) -> int:
        return int(self._clock.now().timestamp())


def _client(interaction: Interaction) -> str:
    return interaction.request.client_id if interaction.request else ""
