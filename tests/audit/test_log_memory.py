# SPDX-License-Identifier: Apache-2.0
"""What many events took is given back once nothing waits."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from audit import encode_event
from audit.writer import server
from tests.fakes.log_site import LogSite, event

_LOOK = """
from pathlib import Path
from audit.writer.memory import give_back
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
kept = [bytes(900) for _ in range(60_000)]
last = bytes(900)
before = resident()
del kept
give_back()
print(before - resident())
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[LogSite]:
    site = LogSite(tmp_path).create()
    yield site
    site.close()


def test_what_was_freed_below_what_lives_is_given_back() -> None:
    freed = subprocess.run([sys.executable, "-c", _LOOK], check=True, capture_output=True, text=True).stdout
    assert int(freed) > 60_000 * 900 // 2


def test_the_log_gives_back_after_many_events_once_nothing_waits(
    site: LogSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[int] = []
    monkeypatch.setattr(server, "_GIVE_BACK", 40)
    monkeypatch.setattr(server, "give_back", lambda: given.append(1))
    with site.served(), closing(site.recorder()) as client:
        client.record(event())
        client.record_all([encode_event(event()) for _ in range(50)])
        limit = time.monotonic() + 60
        while not given and time.monotonic() < limit:
            time.sleep(0.01)
        client.record(event())
    assert len(given) == 1
