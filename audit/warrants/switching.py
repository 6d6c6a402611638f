# SPDX-License-Identifier: Apache-2.0
"""Emergency switches: two officers shut a passage, a portal, a client or all writing, and two open it again.

The switch is its entry in the record: every gateway hears it there, and takes away from the intent on. What is shut
stays shut until a second warrant opens it.
"""

from datetime import datetime

from ..models import Attribute, Event, Outcome, Reader
from ..models_codec import new_key
from .holding import Acting
from .models import State, Warrant
from .records import note, step

NAMES = {"shut": "shut", "reopen": "reopened"}
"""Kind of warrant to what its event is called."""


class Switching(Acting):
    """The one verb of both kinds."""

    def throw(self, reader: Reader, warrant: Warrant) -> Warrant:
        """Shut or reopen what the warrant names.

        Raises:
            WarrantNeeded: it is no switch that was granted to this officer.
            WarrantSettled: the warrant was used, withdrawn or ran out.
            RecordUnavailable: nothing was opened; what was to be shut may be, if the intent still arrived.
        """
        attempt = self._begin(reader, warrant, warrant.kind if warrant.kind in NAMES else "shut")

        def told(outcome: Outcome) -> Event:
            return switched(warrant, reader, outcome=outcome, at=self._clock.now())

        def act() -> None:
            now = self._clock.now()
            used = step("used", warrant, reader, outcome=Outcome.SUCCESS, at=now)
            self._store.move(
                warrant.id,
                (State.USING,),
                State.USED,
                at=now,
                attempt=attempt,
                notes=[note(used), note(told(Outcome.SUCCESS))],
            )

        self._do(warrant, attempt, told, act)
        return warrant


def switched(warrant: Warrant, reader: Reader, *, outcome: Outcome, at: datetime, **more: Attribute) -> Event:
    """What is recorded of a switch; ``reader`` is nobody where its act was interrupted."""
    return Event(
        key=new_key(),
        type=f"gateway.switch.{NAMES[warrant.kind]}",
        outcome=outcome,
        at=at,
        source="audit",
        actor=reader.subject,
        object=warrant.scope.value,
        session=reader.session,
        zone=reader.zone,
        decision=reader.decision,
        attributes={"warrant": warrant.id} | more,
    )
