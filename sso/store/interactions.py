# SPDX-License-Identifier: Apache-2.0
"""What must be remembered of parked requests: that one was answered, and a card login on its way back."""

from sqlalchemy import Connection, and_, bindparam, select, update

from core.db import Database

from ..errors import InteractionLost
from ..models import Handover, Interaction
from . import texts, upsert
from .tables import HANDOVERS, SPENT

_SPENT = select(SPENT.c.id).where(SPENT.c.id == bindparam("id"))


class InteractionRows:
    """The tables ``spent`` and ``handovers``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def spent(self, name: str) -> bool:
        """Whether a parked request was answered already."""
        with self._database.reading() as connection:
            return connection.execute(_SPENT, {"id": name}).first() is not None

    def spend(self, interaction: Interaction) -> None:
        """It is answered now.

        Raises:
            InteractionLost: another was faster.
        """
        with self._database.transaction() as connection:
            spend(connection, interaction)

    def ticket_open(self, ticket: str) -> bool:
        """Whether nobody logged in with a ticket yet."""
        with self._database.reading() as connection:
            chosen = select(HANDOVERS.c.ticket).where(HANDOVERS.c.ticket == ticket)
            return connection.execute(chosen).first() is None

    def answer(self, handover: Handover, *, back: str, expires_at: int) -> bool:
        """Exchange a ticket for the token that goes back, kept as its digest; works once."""
        values = {
            "ticket": handover.interaction.ticket,
            "back": back,
            "browser": handover.interaction.browser,
            "interaction": texts.interaction_text(handover.interaction),
            "authentication": texts.authentication_text(handover.authentication),
            "expires_at": expires_at,
        }
        with self._database.transaction() as connection:
            return upsert.ensure(connection, HANDOVERS, values)

    def take_back(self, back: str, browser: str, at: int) -> Handover | None:
        """Use the token that came back, in the browser whose request it belongs to; works once."""
        unused = and_(
            HANDOVERS.c.back == back,
            HANDOVERS.c.browser == browser,
            HANDOVERS.c.used_at.is_(None),
            HANDOVERS.c.expires_at > at,
        )
        taken = update(HANDOVERS).where(unused).values(used_at=at)
        with self._database.transaction() as connection:
            row = connection.execute(taken.returning(HANDOVERS.c.interaction, HANDOVERS.c.authentication)).one_or_none()
        if row is None:
            return None
        return Handover(
            interaction=texts.interaction_of(row.interaction),
            authentication=texts.authentication_of(row.authentication),
        )


def spend(connection: Connection, interaction: Interaction) -> None:
    """The same, inside a transaction, which must not go on after the error."""
    if not upsert.ensure(connection, SPENT, {"id": interaction.id, "expires_at": interaction.expires_at}):
        raise InteractionLost
