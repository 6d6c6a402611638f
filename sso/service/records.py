# SPDX-License-Identifier: Apache-2.0
"""What sign-on tells the record, in one place: which event, about whom, with which facts."""

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from audit import Event, Outcome, Receipt, Recorder
from core.clock import Clock

from ..models import (
    Application,
    Authentication,
    Client,
    ClientLock,
    Consent,
    FactorReset,
    Goodbye,
    Grant,
    Invitation,
    LoginDecision,
    Recovery,
    Session,
    Visitor,
)
from ..oauth.rfc6749 import host_of, scope_text
from ..oauth.rfc9068 import AccessClaims

Attributes = Mapping[str, str | int | bool]


class Records:
    """Makes events and, for grants and accesses, waits for their receipt."""

    def __init__(self, *, recorder: Recorder, clock: Clock, key: bytes) -> None:
        """``key`` is a secret of this role alone; attempts at one account are known as such by it."""
        self._recorder = recorder
        self._clock = clock
        self._account_key = hmac.digest(key, b"accounts", hashlib.sha256)

    def account(self, username: str) -> str:
        """What attempts at one account have in common on one day; nobody can tell from it what was typed."""
        named = f"{self._clock.now():%Y-%m-%d}\0{username.strip().casefold()}"
        return hmac.digest(self._account_key, named.encode("utf-8", "replace"), hashlib.sha256)[:8].hex()

    def write(self, event: Event) -> Receipt:
        """Record now and wait.

        Raises:
            RecordUnavailable: no receipt; what was to follow must not happen.
        """
        return self._recorder.record(event)

    def login(
        self,
        who: Authentication,
        visitor: Visitor,
        *,
        sid: str,
        client: str,
        decision: LoginDecision,
        account: str = "",
        name_zh: str = "",
        portal: str = "",
    ) -> Event:
        """A login that was decided, either way; ``portal`` is the application's name as people know it."""
        return self._event(
            "sso.login",
            Outcome.SUCCESS if decision.allowed else Outcome.DENIED,
            subject=who.subject,
            object_=client,
            session=sid if decision.allowed else "",
            decision=decision.code,
            policy=decision.version,
            attributes={
                "acr": str(who.assurance),
                "amr": " ".join(who.methods),
                "network": visitor.network,
                **({"certificate": who.certificate} if who.certificate else {}),
                **({"account": account} if account else {}),
                **({"reasons": " ".join(decision.reasons)} if decision.reasons else {}),
            },
            sealed={
                "name": who.name or who.subject,
                "name_zh": name_zh,
                "address": visitor.address,
                "object_name": portal,
            },
        )

    def session_raised(self, session: Session, visitor: Visitor, *, client: str, decision: LoginDecision) -> Event:
        """More was proved in a session, or would have been: what it is worth now."""
        return self._event(
            "sso.session.raised",
            Outcome.SUCCESS if decision.allowed else Outcome.DENIED,
            subject=session.subject,
            object_=client,
            session=session.sid,
            decision=decision.code,
            policy=decision.version,
            attributes={
                "acr": str(session.assurance),
                "amr": " ".join(session.methods),
                "network": visitor.network,
                **({"reasons": " ".join(decision.reasons)} if decision.reasons else {}),
            },
            sealed={"address": visitor.address},
        )

    def login_attempted(self, visitor: Visitor, *, method: str, client: str, account: str) -> Event:
        """Somebody is about to be checked; nothing is known of who."""
        return self._event(
            "sso.login.attempted",
            Outcome.INTENDED,
            object_=client,
            attributes={"method": method, "network": visitor.network, **({"account": account} if account else {})},
        )

    def login_failed(
        self, visitor: Visitor, *, method: str, reason: str, client: str, subject: str = "", account: str = ""
    ) -> Event:
        """A login that proved nobody; nobody's name is kept, for a wrong name may be a password."""
        return self._event(
            "sso.login",
            Outcome.FAILURE,
            subject=subject,
            object_=client,
            attributes={
                "method": method,
                "reason": reason,
                "network": visitor.network,
                **({"account": account} if account else {}),
            },
        )

    def session_ended(self, session: Session, *, reason: str, actor: str = "") -> Event:
        """For the outbox."""
        return self._event(
            "sso.session.ended",
            Outcome.SUCCESS,
            subject=session.subject,
            session=session.sid,
            actor=actor,
            attributes={"reason": reason},
        )

    def suspicious(self, session: Session, *, kind: str, network: str) -> Event:
        """For the outbox: a login that its person is asked about."""
        return self._event(
            "sso.login.questioned",
            Outcome.SUCCESS,
            subject=session.subject,
            session=session.sid,
            attributes={"kind": kind, "network": network},
        )

    def recovery_asked(self, visitor: Visitor, *, account: str) -> Event:
        """Somebody says that they cannot log in any more; nothing is known of who."""
        return self._event(
            "sso.recovery.asked",
            Outcome.INTENDED,
            attributes={"network": visitor.network, "account": account},
        )

    def recovery_moved(self, recovery: Recovery, *, step: str, subject: str = "", ended: bool = False) -> Event:
        """One step on the way back, before it is made; ``ended``: the last one was."""
        return self._event(
            "sso.recovery.done" if ended else "sso.recovery.intended",
            Outcome.SUCCESS if ended else Outcome.INTENDED,
            subject=subject or recovery.subject,
            attributes={"step": step, "network": recovery.network, "drops": recovery.drops},
        )

    def recovery_stopped(self, recovery: Recovery, *, reason: str) -> Event:
        """For the outbox."""
        return self._event(
            "sso.recovery.stopped",
            Outcome.SUCCESS,
            subject=recovery.subject,
            attributes={"reason": reason, "network": recovery.network},
        )

    def factors_dropped(self, subject: str) -> Event:
        """For the outbox: all of a person's second factors went with a recovery."""
        return self._event("sso.factor.removed", Outcome.SUCCESS, subject=subject, attributes={"factor": "all"})

    def factor(self, kind: str, session: Session, *, factor: str, counts_from: int | None = None) -> Event:
        """Something to log in with beside a password, about to be set up, set up or taken away."""
        return self._event(
            kind,
            Outcome.INTENDED if kind.endswith(".intended") else Outcome.SUCCESS,
            subject=session.subject,
            session=session.sid,
            attributes={"factor": factor, **({"counts_from": counts_from} if counts_from is not None else {})},
        )

    def code(self, grant: Grant, outcome: Outcome) -> Event:
        """An authorization code, intended or issued."""
        kind = "sso.code.intended" if outcome is Outcome.INTENDED else "sso.code.issued"
        return self._event(
            kind, outcome, subject=grant.subject, object_=grant.id, session=grant.sid, attributes=_grant(grant)
        )

    def tokens(self, grant: Grant, outcome: Outcome, *, grant_type: str, reason: str = "", actor: str = "") -> Event:
        """Tokens, intended, issued or refused; ``actor`` is who acts for the subject, if another does."""
        kinds = {Outcome.INTENDED: "sso.token.intended", Outcome.SUCCESS: "sso.token.issued"}
        facts = {**_grant(grant), "grant_type": grant_type, **({"reason": reason} if reason else {})}
        return self._event(
            kinds.get(outcome, "sso.token.refused"),
            outcome,
            subject=grant.subject,
            object_=grant.id,
            session=grant.sid,
            actor=actor,
            attributes=facts,
        )

    def tokens_refused(
        self, client_id: str, *, grant_type: str, reason: str, subject: str = "", session: str = ""
    ) -> Event:
        """A presentation, or a session brought to another portal, that led to no family."""
        return self._event(
            "sso.token.refused",
            Outcome.DENIED,
            subject=subject,
            object_=client_id,
            session=session,
            attributes={"client": client_id, "grant_type": grant_type, "reason": reason},
        )

    def tokens_revoked(self, grant: Grant, *, reason: str) -> Event:
        """For the outbox: a family ended."""
        return self._event(
            "sso.token.revoked",
            Outcome.SUCCESS,
            subject=grant.subject,
            object_=grant.id,
            session=grant.sid,
            attributes={"client": grant.client_id, "reason": reason},
        )

    def token_ended(self, grant: Grant, claims: AccessClaims) -> Event:
        """For the outbox: one access token ended, and its family stands."""
        return self._event(
            "sso.token.ended",
            Outcome.SUCCESS,
            subject=grant.subject,
            object_=claims.jti,
            session=grant.sid,
            attributes={"client": claims.client_id, "grant": grant.id, "reason": "revoked by client"},
        )

    def goodbye_undelivered(self, goodbye: Goodbye) -> Event:
        """For the outbox: a client was never told that a session ended."""
        return self._event(
            "sso.goodbye.undelivered",
            Outcome.FAILURE,
            subject=goodbye.subject,
            object_=goodbye.client_id,
            session=goodbye.sid,
            attributes={"client": goodbye.client_id, "attempts": goodbye.attempts},
        )

    def read(self, client: Client, *, subject: str, session: str, endpoint: str, claims: str) -> Event:
        """A client read about a person: userinfo or introspection."""
        return self._event(
            "sso.userinfo",
            Outcome.SUCCESS,
            subject=subject,
            actor=client.id,
            object_=client.id,
            session=session,
            attributes={"client": client.id, "endpoint": endpoint, "claims": claims},
        )

    def client(self, client: Client, kind: str, outcome: Outcome) -> Event:
        """A client that registers itself, changes its registration or is gone."""
        return self._event(
            kind,
            outcome,
            object_=client.id,
            attributes={
                "client": client.id,
                "method": client.method,
                "scopes": scope_text(client.scopes),
                "sector": client.sector,
                "title": client.name[:80],
                "hosts": " ".join(sorted({host_of(uri) for uri in client.redirect_uris}))[:200],
            },
        )

    def invitation(self, invitation: Invitation, outcome: Outcome) -> Event:
        """Leave to register clients, by an operator."""
        return self._event(
            "sso.client.invited",
            outcome,
            object_=invitation.digest[:16],
            attributes={
                "scopes": scope_text(invitation.scopes),
                "sector": invitation.sector,
                "uses": invitation.uses_left,
            },
        )

    def invitation_ended(self, invitation: Invitation, *, actor: str) -> Event:
        """For the outbox: leave to register clients, taken back."""
        return self._event(
            "sso.client.uninvited",
            Outcome.SUCCESS,
            object_=invitation.digest[:16],
            actor=actor,
            attributes={"sector": invitation.sector, "uses": invitation.uses_left},
        )

    def application(self, application: Application, kind: str, outcome: Outcome, *, actor: str) -> Event:
        """A registration that somebody asks for, or decides on; why, is sealed to whoever asked."""
        assessment = json.loads(application.metadata).get("assessment")
        graded = {"grade": assessment["grade"], "label": assessment["label"]} if assessment else {}
        return self._event(
            kind,
            outcome,
            subject=application.asked_by,
            object_=application.client_id,
            actor=actor,
            attributes={
                "client": application.client_id,
                "agency": application.agency,
                "test": application.test,
                **({"state": application.state} if kind.endswith("reviewed") else {}),
                **graded,
            },
            sealed={"reason": application.reason},
        )

    def person_viewed(self, *, actor: str, subject: str = "", account: str = "") -> Event:
        """An administrator looks somebody up, before anything is shown; without a subject they found nobody."""
        return self._event(
            "sso.person.viewed",
            Outcome.SUCCESS if subject else Outcome.FAILURE,
            subject=subject,
            actor=actor,
            attributes={"account": account} if account else {},
        )

    def factor_reset(self, reset: FactorReset, outcome: Outcome, *, step: str, actor: str) -> Event:
        """An administrator asks that somebody's second factors go, another confirms, or they have gone."""
        return self._event(
            "sso.factor.reset",
            outcome,
            subject=reset.subject,
            object_=reset.id,
            actor=actor,
            attributes={"step": step, "high": reset.high},
            sealed={"reason": reset.reason},
        )

    def factor_reset_stopped(self, reset: FactorReset, *, actor: str, reason: str) -> Event:
        """For the outbox."""
        return self._event(
            "sso.factor.reset.stopped",
            Outcome.SUCCESS,
            subject=reset.subject,
            object_=reset.id,
            actor=actor,
            attributes={"reason": reason},
        )

    def simulated(self, client: Client, *, who: str, step: str) -> Event:
        """The simulator answers a client for tests about somebody invented."""
        return self._event(
            "sso.simulated",
            Outcome.SUCCESS,
            object_=client.id,
            attributes={"client": client.id, "invented": who, "step": step},
        )

    def client_locked(self, lock: ClientLock) -> Event:
        """For the outbox; what the administrator wrote is sealed to them."""
        return self._event(
            "sso.client.locked",
            Outcome.SUCCESS,
            subject=lock.locked_by,
            object_=lock.client_id,
            actor=lock.locked_by,
            attributes={"client": lock.client_id},
            sealed={"reason": lock.reason},
        )

    def client_unlocked(self, lock: ClientLock, outcome: Outcome, *, step: str, actor: str) -> Event:
        """Somebody asks that an application may be used again, takes that back, or another confirms."""
        return self._event(
            "sso.client.unlocked",
            outcome,
            subject=lock.asked_by,
            object_=lock.client_id,
            actor=actor,
            attributes={"client": lock.client_id, "step": step},
            sealed={"reason": lock.asked_reason},
        )

    def record_opened(
        self,
        client: Client,
        *,
        subject: str,
        organisation: str,
        decision: str,
        purpose: str,
        by: str,
        at: datetime,
        key: str,
    ) -> Event:
        """A portal is about to show somebody's record, under a decision of the gateway; said again it is the same."""
        event = self._event(
            "sso.record.opened",
            Outcome.SUCCESS,
            subject=subject,
            actor=client.id,
            object_=client.id,
            decision=decision,
            attributes={"client": client.id, "purpose": purpose, "by": by},
        )
        return replace(event, key=key, at=at, organisation=organisation)

    def opening_refused(self, client: Client, *, decision: str, reason: str) -> Event:
        """A portal said something that cannot be so."""
        return self._event(
            "sso.record.refused",
            Outcome.DENIED,
            actor=client.id,
            object_=client.id,
            decision=decision,
            attributes={"client": client.id, "reason": reason},
        )

    def consent(self, consent: Consent, outcome: Outcome, *, session: str) -> Event:
        """A yes, intended and then kept."""
        return self._event(
            "sso.consent.granted",
            outcome,
            subject=consent.subject,
            object_=consent.client_id,
            session=session,
            attributes={"client": consent.client_id, "scopes": scope_text(consent.scopes)},
        )

    def signature_confirmed(
        self, session: Session, *, client: str, by: str, credential: str, labels: list[str], digests: list[str]
    ) -> Event:
        """A person confirmed that these documents are signed; their names and hashes are theirs alone to read."""
        return self._event(
            "sso.signature.confirmed",
            Outcome.SUCCESS,
            subject=session.subject,
            object_=client,
            session=session.sid,
            attributes={"by": by, "client": client, "signing_key": credential, "documents": len(digests)},
            sealed={"object_name": "; ".join(labels), "digests": " ".join(digests)},
        )

    def consent_withdrawn(self, subject: str, client_id: str, *, session: str) -> Event:
        """For the outbox."""
        return self._event(
            "sso.consent.withdrawn",
            Outcome.SUCCESS,
            subject=subject,
            object_=client_id,
            session=session,
            attributes={"client": client_id},
        )

    def _event(
        self,
        kind: str,
        outcome: Outcome,
        *,
        subject: str = "",
        object_: str = "",
        session: str = "",
        actor: str = "",
        decision: str = "",
        policy: str = "",
        attributes: Attributes,
        sealed: Mapping[str, str] | None = None,
    ) -> Event:
        return Event(
            key=secrets.token_hex(16),
            type=kind,
            outcome=outcome,
            at=self._clock.now(),
            source="sso",
            subject=subject,
            object=object_,
            session=session,
            actor=actor,
            decision=decision,
            policy=policy,
            attributes=attributes,
            sealed={name: value for name, value in (sealed or {}).items() if value},
        )


def _grant(grant: Grant) -> dict[str, str | int | bool]:
    said = {"client": grant.client_id, "scopes": scope_text(grant.scopes), "acr": str(grant.assurance)}
    return {**said, **({"mandate": grant.mandate} if grant.mandate else {})}
