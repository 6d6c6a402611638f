# SPDX-License-Identifier: Apache-2.0
"""The authority's tables as the checker reads them, and its own: what was found, what the record was heard to say.

The queries are this room's own, so that a mistake of the authority's store is not repeated here.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, LargeBinary, TextClause, bindparam, text

from core.db import Database, Outbox

from .models import Finding, Heard, Kept, Look, Row

_ROWS = """
SELECT c.position, c.serial, c.issuer, c.profile, c.subject, c.name, c.state, c.created, c.not_before, c.not_after,
       c.key_hash, c.commitment_key, c.shard, c.der, r.standing AS withdrawn, r.reason, r.at AS changed,
       k.blocked, h.intended, h.issued
FROM certificates c
LEFT JOIN revocations r ON r.serial = c.serial
LEFT JOIN keys k ON k.hash = c.key_hash
LEFT JOIN check_heard h ON h.place = c.position
WHERE c.position > :after ORDER BY c.position LIMIT :limit
"""
_SHARED = """
SELECT DISTINCT key_hash FROM certificates WHERE key_hash IN :hashes AND state <> 'abandoned'
GROUP BY key_hash HAVING count(DISTINCT subject) > 1
"""
_DOUBLE = "SELECT serial FROM certificates WHERE serial IN :serials GROUP BY serial HAVING count(*) > 1"
_LIST = """
SELECT number, made, until, der FROM lists
WHERE issuer = :issuer AND shard = :shard AND base IS NULL AND made > 0 ORDER BY number DESC LIMIT 1
"""
_KEEP = """
INSERT INTO check_findings (code, about, detail, first, last, gone) VALUES (:code, :about, :detail, :at, :at, NULL)
ON CONFLICT (code, about) DO UPDATE SET last = :at, gone = NULL, detail = :detail
RETURNING first = :at AS fresh
"""
_MARK = """
INSERT INTO watch_marks (name, position, at) VALUES (:name, :position, :at)
ON CONFLICT (name) DO UPDATE SET position = :position, at = :at
"""
_HEARD = """
INSERT INTO check_heard (place, intended, issued) VALUES (:place, :intended, :issued)
ON CONFLICT (place) DO UPDATE SET intended = coalesce(:intended, check_heard.intended),
                                  issued = coalesce(:issued, check_heard.issued)
"""
LOG, NEW, SWEEP = "check-log", "check-new", "check-sweep"


class Findings:
    """What the checker keeps, and what it reads."""

    def __init__(self, database: Database, *, outbox: Outbox) -> None:
        self._database = database
        self._outbox = outbox

    def rows(self, after: int, limit: int) -> list[Row]:
        """Certificates by place."""
        with self._database.reading() as connection:
            found = connection.execute(text(_ROWS), {"after": after, "limit": limit})
            return [_row(each) for each in found]

    def serials_before(self, place: int, many: int) -> list[int]:
        """The last serials that were drawn before a place."""
        query = "SELECT serial FROM certificates WHERE position <= :place ORDER BY position DESC LIMIT :many"
        with self._database.reading() as connection:
            return [int(each, 16) for each in connection.execute(text(query), {"place": place, "many": many}).scalars()]

    def shared(self, hashes: Sequence[str]) -> set[str]:
        """Those of the keys that vouch for more than one holder."""
        return self._among(_SHARED, "hashes", hashes)

    def double(self, serials: Sequence[str]) -> set[str]:
        """Those of the serials that were used more than once."""
        return self._among(_DOUBLE, "serials", serials)

    def newest_list(self, issuer: str, shard: int) -> tuple[int, datetime, datetime, bytes] | None:
        """The full revocation list that is published: number, when made, until when, bytes."""
        with self._database.reading() as connection:
            row = connection.execute(text(_LIST), {"issuer": issuer, "shard": shard}).one_or_none()
        return (row.number, _moment(row.made), _moment(row.until), bytes(row.der)) if row and row.der else None

    def released_after(self, serials: Sequence[str]) -> dict[str, datetime]:
        """When those of the serials that were suspended once were released."""
        if not serials:
            return {}
        query = text("SELECT serial, at FROM releases WHERE serial IN :serials")
        with self._database.reading() as connection:
            found = connection.execute(
                query.bindparams(bindparam("serials", expanding=True)), {"serials": list(serials)}
            )
            return {row.serial: _moment(row.at) for row in found}

    def waiting(self) -> bool:
        """Whether records of ours are on their way to the log."""
        with self._database.reading() as connection:
            return self._outbox.depth(connection) > 0

    def mark(self, name: str) -> tuple[int, datetime]:
        """A place, and when it was reached."""
        with self._database.reading() as connection:
            return _marked(connection, name)

    def keep(
        self,
        findings: Iterable[Finding],
        notes: Mapping[tuple[str, str], tuple[str, bytes]],
        *,
        at: datetime,
        mark: tuple[str, int],
        checked: Sequence[str],
        sweep: tuple[int, int] | None = None,
    ) -> None:
        """Keep what one stretch found; what was ``checked`` and found before, and not now, is settled.

        A finding that is new takes its record along, by code and what it is about. ``sweep`` adds to the sweep under
        way: how many were checked, how many findings there were.
        """
        with self._database.transaction() as connection:
            now = _stored(at)
            for each in findings:
                values = {"code": each.code, "about": each.about, "detail": each.detail[:200], "at": now}
                again = connection.execute(
                    text("SELECT gone FROM check_findings WHERE code = :code AND about = :about"), values
                ).one_or_none()
                connection.execute(text(_KEEP), values)
                if again is None or again.gone is not None:
                    key, body = notes[each.code, each.about]
                    self._outbox.put(connection, key=key, body=body)
            if checked:
                _settle(connection, checked, now)
            connection.execute(text(_MARK), {"name": mark[0], "position": mark[1], "at": now})
            if sweep is not None:
                connection.execute(
                    text("UPDATE check_sweeps SET checked = checked + :n, found = found + :m WHERE ended IS NULL"),
                    {"n": sweep[0], "m": sweep[1]},
                )

    def begin_sweep(self, *, at: datetime) -> None:
        """A sweep begins at the first certificate; one that was under way goes on."""
        with self._database.transaction() as connection:
            if connection.execute(text("SELECT 1 FROM check_sweeps WHERE ended IS NULL")).first() is None:
                connection.execute(
                    text("INSERT INTO check_sweeps (began, ended, checked, found) VALUES (:at, NULL, 0, 0)"),
                    {"at": _stored(at)},
                )
                connection.execute(text(_MARK), {"name": SWEEP, "position": 0, "at": _stored(at)})

    def end_sweep(self, *, at: datetime, note: tuple[str, bytes]) -> None:
        """The sweep has seen everything; old ones are forgotten."""
        with self._database.transaction() as connection:
            ended = connection.execute(
                text("UPDATE check_sweeps SET ended = :at WHERE ended IS NULL"), {"at": _stored(at)}
            )
            if ended.rowcount:
                self._outbox.put(connection, key=note[0], body=note[1])
            connection.execute(
                text(
                    "DELETE FROM check_sweeps WHERE position NOT IN "
                    "(SELECT position FROM check_sweeps ORDER BY position DESC LIMIT 50)"
                )
            )

    def sweep(self) -> tuple[int, int] | None:
        """How much the sweep under way has checked and found; None if there is none."""
        with self._database.reading() as connection:
            row = connection.execute(text("SELECT checked, found FROM check_sweeps WHERE ended IS NULL")).first()
        return (row.checked, row.found) if row else None

    def open(self, *, after: int = 0, limit: int = 50) -> list[Kept]:
        """Findings that are not settled, by when they were first made."""
        query = (
            "SELECT position, code, about, detail, first, last FROM check_findings "
            "WHERE gone IS NULL AND position > :after ORDER BY position LIMIT :limit"
        )
        with self._database.reading() as connection:
            rows = connection.execute(text(query), {"after": after, "limit": limit})
            return [
                Kept(
                    position=row.position,
                    code=row.code,
                    about=row.about,
                    detail=row.detail,
                    first=_moment(row.first),
                    last=_moment(row.last),
                )
                for row in rows
            ]

    def look(self) -> Look:
        """How it stands; costs the same whatever was issued."""
        with self._database.reading() as connection:
            ended = connection.execute(
                text("SELECT ended, checked FROM check_sweeps WHERE ended IS NOT NULL ORDER BY position DESC LIMIT 1")
            ).first()
            began = connection.execute(text("SELECT began FROM check_sweeps WHERE ended IS NULL")).first()
            many = connection.execute(text("SELECT count(*) FROM check_findings WHERE gone IS NULL")).scalar_one()
            newest = connection.execute(text("SELECT coalesce(max(position), 0) FROM certificates")).scalar_one()
            place = _marked(connection, NEW)[0]
        return Look(
            ended=_moment(ended.ended) if ended else None,
            checked=ended.checked if ended else 0,
            began=_moment(began.began) if began else None,
            place=place,
            newest=newest,
            open=many,
        )

    def places(self, serials: Sequence[str]) -> dict[str, int]:
        """Places of those serials that the tables know."""
        if not serials:
            return {}
        query = text("SELECT serial, position FROM certificates WHERE serial IN :serials")
        with self._database.reading() as connection:
            rows = connection.execute(
                query.bindparams(bindparam("serials", expanding=True)), {"serials": list(serials)}
            )
            return {row.serial: row.position for row in rows}

    def hear(self, said: Mapping[int, Heard], strays: Mapping[str, int], *, position: int, at: datetime) -> None:
        """Keep what the record said of certificates, by place; and serials that the tables do not know."""
        with self._database.transaction() as connection:
            for place, what in sorted(said.items()):
                connection.execute(_heard(), {"place": place, "intended": what.intended, "issued": what.issued})
            for serial, entry in sorted(strays.items()):
                connection.execute(
                    text("INSERT INTO check_strays (serial, entry) VALUES (:serial, :entry) ON CONFLICT DO NOTHING"),
                    {"serial": serial, "entry": entry},
                )
            connection.execute(text(_MARK), {"name": LOG, "position": position, "at": _stored(at)})

    def strays(self, *, limit: int = 500) -> list[tuple[str, int]]:
        """Serials that only the record knows; what the tables came to know meanwhile is none any more."""
        with self._database.transaction() as connection:
            connection.execute(text("DELETE FROM check_strays WHERE serial IN (SELECT serial FROM certificates)"))
            rows = connection.execute(
                text("SELECT serial, entry FROM check_strays ORDER BY entry LIMIT :limit"), {"limit": limit}
            )
            return [(row.serial, row.entry) for row in rows]

    def _among(self, query: str, name: str, values: Sequence[str]) -> set[str]:
        if not values:
            return set()
        bound = text(query).bindparams(bindparam(name, expanding=True))
        with self._database.reading() as connection:
            return set(connection.execute(bound, {name: list(values)}).scalars())


def _settle(connection: Connection, checked: Sequence[str], now: int) -> None:
    query = text("UPDATE check_findings SET gone = :now WHERE gone IS NULL AND last < :now AND about IN :about")
    connection.execute(
        query.bindparams(bindparam("about", expanding=True)), {"now": now, "about": list(dict.fromkeys(checked))}
    )


def _marked(connection: Connection, name: str) -> tuple[int, datetime]:
    row = connection.execute(text("SELECT position, at FROM watch_marks WHERE name = :name"), {"name": name}).first()
    return (row.position, _moment(row.at)) if row else (0, _moment(0))


def _row(found: Any) -> Row:
    return Row(
        position=found.position,
        serial=found.serial,
        issuer=found.issuer,
        profile=found.profile,
        subject=found.subject,
        name=found.name,
        state=found.state,
        created=_moment(found.created),
        not_before=_moment(found.not_before),
        not_after=_moment(found.not_after),
        key_hash=found.key_hash,
        commitment_key=bytes(found.commitment_key),
        shard=found.shard,
        der=bytes(found.der),
        withdrawn=found.withdrawn or "",
        reason=found.reason or "",
        changed=_moment(found.changed) if found.changed is not None else None,
        blocked=found.blocked is not None,
        heard=Heard(_bytes(found.intended), _bytes(found.issued)),
    )


def _heard() -> TextClause:
    # PostgreSQL cannot tell the type of a parameter that is NULL.
    return text(_HEARD).bindparams(bindparam("intended", type_=LargeBinary), bindparam("issued", type_=LargeBinary))


def _bytes(found: Any) -> bytes | None:
    return bytes(found) if found is not None else None


def _stored(at: datetime) -> int:
    return int(at.timestamp())


def _moment(stored: int) -> datetime:
    return datetime.fromtimestamp(stored, UTC)
