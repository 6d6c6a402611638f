# SPDX-License-Identifier: Apache-2.0
"""Devices that wait for their person: decided once, redeemed once, each by one conditional statement."""

from sqlalchemy import and_, insert, select, update

from audit import Event, encode_event
from core.db import Database

from ..models import DeviceCode, Grant, Presented, RefreshToken
from . import families, rows, upsert
from .grants import held, session_held
from .once import presented
from .tables import DEVICE_CODES, GRANTS, OUTBOX, REFRESH_TOKENS


class DeviceRows:
    """The table ``device_codes``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, device: DeviceCode) -> bool:
        """Keep a device that waits; False if another waits under the same short code."""
        with self._database.transaction() as connection:
            return upsert.ensure(connection, DEVICE_CODES, rows.device_values(device))

    def find(self, digest: str) -> DeviceCode | None:
        """By the device's own code, in whatever state."""
        with self._database.reading() as connection:
            row = connection.execute(select(DEVICE_CODES).where(DEVICE_CODES.c.digest == digest)).one_or_none()
        return rows.device_of(row) if row else None

    def waiting(self, user_digest: str, at: int) -> DeviceCode | None:
        """By the short code, while nobody has decided."""
        chosen = and_(
            DEVICE_CODES.c.user_digest == user_digest,
            DEVICE_CODES.c.state == "waiting",
            DEVICE_CODES.c.expires_at > at,
        )
        with self._database.reading() as connection:
            row = connection.execute(select(DEVICE_CODES).where(chosen)).one_or_none()
        return rows.device_of(row) if row else None

    def grant(self, device: DeviceCode, grant: Grant, *, expires_at: int, at: int, outcome: Event) -> bool:
        """The person says yes: begin the family; False if it was decided already or the session ended meanwhile."""
        with self._database.transaction() as connection:
            if not session_held(connection, grant.sid, grant.subject, at):
                return False
            chosen = and_(
                DEVICE_CODES.c.digest == device.digest,
                DEVICE_CODES.c.state == "waiting",
                DEVICE_CODES.c.expires_at > at,
            )
            decided = update(DEVICE_CODES).where(chosen).values(state="granted", grant_id=grant.id)
            if connection.execute(decided).rowcount != 1:
                return False
            connection.execute(insert(GRANTS).values(**rows.grant_values(grant), expires_at=expires_at))
            OUTBOX.put(connection, key=outcome.key, body=encode_event(outcome))
        return True

    def refuse(self, device: DeviceCode) -> bool:
        """The person says no."""
        chosen = and_(DEVICE_CODES.c.digest == device.digest, DEVICE_CODES.c.state == "waiting")
        with self._database.transaction() as connection:
            return connection.execute(update(DEVICE_CODES).where(chosen).values(state="refused")).rowcount == 1

    def asked_again(self, device: DeviceCode, at: int, *, step: int) -> bool:
        """Count a question of a device that waits; False if it came too soon, and then the pause grows by ``step``."""
        soon = at < device.polled_at + device.interval
        chosen = and_(DEVICE_CODES.c.digest == device.digest, DEVICE_CODES.c.polled_at == device.polled_at)
        counted = update(DEVICE_CODES).where(chosen)
        counted = counted.values(polled_at=at, interval=device.interval + (step if soon else 0))
        with self._database.transaction() as connection:
            return connection.execute(counted).rowcount == 1 and not soon

    def presented(self, digest: str, at: int) -> Presented[DeviceCode] | None:
        """A device that somebody said yes to, and its family, standing or not."""
        with self._database.reading() as connection:
            row = connection.execute(families.PRESENTED_DEVICE, {"digest": digest, "at": at}).one_or_none()
        return presented(row, rows.device_of(row, "device_codes_")) if row else None

    def consume(self, device: DeviceCode, *, refresh: RefreshToken | None, at: int, outcome: Event) -> bool:
        """Use it up, if its family stands, and keep the refresh token that follows."""
        chosen = and_(
            DEVICE_CODES.c.digest == device.digest, DEVICE_CODES.c.state == "granted", DEVICE_CODES.c.expires_at > at
        )
        with self._database.transaction() as connection:
            if not held(connection, device.grant_id, at):
                return False
            if connection.execute(update(DEVICE_CODES).where(chosen).values(state="used")).rowcount != 1:
                return False
            if refresh is not None:
                connection.execute(insert(REFRESH_TOKENS).values(**rows.refresh_token_values(refresh)))
            OUTBOX.put(connection, key=outcome.key, body=encode_event(outcome))
        return True
