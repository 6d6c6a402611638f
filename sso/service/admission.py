# SPDX-License-Identifier: Apache-2.0
"""Whether a session may be used at an application: what the policies ask there may be more than where it began."""

from core.clock import Clock
from core.errors import NotFound

from ..errors import AccessDenied
from ..models import Client, Session
from ..oauth.openid import Step
from .collaborators import DecideLogin, People
from .records import Records


class Admission:
    """Asks directory and policies; a no is recorded."""

    def __init__(self, *, people: People, decide: DecideLogin, records: Records, clock: Clock) -> None:
        self._people = people
        self._decide = decide
        self._records = records
        self._clock = clock

    def step(self, client: Client, session: Session) -> tuple[Step, int]:
        """``ISSUE``, or ``STEP_UP`` and how sure a login it takes.

        Raises:
            AccessDenied: the person, or the policies, will not do.
        """
        try:
            person = self._people.person(session.subject)
        except NotFound as error:
            self.deny(client, session, "not in the directory")
            raise AccessDenied(why="the account cannot be used") from error
        if not person.enabled:
            self.deny(client, session, "disabled")
            raise AccessDenied(why="the account cannot be used")
        decision = self._decide(
            person=person,
            client=client.id,
            assurance=session.assurance,
            methods=session.methods,
            at=self._clock.now(),
        )
        if decision.allowed:
            return Step.ISSUE, 0
        if decision.step_up is not None and "sc" not in session.methods:
            return Step.STEP_UP, decision.step_up
        self.deny(client, session, " ".join(decision.reasons) or decision.code or "policy")
        raise AccessDenied(why="not allowed by the policies of this site")

    def deny(self, client: Client, session: Session, reason: str) -> None:
        """Record that a session did not do at an application."""
        denial = self._records.tokens_refused(
            client.id,
            grant_type="authorization_code",
            reason=reason,
            subject=session.subject,
            session=session.sid,
        )
        self._records.write(denial)
