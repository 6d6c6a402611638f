# SPDX-License-Identifier: Apache-2.0
"""Whether a session may be used at an application: what the policies ask there may be more than where it began."""

from dataclasses import replace

from core.clock import Clock
from core.errors import NotFound

from ..errors import AccessDenied
from ..factors import strength
from ..models import Client, Session
from ..oauth.openid import Step
from .collaborators import DecideLogin, People, Person
from .records import Records


def as_sure_as_now(session: Session, person: Person | None) -> Session:
    """A session as sure as it is today: what the registrar takes away, and what ends by its day, counts no more.

    What a login proved at the door stays what it is; how surely its person is known is asked each time.
    """
    if person is None:
        return session
    return replace(session, assurance=min(person.proofing.level, strength(session.methods)))


class Admission:
    """Asks directory and policies; a no is recorded."""

    def __init__(self, *, people: People, decide: DecideLogin, records: Records, clock: Clock) -> None:
        self._people = people
        self._decide = decide
        self._records = records
        self._clock = clock

    def holder(self, session: Session) -> Person | None:
        """Whose session it is, as the directory knows them now; None for nobody."""
        try:
            return self._people.person(session.subject)
        except NotFound:
            return None

    def step(self, client: Client, session: Session, person: Person | None) -> tuple[Step, int]:
        """``ISSUE``, or ``STEP_UP`` and how sure a login it takes.

        Raises:
            AccessDenied: the person, or the policies, will not do.
        """
        if person is None:
            self.deny(client, session, "not in the directory")
            raise AccessDenied(why="the account cannot be used")
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
