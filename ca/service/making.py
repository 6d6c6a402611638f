# SPDX-License-Identifier: Apache-2.0
"""One issuance under way: what is known of it, and what the record is told at its steps."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from audit import Event, Outcome
from audit.models import Attribute

from ..errors import IssuanceDenied
from ..models import IssueRequest, Reason, serial_hex
from ..store import Intent
from ..x509 import CertificateRequest, IssuerFacts, Profile, Subject
from ..x509.lint import LintedDraft
from .notes import Names, commitment, event
from .policy import Verdict


@dataclass(frozen=True, kw_only=True)
class Making:
    """What was examined, and the serial that was drawn for it."""

    request: IssueRequest
    kind: Profile
    asked: CertificateRequest
    subject: Subject
    verdict: Verdict
    issuer: IssuerFacts
    names: Names
    number: int
    shard: int
    # Of the commitment that the record holds instead of the bytes.
    key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    @property
    def serial(self) -> str:
        """As it is written everywhere."""
        return serial_hex(self.number)

    def intent(self, linted: LintedDraft, *, at: datetime) -> Intent:
        """What is stored before the signature."""
        draft = linted.draft
        return Intent(
            serial=self.serial,
            issuer=draft.issuer.name,
            profile=draft.profile.name,
            subject=self.request.subject,
            actor=self.request.actor,
            at=at,
            name=self.subject.name,
            not_before=draft.not_before,
            not_after=draft.not_after,
            key_hash=self.asked.key_hash,
            tbs=linted.tbs,
            commitment_key=self.key,
            shard=self.shard,
        )

    def intended(self, linted: LintedDraft, *, at: datetime) -> Event:
        """Told before the signature."""
        return self._event(
            "ca.certificate.intended",
            Outcome.INTENDED,
            at=at,
            attributes={**self._facts(linted), "shard": self.shard},
            decided=True,
        )

    def issued(self, linted: LintedDraft, der: bytes, *, at: datetime) -> Event:
        """Told after it."""
        attributes = {**self._facts(linted), "certificate": commitment(self.key, der)}
        return self._event("ca.certificate.issued", Outcome.SUCCESS, at=at, attributes=attributes, decided=True)

    def revoked(self, *, at: datetime) -> Event:
        """Told instead of nothing where the key was reported as compromised meanwhile."""
        attributes = {
            **carried(self.request),
            "reason": Reason.KEY_COMPROMISE.value,
            "profile": self.request.profile,
        }
        return event(
            "ca.certificate.revoked",
            Outcome.SUCCESS,
            at=at,
            subject=self.request.subject,
            actor="role:ca",
            serial=self.serial,
            attributes=attributes,
            names=Names(subject=self.subject.name),
        )

    def abandoned(self, code: str, *, at: datetime) -> Event:
        """Told where the key was not touched."""
        attributes = {"code": code, "profile": self.request.profile, **carried(self.request)}
        return self._event("ca.certificate.abandoned", Outcome.FAILURE, at=at, attributes=attributes)

    def _event(
        self,
        kind: str,
        outcome: Outcome,
        *,
        at: datetime,
        attributes: Mapping[str, Attribute],
        decided: bool = False,
    ) -> Event:
        return event(
            kind,
            outcome,
            at=at,
            subject=self.request.subject,
            actor=self.request.actor,
            serial=self.serial,
            decision=self.verdict.decision if decided else "",
            policy=self.verdict.version if decided else "",
            attributes=attributes,
            names=self.names,
        )

    def _facts(self, linted: LintedDraft) -> dict[str, str | int | bool]:
        return {
            **carried(self.request),
            "issuer": linted.draft.issuer.name,
            "profile": linted.draft.profile.name,
            "not_after": linted.draft.not_after.isoformat(),
            "commitment": commitment(self.key, linted.tbs),
        }


def carried(request: IssueRequest) -> dict[str, str]:
    """By which role and for which request."""
    found = {"caller": request.caller, "request": request.registration, "exception": request.exception}
    return {name: value for name, value in found.items() if value}


def why(error: Exception) -> dict[str, str | int | bool]:
    """Which rules said no: an officer who asks for a certificate of their own stands out by them."""
    reasons = str(error.parameters["reasons"]).replace(", ", " ") if isinstance(error, IssuanceDenied) else ""
    return {"reasons": reasons} if reasons else {}
