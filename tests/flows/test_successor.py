# SPDX-License-Identifier: Apache-2.0
"""A whole city whose record went on in a successor: everything that reads, proves, copies and checks goes over both."""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests
from playwright.sync_api import BrowserContext

from app.ports import free_ports
from app.up import write_configuration
from tests.fakes.time_authority import TimeAuthority
from tests.flows.city import COMMAND, ROOT, City, started, until
from tests.flows.people import as_program, log_in_by_card
from tests.flows.test_officer import prove

Browse = Callable[..., BrowserContext]
SECRET = "bWlycm9yIHNlY3JldCBvZiBhIHRlc3QsIGxvbmcgZW5vdWdo"


@pytest.fixture(scope="module")
def city() -> Iterator[City]:
    """A city of its own: its first log holds its birth, and is closed before the roles first start."""
    with (
        tempfile.TemporaryDirectory(prefix="tg-tsa-", dir="/tmp") as folder,
        closing(TimeAuthority(Path(folder))) as authority,
        started(prepare=lambda state: _rotated(state, authority)) as running,
    ):
        yield running


def _rotated(folder: Path, authority: TimeAuthority) -> None:
    file, roots = folder / "site.toml", folder / "tsa-roots.pem"
    write_configuration(file, free_ports(wishes=()))
    said = (
        f'[audit]\ntime_stamp_url = "{authority.url}"\ntime_stamp_roots = "{roots}"\nsigned_exports = 60\n'
        'mirrors = {backup = "audit/mirror-backup"}\n'
    )
    # The sample city's own unit is not up when the first log is closed.
    sample = "".join(
        each for each in file.read_text("utf-8").splitlines(keepends=True) if not each.startswith("time_stamp_")
    )
    file.write_text(sample.replace("[audit]\n", said), "utf-8")
    for command in (["init"], ["audit", "rotate"]):
        subprocess.run([*COMMAND, *command, "--site", str(file)], cwd=ROOT, check=True, capture_output=True)
    roots.write_bytes(authority.root.pem)
    roots.chmod(0o644)
    owner = (folder / "audit").stat()
    for path in (folder / "audit" / "mirror-backup", folder / "mirror.secret"):
        path.write_text(SECRET if path.name == "mirror-backup" else f"backup:{SECRET}", "utf-8")
        path.chmod(0o600)
    os.chown(folder / "audit" / "mirror-backup", owner.st_uid, owner.st_gid)


@pytest.fixture
def officer(city: City, browse: Browse) -> requests.Session:
    page = browse(card=city.folder / "demo" / "wang.qiang.p12").new_page()
    page.goto(city.url("audit", "/", "management"))
    log_in_by_card(page)
    page.wait_for_load_state()
    return as_program(city, page.context)


def test_the_record_is_one_over_both_logs(city: City, officer: requests.Session, tmp_path: Path) -> None:  # noqa: PLR0915 - one story
    def shown(path: str) -> str:
        answer = officer.get(city.url("audit", path, "management"))
        assert answer.status_code == 200, (path, answer.text)
        return answer.text

    def entry(place: int) -> str:
        return str(json.loads(shown(f"/entries/{place}/entry.json"))["metadata"]["event_code"])

    site, public = ("--site", str(city.configuration)), city.folder / "public"
    final = (city.folder / "audit" / "logs" / "log" / "checkpoint").read_text("utf-8").split("\n")
    base = int(final[1])
    # Search finds what was before and what came after, each with its proof.
    until(lambda: f"/entries/{base - 1}" in shown("/search?type=log.closed"), seconds=20, every=0.3)
    assert f"/entries/{base}" in shown("/search?type=log.created")
    assert "Proven" in shown(f"/entries/{base - 1}")
    for place in (3, base - 1, base, base + 2):
        proof = shown(f"/entries/{place}/entry.tlog-proof")
        prove(proof, officer.get(city.url("audit", f"/entries/{place}/entry.json", "management")).content)
        assert f"\nindex {place if place < base else place - base}\n" in proof
    # Time-stamps of both, each leading to the entry that tells of it.
    page = until(lambda: (found := shown("/stamps")).count('href="/entries/') > 1 and found, seconds=90, every=1)
    assert f"log, its first {base}" in page
    assert "log-2, its first" in page
    places = [int(place) for place in re.findall(r'href="/entries/(\d+)"', page)]
    assert len(places) == 2
    assert {entry(place) for place in places} == {"log.stamped"}
    assert min(places) > base
    # Retention has looked, and says when.
    assert "As of " in until(lambda: "As of " in (found := shown("/retention")) and found, seconds=90, every=1)
    # Signed exports of both are one list, and hold together.
    page = until(lambda: (found := shown("/exports")).count("/exports/signed/") > 1 and found, seconds=90, every=1)
    assert "/exports/signed/0.zip" in page
    assert f"/exports/signed/{base}.zip" in page
    folder, key, logs = city.folder / "audit" / "exports", str(public / "log.vkey"), str(public / "logs.txt")
    told = city.tallygate("audit", "verify-export", str(folder), "--key", key, "--logs", logs).stdout
    assert f"city.localhost/log: entries 0 to {base - 1}: as signed" in told
    # A case collects entries of both.
    form = re.search(r'name="csrf_token" value="([^"]+)"', shown("/cases?entry=3"))
    assert form is not None
    sent = officer.post(
        city.url("audit", "/cases", "management"),
        data={"csrf_token": form[1], "title": "Both", "text": "", "entry": [str(base - 1), str(base)]},
        headers={"Referer": city.url("audit", "/cases", "management")},
    )
    assert sent.status_code == 200, sent.text
    assert all(f"/entries/{place}" in sent.text for place in (base - 1, base))
    # One evidence file over both: each proved against its own end with its own keys, and the one continues the other.
    made = tmp_path / "evidence.asice"
    city.tallygate("audit", "evidence", "3", str(base + 2), *site, "--purpose", "Case 17", "-o", str(made))
    keys = [line.split(" ")[1] for line in Path(logs).read_text("utf-8").splitlines() if line.startswith("log ")]
    verifier = ROOT / "audit" / "evidence" / "verifier" / "verify_evidence.py"
    pinned = [each for key in keys for each in ("--log-key", key)]
    checked = subprocess.run([sys.executable, str(verifier), str(made), *pinned], capture_output=True, text=True)
    assert checked.returncode in (0, 2), checked.stdout
    assert "[proved] city.localhost/log-2 goes on where city.localhost/log ended" in checked.stdout
    assert all(f"[proved] entry {index} is in the log" in checked.stdout for index in (3, base - 1, 0, 2))
    # A mirror that was given the first log's key holds both.
    copy, first = city.folder / "copy", keys[0]
    mirrored = city.tallygate(
        "audit", "mirror", city.url("log", "/mirror", "management"), "--key", first, "--all-logs", "--into", str(copy),
        "--credential", str(city.folder / "mirror.secret"), "--ca", str(city.root), check=False,
    )  # fmt: skip
    assert mirrored.returncode == 0, mirrored.stderr[-2000:]
    for here, listed in ((city.folder / "audit" / "log", logs), (copy / "log-2", str(copy / "logs.txt"))):
        told = city.tallygate("audit", "verify", str(here), "--logs", listed, "--key", first).stdout
        assert f"city.localhost/log: {base} entries" in told
        assert "each continues the one before it" in told
    whole = city.tallygate("audit", "check", *site, check=False)
    assert "each continues the one before it" in whole.stdout, whole.stderr
    # Nothing that is done again and again fails, alerting included.
    duties = json.loads((city.folder / "audit" / "watch.json").read_text("utf-8"))
    assert {name: standing["why"] for name, standing in duties.items() if standing["why"]} == {}
    assert "alerts" in duties
    assert city.tallygate("policies", "usage", *site).returncode == 0
