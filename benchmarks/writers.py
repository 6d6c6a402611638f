# SPDX-License-Identifier: Apache-2.0
"""Short writing transactions of several processes and threads on one SQLite file: who waits, and for how long.

What counts is p99 beside p50: everybody waits about as long as everybody else.
"""

import secrets
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from sqlalchemy import text

from core.db import Database

from .measure import Figure, Samples, sampled, together

PROCESSES, THREADS = 2, 8
"""As the sign-on runs on two cores."""


def measured(folder: Path, seconds: float) -> Figure:
    """All of them writing as often as they can."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        address = f"sqlite:///{place}/writers.db"
        database = Database.open(address)
        with database.transaction() as connection:
            connection.execute(text("CREATE TABLE entries (id INTEGER PRIMARY KEY, body BLOB NOT NULL)"))
        database.close()
        with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
            parts = [pool.submit(_written, address, seconds) for _ in range(PROCESSES)]
            return together([part.result() for part in parts])


def _written(address: str, seconds: float) -> Samples:
    database, body = Database.open(address, connections=THREADS), secrets.token_bytes(700)
    count, insert = text("SELECT count(*) FROM entries WHERE id < 0"), text("INSERT INTO entries (body) VALUES (:body)")

    def act() -> None:
        with database.transaction() as connection:
            connection.execute(count)
            connection.execute(insert, {"body": body})

    try:
        return sampled(act, seconds=seconds, threads=THREADS)
    finally:
        database.close()
