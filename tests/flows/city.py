# SPDX-License-Identifier: Apache-2.0
"""A running city as an outsider sees it: addresses, accounts, a root certificate and a log that can be fetched."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from tests.fakes.places import DISK, roomy

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "app"]
START_LIMIT = 300.0
ROOM = 4 << 30
"""Bytes for the cities that stand at one time, each of which wants to see one gibibyte free."""
PASSWORD = "tally-demo-2026"
# Without officers, which is on the record.
BREAK_GLASS = ["--break-glass", "a test of the command"]
# Ctrl-C for a city whose tests are gone, killed ones included.
WITH_PARENT = ["setpriv", "--pdeathsig", "INT"]


class City:
    """One started site and the process that supervises it."""

    def __init__(self, folder: Path, *, patience: float = START_LIMIT) -> None:
        self.folder = folder
        # Seconds that a start may take.
        self.patience = patience
        self.configuration = folder / "site.toml"
        self.root = folder / "public" / "root.pem"
        self.log_key = folder / "public" / "log.vkey"
        self._process: subprocess.Popen[str] | None = None
        self.terminal = folder.with_suffix(".terminal")
        # The ports and the text they stand in: every request asks for them, and parsing takes a hundred times as long.
        self._read: tuple[str, dict[str, int]] = "", {}

    def start(self, *options: str) -> None:
        """Run `tallygate up` until it says that the city is up."""
        output = self.terminal.open("w")
        self._process = subprocess.Popen(
            [*WITH_PARENT, *COMMAND, "up", "--state", str(self.folder), *options],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )
        output.close()
        limit = time.monotonic() + self.patience
        while "Ctrl-C stops everything." not in self.said():
            assert self._process.poll() is None, self.said()
            assert time.monotonic() < limit, self.said()
            time.sleep(0.2)

    def stop(self) -> int:
        """Press Ctrl-C and wait."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(timeout=120)

    def said(self) -> str:
        """What the operator sees on the terminal."""
        return self.terminal.read_text("utf-8")

    @property
    def ports(self) -> dict[str, int]:
        """Ports by listener, as the configuration file says."""
        text = self.configuration.read_text("utf-8")
        if self._read[0] != text:
            self._read = text, tomllib.loads(text)["site"]["ports"]
        return self._read[1]

    def url(self, label: str, path: str = "/", listener: str = "external") -> str:
        """An address of the city."""
        scheme = "http" if listener == "plain" else "https"
        return f"{scheme}://{label}.city.localhost:{self.ports[listener]}{path}"

    def http(self) -> requests.Session:
        """A client that trusts the city's root and nothing else."""
        session = requests.Session()
        session.verify = str(self.root)
        session.trust_env = False
        return session

    def tallygate(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """The operator's command."""
        return subprocess.run(
            [*COMMAND, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120, check=check
        )

    def verify_log(self) -> subprocess.CompletedProcess[str]:
        """`tallygate audit verify` over the log's folder."""
        return self.tallygate(
            "audit",
            "verify",
            str(self.folder / "audit" / "log"),
            "--key",
            self.log_key.read_text().strip(),
            check=False,
        )

    def pid(self, name: str) -> int:
        """The process id of one supervised process, as the operating system lists it."""
        assert self._process is not None
        listed = subprocess.run(
            ["pgrep", "-P", str(self._process.pid), "-a"], capture_output=True, text=True, check=True
        ).stdout
        for line in listed.splitlines():
            number, _, command = line.partition(" ")
            if f" serve {name} " in f"{command} " or command.split()[0].endswith(name):
                return int(number)
        raise AssertionError(f"{name} is not running:\n{listed}")

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """End one process of this city."""
        os.kill(self.pid(name), number)

    def ready(self) -> bool:
        """Whether sign-on and a portal answer."""
        try:
            return all(
                self.http().get(self.url(label, path), timeout=5).ok
                for label, path in (("sso", "/.well-known/openid-configuration"), ("tax", "/"), ("log", "/checkpoint"))
            )
        except requests.RequestException:
            return False


@contextmanager
def started(
    *options: str,
    prepare: Callable[[Path], None] = lambda _: None,
    patience: float = START_LIMIT,
    measured: bool = False,
) -> Iterator[City]:
    """A new city in a short-lived folder, whose socket paths must stay short; ``prepare`` may write its site.toml.

    One that is ``measured`` lies on the disk: there what is synced costs what it costs a site.
    """
    folder = Path(tempfile.mkdtemp(dir=DISK if measured else roomy(ROOM), prefix="tg-"))
    folder.chmod(0o755)
    city = City(folder, patience=patience)
    try:
        prepare(folder)
        city.start(*options)
        yield city
        assert city.stop() == 0, city.said()
    except BaseException:
        logs = folder / "logs"
        for log in sorted(logs.glob("*.log")) if logs.exists() else []:
            print(f"--- {log.name}", log.read_text("utf-8", "replace")[-3000:], sep="\n")  # noqa: T201 - pytest shows it with the failure
        raise
    finally:
        if city._process is not None and city._process.poll() is None:
            city._process.kill()
            city._process.wait()
        shutil.rmtree(folder, ignore_errors=True)
        city.terminal.unlink(missing_ok=True)


def until(condition: Callable[[], Any], *, seconds: float = 20, every: float = 0.05) -> Any:
    """Wait for a sign; returns it."""
    limit = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < limit, "waited too long"
        time.sleep(every)


def problem(response: requests.Response) -> dict[str, Any]:
    """The problem document of an answer."""
    document: dict[str, Any] = json.loads(response.text)
    return document
