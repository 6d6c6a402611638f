# SPDX-License-Identifier: Apache-2.0
"""One role as its own process: ready over its socket, one JSON object per line in its log, gone on SIGTERM."""

import json
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.context import Context
from app.processes import is_up, processes
from app.supervisor import StartFailed, Supervisor
from app.up import free_ports, write_configuration
from app.users import Users
from app.wiring import gateway
from core.clock import SystemClock
from core.config import Document
from core.log import LogSettings
from core.site import SiteSettings

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def born() -> Iterator[Path]:
    """A site without roles, below a path short enough for sockets."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="tg-serve-") as folder:
        # The roles' users must pass.
        Path(folder).chmod(0o755)
        file = Path(folder) / "site.toml"
        write_configuration(file, free_ports())
        subprocess.run(
            [sys.executable, "-m", "app", "init", "--site", str(file)], cwd=ROOT, check=True, capture_output=True
        )
        yield file


def test_a_role_logs_json_lines_only_and_leaves_on_sigterm(born: Path) -> None:
    site = Document.read(born).section("site", SiteSettings)
    every = {p.name: p for p in processes(site, born, slapd=("true",), nginx=("true",))}
    log = born.parent / "log.err"
    with log.open("wb") as errors:
        begun = [
            subprocess.Popen([sys.executable, "-m", "app", "serve", name, "--site", str(born)], cwd=ROOT, stderr=errors)
            for name in ("log", "audit")
        ]
    try:
        limit = time.monotonic() + 60
        while not (is_up(every["log"]) and is_up(every["audit"])):
            assert time.monotonic() < limit, log.read_text("utf-8")
            assert all(process.poll() is None for process in begun), log.read_text("utf-8")
            time.sleep(0.1)
    finally:
        for process in reversed(begun):
            process.send_signal(signal.SIGTERM)
        codes = [process.wait(30) for process in begun]
    assert codes == [0, 0]
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    assert {line["role"] for line in lines} >= {"audit"}
    assert all({"event", "level", "timestamp"} <= set(line) for line in lines)
    assert not site.socket("audit").exists()


def _nginx(born: Path) -> Supervisor:
    context = Context.read(born)
    Users.detect().open_run(context.site)
    gateway.prepare(context)
    made = processes(context.site, born, slapd=("true",), nginx=tuple(gateway.command(context)))
    return Supervisor(
        made[-1:],
        users=Users.detect(),
        logs=born.parent / "logs",
        settings=LogSettings(),
        clock=SystemClock(),
    )


def test_nginx_is_ready_only_if_it_is_our_own(born: Path) -> None:
    ports = Document.read(born).section("site", SiteSettings).ports
    with ExitStack() as strangers:
        for port in (ports.external, ports.internal, ports.management, ports.plain):
            strangers.enter_context(socket.create_server(("127.0.0.1", port)))
        with pytest.raises(StartFailed, match="nginx"):
            _nginx(born).start()
    assert "Address already in use" in (born.parent / "logs" / "nginx.log").read_text("utf-8")
    supervisor = _nginx(born)
    supervisor.start()
    socket.create_connection(("127.0.0.1", ports.plain)).close()
    supervisor.stop()


def test_an_unknown_role_is_refused(born: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "app", "serve", "stranger", "--site", str(born)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "stranger" in done.stderr
