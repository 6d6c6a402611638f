# SPDX-License-Identifier: Apache-2.0
"""The authority with its ACME endpoints as a process of its own, under granian and TLS, for clients that are real.

``start`` runs it over the folder of a founded site; the test shares the tables with it, as two workers do.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from granian import Granian
from granian.constants import Interfaces

from app.wiring.permitting import ShippedPolicies
from ca import CASettings, web
from ca.acme import Acme
from ca.config import AcmeSettings
from ca.store import Store
from core.clock import SystemClock
from core.web import Guard, create
from policies.keys import read_policy_key
from policies.service import PolicyEngine
from tests.ca.sites import open_acme
from tests.ca.world import World, open_database, site_in
from tests.fakes.people import SmallDirectory
from tests.fakes.recorder import ListRecorder

ROOT = Path(__file__).parents[2]
_WAYS = "TALLYGATE_TEST_ROLE"


def world_of(folder: Path, *, port: int, settings: AcmeSettings) -> World:
    """The site in a folder, in the real time."""
    site = site_in(folder / "state")
    site = replace(site, ports=replace(site.ports, external=port))
    database = open_database(site)
    return World(
        site=site,
        clock=SystemClock(),  # type: ignore[arg-type]  # the real one moves by itself
        recorder=ListRecorder(),
        database=database,
        store=Store(database),
        directory=SmallDirectory(),
        settings=CASettings(acme=settings),
    )


def opened(folder: Path, *, port: int, settings: AcmeSettings) -> tuple[World, Acme]:
    """The world with its ACME, under the released policies."""
    world = world_of(folder, port=port, settings=settings)
    engine = PolicyEngine.load(folder / "policies", read_policy_key(folder / "policy-key.pem"))
    authority = world.open(ShippedPolicies(engine, directory=world.directory, clock=world.clock))
    return world, open_acme(world, authority)


def application() -> Callable[..., Any]:
    """What a granian worker loads."""
    ways = json.loads(os.environ[_WAYS])
    folder = Path(ways["folder"])
    world, acme = opened(folder, port=ways["port"], settings=_settings(ways))
    acme.validation.start()
    guard = Guard(clock=world.clock)
    app: Callable[..., Any] = create(
        "ca", site=world.site, guard=guard, session_key=b"k" * 32, blueprints=web.acme(acme, guard), behind_proxy=False
    )
    return app


def _settings(ways: dict[str, Any]) -> AcmeSettings:
    return AcmeSettings(
        networks=("127.0.0.0/8",),
        resolver=ways["resolver"],
        http_port=ways["http_port"],
        tls_port=ways["tls_port"],
        validation_pause=timedelta(milliseconds=300),
    )


@contextmanager
def start(
    folder: Path, *, port: int, http_port: int, tls_port: int, resolver: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Run it until the end of the block; its certificate and key lie in the folder."""
    places = {"folder": str(folder), "resolver": resolver}
    ways = {**places, "port": port, "http_port": http_port, "tls_port": tls_port}
    log = (folder / "role.log").open("ab")
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.acme_role"],
        cwd=ROOT,
        env={**os.environ, _WAYS: json.dumps(ways)},
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    log.close()
    try:
        limit = time.monotonic() + 60
        while not _answers(port):
            assert process.poll() is None, (folder / "role.log").read_text("utf-8")
            assert time.monotonic() < limit, (folder / "role.log").read_text("utf-8")
            time.sleep(0.05)
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def main() -> None:
    """Serve."""
    ways = json.loads(os.environ[_WAYS])
    folder = Path(ways["folder"])
    Granian(
        "tests.fakes.acme_role:application",
        factory=True,
        interface=Interfaces.WSGI,
        address="127.0.0.1",
        port=ways["port"],
        ssl_cert=folder / "tls.pem",
        ssl_key=folder / "tls.key",
        workers=1,
        blocking_threads=4,
        websockets=False,
        log_access=False,
    ).serve()


if __name__ == "__main__":
    main()
