# SPDX-License-Identifier: Apache-2.0
"""Who asks for a seal, for whom, and whether they may; whoever may not is recorded before being told."""

import re
import secrets
from collections.abc import Callable, Mapping
from typing import Protocol

from audit import Event, Outcome, Recorder
from core.clock import Clock
from core.errors import NotFound
from core.identity import IdentityRefused
from directory.models import Organisation, Person
from policies.models import Action, Decision, DecisionRequest, ResourceClass

from ..errors import SealDenied
from ..models import SealOrder, Wish
from .acts import joined, reference
from .wishes import Wishes

_ORGANISATION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,62})")
_NOBODY = Wish(actor="", assurance=0, zone="", session="")


class People(Protocol):
    """The directory as far as seals need it; strangers raise NotFound."""

    def person(self, subject: str) -> Person:
        """One person."""
        ...

    def person_by_username(self, username: str) -> Person:
        """One person by user name."""
        ...

    def organisation(self, identifier: str, /) -> Organisation:
        """One organisation."""
        ...


class Permission:
    """The wish behind an order and the decision about it."""

    def __init__(
        self,
        *,
        people: People,
        decide: Callable[[DecisionRequest], Decision],
        recorder: Recorder,
        wishes: Wishes,
        clock: Clock,
        # Mandate scope that lets a person use an organisation's seal.
        mandate: str,
        # Whether a program is still let have this organisation's seal set, by what the order says of its caller.
        lets: Callable[[str, str, str], bool],
        # Callers whose documents are reports on the record, each with the one organisation whose seal they bear.
        reports: Mapping[str, str] | None = None,
    ) -> None:
        self._people = people
        self._decide = decide
        self._recorder = recorder
        self._wishes = wishes
        self._clock = clock
        self._mandate = mandate
        self._lets = lets
        self._reports = dict(reports or {})

    def wish(self, order: SealOrder, commitment: str) -> Wish:
        """Who stands behind the order.

        Raises:
            IdentityRefused: nobody we believe says who; recorded.
            SealDenied: the caller names another person than the gateway let through; recorded.
        """
        if order.known is not None:
            return order.known
        try:
            wish = self._wishes.read(order, at=self._clock.now())
        except IdentityRefused as error:
            # Whoever the caller named, nobody we believe did: the record of that person stays clean.
            self.refuse(order, _NOBODY, commitment, code=error.code)
            raise
        if order.actor not in {"", wish.actor}:
            self.refuse(order, wish, commitment, code="other_person")
            raise SealDenied
        return wish

    def granted(self, order: SealOrder, wish: Wish, commitment: str) -> tuple[Decision, str]:
        """The decision that allows it, and the person's name as the directory has it now.

        Raises:
            SealDenied: the person may not; recorded.
        """
        if order.caller in self._reports and order.organisation != self._reports[order.caller]:
            # Whoever has taken the caller over gets no other organisation's seal with an officer's wish.
            self.refuse(order, wish, commitment, code="other_organisation")
            raise SealDenied
        if wish.program_of and not self._lets(wish.actor, wish.program_of, order.caller):
            # It was let when it asked, and what it asked for may have waited since.
            self.refuse(order, wish, commitment, code="not_let")
            raise SealDenied
        try:
            person = None if wish.program_of else self._people.person(wish.actor)
            self.organisation(order.organisation)
        except NotFound as error:
            self.refuse(order, wish, commitment, code="unknown")
            raise SealDenied from error
        asked = self._program(order, wish) if person is None else self._request(order, wish, person)
        decision = self._decide(asked)
        if not decision.allowed:
            self.refuse(order, wish, commitment, code=decision.code, decision=decision)
            raise SealDenied
        return decision, wish.actor if person is None else person.name or person.name_zh

    def organisation(self, identifier: str) -> Organisation:
        """One organisation.

        Raises:
            NotFound: the directory knows none of this identifier.
        """
        # It becomes part of a file name: nothing but what the pattern allows ever does.
        if not _ORGANISATION.fullmatch(identifier):
            raise NotFound
        return self._people.organisation(identifier)

    def refuse(
        self, order: SealOrder, wish: Wish, commitment: str, *, code: str, decision: Decision | None = None
    ) -> None:
        """Record that the order was refused."""
        self._recorder.record(
            Event(
                key=secrets.token_hex(16),
                type="signature.refused",
                outcome=Outcome.DENIED,
                at=self._clock.now(),
                source="signatures",
                subject=wish.actor,
                object=commitment,
                organisation=order.organisation,
                session=wish.session,
                zone=wish.zone,
                decision=wish.decision,
                policy=decision.version if decision else "",
                attributes={"code": code, "caller": order.caller, "policies": joined(decision), **reference(order)},
            )
        )

    def _program(self, order: SealOrder, wish: Wish) -> DecisionRequest:
        """A program asks as a client of its organisation, whose token the gateway has found to be good and bound."""
        return DecisionRequest(
            principal_kind="client",
            subject=wish.actor,
            organisation=wish.program_of,
            enabled=True,
            assurance=wish.assurance,
            action=Action.SEAL.value,
            resource="seal",
            resource_class=ResourceClass.SIGNING.value,
            owner=order.organisation,
            classification=0,
            from_zone=wish.zone,
            to_zone=wish.zone,
            required_assurance=0,
            at=self._clock.now(),
        )

    def _request(self, order: SealOrder, wish: Wish, person: Person) -> DecisionRequest:
        at = self._clock.now()
        mandates = frozenset(
            mandate.organisation
            for mandate in person.mandates
            if mandate.scope in {self._mandate, "all"} and mandate.until >= at.date()
        )
        return DecisionRequest(
            principal_kind="person",
            subject=person.subject,
            roles=person.roles | {person.kind.value},
            organisation=person.organisation,
            mandates=mandates,
            enabled=person.enabled,
            proofing=person.proofing.level,
            assurance=wish.assurance,
            clearance=person.clearance,
            action=Action.SEAL.value,
            resource="report" if order.caller in self._reports else "seal",
            resource_class=ResourceClass.SIGNING.value,
            owner=order.organisation,
            classification=0,
            from_zone=wish.zone,
            to_zone=wish.zone,
            required_assurance=2,
            at=at,
        )
