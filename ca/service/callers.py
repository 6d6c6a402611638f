# SPDX-License-Identifier: Apache-2.0
"""What each role of the site has to say here, and for whom: one table, asked before every verb of the peer API.

A role acts on its own behalf, or it carries the wish of a person whose request the gateway let through to one of the
role's own hosts. Then it passes on the gateway's signed header, which is believed; its own word for a person is not.
Whatever else a role asks is refused, and the refusal is recorded.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum

from audit import Outcome, Recorder
from core.clock import Clock
from core.identity import Identity, IdentityRefused, IdentityVerifier

from ..errors import NotYourBusiness
from ..models import IssueRequest
from .notes import event, is_identifier


class Verb(StrEnum):
    """What can be asked over the peer API."""

    STATUS = "status"
    SHOW = "show"
    LIST = "list"
    ISSUE = "issue"
    SUSPEND = "suspend"
    RELEASE = "release"
    REVOKE = "revoke"
    # Anything about incidents; another officer agrees at the desk all the same.
    INCIDENT = "incident"
    # Have officers look at many devices.
    TABLE = "table"
    BLOCK = "block"
    CHECK = "check"


@dataclass(frozen=True, kw_only=True)
class Business:
    """What one role may ask; which certificates it may have made is said by the profiles."""

    # On its own behalf, about anybody.
    itself: frozenset[Verb] = frozenset()
    # For a person that stands at one of its hosts: about that person alone.
    persons: frozenset[Verb] = frozenset()


BUSINESS: Mapping[str, Business] = {
    # The operator on the machine itself.
    "app": Business(itself=frozenset(Verb)),
    # Devices show certificates at the boundary.
    "gateway": Business(itself=frozenset({Verb.STATUS})),
    # Cards are shown at the login. What holders do with their own certificates they do themselves, at a guarded host.
    "sso": Business(itself=frozenset({Verb.STATUS}), persons=frozenset({Verb.ISSUE, Verb.SUSPEND, Verb.REVOKE})),
    # It makes the seals of organisations, and asks what a seal is worth before each use.
    # For people it has the certificates made by which they sign there.
    "signatures": Business(itself=frozenset({Verb.STATUS, Verb.ISSUE}), persons=frozenset({Verb.ISSUE, Verb.REVOKE})),
}


@dataclass(frozen=True, kw_only=True)
class Behalf:
    """On whose behalf a call is made, verified."""

    caller: str
    # The person, or "role:NAME" of a caller that asks for itself.
    actor: str
    # How surely the person is identified, and the zone of the request, as the gateway says.
    assurance: int = 0
    zone: str = ""

    def carrying(self, wish: IssueRequest) -> IssueRequest:
        """The wish with what is verified in the place of what was claimed."""
        return replace(
            wish,
            actor=self.actor,
            actor_roles=frozenset({f"role:{self.caller}"}),
            caller=self.caller,
            assurance=self.assurance,
            zone=self.zone,
        )


class Callers:
    """Asks the table; ``verifiers`` holds, for each role, those of the hosts that lead to it."""

    def __init__(
        self,
        *,
        verifiers: Mapping[str, Sequence[IdentityVerifier]],
        recorder: Recorder,
        clock: Clock,
    ) -> None:
        self._verifiers = verifiers
        self._recorder = recorder
        self._clock = clock

    def behalf(
        self,
        verb: Verb,
        *,
        caller: str,
        unverified_identity: str,
        unverified_actor: str,
        subject: str = "",
        serial: str = "",
    ) -> Behalf:
        """On whose behalf this call is made, about which subject and certificate.

        Raises:
            NotYourBusiness: the role has no such business, or shows no proof of the person it speaks for; recorded.
            RecordUnavailable: refused too, but the record does not know it.
        """
        business, role = BUSINESS.get(caller, Business()), f"role:{caller}"
        person = self._person(caller, unverified_identity) if unverified_identity else None
        speaks_for = person.subject if person else role
        reason = ""
        if verb not in (business.persons if unverified_identity else business.itself):
            reason = "not-its-business"
        elif (unverified_identity and person is None) or unverified_actor not in ("", speaks_for):
            reason = "unproved-person"
        elif person is not None and person.subject != subject:
            reason = "another-person"
        if reason:
            claimed = person.subject if person else unverified_actor
            self._refuse(verb, role, reason, subject=subject, serial=serial, claimed=claimed)
            raise NotYourBusiness
        if person is None:
            return Behalf(caller=caller, actor=role)
        return Behalf(caller=caller, actor=person.subject, assurance=person.assurance, zone=person.zone)

    def _person(self, caller: str, unverified: str) -> Identity | None:
        for verifier in self._verifiers.get(caller, ()):
            with suppress(IdentityRefused):
                found = verifier.verify_passed_on(unverified, at=self._clock.now())
                return found if found.kind == "person" else None
        return None

    def _refuse(self, verb: Verb, role: str, reason: str, *, subject: str, serial: str, claimed: str) -> None:
        attributes = {"verb": verb.value, "reason": reason}
        if is_identifier(claimed):
            attributes["claimed"] = claimed
        refusal = event(
            "ca.call.refused",
            Outcome.DENIED,
            at=self._clock.now(),
            subject=subject,
            actor=role,
            serial=serial,
            attributes=attributes,
        )
        self._recorder.record(refusal)
