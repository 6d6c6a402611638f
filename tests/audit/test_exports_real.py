# SPDX-License-Identifier: Apache-2.0
"""Real peers and real deaths: Debian's rsyslog over TLS, and the watching process killed again and again under load."""

import itertools
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from audit.exports import PeerSilent
from core.clock import SystemClock
from tests.fakes.export_house import House
from tests.fakes.log_site import event, wait_for
from tests.fakes.ports import free_port
from tests.fakes.receivers import StreamReceiver, TestAuthority, server_context

_RSYSLOG = """
global(
  workDirectory="{folder}"
  defaultNetstreamDriverCAFile="{roots}"
  defaultNetstreamDriverCertFile="{certificate}"
  defaultNetstreamDriverKeyFile="{key}"
)
module(load="imtcp" streamdriver.name="gtls" streamdriver.mode="1" streamdriver.authmode="anon" maxSessions="20")
template(name="out" type="string" string="%PRI%|%HOSTNAME%|%APP-NAME%|%MSGID%|%STRUCTURED-DATA%|%msg%\\n")
input(type="imtcp" port="{port}" address="127.0.0.1" supportoctetcountedframing="on")
action(type="omfile" file="{folder}/received" template="out" asyncWriting="off" flushOnTXEnd="on")
"""
_WATCH = """
import signal, sys
from datetime import timedelta
from pathlib import Path
from audit.config import ExportTarget
from audit.exports import Exporter, ExportStore, PublishedSource, peer_of
from audit.watch import Duty, Watch
from audit.exports import PeerSilent
from core.clock import SystemClock
from core.config import decode
from tests.fakes.log_site import LogSite
from tests.fakes.recorder import ListRecorder
folder, port, roots = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
site = LogSite(folder)
table = {"kind": "syslog", "address": f"tls://localhost:{port}", "roots": roots}
target = decode(ExportTarget, table, where="x", folder=folder)
exporter = Exporter("siem", target, source=PublishedSource(site.reader()),
    peer=lambda: peer_of(target, clock=SystemClock(), enterprise=1, private=True),
    store=ExportStore.open(folder / "exports.db"), recorder=ListRecorder(), clock=SystemClock())
duty = Duty(name="siem", every=timedelta(milliseconds=20), act=lambda stopped: exporter.round(lambda: bool(stopped)))
watch = Watch([duty], folder=folder, clock=SystemClock())
watch.run(site.socket.with_name("watch"))
"""


@contextmanager
def rsyslog(folder: Path, authority: TestAuthority, port: int) -> Iterator[Path]:
    """Debian's own, as a process of this test; what it received is in the file."""
    certificate, key = authority.issue("localhost")
    folder.mkdir(exist_ok=True)
    configuration = _RSYSLOG.format(folder=folder, roots=authority.roots, certificate=certificate, key=key, port=port)
    (folder / "rsyslog.conf").write_text(configuration)
    command = ["/usr/sbin/rsyslogd", "-n", "-f", str(folder / "rsyslog.conf"), "-i", str(folder / "pid")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield folder / "received"
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.close()


def test_debians_rsyslog_understands_every_message(house: House, tmp_path: Path) -> None:
    house.fill(300)
    house.fill(1, attributes={"reason": 'a\n<13>1 2026-01-01T00:00:00Z evil - - - - forged "] \\'})
    port = free_port()
    target = house.target(kind="syslog", address=f"tls://localhost:{port}", roots=str(house.authority.roots))
    exporter = house.exporter(target)
    with rsyslog(tmp_path / "rsyslog", house.authority, port) as received:
        deadline = time.monotonic() + 20
        while True:
            try:
                house.retry(exporter)
                break
            except PeerSilent:
                # It has not opened its port yet.
                assert time.monotonic() < deadline
                time.sleep(0.1)
        wait_for(lambda: received.exists() and received.read_text().count("\n") >= 302, 20)
        exporter.close()
    lines = received.read_text("utf-8").splitlines()
    assert len(lines) == 302
    assert [int(re.findall(r' index="([0-9]+)"', line)[0]) for line in lines] == list(range(302))
    assert lines[1].startswith('109|city.example|tallygate|sso.login|[entry@32473 id="city.example/log#1"')
    assert not [line for line in lines if line.split("|")[1] != "city.example"]


def test_killed_again_and_again_under_load_nothing_is_lost(house: House, tmp_path: Path) -> None:
    house.clock = SystemClock()  # type: ignore[assignment]  # what happens here takes real time
    receiver = StreamReceiver(server_context(*house.authority.issue("localhost")), frames=True)
    arguments = [sys.executable, "-c", _WATCH, str(tmp_path), str(receiver.port), str(house.authority.roots)]
    log = house.site.open()
    with closing(log):
        for turn in range(4):
            with subprocess.Popen(arguments) as process:
                before = len(receiver.records)
                log.append([event() for _ in range(400)])
                log.integrate()
                # Killed while it sends; the last time it is left to come to the end.
                wait_for(lambda seen=before: len(receiver.records) > seen + 100, 20)
                if turn == 3:
                    wait_for(lambda: house.store.cursor("siem").next == 1601, 20)
                process.send_signal(signal.SIGKILL)
    places = [int(message.data["index"]) for message in receiver.messages()]
    receiver.close()
    assert set(places) == set(range(1601))
    # In order, but for stretches that are sent again from where nothing was certain.
    assert all(after <= before + 1 for before, after in itertools.pairwise(places))
    names = {(message.data["id"], message.data["index"]) for message in receiver.messages()}
    assert len(names) == 1601
