# SPDX-License-Identifier: Apache-2.0
"""What is remembered for a while only: used nonces, counted acts, and renewals that somebody asked for."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, func, insert, select
from sqlalchemy.exc import IntegrityError

from core.db import Database

from ...store.tables import insert_or, moment, seconds
from ..models import Window
from .tables import nonces, strikes, windows

_AT_ONCE = 5_000


class Marks:
    """The verbs over them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def use(self, nonce: str, *, until: datetime) -> bool:
        """Use a nonce; False if it was used before. On disk when this says True."""
        try:
            with self._database.transaction() as connection:
                connection.execute(insert(nonces), {"nonce": nonce, "until": seconds(until)})
        except IntegrityError:
            return False
        return True

    def strike(self, bucket: str, *, at: datetime, until: datetime, most: int) -> datetime | None:
        """Count one act; None if it is within the limit, otherwise when the oldest counted one is forgotten."""
        with self._database.transaction() as connection:
            mine = (strikes.c.bucket == bucket, strikes.c.until > seconds(at))
            many = connection.execute(select(func.count()).select_from(strikes).where(*mine)).scalar_one()
            if many >= most:
                oldest = connection.execute(select(func.min(strikes.c.until)).where(*mine)).scalar_one()
                return moment(oldest)
            connection.execute(insert(strikes), {"bucket": bucket, "at": seconds(at), "until": seconds(until)})
        return None

    def struck(self, bucket: str, *, at: datetime, most: int) -> datetime | None:
        """The same without counting."""
        mine = (strikes.c.bucket == bucket, strikes.c.until > seconds(at))
        query = select(func.count(), func.min(strikes.c.until)).where(*mine)
        with self._database.reading() as connection:
            many, oldest = connection.execute(query).one()
        return moment(oldest) if many >= most else None

    def forget(self, *, at: datetime) -> None:
        """Drop what no longer counts; no transaction drops more than so many."""
        for table, key in ((nonces, nonces.c.nonce), (strikes, strikes.c.position)):
            while True:
                old = select(key).where(table.c.until <= seconds(at)).limit(_AT_ONCE)
                with self._database.transaction() as connection:
                    if connection.execute(delete(table).where(key.in_(old.scalar_subquery()))).rowcount < _AT_ONCE:
                        break

    def set_windows(self, serials: Sequence[str], window: Window) -> None:
        """Ask the holders of these certificates to renew them then."""
        values = {
            "start": seconds(window.start),
            "end": seconds(window.end),
            "explanation": window.explanation,
        }
        with self._database.transaction() as connection:
            for serial in serials:
                row = insert_or(connection, windows).values(serial=serial, **values)
                connection.execute(row.on_conflict_do_update(index_elements=[windows.c.serial], set_=values))

    def window(self, serial: str) -> Window | None:
        """When somebody asked for its renewal."""
        with self._database.reading() as connection:
            row = connection.execute(select(windows).where(windows.c.serial == serial)).one_or_none()
        return (
            None if row is None else Window(start=moment(row.start), end=moment(row.end), explanation=row.explanation)
        )
