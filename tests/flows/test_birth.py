# SPDX-License-Identifier: Apache-2.0
"""Births that were cut off, a site that comes back after years, two cities on one machine, and a clean end."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from random import Random

import pytest
import requests

from app.ports import free_ports
from app.up import write_configuration
from tests.fakes.places import roomy
from tests.flows import invariants
from tests.flows.city import COMMAND, ROOM, ROOT, City, started, until
from tests.flows.machine import alive, children, family, named_after, processes

SEED = 20261120
MOMENTS = 6
TWO_YEARS = "-730d"
TRIES = 20


@pytest.fixture
def unborn() -> Iterator[City]:
    """A folder with a configuration file; nothing is born or started yet."""
    folder = Path(tempfile.mkdtemp(dir=roomy(ROOM), prefix="tg-"))
    folder.chmod(0o755)
    city = City(folder)
    write_configuration(city.configuration, free_ports(wishes=()))
    yield city
    if city._process is not None and city._process.poll() is None:
        city.stop()
    shutil.rmtree(folder)
    city.terminal.unlink(missing_ok=True)


def _site(city: City) -> tuple[str, str]:
    return "--site", str(city.configuration)


def _born_two_years_ago(city: City) -> None:
    """On a busy machine libfaketime fails a sleep whose end has passed before it began; the birth is begun again."""
    for _ in range(TRIES):
        done = subprocess.run(
            ["faketime", "-f", TWO_YEARS, *COMMAND, "init", *_site(city)],
            cwd=ROOT,
            # Waiting inside needs a clock that runs as usual.
            env={**os.environ, "FAKETIME_DONT_FAKE_MONOTONIC": "1"},
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode == 0:
            return
        assert "[Errno 22]" in done.stderr, done.stderr
    raise AssertionError("no birth succeeded")


def test_a_site_that_was_off_for_two_years_comes_back(unborn: City) -> None:
    city = unborn
    _born_two_years_ago(city)
    born = len(invariants.leaves(city))

    found = city.tallygate("doctor", *_site(city), check=False)
    assert found.returncode == 1
    assert "WRONG certificate tls.pem: has expired: run “tallygate init --renew-processes”" in found.stdout

    city.tallygate("init", "--renew-processes", *_site(city))
    renewed = city.tallygate("doctor", *_site(city), check=False).stdout
    assert "ok    certificate tls.pem" in renewed
    assert "has expired" not in renewed

    city.start(*_site(city), "--without-demo")
    assert "ok    certificate tls.pem" in city.tallygate("doctor", *_site(city)).stdout
    for label, path in (("tax", "/"), ("sso", "/.well-known/openid-configuration"), ("log", "/checkpoint")):
        said = subprocess.run(
            ["curl", "-sS", "-o", os.devnull, "-w", "%{http_code}", "--cacert", str(city.root), city.url(label, path)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert said == "200", label
    # The record goes on where it stood, two years later.
    invariants.check(city)
    entries = invariants.entries(city)
    assert len(entries) > born
    two_years = 2 * 365 * 86400 * 1000
    assert entries[-1]["time"] - entries[0]["time"] >= two_years
    # And what is valid now was certified now.
    lists = city.http().get(city.url("pki", "/crl/infrastructure.crl", "plain"))
    assert lists.status_code == 200
    assert city.stop() == 0


def test_a_birth_that_was_cut_off_begins_again(unborn: City) -> None:
    city = unborn
    began = time.monotonic()
    city.tallygate("init", *_site(city))
    whole = time.monotonic() - began
    _forget(city)

    dice = Random(SEED)  # noqa: S311 - moments that can be repeated
    for _ in range(MOMENTS):
        with subprocess.Popen(
            [*COMMAND, "init", *_site(city)], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as birth:
            time.sleep(dice.uniform(whole / 8, whole))
            birth.kill()
        until(lambda: not named_after(city))
        if (city.folder / "born").exists():
            # On a slow machine it may have been measured too long: this one was finished.
            _forget(city)

    # Neither the lock, nor the mark of a birth under way, nor an empty folder is anything left over.
    marks = {"site.toml", ".running", ".being-born", "..being-born.new"}
    cut_off = any(
        each.name not in marks and not (each.is_dir() and not any(each.iterdir())) for each in city.folder.iterdir()
    )
    said = city.tallygate("init", *_site(city)).stdout
    assert ("An earlier birth was interrupted" in said) is cut_off
    assert "The site is born" in said
    assert city.verify_log().returncode == 0

    again = city.tallygate("init", *_site(city), check=False)
    assert again.returncode == 1
    assert "already_born" in again.stderr
    assert "Traceback" not in again.stderr
    assert city.verify_log().returncode == 0


def _forget(city: City) -> None:
    """Leave the configuration file alone in its folder."""
    for path in city.folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path != city.configuration:
            path.unlink()


@pytest.fixture(scope="module")
def neighbours() -> Iterator[tuple[City, City]]:
    """Two cities on one machine, born at the same time; the tests that follow each other here end both."""
    with ExitStack() as both:
        first, second = (both.enter_context(started("--without-demo")) for _ in range(2))
        # Leaving presses Ctrl-C once more, on processes that have ended already.
        yield first, second
    until(lambda: not [command for city in (first, second) for command in named_after(city)])


def test_two_cities_live_side_by_side_and_leave_nothing_behind(neighbours: tuple[City, City]) -> None:
    first, second = neighbours
    assert not set(first.ports.values()) & set(second.ports.values())
    assert first.ready()
    assert second.ready()
    with pytest.raises(requests.exceptions.SSLError):
        # Each has a root of its own.
        second.http().get(first.url("tax"), timeout=5)
    everybody = family(second)
    assert len(everybody) > 20
    assert second.stop() == 0
    until(lambda: not [pid for pid in everybody if alive(pid)])
    until(lambda: not named_after(second))
    assert first.ready()


def test_renewal_needs_a_site(unborn: City) -> None:
    city = unborn
    before = city.tallygate("init", "--renew-processes", *_site(city), check=False)
    assert before.returncode == 1
    assert "not_born" in before.stderr
    assert {path.name for path in city.folder.iterdir()} <= {"site.toml", ".running"}


def test_renewal_needs_stopped_roles(neighbours: tuple[City, City]) -> None:
    city, _ = neighbours
    certificate = (city.folder / "nginx" / "tls.pem").read_bytes()
    while_running = city.tallygate("init", "--renew-processes", *_site(city), check=False)
    assert while_running.returncode == 1
    assert "Traceback" not in while_running.stderr
    assert (city.folder / "nginx" / "tls.pem").read_bytes() == certificate
    twice = city.tallygate("up", "--state", str(city.folder), check=False)
    assert twice.returncode == 1
    assert "already_up" in twice.stderr
    assert city.ready()


def test_a_killed_supervisor_leaves_nothing_of_its_city_behind(neighbours: tuple[City, City]) -> None:
    city, _ = neighbours
    everybody, running = family(city), processes(city)
    assert len(everybody) > 20
    # Deaf to every word: nginx with one of its workers, slapd, a role, and a worker of another.
    deaf = [running["nginx"], children(running["nginx"])[0], running["slapd"], running["ca"], *children(running["sso"])]
    for pid in deaf:
        os.kill(pid, signal.SIGSTOP)
    assert city._process is not None
    city._process.kill()
    city._process.wait()
    until(lambda: not [pid for pid in everybody if alive(pid)])
    until(lambda: not named_after(city))
    # Nothing holds a port or a lock.
    city.start("--without-demo")
    until(city.ready)
    assert city.stop() == 0


def test_an_ordinary_user_gets_a_city_whose_roles_share_one_user(unborn: City) -> None:
    city = unborn
    command = [*COMMAND, "up", "--state", str(city.folder), "--without-demo"]
    root = os.geteuid() == 0
    if root:
        command = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", *command]
        for path in (city.folder, city.configuration):
            shutil.chown(path, "nobody", "nogroup")
    with city.terminal.open("w") as output:
        running = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, text=True
        )
    city._process = running
    until(lambda: "Ctrl-C stops everything." in city.said() or running.poll() is not None, seconds=120, every=0.2)
    assert city.ready(), city.said()
    owners = {Path(f"/proc/{pid}").stat().st_uid for pid in family(city)}
    assert len(owners) == 1
    assert owners != {0}
    doctor = [*COMMAND, "doctor", *_site(city)]
    if root:
        doctor = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", *doctor]
    said = subprocess.run(doctor, cwd=ROOT, capture_output=True, text=True)
    assert said.returncode == 0, said.stdout + said.stderr
    assert "all roles share one system user" in said.stdout
    assert city.stop() == 0
    until(lambda: not named_after(city))
