# SPDX-License-Identifier: Apache-2.0
"""May this be issued? Asked again here even when a registration desk or a role has decided already."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ..models import IssueRequest
from ..x509 import Profile, SubjectKind

OPERATOR = "role:app"
"""The operator on the machine, who is no officer."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """An answer with its reasons; a refusal names the rules that refused."""

    allowed: bool
    reasons: tuple[str, ...] = ()
    # Identifier of the decision and version of the policies, for the record.
    decision: str = ""
    version: str = ""


class IssuancePolicy(Protocol):
    """Decides over one request; every policy the authority is given must allow it."""

    def decide(self, request: IssueRequest, profile: Profile) -> Verdict:
        """Allow or refuse."""
        ...


class RequesterRules:
    """The rules that hold wherever the authority runs: profiles name who may ask, and no officer serves themselves."""

    def decide(self, request: IssueRequest, profile: Profile) -> Verdict:
        """Allow or refuse."""
        if request.actor_roles.isdisjoint(profile.requesters):
            return Verdict(allowed=False, reasons=("requester-not-allowed",))
        # An officer's power is not for the officer; a role of the site may carry a person's own wish.
        if request.actor == request.subject and not any(role.startswith("role:") for role in request.actor_roles):
            return Verdict(allowed=False, reasons=("not-for-oneself",))
        return Verdict(allowed=True, reasons=("requester-allowed",))


class EnoughOfficers:
    """What is made needs as many different officers as the profile says, none of them the holder.

    Without any: what roles have made for themselves, a person's own wish where the profile allows self-service, and
    an exception of the operator's, with a reason that the record keeps.
    """

    def decide(self, request: IssueRequest, profile: Profile) -> Verdict:
        """Allow or refuse."""
        if any(role.startswith("role:") for role in request.actor_roles):
            return _of_role(request, profile)
        officers = {request.actor, *request.approved_by}
        if request.subject in officers:
            return Verdict(allowed=False, reasons=("not-for-oneself",))
        if len(officers) < profile.approvals:
            return Verdict(allowed=False, reasons=("approvals-missing",))
        return Verdict(allowed=True, reasons=("approved",))


def _of_role(request: IssueRequest, profile: Profile) -> Verdict:
    """A role for itself, for a person whose own wish it carries, or for the operator on the machine."""
    if not request.actor.startswith("role:"):
        enough = 0 < profile.self_service <= request.assurance and request.actor == request.subject
        return Verdict(allowed=enough, reasons=("self-service" if enough else "approvals-missing",))
    # The site's own machines are the operator's business; what people and devices get is not.
    if request.actor == OPERATOR and profile.subject is not SubjectKind.MACHINE:
        said = bool(request.exception.strip())
        return Verdict(allowed=said, reasons=("exception" if said else "approvals-missing",))
    return Verdict(allowed=True, reasons=("role-of-the-site",))


def decide(policies: Sequence[IssuancePolicy], request: IssueRequest, profile: Profile) -> Verdict:
    """Ask all in order; the first refusal is the answer, the last permission names decision and version."""
    verdict = Verdict(allowed=False, reasons=("no-policy",))
    for policy in policies:
        verdict = policy.decide(request, profile)
        if not verdict.allowed:
            break
    return verdict
