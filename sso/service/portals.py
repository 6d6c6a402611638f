# SPDX-License-Identifier: Apache-2.0
"""The registration desk: an agency asks for a client, an administrator decides, whoever asked fetches its secrets once.

Nobody decides on what they asked for themselves. A client is there from when its secrets are fetched, so that no secret
passes through the hands of whoever decided.
"""

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from audit import Outcome
from core.clock import Clock
from core.errors import NotFound

from ..errors import ApplicationDecided, BadClient, InvalidClientMetadata, OwnApplication, TooManyApplications
from ..models import Application, Client, Invitation
from ..oauth.rfc7591 import check_metadata, client_of, sector_of
from ..store import Store, digest
from .assessing import REVIEWED_AFTER, Assessment
from .clients import check_client
from .collaborators import People
from .letters import Letters
from .limits import Limits
from .records import Records
from .registration import Registered

_MOST_WAITING = 20
_BEFORE = (30, 7, 0)
"""Days before an assessment is due again on which whoever asked for the registration is written to."""
_LOOKED_EVERY = 3600
_REMEMBERED = 400 * 86_400
_ASSESSMENT = "assessment"
"""Where an application keeps the security assessment, beside what a program would register."""
_SCOPES = frozenset({"openid", "profile", "email", "organisation", "mandate"})


def assessment_of(application: Application) -> dict[str, Any]:
    """The security assessment that came with an application; empty if none did."""
    found: dict[str, Any] = json.loads(application.metadata).get(_ASSESSMENT, {})
    return found


class Portals:
    """Asks, decides, hands out."""

    def __init__(
        self,
        *,
        store: Store,
        people: People,
        records: Records,
        letters: Letters,
        limits: Limits,
        clock: Clock,
        fresh: Callable[[], None],
        nudge: Callable[[], None],
    ) -> None:
        self._store = store
        self._people = people
        self._records = records
        self._letters = letters
        self._limits = limits
        self._clock = clock
        self._fresh = fresh
        self._nudge = nudge
        self._look_at = 0

    def remind(self) -> int:
        """Write to those whose portal is to be assessed again soon, or now; once each. Returns how many letters.

        The latest assessment of a host counts. Whoever was off for long is told once, of what is nearest.
        """
        now = self._now()
        if not self._letters.possible or now < self._look_at:
            return 0
        self._look_at = now + _LOOKED_EVERY
        today, seen, written = datetime.fromtimestamp(now, UTC).date(), set[str](), 0
        for application in self._store.applications.granted():
            said = assessment_of(application)
            if not said or said["label"] in seen:
                continue
            seen.add(said["label"])
            decided = datetime.fromtimestamp(application.decided_at, UTC).date()
            due = decided + timedelta(days=REVIEWED_AFTER[said["grade"]])
            passed = [days for days in _BEFORE if (due - today).days <= days]
            if passed:
                written += self._letters.remind(
                    application.asked_by,
                    "assessment",
                    f"assessment:{application.id}:{passed[-1]}",
                    until=now + _REMEMBERED,
                    to=application.contact,
                    title=json.loads(application.metadata)["client_name"],
                    label=said["label"],
                    due=due.isoformat(),
                )
        return written

    def ask(
        self,
        given: Mapping[str, Any],
        *,
        subject: str,
        contact: str,
        test: bool,
        assessment: Assessment | None = None,
    ) -> Application:
        """Ask for a client; everything is checked now, so that whoever decides sees nothing that could not be.

        A portal that is to stand behind the gateway brings its security ``assessment``.

        Raises:
            InvalidClientMetadata, InvalidRedirectURI: what is asked for is not to be had; says what and why.
            TooManyApplications: decisions are waited for already.
            TooMany: many were asked for today.
            RecordUnavailable: nothing was asked for.
        """
        if self._store.applications.waiting(asked_by=subject) >= _MOST_WAITING:
            raise TooManyApplications
        application = Application(
            id=secrets.token_urlsafe(12),
            client_id=f"{'test' if test else 'app'}-{secrets.token_hex(8)}",
            agency=self._people.person(subject).organisation,
            asked_by=subject,
            asked_at=self._now(),
            metadata=json.dumps(
                {**given, _ASSESSMENT: assessment.kept()} if assessment else dict(given), sort_keys=True
            ),
            test=test,
            contact=contact,
        )
        self._client(application)
        self._limits.count(application__person=subject)
        self._fresh()
        self._records.write(
            self._records.application(application, "sso.client.requested", Outcome.INTENDED, actor=subject)
        )
        outcome = self._records.application(application, "sso.client.requested", Outcome.SUCCESS, actor=subject)
        self._store.applications.put(application, outcome)
        self._nudge()
        return application

    def all(self, *, subject: str, administers: bool) -> list[Application]:
        """What somebody may see: an administrator everything, others what their own agency asked for."""
        if administers:
            return self._store.applications.newest()
        agency = self._people.person(subject).organisation
        return self._store.applications.newest(agency=agency) if agency else []

    def one(self, identifier: str, *, subject: str, administers: bool) -> Application:
        """One of these.

        Raises:
            NotFound: none, or another agency's: which of both is not said.
        """
        found = self._store.applications.find(identifier)
        if found is None:
            raise NotFound
        if not administers and found.agency != self._people.person(subject).organisation:
            raise NotFound
        return found

    def decide(self, application: Application, *, subject: str, yes: bool, reason: str) -> None:
        """Grant or refuse.

        Raises:
            OwnApplication: by whoever asked for it; that they tried is on record.
            ApplicationDecided: somebody was faster.
            RecordUnavailable: nothing was decided.
        """
        if application.asked_by == subject:
            self._deny(application, subject)
            raise OwnApplication
        if application.state != "waiting":
            raise ApplicationDecided
        decided = replace(
            application,
            state="granted" if yes else "refused",
            decided_by=subject,
            decided_at=self._now(),
            reason=reason,
        )
        self._fresh()
        self._records.write(self._records.application(decided, "sso.client.reviewed", Outcome.INTENDED, actor=subject))
        outcome = self._records.application(decided, "sso.client.reviewed", Outcome.SUCCESS, actor=subject)
        if not self._store.applications.decide(decided, outcome):
            raise ApplicationDecided
        self._letters.tell(
            application.asked_by,
            "client-granted" if yes else "client-refused",
            to=application.contact,
            title=json.loads(application.metadata)["client_name"],
            reason=reason,
        )
        self._nudge()

    def _deny(self, application: Application, subject: str) -> None:
        self._records.write(
            self._records.application(application, "sso.client.reviewed", Outcome.DENIED, actor=subject)
        )

    def fetch(self, application: Application, *, subject: str) -> Registered:
        """The client that was granted, and its secrets, which nobody is told again.

        Raises:
            NotFound: for anybody but who asked.
            ApplicationDecided: it was not granted, or was fetched already.
            RecordUnavailable: there is no client.
        """
        if application.asked_by != subject:
            raise NotFound
        if application.state != "granted":
            raise ApplicationDecided
        secret, manage = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        client = self._client(application, secret=secret, manage=manage)
        self._fresh()
        self._records.write(self._records.client(client, "sso.client.intended", Outcome.INTENDED))
        outcome = self._records.client(client, "sso.client.registered", Outcome.SUCCESS)
        if not self._store.applications.register(application, client, outcome):
            raise ApplicationDecided
        self._nudge()
        return Registered(client=client, secret=secret if client.secret_hash else "", manage=manage)

    def invitations(self) -> list[Invitation]:
        """Leave to register that still counts."""
        return self._store.invitations.all(self._now())

    def end_invitation(self, identifier: str, *, subject: str) -> None:
        """Take one back; ``identifier`` is the beginning of its digest, as it is shown and recorded.

        Raises:
            NotFound: none counts.
        """
        chosen = [each for each in self.invitations() if each.digest.startswith(identifier) and len(identifier) > 8]  # noqa: PLR2004 - half of what is shown
        if len(chosen) != 1:
            raise NotFound
        record = self._records.invitation_ended
        if not self._store.invitations.end(chosen[0].digest, self._now(), lambda one: record(one, actor=subject)):
            raise NotFound
        self._nudge()

    def _client(self, application: Application, *, secret: str = "s" * 43, manage: str = "") -> Client:
        given = json.loads(application.metadata)
        given.pop(_ASSESSMENT, None)
        check_metadata(given)
        try:
            client = client_of(
                given,
                client_id=application.client_id,
                ceiling=_SCOPES,
                # A test knows people by identifiers of its own, or it could tell who the real ones are.
                sector=application.client_id if application.test else sector_of(given) or application.client_id,
                secret_hash=digest(secret),
                manage_hash=digest(manage),
            )
            client = replace(client, test=application.test, contact=application.contact, agency=application.agency)
            check_client(client)
        except BadClient as error:
            raise InvalidClientMetadata(why=str(error.parameters.get("why", ""))) from error
        return client

    def _now(self) -> int:
        return int(self._clock.now().timestamp())
