# SPDX-License-Identifier: Apache-2.0
"""Before anything is released, its maker sees from the record who would lose access and who would gain it."""

import shutil
from pathlib import Path

import pytest

from tests.flows import invariants
from tests.flows.city import ROOT, City, until
from tests.flows.knocking import person

BEFORE, AFTER = "context.assurance >= 1\n", "context.assurance >= 2\n"


@pytest.fixture
def stricter(tmp_path: Path) -> Path:
    """The shipped policies, but citizens need a card."""
    folder = tmp_path / "policies"
    shutil.copytree(ROOT / "policies" / "shipped", folder)
    access = folder / "access.cedar"
    text = access.read_text("utf-8")
    assert BEFORE in text
    access.write_text(text.replace(BEFORE, AFTER), "utf-8")
    return folder


def test_the_record_tells_who_would_lose_access(city: City, stricter: Path) -> None:
    person(city, "song.xiuying", city.url("social", "/.tallygate/login?to=/me"))
    site = ("--site", str(city.configuration))

    def replayed() -> str:
        said = city.tallygate("policies", "replay", *site, "--source", str(stricter), "--days", "1").stdout
        return said if "LOSES social from external: citizen," in said else ""

    # The search index is a moment behind the record.
    said = until(replayed, seconds=20, every=1)
    assert "GAINS" not in said
    (loss,) = [line for line in said.splitlines() if line.startswith("LOSES social")]
    assert "allowed becomes assurance" in loss

    same = city.tallygate("policies", "replay", *site, "--days", "1").stdout
    assert "0 changes" in same
    assert (
        "LOSES tax from external: citizen"
        in city.tallygate("policies", "diff", *site, "--source", str(stricter)).stdout
    )
    used = city.tallygate("policies", "usage", *site, "--days", "1").stdout
    hits = {line.split()[2]: int(line.split()[0]) for line in used.splitlines()[1:]}
    assert hits["portal-for-everybody-known"] > 0
    assert hits["seal-by-client"] == 0
    # What fails its own cases is not even tried in shadow.
    trial = ("--source", str(stricter), "--actor", "maker")
    assert city.tallygate("policies", "shadow", *site, *trial, check=False).returncode == 1
    # Who looks leaves a trace too.
    read = [entry["told"]["attributes"] for entry in invariants.entries(city) if entry["told"]["type"] == "audit.read"]
    assert [each for each in read if each.get("filter_type") == "gateway.decision" and each.get("reader") == "app"]
