# SPDX-License-Identifier: Apache-2.0
"""With the log's process gone nothing is granted, everybody gets a clear answer, and its return heals everything."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext

from tests.flows import invariants
from tests.flows.city import BREAK_GLASS, City, until
from tests.flows.people import as_program, heading, log_in

Browse = Callable[..., BrowserContext]


@pytest.fixture(autouse=True, scope="module")
def _record_holds(city: City) -> Iterator[None]:
    yield
    invariants.check(city)


@contextmanager
def _log_stopped(city: City) -> Iterator[None]:
    """The supervisor brings back what dies, so the process is halted where it stands."""
    pid = city.pid("log")
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_without_the_record_nothing_is_granted(city: City, browse: Browse, tmp_path: Path) -> None:
    context = browse()
    page = context.new_page()
    page.goto(city.url("tax", "/me"))
    log_in(page, "wu.jie")
    program = as_program(city, context)
    public = city.url("tax", "/")
    assert program.get(public).status_code == 200
    request = tmp_path / "request.csr"
    subprocess.run(
        ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-keyout", str(tmp_path / "key.pem"), "-subj", "/CN=x", "-out", str(request)],
        check=True, capture_output=True,
    )  # fmt: skip
    device, abroad = _device(city), _list_abroad(city, tmp_path)
    fresh = browse().new_page()
    fresh.goto(city.url("sso", "/account"))
    assert heading(fresh) == "Log in"

    with _log_stopped(city):
        # A response that is no success counts as false: hence the list.
        refused = until(lambda: [a for a in (program.get(public),) if a.status_code != 200], seconds=20)[0]
        assert refused.status_code in {403, 503}
        assert "try again" in refused.text.lower()
        log_in(fresh, "wu.jie")
        assert heading(fresh) == "Temporarily unavailable"
        issue = city.tallygate(
            "ca", "--site", str(city.configuration), "issue", "device-client", device, str(request), *BREAK_GLASS,
            "--out", str(tmp_path / "out.pem"), check=False,
        )  # fmt: skip
        assert issue.returncode != 0
        assert not (tmp_path / "out.pem").exists()
        # Nobody abroad is trusted either: neither the keeper of their list nor the list.
        follow = ("trust-list", "follow", "elsewhere", str(abroad[0]), "--site", str(city.configuration))
        assert city.tallygate(*follow, "--list-key", str(abroad[1]), check=False).returncode != 0
        assert not (city.folder / "signatures" / "lists" / "elsewhere").exists()

    until(lambda: program.get(public).status_code == 200, seconds=20)
    until(city.ready)
    fresh.goto(city.url("sso", "/account"))
    log_in(fresh, "wu.jie")
    assert heading(fresh) == "My account"
    city.tallygate(
        "ca", "--site", str(city.configuration), "issue", "device-client", device, str(request), *BREAK_GLASS,
        "--out", str(tmp_path / "out.pem"),
    )  # fmt: skip
    assert (tmp_path / "out.pem").exists()


def _list_abroad(city: City, folder: Path) -> tuple[Path, Path]:
    """A trust list of somebody else, and the key by which its keeper is known."""
    key, public, listed = folder / "keeper.pem", folder / "keeper.pub", folder / "abroad.jws"
    make = ("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(key))
    subprocess.run(make, check=True, capture_output=True)
    subprocess.run(["openssl", "pkey", "-in", str(key), "-pubout", "-out", str(public)], check=True)
    city.tallygate("trust-list", "create", "--name", "elsewhere", "--key", str(key), "--out", str(listed))
    return listed, public


def _device(city: City) -> str:
    """The identifier of the sample device, from its own certificate."""
    said = subprocess.run(
        ["openssl", "x509", "-in", str(city.folder / "demo" / "device.pem"), "-noout", "-ext", "subjectAltName"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return said.split("urn:uuid:")[1].split()[0].strip(",")
