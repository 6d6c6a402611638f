# SPDX-License-Identifier: Apache-2.0
"""One role as its own process: ready over its socket, one JSON object per line in its log, gone on SIGTERM."""

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.processes import is_up, processes
from app.up import free_ports, write_configuration
from core.config import Document
from core.site import SiteSettings

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def born() -> Iterator[Path]:
    """A site without roles, below a path short enough for sockets."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="tg-serve-") as folder:
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


def test_an_unknown_role_is_refused(born: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "app", "serve", "stranger", "--site", str(born)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "stranger" in done.stderr
