# SPDX-License-Identifier: Apache-2.0
"""Whose wish an order is: nobody's word is taken for a person but the gateway's, and the operator's on the machine."""

from collections.abc import Collection, Mapping
from datetime import datetime

from core.identity import IdentityRefused, IdentityVerifier

from ..models import SealOrder, Wish


class Wishes:
    """Reads the person out of an order."""

    def __init__(self, *, operators: Collection[str], hosts: Mapping[str, IdentityVerifier]) -> None:
        # Callers who answer for the person themselves: they are not behind the gateway.
        self._operators = frozenset(operators)
        # Callers behind the gateway, each with the verifier of its own host.
        self._hosts = dict(hosts)

    def read(self, order: SealOrder, *, at: datetime) -> Wish:
        """Who stands behind the order.

        Raises:
            IdentityRefused: the gateway's header is missing, forged, stale, for another host, a mere visit or a
                machine's; or the caller is neither an operator nor behind the gateway.
        """
        if order.caller in self._operators:
            return Wish(actor=order.actor, assurance=order.assurance, zone=order.zone, session=order.session)
        verifier = self._hosts.get(order.caller)
        if verifier is None:
            raise IdentityRefused
        found = verifier.verify_passed_on(order.unverified_identity, at=at)
        if found.kind != "person":
            raise IdentityRefused
        return Wish(
            actor=found.subject,
            assurance=found.assurance,
            zone=found.zone,
            session=found.session,
            decision=found.decision,
        )
