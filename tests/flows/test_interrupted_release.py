# SPDX-License-Identifier: Apache-2.0
"""The operator's `tallygate policies release` dies where it stands; the next release, or the next start, ends it."""

import shutil
import signal
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.flows import invariants
from tests.flows.city import COMMAND, ROOT, City, started, until

SEED = 20261121
DEATHS = 6
LONGEST = 0.05
"""Seconds after the intent was announced within which the release dies; all that is left of it takes about as long."""


@pytest.fixture
def city() -> Iterator[City]:
    """A city of its own: it is stopped and started again."""
    with started("--without-demo") as running:
        source = running.folder / "policy-source"
        shutil.copytree(ROOT / "policies" / "shipped", source)
        with running.configuration.open("a", encoding="utf-8") as file:
            file.write(f'\n[policies]\nsource = "{source}"\n')
        yield running


def _release(city: City, remark: str) -> subprocess.Popen[bytes]:
    with (city.folder / "policy-source" / "access.cedar").open("a", encoding="utf-8") as file:
        file.write(f"// {remark}\n")
    return subprocess.Popen(
        [
            *COMMAND, "policies", "release", "--site", str(city.configuration),
            "--actor", "maker", "--without-shadow", "trial",
        ],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def _outcomes(city: City) -> dict[str, list[str]]:
    found = defaultdict(list)
    for entry in invariants.entries(city):
        if entry["told"]["type"] == "policy.released":
            found[entry["told"]["object"]].append(entry["status_code"])
    return found


def _in_force(city: City) -> str:
    return (city.folder / "public" / "policies" / "current").read_text("ascii").split('"version":"')[1].split('"')[0]


def test_whenever_a_release_dies_its_intent_gets_its_outcome(city: City) -> None:
    journal, dice = city.folder / "policies" / "release.journal", Random(SEED)  # noqa: S311 - can be repeated
    interrupted = 0
    for number in range(DEATHS):
        known = _made(journal)
        with _release(city, str(number)) as release:
            _until_begun(release, journal, known)
            time.sleep(dice.uniform(0, LONGEST))
            release.kill()
        interrupted += journal.exists()
    assert interrupted, "every release was faster than its death"
    with _release(city, "whole") as release:
        assert release.wait(60) == 0
    assert not journal.exists()
    before = _in_force(city)

    # The log is halted, so this one dies before anything of it is in force.
    city.kill("log", signal.SIGSTOP)
    try:
        with _release(city, "never in force") as release:
            _until_begun(release, journal, 0)
            release.kill()
    finally:
        city.kill("log", signal.SIGCONT)
    assert journal.exists()
    assert city.stop() == 0
    city.start("--without-demo")
    assert "interrupted policy release" in city.said()
    assert not journal.exists()
    assert _in_force(city) == before
    until(lambda: all(len(each) == 2 for each in _outcomes(city).values()))
    outcomes = _outcomes(city)
    assert outcomes[before] == ["intended", "success"]
    assert {tuple(each) for each in outcomes.values()} == {("intended", "success"), ("intended", "failure")}
    with _release(city, "as ever") as release:
        assert release.wait(60) == 0
    assert _in_force(city) != before

    # And taken back by one command; the gateway decides by it at once.
    site = ("--site", str(city.configuration))
    listed = city.tallygate("policies", "history", *site).stdout.splitlines()
    assert [line.split()[0] for line in listed][:2] == [_in_force(city), before]
    city.tallygate("policies", "rollback", before, *site, "--actor", "maker")
    taken_back = _in_force(city)
    assert taken_back not in {before, listed[0].split()[0]}
    files = [city.folder / "public" / "policies" / version / "access.cedar" for version in (taken_back, before)]
    assert files[0].read_bytes() == files[1].read_bytes()
    until(lambda: _decided_by(city) == taken_back, seconds=60)
    refused = city.tallygate("policies", "rollback", "7-nothing", *site, "--actor", "maker", check=False)
    assert refused.returncode != 0
    assert "never in force" in refused.stderr
    assert _in_force(city) == taken_back


def _decided_by(city: City) -> str:
    """The version a decision made now was decided by; empty while the gateway reads what was just put in force."""
    try:
        number = invariants.mark(city)
    except AssertionError:
        return ""

    def found() -> list[str]:
        return [e["told"]["policy"] for e in invariants.entries(city) if e["told"].get("decision") == number]

    return str(until(found)[0])


def _made(path: Path) -> int:
    """When it was written; 0 if it is not there."""
    return path.stat().st_mtime_ns if path.exists() else 0


def _until_begun(release: subprocess.Popen[bytes], journal: Path, known: int) -> None:
    until(lambda: _made(journal) not in {0, known} or release.poll() is not None, every=0.001, seconds=60)
