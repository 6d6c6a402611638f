# SPDX-License-Identifier: Apache-2.0
"""Registrations that are asked for; every step is one conditional statement, so each is taken once."""

from sqlalchemy import and_, insert, select, update

from audit import Event, encode_event
from core.db import Database

from ..models import Application, ApplicationState, Client
from . import rows
from .tables import APPLICATIONS, CLIENTS, OUTBOX

_MOST = 200


class ApplicationRows:
    """The table ``applications``, and the clients that come of it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, application: Application, outcome: Event) -> None:
        """Keep one that somebody asks for."""
        with self._database.transaction() as connection:
            connection.execute(insert(APPLICATIONS).values(**rows.application_values(application)))
            OUTBOX.put(connection, key=outcome.key, body=encode_event(outcome))

    def find(self, identifier: str) -> Application | None:
        """One."""
        with self._database.reading() as connection:
            row = connection.execute(select(APPLICATIONS).where(APPLICATIONS.c.id == identifier)).one_or_none()
        return rows.application_of(row) if row else None

    def asker_of(self, client_id: str) -> str:
        """Who asked for a client; empty if nobody did at the desk."""
        query = select(APPLICATIONS.c.asked_by).where(APPLICATIONS.c.client_id == client_id)
        with self._database.reading() as connection:
            return connection.execute(query).scalar_one_or_none() or ""

    def newest(self, *, agency: str = "") -> list[Application]:
        """The newest, of one agency if one is named."""
        query = select(APPLICATIONS).order_by(APPLICATIONS.c.asked_at.desc(), APPLICATIONS.c.id).limit(_MOST)
        if agency:
            query = query.where(APPLICATIONS.c.agency == agency)
        with self._database.reading() as connection:
            return [rows.application_of(row) for row in connection.execute(query)]

    def granted(self) -> list[Application]:
        """All that were granted, the latest decision first."""
        query = select(APPLICATIONS).where(APPLICATIONS.c.state.in_(("granted", "done")))
        with self._database.reading() as connection:
            rest = connection.execute(query.order_by(APPLICATIONS.c.decided_at.desc(), APPLICATIONS.c.id))
            return [rows.application_of(row) for row in rest]

    def waiting(self, *, asked_by: str) -> int:
        """How many one person has asked for that nobody decided on."""
        chosen = and_(APPLICATIONS.c.asked_by == asked_by, APPLICATIONS.c.state == "waiting")
        with self._database.reading() as connection:
            return len(connection.execute(select(APPLICATIONS.c.id).where(chosen).limit(_MOST)).all())

    def decide(self, decided: Application, outcome: Event) -> bool:
        """Keep the decision; False if there was one already."""
        values = {
            "state": decided.state,
            "decided_by": decided.decided_by,
            "decided_at": decided.decided_at,
            "reason": decided.reason,
        }
        return self._moved(decided, "waiting", values, outcome)

    def register(self, application: Application, client: Client, outcome: Event) -> bool:
        """Register the client that was granted; False if that was done already."""
        return self._moved(
            application,
            "granted",
            {"state": "done"},
            outcome,
            also=insert(CLIENTS).values(**rows.client_values(client)),
        )

    def _moved(
        self,
        application: Application,
        before: ApplicationState,
        values: dict[str, object],
        outcome: Event,
        *,
        also: object = None,
    ) -> bool:
        chosen = and_(APPLICATIONS.c.id == application.id, APPLICATIONS.c.state == before)
        with self._database.transaction() as connection:
            if connection.execute(update(APPLICATIONS).where(chosen).values(**values)).rowcount != 1:
                return False
            if also is not None:
                connection.execute(also)  # type: ignore[call-overload]  # an insert
            OUTBOX.put(connection, key=outcome.key, body=encode_event(outcome))
        return True
