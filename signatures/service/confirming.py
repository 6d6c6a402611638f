# SPDX-License-Identifier: Apache-2.0
"""A keeper confirms an order at sign-on, by passkey or card: one confirmation, this order, this hash, once.

The consent is used up before the order counts as confirmed. A death in between leaves the order waiting and the keeper
has to confirm anew; nothing is sealed by half a confirmation.
"""

import hashlib
import secrets
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from audit import Event, Outcome, Recorder
from core.clock import Clock
from core.errors import Conflict, Forbidden
from core.identity import Identity

from ..keeping import NoSuchOrder, Order
from ..models import SealOrder, Wish
from ..remote import Asked, Asking, Consent, ConsentRefused, NotConfirmed, RemoteStore
from ..remote.asking import CLIENT
from ..remote.tokens import Expected, Granted, details, granted
from .ordered import Proof
from .personal import Answer
from .seconding import Seconding

_LONGEST_LABEL = 120
_MARK = "order."


def for_an_order(state: str) -> bool:
    """Whether what came back from sign-on answers a keeper's question; it must still be one that was asked."""
    return state.startswith(_MARK)


class Confirming:
    """Leads keepers to sign-on and believes what comes back, if it fits."""

    def __init__(
        self,
        *,
        store: RemoteStore,
        orders: Seconding,
        asking: Asking,
        keys: Callable[[], Mapping[str, Any]],
        # What an organisation is called: its name and its Chinese one, for the page of sign-on.
        names: Callable[[str], tuple[str, str]],
        recorder: Recorder,
        clock: Clock,
        audience: str,
        patience: timedelta,
    ) -> None:
        self._store = store
        self._orders = orders
        self._asking = asking
        self._keys = keys
        self._names = names
        self._recorder = recorder
        self._clock = clock
        self._audience = audience
        self._patience = patience

    @property
    def issuer(self) -> str:
        """Where keepers confirm."""
        return self._asking.issuer

    def begin(
        self, identity: Identity, identifier: str, second: SealOrder, *, sha256: str, browser: str, locale: str
    ) -> str:
        """Ask a keeper to confirm the document of this hash; the address they are sent to.

        Raises:
            TallygateError: as ``Seconding.confirmable``.
            Unavailable: sign-on does not answer.
        """
        order = self._orders.confirmable(identifier, second, sha256=sha256)
        now = self._clock.now()
        consent = Consent(
            state=f"{_MARK}{secrets.token_urlsafe(32)}",
            subject=identity.subject,
            browser=browser,
            credential=order.id,
            documents=(Asked(document=order.document, digest=order.sha256, label=self._label(identity, order)),),
            verifier=secrets.token_urlsafe(48),
            asked_at=now,
            expires_at=now + self._patience,
        )
        self._store.ask(consent)
        return self._asking.begin(
            state=consent.state,
            verifier=consent.verifier,
            details=details(order.id, consent.documents, seal=self._names(order.organisation)),
            locale=locale,
        )

    def finish(self, identity: Identity, answer: Answer, *, browser: str) -> Order:
        """Count what was confirmed; the order as it then stands.

        Raises:
            ConsentLost, ConsentUsed: there is nothing here that this answers; recorded.
            NotConfirmed, ConsentRefused: it was not confirmed, or not so; recorded.
            TallygateError: as ``Seconding.confirm``.
        """
        try:
            consent = self._store.consent(answer.state, subject=identity.subject, browser=browser, at=self._clock.now())
        except Conflict as error:
            self._refuse(identity, hashlib.sha256(answer.state.encode()).hexdigest(), code=error.code)
            raise
        asked, commitment = consent.documents[0], _number(consent)
        try:
            order, _ = self._orders.one(identity.subject, consent.credential)
            commitment = order.commitment
            consented = self._consented(consent, order, answer)
        except (Conflict, Forbidden, NoSuchOrder) as error:
            self._store.end(consent.state)
            self._refuse(identity, commitment, code=error.code, consent=consent)
            raise
        # The consent is used up here. A death after this leaves the order waiting, or confirmed for the replay.
        self._store.spend(consent, token=hashlib.sha256(consented.jti.encode()).hexdigest(), signings=())
        keeper = Wish(
            actor=identity.subject,
            assurance=identity.assurance,
            zone=identity.zone,
            session=identity.session,
            decision=identity.decision,
        )
        proof = Proof(consent=_number(consent), by=consented.by)
        return self._orders.confirm(order.id, keeper, sha256=asked.digest, proof=proof)

    def _consented(self, consent: Consent, order: Order, answer: Answer) -> Granted:
        if answer.issuer != self._asking.issuer:
            # RFC 9207: another server's answer, mixed in.
            raise ConsentRefused(why="iss")
        if answer.error or not answer.code:
            raise NotConfirmed
        token = self._asking.redeem(answer.code, verifier=consent.verifier)
        expected = Expected(
            issuer=self._asking.issuer,
            audience=self._audience,
            client=CLIENT,
            subject=consent.subject,
            jkt=self._asking.jkt,
            details=details(order.id, consent.documents, seal=self._names(order.organisation)),
            at=self._clock.now(),
        )
        return granted(token, self._keys(), expected)

    def _label(self, identity: Identity, order: Order) -> str:
        """What sign-on calls the document: by its file's name, never by its own title."""
        _, kept = self._orders.one(identity.subject, order.id)
        return (kept.facts.name if kept else order.id)[:_LONGEST_LABEL]

    def _refuse(self, identity: Identity, object_: str, *, code: str, consent: Consent | None = None) -> None:
        told = {"code": code, "caller": CLIENT}
        self._recorder.record(
            Event(
                key=secrets.token_hex(16),
                type="signature.refused",
                outcome=Outcome.DENIED,
                at=self._clock.now(),
                source="signatures",
                subject=identity.subject,
                object=object_,
                session=identity.session,
                zone=identity.zone,
                decision=identity.decision,
                attributes={**told, **({"consent": _number(consent)} if consent else {})},
            )
        )


def _number(consent: Consent) -> str:
    """By which the record names a consent; what travelled through the browser is not in it."""
    return hashlib.sha256(consent.state.encode()).hexdigest()[:32]
