# SPDX-License-Identifier: Apache-2.0
"""Which processes a site has, in which order, as whom, and how each shows that it lives."""

import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.context import Context
from app.pairs import PAIRS, holders
from app.processes import PATH, Process, clean_environment, is_up, processes
from app.up import free_ports, write_configuration
from app.users import name_of
from core.site import PORTALS, ROLES, SiteSettings


@pytest.fixture
def site() -> Iterator[SiteSettings]:
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="tg-") as folder:
        write_configuration(Path(folder) / "site.toml", free_ports())
        yield Context.read(Path(folder) / "site.toml").site


@pytest.fixture
def listed(site: SiteSettings) -> dict[str, Process]:
    made = processes(site, site.state / "site.toml", slapd=("slapd", "-d", "0"), nginx=("nginx",))
    return {process.name: process for process in made}


def test_the_record_starts_before_those_who_record_and_nginx_last(listed: dict[str, Process]) -> None:
    portals = [f"portal-{name}" for name in PORTALS]
    assert list(listed) == ["slapd", "log", *ROLES, *portals, "nginx"]


def test_every_process_works_in_a_folder_of_an_owner_that_has_a_user(listed: dict[str, Process]) -> None:
    assert {process.holder for process in listed.values()} <= set(holders())
    # The log's writer and the console beside it are one role; nobody else shares.
    owners = [process.holder for process in listed.values() if process.name != "log"]
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


def test_a_socket_that_nobody_listens_on_is_no_sign_of_life(listed: dict[str, Process], site: SiteSettings) -> None:
    assert not is_up(listed["log"])
    (site.state / "run").mkdir()
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(str(site.state / "run" / "log.sock"))
    assert not is_up(listed["log"])
    (site.state / "run" / "log.sock").unlink()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(site.state / "run" / "log.sock"))
        listener.listen()
        assert is_up(listed["log"])


def test_nginx_lives_only_when_it_listens_everywhere(listed: dict[str, Process], site: SiteSettings) -> None:
    ports = site.ports
    opened = []
    for port in (ports.external, ports.internal, ports.management, ports.plain):
        assert not is_up(listed["nginx"])
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen()
        opened.append(listener)
    assert is_up(listed["nginx"])
    for listener in opened:
        listener.close()


def test_a_role_that_does_not_answer_is_not_up(listed: dict[str, Process], site: SiteSettings) -> None:
    (site.state / "run").mkdir()
    for name in ("sso", "portal-tax"):
        assert not is_up(listed[name])
        with socket.socket(socket.AF_UNIX) as left_over:
            left_over.bind(str(listed[name].sockets[0]))
        assert not is_up(listed[name])


def test_nobody_may_call_a_portal_but_through_nginx() -> None:
    assert not [pair for pair in PAIRS if pair[1].startswith("portal:")]
    assert ("nginx", "directory") not in PAIRS
