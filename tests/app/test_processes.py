# SPDX-License-Identifier: Apache-2.0
"""Which processes a site has, in which order, as whom, and how each shows that it lives."""

import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.context import Context
from app.pairs import PAIRS, holders
from app.ports import free_ports
from app.processes import PATH, Process, clean_environment, is_up, processes
from app.up import write_configuration
from app.users import name_of
from core.site import PORTALS, ROLES, SiteSettings


@pytest.fixture
def site() -> Iterator[SiteSettings]:
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="tg-") as folder:
        write_configuration(Path(folder) / "site.toml", free_ports(wishes=()))
        yield Context.read(Path(folder) / "site.toml").site


@pytest.fixture
def listed(site: SiteSettings) -> dict[str, Process]:
    made = processes(site, site.state / "site.toml", slapd=("slapd", "-d", "0"), nginx=("nginx",))
    return {process.name: process for process in made}


def test_the_record_starts_before_those_who_record_and_nginx_last(listed: dict[str, Process]) -> None:
    portals = [f"portal-{name}" for name in PORTALS]
    assert list(listed) == ["slapd", "log", "watch", *ROLES, *portals, "nginx"]


def test_every_process_works_in_a_folder_of_an_owner_that_has_a_user(listed: dict[str, Process]) -> None:
    assert {process.holder for process in listed.values()} <= set(holders())
    # The log's writer, its duties and the console beside it are one role; nobody else shares.
    owners = [process.holder for process in listed.values() if process.name not in {"log", "watch"}]
    assert len(set(owners)) == len(owners)
    assert len({name_of(owner) for owner in owners}) == len(owners)


def test_no_secret_is_in_a_command_line_or_environment(listed: dict[str, Process], site: SiteSettings) -> None:
    for process in listed.values():
        if process.name in {"slapd", "nginx"}:
            continue
        assert process.command[0] == sys.executable
        assert process.command[-2:] == ("--site", str(site.state / "site.toml"))
        assert set(process.environment) == {"PYTHONPATH", "PYTHONUNBUFFERED"}


def test_a_process_sees_nothing_of_the_callers_shell(
    listed: dict[str, Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LD_PRELOAD", "/evil/evil.so")
    monkeypatch.setenv("PATH", "/evil")
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    seen = clean_environment(listed["sso"])
    assert "LD_PRELOAD" not in seen
    assert seen["PATH"] == PATH
    assert seen["TZ"] == "Asia/Shanghai"


def _bound(path: Path) -> socket.socket:
    path.parent.mkdir(parents=True, exist_ok=True)
    made = socket.socket(socket.AF_UNIX)
    made.bind(str(path))
    return made


def test_a_socket_that_nobody_listens_on_is_no_sign_of_life(listed: dict[str, Process]) -> None:
    log = listed["log"]
    assert not is_up(log)
    [path] = log.sockets
    with _bound(path):
        assert not is_up(log)
    path.unlink()
    with _bound(path) as listener:
        listener.listen()
        assert is_up(log)


def test_a_server_that_is_not_ours_is_no_sign_that_nginx_lives(listed: dict[str, Process], site: SiteSettings) -> None:
    assert not is_up(listed["nginx"])
    ports = site.ports
    with ExitStack() as strangers:
        for port in (ports.external, ports.internal, ports.management, ports.plain):
            stranger = strangers.enter_context(socket.create_server(("127.0.0.1", port)))
            stranger.listen()
        assert not is_up(listed["nginx"])


def test_a_role_that_does_not_answer_is_not_up(listed: dict[str, Process]) -> None:
    for name in ("sso", "portal-tax", "nginx"):
        assert not is_up(listed[name])
        with _bound(listed[name].sockets[0]):
            assert not is_up(listed[name])


def test_every_process_listens_in_the_folder_of_its_owner(listed: dict[str, Process], site: SiteSettings) -> None:
    for process in listed.values():
        for path in process.sockets:
            assert path.parent == site.run / process.holder.replace(":", "-")


def test_nobody_may_call_a_portal_but_through_nginx() -> None:
    assert not [pair for pair in PAIRS if pair[1].startswith("portal:")]
    assert ("nginx", "directory") not in PAIRS
