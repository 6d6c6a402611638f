# SPDX-License-Identifier: Apache-2.0
"""Composes who may have a certificate made: the policies in force, the desk's question and the roles that may ask."""

from typing import Protocol

from ca.acme.notes import ACTOR
from ca.est.notes import ACTOR as EST_ACTOR
from ca.models import IssueRequest
from ca.service import (
    BUSINESS,
    Desk,
    Verdict,
)
from ca.x509 import Profile, SubjectKind
from core.clock import Clock
from core.identity import IdentityVerifier
from directory import Device, Person
from gateway import GatewaySettings
from policies.models import Action, DecisionRequest, ResourceClass
from policies.service import PolicyEngine

from ..context import Context

_DESK_ZONE = "management"


def verifiers(context: Context, settings: GatewaySettings) -> dict[str, list[IdentityVerifier]]:
    """For each role that may call, what checks the header of persons at the guarded hosts that lead to it."""
    found: dict[str, list[IdentityVerifier]] = {role: [] for role in BUSINESS}
    for label, route in settings.routes.items():
        if route.role in found:
            found[route.role].append(context.verifier(context.site.host(label)))
    return found


def desk(settings: GatewaySettings) -> Desk:
    """The desk as the gateway's route describes it, so that both doors ask the same question."""
    label = "ca"
    route = settings.routes.get(label) or GatewaySettings().routes[label]
    return Desk(
        resource=route.resource or label,
        resource_class=route.resource_class,
        zone=route.zone,
        assurance=route.assurance,
        classification=route.classification,
    )


class People(Protocol):
    """Where who asks is looked up."""

    def person(self, subject: str) -> Person:
        """One person; raises NotFound."""
        ...

    def device(self, identifier: str, /) -> Device:
        """One device; raises NotFound."""
        ...


class ShippedPolicies:
    """The policies in force, asked about every person who wants a certificate made.

    A role of the site that asks on its own behalf is no person; the profiles' own rules speak about it.
    """

    def __init__(self, engine: PolicyEngine, *, directory: People, clock: Clock) -> None:
        self._engine = engine
        self._directory = directory
        self._clock = clock

    def decide(self, request: IssueRequest, profile: Profile) -> Verdict:
        """Allow or refuse; an unreadable release refuses rather than keep old rules."""
        machine = request.actor in {ACTOR, EST_ACTOR}
        if request.actor.startswith("role:") and not machine:
            return Verdict(allowed=True, reasons=("role-of-the-site",))
        self._engine.reload()
        asked = self._machine(request, profile) if machine else self._person(request, profile)
        decision = self._engine.decide(asked)
        return Verdict(allowed=decision.allowed, reasons=decision.reasons or (decision.code,), version=decision.version)

    def _machine(self, request: IssueRequest, profile: Profile) -> DecisionRequest:
        """A device asks for itself; an organisation's account asks as a client of that organisation."""
        device = profile.subject is SubjectKind.DEVICE
        return DecisionRequest(
            principal_kind="device" if device else "client",
            subject=request.subject if device else request.caller,
            organisation="" if device else request.subject,
            enabled=self._directory.device(request.subject).enabled if device else True,
            # As sure as the officer who granted the account.
            assurance=profile.assurance,
            action=Action.ISSUE,
            resource=profile.name,
            resource_class=ResourceClass.PKI,
            owner=request.subject,
            classification=0,
            from_zone=_DESK_ZONE,
            to_zone=_DESK_ZONE,
            required_assurance=profile.assurance,
            at=self._clock.now(),
        )

    def _person(self, request: IssueRequest, profile: Profile) -> DecisionRequest:
        person, at = self._directory.person(request.actor), self._clock.now()
        at_desk = not any(role.startswith("role:") for role in request.actor_roles)
        return DecisionRequest(
            principal_kind="person",
            subject=person.subject,
            roles=person.roles | {person.kind.value},
            organisation=person.organisation,
            mandates=frozenset(each.organisation for each in person.mandates if each.until >= at.date()),
            enabled=person.enabled,
            proofing=person.proofing.level,
            assurance=request.assurance,
            clearance=person.clearance,
            action=Action.ISSUE,
            resource=profile.name,
            resource_class=ResourceClass.PKI,
            owner=request.subject,
            classification=0,
            from_zone=request.zone,
            # Self-service stays in the zone it came from; the desk stands in the management network.
            to_zone=_DESK_ZONE if at_desk else request.zone,
            required_assurance=profile.assurance,
            at=at,
        )
