# SPDX-License-Identifier: Apache-2.0
"""One city for all flows, and browsers that trust it the way a person's does."""

import os
import re
import socket
import subprocess
import tempfile
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Playwright, expect, sync_playwright
from xdist.remote import Producer  # type: ignore[import-untyped]  # ships no types
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]  # as above

from app.ports import free_ports
from app.up import write_configuration
from tests.flows.city import City, started

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    # What draws without one is slow beside two cities, and a browser that takes it for hung ends itself at last.
    "--disable-gpu-watchdog",
    "--disable-gpu-process-crash-limit",
    "--disable-background-networking",
    "--disable-sync",
]
_COMPLAINT = re.compile(r'"level": ?"(warning|error|critical)"|Traceback|\[(error|crit|alert|emerg)\]')
_MOST = 8
"""Complaints of each role that are shown with a failure."""


OWN_CITIES = frozenset(
    {"birth", "ceremony", "crash", "interrupted_release", "postgres", "separation", "successor"}
)  # fmt: skip
"""Files whose flows start cities of their own."""
BY_WHOEVER_IS_FREE = frozenset({"every_page"})
"""Files that take long and need nothing of what others did: whichever worker is done first takes them."""


class TwoLines(LoadScopeScheduling):  # type: ignore[misc]  # xdist's scheduler ships no types
    """Share the flows between two workers: those in the one city and those with their own.

    So each worker's flows come in the same order in every run, on a city that saw the same before them, and the one
    city is started once, or once more for what is left when the other worker is done. (``--dist loadgroup`` of xdist
    3.8 says so by node identifiers, which pytest 9.2 does not let it change: there every test is a group of its own.)
    """

    def _split_scope(self, nodeid: str) -> str:
        name = Path(nodeid.partition("::")[0]).stem.removeprefix("test_")
        if name in BY_WHOEVER_IS_FREE:
            return name
        return "own cities" if name in OWN_CITIES else "one city"


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> TwoLines:
    """For ``pytest tests/flows -n 2``."""
    return TwoLines(config, log)


def pytest_configure(config: pytest.Config) -> None:
    """A connection that was reset before its handshake leaves its socket to the garbage collector (urllib3).

    Flows kill the servers of their clients, and the collector comes during whichever test is next.
    """
    config.addinivalue_line("filterwarnings", "ignore:unclosed <ssl.SSLSocket:ResourceWarning")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A flow that failed shows what the roles of its city complained about last."""
    report = yield
    city = getattr(item, "funcargs", {}).get("city")
    if report.failed and isinstance(city, City):
        complaints = []
        for log in sorted((city.folder / "logs").glob("*.log")):
            found = [line for line in log.read_text("utf-8", "replace").splitlines() if _COMPLAINT.search(line)]
            complaints += [f"{log.stem}: {line}" for line in found[-_MOST:]]
        report.sections.append(("complaints of the city", "\n".join(complaints)))
    return report


@dataclass(frozen=True)
class Abroad:
    """Two places that the city's settings let people reach beyond its networks; one turns out to lie within."""

    listener: socket.socket
    inside: socket.socket


@pytest.fixture(scope="session")
def abroad() -> Iterator[Abroad]:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_server(("127.0.0.1", 0)) as inside:
        yield Abroad(listener, inside)


@pytest.fixture(scope="session")
def city(abroad: Abroad) -> Iterator[City]:
    def prepare(folder: Path) -> None:
        file = folder / "site.toml"
        write_configuration(file, free_ports(wishes=()))
        places = (("outside", abroad.listener, "true"), ("inside", abroad.inside, "false"))
        more = [
            f"""
[gateway.egress.destinations.{name}]
hosts = ["localhost"]
ports = [{place.getsockname()[1]}]
private = {private}
"""
            for name, place, private in places
        ]
        file.write_text("".join((file.read_text("utf-8"), *more)), "utf-8")

    with started(prepare=prepare) as running:
        yield running


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    # As long as a page's own actions have: what a script works at first is not there at once.
    expect.set_options(timeout=15_000)
    with sync_playwright() as running:
        yield running


Browse = Callable[..., BrowserContext]


@pytest.fixture
def browse(city: City, playwright: Playwright) -> Iterator[Browse]:
    """Open a browser of one's own: a fresh profile that trusts the city's root, and perhaps holds a card."""
    opened: list[BrowserContext] = []
    with tempfile.TemporaryDirectory(prefix="tg-home-") as homes:

        def open_browser(*, card: Path | None = None, **options: object) -> BrowserContext:
            home = Path(homes) / str(len(opened))
            store = home / ".pki" / "nssdb"
            store.mkdir(parents=True)
            database = f"sql:{store}"
            _run("certutil", "-d", database, "-N", "--empty-password")
            _run("certutil", "-d", database, "-A", "-n", "city", "-t", "C,,", "-i", str(city.root))
            if card is not None:
                _run(
                    "pk12util", "-d", database, "-i", str(card), "-W", card.with_suffix(".password").read_text().strip()
                )
            context = playwright.chromium.launch_persistent_context(
                str(home / "profile"),
                executable_path=CHROMIUM,
                headless=True,
                env={"HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
                args=FLAGS,
                **options,  # type: ignore[arg-type]  # Playwright's options by name
            )
            context.set_default_timeout(15_000)
            opened.append(context)
            return context

        yield open_browser
        for context in opened:
            context.close()


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
