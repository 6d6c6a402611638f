# SPDX-License-Identifier: Apache-2.0
"""Bug class 3, redemption races: real processes present one value fifty times, on both databases; one succeeds."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from core.db import Database
from sso.models import Code, Grant, Pushed, Recovery, RefreshToken, Session
from sso.store import Store
from sso.store.sessions import Opening
from tests.fakes import postgres
from tests.sso.racing import AT, DEVICE, REFRESH, ended, issued

PROCESSES, THREADS = 2, 25
SESSION = Session(
    sid="sid",
    digest="cookie",
    subject="li",
    name="Li",
    name_zh="",
    methods=("pwd",),
    assurance=1,
    certificate="",
    network="",
    agent="",
    authenticated_at=AT,
    created_at=AT,
    seen_at=AT,
    expires_at=AT * 9,
)
GRANT = Grant(
    id="grant",
    subject="li",
    client_id="tax",
    sid="sid",
    scopes=frozenset({"openid"}),
    assurance=1,
    methods=("pwd",),
    authenticated_at=AT,
    nonce="",
    place="",
    created_at=AT,
)
CODE = Code(
    digest="code", grant_id="grant", client_id="tax", redirect_uri="u", challenge="c", expires_at=AT * 9, used=False
)


RECOVERY = Recovery(
    id="recovery",
    asked="",
    subject="li",
    state="mailed",
    link="link",
    browser="",
    drops=False,
    ready_at=AT,
    network="",
    created_at=AT,
    expires_at=AT * 9,
)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('once')}/sso.db"
        return
    migrations = Path(__file__).parents[2] / "sso" / "migrations"
    yield postgres.migrated(request.getfixturevalue("postgres_server"), migrations)


def test_fifty_redemptions_over_several_processes_give_exactly_one_success(address: str) -> None:
    database = Database.open(address)
    store = Store(database)
    store.migrate()
    assert store.sessions.open(SESSION, Opening(previous=""), lambda _session: ended())
    first = Code(**{**CODE.__dict__, "digest": "first"})
    assert store.grants.issue(GRANT, first, expires_at=AT * 9, at=AT, outcome=issued())
    assert store.codes.consume(first, refresh=REFRESH, at=AT, outcome=issued())
    other = Grant(**{**GRANT.__dict__, "id": "other"})
    again = Code(**{**CODE.__dict__, "grant_id": "other"})
    assert store.grants.issue(other, again, expires_at=AT * 9, at=AT, outcome=issued())
    store.pushed.put(Pushed(digest="pushed", client_id="tax", parameters="{}", expires_at=AT * 9))
    assert store.devices.put(DEVICE)
    store.recoveries.add(RECOVERY)
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.sso.racing", address, str(THREADS)],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(PROCESSES)
    ]
    # Everybody has arrived before anybody begins.
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate()[0].split() for process in processes]
    won = [word for words in said for word in words]
    assert sorted(won) == ["assertion", "code", "device", "proof", "pushed", "recovery", "refresh"]
    with database.reading() as connection:
        kept = connection.execute(text("SELECT count(*) FROM refresh_tokens")).scalar_one()
    # The one that was exchanged, its one successor, and those that came of code and device.
    assert kept == 4
    database.close()


def test_no_kind_of_one_time_value_passes_for_another(address: str) -> None:
    """Bug class 1: one-time values without a type."""
    database = Database.open(address)
    store = Store(database)
    store.migrate()
    assert store.assertions.consume("shared", AT * 9)
    assert store.proofs.consume("shared", AT * 9)
    assert not store.proofs.consume("shared", AT * 9)
    assert store.pushed.consume("shared", "tax", AT) is None
    assert store.devices.find("shared") is None
    assert store.codes.find("shared", AT) is None
    assert store.refresh_tokens.find("shared", AT) is None
    store.pushed.put(Pushed(digest="theirs", client_id="tax", parameters="{}", expires_at=AT * 9))
    assert store.pushed.consume("theirs", "social", AT) is None
    assert store.pushed.consume("theirs", "tax", AT * 9) is None
    assert store.pushed.consume("theirs", "tax", AT) is not None
    assert isinstance(REFRESH, RefreshToken)
    database.close()
