# SPDX-License-Identifier: Apache-2.0
"""Parked requests and the card logins between their two hosts."""

from sqlalchemy import and_, delete, insert, select, update

from core.db import Database

from ..models import Authentication, AuthorizationRequest, Handover, Interaction
from . import rows
from .tables import HANDOVERS, INTERACTIONS


class InteractionRows:
    """The tables ``interactions`` and ``handovers``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def park(self, name: str, browser: str, request: AuthorizationRequest | None, expires_at: int) -> None:
        """Park a request for one browser, known by the digest of its cookie."""
        with self._database.transaction() as connection:
            connection.execute(
                insert(INTERACTIONS).values(
                    id=name,
                    browser=browser,
                    request=rows.request_text(request),
                    logged_in=False,
                    agreed=False,
                    expires_at=expires_at,
                )
            )

    def find(self, name: str, browser: str, at: int) -> Interaction | None:
        """The parked request, for the browser that began it and nobody else."""
        chosen = and_(INTERACTIONS.c.id == name, INTERACTIONS.c.browser == browser, INTERACTIONS.c.expires_at > at)
        with self._database.reading() as connection:
            row = connection.execute(select(INTERACTIONS).where(chosen)).one_or_none()
        return rows.interaction_of(row) if row else None

    def agreed(self, name: str) -> None:
        """The person said yes within it."""
        with self._database.transaction() as connection:
            connection.execute(update(INTERACTIONS).where(INTERACTIONS.c.id == name).values(agreed=True))

    def finish(self, name: str) -> bool:
        """Remove it; exactly one of many callers gets True."""
        with self._database.transaction() as connection:
            return connection.execute(delete(INTERACTIONS).where(INTERACTIONS.c.id == name)).rowcount == 1

    def ticket(self, digest: str, interaction: str, expires_at: int) -> None:
        """Begin a card login for an interaction."""
        with self._database.transaction() as connection:
            connection.execute(
                insert(HANDOVERS).values(
                    ticket=digest, interaction=interaction, authentication="", expires_at=expires_at
                )
            )

    def ticket_open(self, digest: str, at: int) -> bool:
        """Whether a ticket is still unused."""
        chosen = and_(HANDOVERS.c.ticket == digest, HANDOVERS.c.back.is_(None), HANDOVERS.c.expires_at > at)
        with self._database.reading() as connection:
            return connection.execute(select(HANDOVERS.c.ticket).where(chosen)).first() is not None

    def answer(self, digest: str, back: str, authentication: Authentication, *, at: int, expires_at: int) -> bool:
        """Exchange a ticket for the token that goes back; works once."""
        chosen = and_(HANDOVERS.c.ticket == digest, HANDOVERS.c.back.is_(None), HANDOVERS.c.expires_at > at)
        text = rows.authentication_text(authentication)
        with self._database.transaction() as connection:
            changed = update(HANDOVERS).where(chosen).values(back=back, authentication=text, expires_at=expires_at)
            return connection.execute(changed).rowcount == 1

    def take_back(self, back: str, browser: str, at: int) -> Handover | None:
        """Use the token that came back, in the browser whose interaction it belongs to; works once."""
        unused = and_(HANDOVERS.c.back == back, HANDOVERS.c.used_at.is_(None), HANDOVERS.c.expires_at > at)
        mine = select(INTERACTIONS.c.id).where(
            INTERACTIONS.c.id == HANDOVERS.c.interaction,
            INTERACTIONS.c.browser == browser,
            INTERACTIONS.c.expires_at > at,
        )
        with self._database.transaction() as connection:
            row = connection.execute(select(HANDOVERS).where(unused, mine.exists())).one_or_none()
            if row is None:
                return None
            # Where readers do not wait for writers, somebody else may have used it since it was read.
            if connection.execute(update(HANDOVERS).where(unused).values(used_at=at)).rowcount != 1:
                return None
        return Handover(interaction_id=row.interaction, authentication=rows.authentication_of(row.authentication))
