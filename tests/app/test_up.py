# SPDX-License-Identifier: Apache-2.0
"""Where a new city goes: folders and ports that nobody else holds, whatever else runs on the machine."""

import fcntl
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.context import Context
from app.holding import AlreadyUp, held
from app.ports import PREFERRED, PortClaims, PortTaken, free_ports
from app.up import write_configuration
from core.site import Ports

ROOT = Path(__file__).parents[2]


def _numbers(ports: Ports) -> list[int]:
    return [ports.external, ports.internal, ports.management, ports.plain, ports.ldaps]


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield int(holder.getsockname()[1])


def test_preferred_ports_need_no_privilege() -> None:
    assert all(port > 1024 for port in PREFERRED)
    assert not {443, 80, 389, 636, 5432} & set(PREFERRED)


def test_ports_in_use_are_replaced_by_others() -> None:
    with ExitStack() as holders:
        held = [holders.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in PREFERRED]
        # The real ones may belong to a city that comes or goes just now.
        wishes = tuple(int(holder.getsockname()[1]) for holder in held)
        found = _numbers(free_ports(wishes=wishes))
        assert not set(found) & set(wishes)
        assert len(set(found)) == len(found)
        # An outgoing connection must not be able to take the port of a server that is being restarted.
        outgoing = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("ascii").split()[0])
        assert max(found) < outgoing


def test_no_port_is_found_twice() -> None:
    wished = free_ports(wishes=()).external
    found = free_ports(wishes=(wished,) * len(PREFERRED))
    assert found.external == wished
    assert len({*_numbers(found), found.egress}) == len(PREFERRED)


def test_ports_found_are_free_again_to_be_used() -> None:
    for port in _numbers(free_ports(wishes=())):
        with socket.socket() as user:
            user.bind(("127.0.0.1", port))


def test_a_configuration_that_was_written_can_be_read(tmp_path: Path) -> None:
    file = tmp_path / "new" / "site.toml"
    ports = free_ports(wishes=())
    write_configuration(file, ports)
    site = Context.read(file).site
    assert _numbers(site.ports) == _numbers(ports)
    assert site.state == file.parent
    assert site.domain == "city.localhost"


def test_a_port_of_the_site_that_somebody_holds_is_named(tmp_path: Path, taken: int) -> None:
    free = free_ports(wishes=())
    file = tmp_path / "site.toml"
    write_configuration(
        file,
        Ports(external=taken, internal=free.internal, management=free.management, plain=free.plain, ldaps=free.ldaps),
    )
    with pytest.raises(PortTaken, match=str(taken)):
        PortClaims().take_all(Context.read(file).site.ports)


def test_a_port_is_promised_to_one_city_although_nobody_listens_yet() -> None:
    with PortClaims() as first, PortClaims() as second:
        ours, theirs = free_ports(first), free_ports(second)
        assert not set(_numbers(ours)) & set(_numbers(theirs))
        assert not set(_numbers(ours)) & set(_numbers(free_ports()))
        with pytest.raises(PortTaken, match=str(ours.external)):
            second.take_all(ours)
        # Its own promise is no obstacle.
        first.take_all(ours)
        first.close()
        second.take_all(ours)


def test_a_promise_ends_with_the_process_that_holds_it() -> None:
    port = free_ports(wishes=()).external
    code = f"import time, app.ports as p; c = p.PortClaims(); print(c.take({port}), flush=True); time.sleep(60)"
    with (
        subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE) as holder,
        PortClaims() as ours,
    ):
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"True\n"
        assert not ours.take(port)
        holder.kill()
        holder.wait()
        assert ours.take(port)


def test_one_folder_has_one_supervisor(tmp_path: Path) -> None:
    with held(None, tmp_path / "city") as folder:
        assert folder == tmp_path / "city"
        with pytest.raises(AlreadyUp), held(None, tmp_path / "city"):
            pass
        # The site's file names the same folder.
        with pytest.raises(AlreadyUp), held(tmp_path / "city" / "site.toml", None):
            pass
    with held(None, tmp_path / "city"):
        pass


def test_the_lock_is_not_inherited_by_what_is_started(tmp_path: Path) -> None:
    with held(None, tmp_path):
        numbers = [
            int(path.name)
            for path in Path("/proc/self/fd").iterdir()
            if path.is_symlink() and str(path.readlink()) == str(tmp_path / ".running")
        ]
        assert numbers
        assert all(fcntl.fcntl(number, fcntl.F_GETFD) & fcntl.FD_CLOEXEC for number in numbers)


def test_a_second_city_of_a_checkout_gets_a_folder_of_its_own(tmp_path: Path) -> None:
    with ExitStack() as cities:
        folders = [cities.enter_context(held(None, None, home=tmp_path)) for _ in range(3)]
        assert [folder.name for folder in folders] == ["city", "city-2", "city-3"]
    with held(None, None, home=tmp_path) as again:
        assert again.name == "city"
