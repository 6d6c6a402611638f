# SPDX-License-Identifier: Apache-2.0
"""Operational logs are put aside when full or of yesterday, bounded in number, and no line is lost by it."""

import http.client
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.logs import Listener, LogFile, OwnLogs
from app.processes import Process, _connects
from app.supervisor import Supervisor
from app.users import Users
from core.clock import SystemClock
from core.config import ConfigurationError, Document
from core.log import LogSettings
from tests.fakes.clock import ManualClock

SMALL = LogSettings(largest_kib=1, kept=1000)


def _whole(path: Path) -> bytes:
    """Everything that was ever written to a log, in order."""
    aside = sorted(path.parent.glob(f"{path.name}.*"))
    return b"".join(each.read_bytes() for each in (*aside, path) if each.exists())


def _say(file: LogFile, code: str) -> None:
    listener = Listener(file)
    subprocess.run([sys.executable, "-c", code], stderr=listener.writing, check=False)
    listener.handed_over()
    listener.last_words()


def test_no_line_of_a_process_is_lost_or_broken_when_a_file_is_full(tmp_path: Path) -> None:
    file = LogFile(tmp_path / "sso.log", settings=SMALL, clock=SystemClock())
    code = "import os\nfor n in range(20000): os.write(2, b'line %d of the log\\n' % n)"
    _say(file, code)
    file.close()
    expected = b"".join(b"line %d of the log\n" % number for number in range(20_000))
    assert _whole(file.path) == expected
    aside = sorted(tmp_path.glob("sso.log.*"))
    assert len(aside) > 2
    for each in aside:
        assert each.stat().st_size >= 1024
        assert each.read_bytes().endswith(b" of the log\n")
        assert stat.S_IMODE(each.stat().st_mode) == 0o600


def test_a_log_of_yesterday_is_put_aside_even_if_nobody_writes(tmp_path: Path) -> None:
    clock = ManualClock(datetime(2026, 11, 20, 23, 59, tzinfo=UTC))
    file = LogFile(tmp_path / "sso.log", settings=LogSettings(), clock=clock)
    file.write(b"today\n")
    file.turn()
    assert not list(tmp_path.glob("sso.log.*"))
    clock.advance(timedelta(minutes=2))
    file.turn()
    [aside] = tmp_path.glob("sso.log.*")
    assert aside.name == "sso.log.20261121T000100.000000Z"
    assert aside.read_bytes() == b"today\n"
    # An empty file says nothing and stays.
    clock.advance(timedelta(days=3))
    file.turn()
    assert len(list(tmp_path.glob("sso.log.*"))) == 1
    file.close()


def test_what_an_earlier_run_left_is_of_the_day_of_its_last_line(tmp_path: Path) -> None:
    left = tmp_path / "sso.log"
    left.write_bytes(b"yesterday\n")
    yesterday = datetime(2026, 11, 19, 12, tzinfo=UTC).timestamp()
    os.utime(left, (yesterday, yesterday))
    file = LogFile(left, settings=LogSettings(), clock=ManualClock())
    file.write(b"today\n")
    file.close()
    assert left.read_bytes() == b"today\n"
    assert _whole(left) == b"yesterday\ntoday\n"


def test_only_so_many_old_files_are_kept_and_nothing_else_is_touched(tmp_path: Path) -> None:
    clock = ManualClock()
    (tmp_path / "sso.log.notes").write_text("an operator's own")
    (tmp_path / "sso.log.1").write_text("another program's")
    file = LogFile(tmp_path / "sso.log", settings=LogSettings(largest_kib=1, kept=3), clock=clock)
    for number in range(10):
        file.write(b"%d" % number + b"x" * 1024 + b"\n")
        clock.advance(timedelta(seconds=1))
    file.close()
    kept = sorted(tmp_path.glob("sso.log.2026*"))
    assert [each.read_bytes()[:1] for each in kept] == [b"6", b"7", b"8"]
    assert (tmp_path / "sso.log.notes").exists()
    assert (tmp_path / "sso.log.1").exists()


def test_who_dies_within_a_line_does_not_spoil_the_next_one(tmp_path: Path) -> None:
    file = LogFile(tmp_path / "sso.log", settings=LogSettings(), clock=SystemClock())
    _say(file, "import os; os.write(2, b'{\"half\": '); os._exit(1)")
    _say(file, "import os; os.write(2, b'{\"whole\": 1}\\n')")
    file.close()
    assert file.path.read_bytes().splitlines() == [b'{"half": ', b'{"whole": 1}']


def test_a_line_without_an_end_does_not_fill_the_memory(tmp_path: Path) -> None:
    file = LogFile(tmp_path / "sso.log", settings=LogSettings(), clock=SystemClock())
    _say(file, "import os\nfor _ in range(64): os.write(2, b'x' * 65536)")
    file.close()
    assert file.path.read_bytes().count(b"x") == 64 * 65536


def test_a_full_disk_does_not_stop_those_who_write() -> None:
    file = LogFile(Path("/dev/full"), settings=LogSettings(), clock=SystemClock())
    _say(file, "import os\nfor _ in range(64): os.write(2, b'x' * 65536 + b'\\n')")
    file.close()


@pytest.mark.parametrize("wrong", ["kept = 0", "largest_kib = 0", "largest_kib = -5", "every = 1"])
def test_settings_that_would_keep_nothing_are_refused(tmp_path: Path, wrong: str) -> None:
    file = tmp_path / "site.toml"
    file.write_text(f"[logs]\n{wrong}\n")
    with pytest.raises(ConfigurationError, match="logs"):
        Document.read(file).section("logs", LogSettings)


def test_a_link_in_the_place_of_a_roles_log_folder_leads_nowhere(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "decisions.log").write_bytes(b"x" * 5000)
    (tmp_path / "logs").symlink_to(elsewhere)
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "decisions.log").symlink_to(elsewhere / "decisions.log")
    for folder in ("logs", "own"):
        logs = OwnLogs([tmp_path / folder / "decisions.log"], settings=SMALL, clock=SystemClock())
        assert not logs.due()
        logs.put_aside()
    assert [path.name for path in elsewhere.iterdir()] == ["decisions.log"]


CONFIGURATION = """
daemon off;
pid nginx.pid;
error_log logs/error.log crit;
worker_processes 2;
{user}
events {{ worker_connections 64; }}
http {{
    access_log off;
    log_format decisions escape=json '{{"decision":"$arg_n"}}';
    client_body_temp_path temp; proxy_temp_path temp; fastcgi_temp_path temp; uwsgi_temp_path temp; scgi_temp_path temp;
    server {{
        listen unix:{folder}/sock;
        access_log logs/decisions.log decisions buffer=32k flush=200ms;
        location / {{ return 200; }}
    }}
}}
"""


@pytest.fixture
def nginx() -> Iterator[Path]:
    """The folder of an nginx that notes every request as the site's does."""
    # A socket's path must be short.
    folder = Path(tempfile.mkdtemp(dir="/tmp", prefix="tg-"))
    (folder / "logs").mkdir()
    user = "user root root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(CONFIGURATION.format(folder=folder, user=user))
    yield folder
    shutil.rmtree(folder)


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=10)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(str(self._path))


def _ask(path: Path, numbers: range) -> None:
    connection = _Connection(path)
    for number in numbers:
        connection.request("GET", f"/?n={number}")
        assert connection.getresponse().read() == b""
    connection.close()


def test_nginx_loses_no_line_when_its_log_is_put_aside(nginx: Path) -> None:
    path = nginx / "sock"

    log = nginx / "logs" / "decisions.log"
    process = Process(
        name="nginx",
        holder="nginx",
        command=("/usr/sbin/nginx", "-p", f"{nginx}/", "-c", str(nginx / "nginx.conf"), "-e", "stderr"),
        ready=lambda: _connects(path),
        sockets=(path,),
        own_logs=(log, nginx / "logs" / "error.log"),
    )
    supervisor = Supervisor(
        [process], users=Users(separate=False), logs=nginx / "said", settings=SMALL, clock=SystemClock()
    )
    supervisor.start()
    try:
        with ThreadPoolExecutor(4) as threads:
            asked = [threads.submit(_ask, path, range(start, start + 3000)) for start in range(0, 12_000, 3000)]
            while not all(each.done() for each in asked):
                supervisor.turn_logs()
                supervisor.watch()
            for each in asked:
                each.result()
    finally:
        supervisor.stop()
    assert len(list(log.parent.glob("decisions.log.*"))) > 2
    noted = [int(line[len(b'{"decision":"') : -2]) for line in _whole(log).splitlines()]
    assert sorted(noted) == list(range(12_000))
