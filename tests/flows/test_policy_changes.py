# SPDX-License-Identifier: Apache-2.0
"""Before anything is released, its maker sees from the record who would lose access and who would gain it."""

import shutil
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.flows import invariants
from tests.flows.city import ROOT, City, until
from tests.flows.knocking import person, post
from tests.flows.people import subject_of

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


def test_from_the_desk_to_every_gateway_and_back(city: City, tmp_path: Path) -> None:
    """A draft on the page, signed where the key is, tried in shadow; released and taken back by command."""
    site, before = ("--site", str(city.configuration)), city.configuration.read_text("utf-8")
    qian, sun = subject_of(city, "qian.jun"), "somebody-with-a-key"
    lines = {}
    for name in (qian, sun):
        said = city.tallygate("policies", "administrator-key", str(tmp_path / name)).stdout
        lines[name] = said.splitlines()[1].replace("IDENTIFIER", name)
    source = tmp_path / "source"
    shutil.copytree(ROOT / "policies" / "shipped", source)
    (source / "access.cedar").write_text((source / "access.cedar").read_text("utf-8") + "// tried\n", "utf-8")
    first = _version(city)
    try:
        city.configuration.write_text(
            f'{before}\n[policies]\nsource = "{source}"\n[policies.administrators]\n'
            + "\n".join(lines.values())
            + "\n",
            "utf-8",
        )
        desk = person(city, "qian.jun", city.url("audit", "/policies", "management"))
        shown = desk.get(city.url("audit", "/policies", "management"), timeout=60)
        assert "never matched" in shown.text
        draft = post(desk, shown, "/policies/drafts", title="A remark", base=first)
        at = urlsplit(draft.url).path
        text = (source / "access.cedar").read_text("utf-8")
        draft = post(desk, draft, f"{at}/file", name="access.cedar", text=text)
        draft = post(desk, draft, f"{at}/propose")
        assert "<ins>+// tried</ins>" in draft.text
        (tmp_path / "statement").write_bytes(desk.get(f"{city.url('audit', at, 'management')}/statement").content)
        signed = city.tallygate(
            "policies", "sign-statement", str(tmp_path / "statement"), "--key", str(tmp_path / qian)
        )
        draft = post(desk, draft, f"{at}/sign", signature=signed.stdout)
        # One signature tries, and puts nothing in force.
        assert post(desk, draft, f"{at}/release").status_code == 409
        draft = post(desk, draft, f"{at}/try")
        assert draft.status_code == 200, draft.text
        until((city.folder / "public" / "policies" / "shadow").exists, seconds=60)
        until(lambda: ">done<" in desk.get(draft.url, timeout=60).text, seconds=60)
        for name in (qian, sun):
            key = ("--actor", name, "--key", str(tmp_path / name), "--days", "1", "--yes")
            city.tallygate("policies", "sign", *site, *key)
        city.tallygate("policies", "release", *site, "--actor", qian)
        released = _version(city)
        assert released != first
        until(lambda: _decided_by(city) == released, seconds=30)
        city.tallygate("policies", "rollback", first, *site, "--actor", qian, check=False)
        city.tallygate("policies", "shadow", "--end", *site, "--actor", qian)
    finally:
        city.configuration.write_text(before, "utf-8")
        if _version(city) != first:
            city.tallygate("policies", "rollback", first, *site, "--actor", "maker", check=False)
    until(lambda: _decided_by(city) == _version(city), seconds=30)
    told = {entry["told"]["object"]: entry["time"] for entry in invariants.entries(city)
            if entry["told"]["type"] == "policy.released" and entry["status_code"] == "success"}  # fmt: skip
    assert released in told
    kinds = {entry["told"]["type"] for entry in invariants.entries(city)}
    assert {"policy.drafted", "policy.approved", "policy.ordered", "policy.tried", "policy.trial.ended"} <= kinds


def _version(city: City) -> str:
    return (city.folder / "public" / "policies" / "current").read_text("ascii").split('"version":"')[1].split('"')[0]


def _decided_by(city: City) -> str:
    """The version by which a question that is asked now is decided; empty while it is being loaded."""
    try:
        number = invariants.mark(city)
    except AssertionError:
        return ""

    def found() -> list[str]:
        return [e["told"]["policy"] for e in invariants.entries(city) if e["told"].get("decision") == number]

    return str(until(found, seconds=20)[0])
