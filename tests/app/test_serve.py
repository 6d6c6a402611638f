# SPDX-License-Identifier: Apache-2.0
"""One role as its own process: ready over its socket, one JSON object per line in its log, gone on SIGTERM."""

import json
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from app import birth
from app.context import Context
from app.holding import log_alone
from app.ports import free_ports
from app.processes import answers, is_up, processes
from app.serve import GIVE_BACK
from app.supervisor import StartFailed, Supervisor
from app.up import write_configuration
from app.users import Users
from app.wiring import gateway
from core.clock import SystemClock
from core.config import Document
from core.errors import TallygateError
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
        write_configuration(file, free_ports(wishes=()))
        birth.init(Context.read(file), lambda _: None)
        yield file


def test_the_servers_own_allocator_reads_what_it_is_told() -> None:
    [(name, told)] = GIVE_BACK.items()
    complaints = [
        subprocess.run(
            [sys.executable, "-c", "import granian._granian"], env={name: value}, check=True, capture_output=True
        ).stderr
        for value in (told, f"{told},nobody:1")
    ]
    # It complains of what it does not know, and of nothing else.
    assert complaints[0] == b""
    assert b"nobody:1" in complaints[1]


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


def test_a_role_that_cannot_start_says_why_in_words(born: Path) -> None:
    pairs = born.parent / "sso" / "pairs"
    away = pairs.rename(pairs.with_name("away"))
    command = [sys.executable, "-m", "app", "serve", "sso", "--site", str(born)]
    lines = []
    try:
        with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as role:
            assert role.stderr is not None
            for line in role.stderr:
                lines.append(json.loads(line))
                if lines[-1]["event"] == "role_cannot_start":
                    role.terminate()
    finally:
        away.rename(pairs)
    why = {line["why"] for line in lines if line["event"] == "role_cannot_start"}
    assert why == {f"Configuration: {pairs}/sso--audit: No such file or directory"}


def _nginx(file: Path) -> Supervisor:
    context = Context.read(file)
    Users.detect().open_run(context.site)
    gateway.prepare(context)
    made = processes(
        context.site,
        file,
        slapd=("true",),
        nginx=tuple(gateway.command(context)),
        edge=gateway.proxy_of(context),
    )
    return Supervisor(
        made[-1:],
        users=Users.detect(),
        logs=file.parent / "logs",
        settings=LogSettings(),
        clock=SystemClock(),
    )


@pytest.mark.parametrize(
    ("program", "says"),
    [("nginx", "Address already in use"), ("haproxy", "cannot bind socket (Address already in use)")],
)
def test_a_sites_proxy_is_ready_only_if_it_is_our_own(born: Path, program: str, says: str) -> None:
    with ExitStack() as strangers:
        ports = free_ports(wishes=())
        for port in (ports.external, ports.internal, ports.management, ports.plain, ports.ldaps):
            strangers.enter_context(socket.create_server(("127.0.0.1", port)))
        write_configuration(born, ports)
        born.write_text(f'{born.read_text("utf-8")}\n[gateway]\nedge = "{program}"\n', "utf-8")
        with pytest.raises(StartFailed, match=program):
            _nginx(born).start()
    log = born.parent / "logs" / f"{program}.log"
    assert says in log.read_text("utf-8")
    supervisor = _nginx(born)
    supervisor.start()
    for port in (ports.external, ports.internal, ports.management, ports.plain):
        socket.create_connection(("127.0.0.1", port)).close()
    # Whose log it writes down; what a program writes itself it must not be told of by a signal that ends it.
    supervisor.turn_logs()
    assert set(supervisor.pids()) == {program}
    supervisor.stop()
    assert is_silent(ports.external)


def is_silent(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_nginx_without_a_supervisor_has_its_logs_put_aside_too(born: Path) -> None:
    write_configuration(born, free_ports(wishes=()))
    born.write_text(born.read_text("utf-8") + "\n[logs]\nlargest_kib = 1\n", "utf-8")
    site = Context.read(born).site
    log = site.folder("nginx") / "logs" / "decisions.log"
    command = [sys.executable, "-m", "app", "serve", "nginx", "--site", str(born)]
    # The settings are others than at the birth, so somebody must take them down.
    with log_alone(Context.read(born)), subprocess.Popen(command, cwd=ROOT) as nginx:
        try:
            _until(lambda: log.exists() and _is_answered(site.socket("nginx")))
            with log.open("ab") as file:
                file.write(b"x" * 2000 + b"\n")
            _until(lambda: bool(list(log.parent.glob("decisions.log.*"))))
            # It was told, and opened the new one.
            _until(lambda: log.exists() and not log.stat().st_size)
            assert nginx.poll() is None
            [beside] = [
                int(pid)
                for pid in Path(f"/proc/{nginx.pid}/task/{nginx.pid}/children").read_text("ascii").split()
                if b"serve" in Path(f"/proc/{pid}/cmdline").read_bytes()
            ]
        finally:
            nginx.terminate()
    _until(lambda: not Path(f"/proc/{beside}").exists())


def _is_answered(path: Path) -> bool:
    try:
        answers(path)
    except (OSError, TallygateError):
        return False
    return True


def _until(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.05)


def test_an_unknown_role_is_refused(born: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "app", "serve", "stranger", "--site", str(born)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "stranger" in done.stderr
