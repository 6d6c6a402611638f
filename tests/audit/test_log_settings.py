# SPDX-License-Identifier: Apache-2.0
"""The settings by which a process works: on the record before anybody is served by them, once, and never not at all."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from audit import BadEvent, Entry, RecordUnavailable, Wait
from audit.client import state
from audit.client.channel import Channel
from audit.models_settings import CHANGED, Stated, told
from audit.service import run_log
from audit.wire import Frame, WireBroken, append_frame
from audit.writer import Recorded, Settings
from core.calls import PairSecrets
from core.clock import SystemClock
from tests.fakes.begun import Begun
from tests.fakes.log_site import CALLERS, LogSite, Served, event, wait_for

OLD = Stated(
    digest="0a" * 32,
    version="0.1.0",
    tables={"site": "1" * 32, "gateway.routes.tax": "2" * 32, "ca": "3" * 32},
    grades={"tax": 3},
)
NEW = Stated(
    digest="0b" * 32,
    version="0.1.0",
    tables={"site": "1" * 32, "gateway.routes.tax": "4" * 32, "gateway.routes.social": "5" * 32},
    grades={"tax": 2, "social": 1},
)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[LogSite]:
    site = LogSite(tmp_path).create()
    yield site
    site.close()


def _file(site: LogSite) -> Path:
    return site.folder.parent / "settings.json"


def _settings(site: LogSite, own: Stated) -> Settings:
    return Settings(Recorded(_file(site)), own)


def _say(site: LogSite, stated: Stated, caller: str = "gateway") -> None:
    state(site.socket, stated, caller=caller, secret=site.secrets[caller], log_key=site.vkey)


def _entries(site: LogSite) -> list[Entry]:
    reader = site.reader()
    return [reader.entry(index) for index in range(reader.checkpoint().size)]


def _told(site: LogSite) -> list[dict[str, Any]]:
    return [dict(entry.event.attributes) for entry in _entries(site) if entry.event.type == CHANGED]


def test_the_log_records_its_own_before_it_takes_anything(site: LogSite) -> None:
    with site.served(settings=_settings(site, OLD)):
        client = site.recorder()
        client.record(event())
        client.close()
    assert [entry.event.type for entry in _entries(site)[:4]] == ["log.created", "log.started", CHANGED, "sso.login"]
    assert _told(site) == [
        {
            "what": "first",
            "role": "log",
            "digest": OLD.digest,
            "version": "0.1.0",
            "count": 3,
            "tables": "ca gateway.routes.tax site",
            "grades": "tax=none>3",
        }
    ]
    # Of a table nobody can guess what stands in it.
    assert not [entry for entry in _told(site) if "2" * 32 in str(entry)]


def test_a_start_without_a_change_records_nothing(site: LogSite) -> None:
    for _ in range(2):
        with site.served(settings=_settings(site, OLD)):
            _say(site, OLD)
            _say(site, OLD, "sso")
    assert len(_told(site)) == 1


def test_of_a_change_tables_and_grades_are_told(site: LogSite) -> None:
    with site.served(settings=_settings(site, OLD)):
        _say(site, NEW)
    assert _told(site)[1] == {
        "what": "changed",
        "role": "gateway",
        "digest": NEW.digest,
        "before": OLD.digest,
        "version": "0.1.0",
        "count": 3,
        "tables": "ca gateway.routes.social gateway.routes.tax",
        "grades": "social=none>1 tax=3>2",
    }


def test_another_program_by_the_same_file_is_told(site: LogSite) -> None:
    with site.served(settings=_settings(site, OLD)):
        _say(site, replace(OLD, version="0.2.0"))
    [_, second] = _told(site)
    assert (second["version_before"], second["version"], second["count"]) == ("0.1.0", "0.2.0", 0)


def test_settings_that_come_back_are_told_again(site: LogSite) -> None:
    with site.served(settings=_settings(site, OLD)):
        for stated in (NEW, OLD, NEW):
            _say(site, stated)
    assert [each["digest"] for each in _told(site)] == [OLD.digest, NEW.digest, OLD.digest, NEW.digest]


def test_roles_that_begin_together_make_one_entry(site: LogSite) -> None:
    with site.served(settings=_settings(site, OLD)):
        threads = [
            threading.Thread(target=_say, args=(site, NEW, caller)) for caller in CALLERS for _worker in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [each["what"] for each in _told(site)] == ["first", "changed"]


def test_whoever_only_passes_requests_on_says_that_and_nothing_else(site: LogSite) -> None:
    with site.served(settings=_settings(site, OLD)):
        _say(site, NEW, "nginx")
        client = site.recorder("nginx")
        with pytest.raises(RecordUnavailable):
            client.record(event())
        client.close()
    assert _told(site)[1]["role"] == "nginx"


def test_on_such_a_line_nothing_is_appended(site: LogSite) -> None:
    with site.served(settings=_settings(site, OLD)):
        channel, _ = Channel.open(
            site.socket,
            caller="sso",
            secret=site.secrets["sso"],
            key=site.key.vkey,
            timeout=10,
            settings=NEW.document(),
        )
        channel.send(append_frame(1, Wait.SEQUENCED, b"{}"))
        with pytest.raises((OSError, WireBroken)):
            channel.expect(Frame.RECEIPT)
        channel.close()


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"digest": 7, "version": "1"},
        {"digest": "0a" * 32, "version": "1 2"},
        {"digest": "0a" * 32, "version": "1", "tables": {"李雷": "1" * 32}},
        {"digest": "0a" * 32, "version": "1", "tables": {"site": "secret word"}},
        {"digest": "0a" * 32, "version": "1", "grades": {"tax": 9}},
        {"digest": "0a" * 32, "version": "1", "grades": {"tax": True}},
        {"digest": "0a" * 32, "version": "1", "tables": {f"t{n}": "1" * 16 for n in range(2001)}},
        {"digest": "0a" * 32, "version": "1", "more": 1},
    ],
)
def test_what_is_no_statement_is_cut_and_recorded_nowhere(site: LogSite, said: dict[str, Any]) -> None:
    with site.served(settings=_settings(site, OLD)):
        with pytest.raises((OSError, WireBroken)):
            Channel.open(
                site.socket,
                caller="sso",
                secret=site.secrets["sso"],
                key=site.key.vkey,
                timeout=10,
                settings=said,
            )
        _say(site, OLD)
    assert len(_told(site)) == 1


@pytest.mark.parametrize("said", [None, 7, "x", [], [["digest", "0a"]]])
def test_what_is_no_object_is_no_statement(said: Any) -> None:
    with pytest.raises(ValueError, match="no settings"):
        Stated.parse(said)


def test_nobody_says_it_for_the_log(site: LogSite) -> None:
    facts = told(OLD, NEW, role="gateway")
    with site.served(settings=_settings(site, OLD)):
        for caller in ("audit", "app"):
            client = site.recorder(caller)
            with pytest.raises(BadEvent, match="only the log itself"):
                client.record(event(type=CHANGED, source="audit", subject="", sealed={}, attributes=facts))
            client.close()


def test_without_the_log_it_cannot_be_said(site: LogSite) -> None:
    with pytest.raises(RecordUnavailable):
        _say(site, NEW)


def test_a_log_that_keeps_no_settings_takes_none(site: LogSite) -> None:
    with site.served(), pytest.raises(RecordUnavailable):
        _say(site, NEW)


def test_what_cannot_be_kept_is_recorded_once_and_refused_until_it_can(site: LogSite) -> None:
    with site.served(settings=_settings(site, OLD)):
        in_the_way = _file(site).with_name(".settings.json.new")
        in_the_way.mkdir()
        for _ in range(2):
            with pytest.raises(RecordUnavailable):
                _say(site, NEW)
        in_the_way.rmdir()
        _say(site, NEW)
    assert [each["what"] for each in _told(site)] == ["first", "changed"]
    assert Recorded(_file(site)).read() == NEW


def test_a_log_that_cannot_record_its_own_serves_nobody(site: LogSite) -> None:
    _file(site).with_name(".settings.json.new").mkdir()
    log = site.open()
    served = Served(site, log, 0.05, None, None, _settings(site, OLD))
    wait_for(served.ended)
    log.close()
    assert isinstance(served.failure, OSError)
    assert not site.socket.exists()


def _begin(folder: Path, where: Path, deadly: str) -> None:
    def die(name: str, arguments: tuple[object, ...]) -> None:
        # The entry is on the disk; the file would count from now on.
        if name == "os.rename" and str(arguments[1]).endswith(deadly):
            os.kill(os.getpid(), signal.SIGKILL)

    if deadly:
        sys.addaudithook(die)
    run_log(
        folder / "log",
        where,
        key=LogSite.first_key(),
        seal_keys=folder / "seals.db",
        pairs=PairSecrets({caller: caller.encode().ljust(32, b".") for caller in CALLERS}),
        clock=SystemClock(),
        settings=Settings(Recorded(folder / "settings.json"), NEW),
    )


def test_killed_between_the_record_and_its_file_it_is_told_again(site: LogSite) -> None:
    Recorded(_file(site)).keep(OLD)
    killed = Begun(_begin, site.folder.parent, site.socket, "settings.json")
    assert killed.wait() == -signal.SIGKILL
    assert Recorded(_file(site)).read() == OLD
    lives = Begun(_begin, site.folder.parent, site.socket, "")
    wait_for(lambda: Recorded(_file(site)).read() == NEW)
    lives.terminate()
    assert lives.wait() == 0
    assert [(each["before"], each["digest"]) for each in _told(site)] == [(OLD.digest, NEW.digest)] * 2


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"digest": "x", "version": "1"}', b"[" * 100_000])
def test_a_file_that_cannot_be_read_has_them_told_as_the_first(site: LogSite, content: bytes) -> None:
    _file(site).write_bytes(content)
    with site.served(settings=_settings(site, OLD)):
        _say(site, OLD)
    assert [each["what"] for each in _told(site)] == ["first"]
    assert Recorded(_file(site)).read() == OLD


def test_a_very_long_list_is_cut_and_its_length_told() -> None:
    many = replace(NEW, tables={f"gateway.egress.destinations.place-{n:04}": "1" * 32 for n in range(1500)})
    said = told(OLD, many, role="gateway")
    assert said["count"] == 1503
    assert str(said["tables"]).endswith(" ...")
    assert len(str(said["tables"])) < 8100
