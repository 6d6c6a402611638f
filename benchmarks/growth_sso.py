# SPDX-License-Identifier: Apache-2.0
"""``python -m benchmarks.growth_sso``: whether sign-on costs the same with 10 thousand and with 1 million sessions.

The tables are filled with people who are logged in, each with a session, a family, a consent and a refresh token, of
whom a part is over; then the grants are measured in processor time as ``benchmarks.grants`` does, and housekeeping by
the rows that one second of it removes while grants go on.
"""

import argparse
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import func, insert, select, text

from sso.service.housekeeping import PAUSE
from sso.store.tables import CONSENTS, GRANTS, REFRESH_TOKENS, SESSIONS
from tests.fakes import postgres
from tests.sso.conftest import World, make_world

from .grants import MACHINE, Caller, Record, spent
from .measure import Figure, repeat

_PIECE = 5000
# Of a hundred sessions that lie in the tables so many are over: a day's worth, for they stay a day.
_OVER = 40


def main() -> None:
    """Measure at each size and print a table, with the worst ratio."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth_sso")
    parser.add_argument("--sizes", default="10000,100000,1000000", help="sessions and people, ascending")
    parser.add_argument("--seconds", type=float, default=3.0, help="processor time spent on each figure")
    parser.add_argument("--postgres", action="store_true", help="tables in a PostgreSQL of its own, durable")
    parser.add_argument("--folder", help="where the tables lie; a temporary folder if none is named")
    asked = parser.parse_args()
    sizes = [int(each) for each in asked.sizes.split(",")]
    print("| sessions and people | introspection | client credentials | refresh | rows removed per s | file |")
    print("|---|---|---|---|---|---|")
    found: list[list[float]] = []
    with _place(asked.folder, postgres_too=asked.postgres) as (folder, url):
        world = make_world(folder, recorder=Record(), url=url)
        browser = world.browser()
        browser.log_in("tax")
        kept = world.redeem("tax", browser.log_in_again("tax")["code"]).get_json()
        there = 0
        for size in sizes:
            _fill(world, there, size)
            there = size
            found.append(_measured(world, kept, asked.seconds))
            rates = " | ".join(f"{rate:,.0f}" for rate in found[-1])
            print(f"| {size:,} | {rates} | {_size(world, folder) >> 20:,} MB |", flush=True)
        beside = _beside(world, max(2.0, asked.seconds))
        world.database.close()
    worst = min(last / first for first, last in zip(found[0][:3], found[-1][:3], strict=True))
    print("\n| client credentials, one caller | a second | p50 ms | p99 ms | rows that went meanwhile |")
    print("|---|---|---|---|---|")
    for name, figure, gone in beside:
        print(f"| {name} | {figure.rate:,.0f} | {figure.p50:.2f} | {figure.p99:.2f} | {gone:,} |")
    print(f"\nSlowest grant at {sizes[-1]:,} beside {sizes[0]:,}: {worst:.0%}")


@contextmanager
def _place(folder: str | None, *, postgres_too: bool) -> Iterator[tuple[Path, str]]:
    """Where the tables lie: a folder, and an address if it is PostgreSQL's."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        if not postgres_too:
            yield Path(name), ""
            return
        with postgres.server(durable=True) as server:
            yield Path(name), f"postgresql+psycopg://postgres@/postgres?host={server}"


def _size(world: World, folder: Path) -> int:
    if world.database.engine.dialect.name == "sqlite":
        return sum(each.stat().st_size for each in folder.glob("sso.db*"))
    with world.database.reading() as connection:
        return int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one())


def _fill(world: World, begun: int, until: int) -> None:
    at = int(world.clock.now().timestamp())
    for start in range(begun, until, _PIECE):
        numbers = range(start, min(start + _PIECE, until))
        with world.database.transaction() as connection:
            for table, rows in _rows(numbers, at):
                connection.execute(insert(table), rows)


def _rows(numbers: range, at: int) -> Iterator[tuple[Any, list[dict[str, Any]]]]:
    made = [_person(number, at) for number in numbers]
    for place, table in enumerate((SESSIONS, GRANTS, CONSENTS, REFRESH_TOKENS)):
        yield table, [each[place] for each in made]


def _person(number: int, at: int) -> tuple[dict[str, Any], ...]:
    subject, sid, family = f"person-{number:08d}", f"session-{number:08d}", f"family-{number:08d}"
    # As logins come: in the order of time, spread over a day and a half.
    begun = at - 36 * 3600 + number % 129_600
    over = number % 100 < _OVER
    ends = begun if over else at + 36_000
    session = {
        "sid": sid,
        "digest": f"{number:064x}",
        "subject": subject,
        "name": f"Person {number}",
        "name_zh": "某人",
        "methods": "pwd",
        "assurance": 1,
        "certificate": "",
        "network": "192.0.2.0/24",
        "agent": "Firefox · Linux",
        "authenticated_at": begun,
        "created_at": begun,
        "seen_at": begun,
        "expires_at": ends,
        "ended_at": begun if over else None,
        "factor": "",
    }
    grant = {
        "id": family,
        "subject": subject,
        "client_id": "tax",
        "sid": sid,
        "scopes": "openid profile",
        "assurance": 1,
        "methods": "pwd",
        "authenticated_at": begun,
        "nonce": "n",
        "place": "tax.city.localhost",
        "created_at": begun,
        "revoked_at": begun if over else None,
        "refused": "",
        "resources": "",
        "details": "",
        "mandate": "",
        "claims": "",
        "expires_at": ends,
    }
    consent = {
        "subject": subject,
        "client_id": "tax",
        "scopes": "openid profile",
        "granted_at": begun,
        "expires_at": at + 30_000_000,
        "refused": "",
    }
    token = {
        "digest": f"{number + (1 << 200):064x}",
        "grant_id": family,
        "client_id": "tax",
        "expires_at": ends,
        "used_at": None,
        "jkt": "",
    }
    return session, grant, consent, token


def _beside(world: World, seconds: float) -> list[tuple[str, Figure, int]]:
    """Grants by the clock on the wall: alone, and while rows that are over are removed at housekeeping's own pace."""
    call, machine, stop = Caller(world), world.basic("machine"), threading.Event()

    def grant() -> None:
        call("/token", MACHINE, machine)

    def keep_house() -> None:
        while not stop.wait(PAUSE):
            world.service.housekeeping.batch()

    alone = repeat(grant, seconds=seconds)
    before = _over(world)
    keeper = threading.Thread(target=keep_house)
    keeper.start()
    beside = repeat(grant, seconds=seconds)
    stop.set()
    keeper.join()
    return [("alone", alone, 0), ("beside housekeeping", beside, before - _over(world))]


def _over(world: World) -> int:
    at = int(world.clock.now().timestamp()) - 24 * 3600
    with world.database.reading() as connection:
        ended = connection.execute(select(func.count()).where(SESSIONS.c.ended_at < at)).scalar_one()
        counts = [
            connection.execute(select(func.count()).where(table.c.expires_at < at)).scalar_one()
            for table in (GRANTS, REFRESH_TOKENS)
        ]
    return int(ended) + sum(map(int, counts))


def _measured(world: World, kept: dict[str, str], seconds: float) -> list[float]:
    call, basic, machine = Caller(world), world.basic("tax"), world.basic("machine")
    asked = {"token": kept["access_token"]}
    refresh = {"grant_type": "refresh_token", "refresh_token": kept["refresh_token"]}
    rates = [
        1 / spent(lambda: call("/introspect", asked, basic), seconds),
        1 / spent(lambda: call("/token", MACHINE, machine), seconds),
        1 / spent(lambda: call("/token", refresh, basic), seconds),
    ]
    at = int(world.clock.now().timestamp())
    begun, gone = time.process_time(), 0
    while time.process_time() - begun < 1:
        gone += world.store.purge(at, lambda session: world.service.records.session_ended(session, reason="expired"))
    return [*rates, gone / (time.process_time() - begun)]


if __name__ == "__main__":
    main()
