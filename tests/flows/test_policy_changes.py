# SPDX-License-Identifier: Apache-2.0
"""Before anything is released, its maker sees from the record who would lose access and who would gain it."""

import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.flows import invariants
from tests.flows.city import PASSWORD, ROOT, City, until
from tests.flows.knocking import person, post
from tests.flows.people import subject_of

FORBID = """@id("flow-person") @code("disabled") @owner("security") @reason("to see one person shut out")
forbid (principal is Person, action == Action::"access", resource == Target::"social")
when { principal.subject == "WHO" };
"""
WORKERS = 2
"""Of the role gateway."""
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
    hits = {line.split()[2]: int(line.split()[0]) for line in used.splitlines() if line.split()[0].isdecimal()}
    assert hits["portal-for-everybody-known"] > 0
    assert hits["seal-by-client"] == 0
    assert hits["zone:within-external"] > 0
    # What fails its own cases is not even tried in shadow.
    trial = ("--source", str(stricter), "--actor", "maker")
    assert city.tallygate("policies", "shadow", *site, *trial, check=False).returncode == 1
    # Who looks leaves a trace too.
    read = [entry["told"]["attributes"] for entry in invariants.entries(city) if entry["told"]["type"] == "audit.read"]
    assert [each for each in read if each.get("filter_type") == "gateway.decision" and each.get("reader") == "app"]


@dataclass
class Change:
    """One change of policies on its way, and everybody who has to do with it."""

    city: City
    folder: Path
    # Where the administrators' keys lie, by name.
    keys: tuple[str, str]
    source: Path
    # Both administrators at their desk, and the person who is to be shut out, by name too.
    qian: requests.Session
    tang: requests.Session
    visitor: requests.Session
    who: str
    # Address of the draft, once there is one.
    at: str = ""

    def page(self, desk: requests.Session, more: str = "") -> requests.Response:
        return desk.get(self.city.url("audit", f"{self.at}{more}", "management"), timeout=60)

    def overview(self) -> requests.Response:
        return self.qian.get(self.city.url("audit", "/policies", "management"), timeout=60)

    def signed(self, desk: requests.Session, key: str) -> str:
        """What the command prints about the statement that the desk gives out; the key never was on the page."""
        (self.folder / "statement").write_bytes(self.page(desk, "/statement").content)
        command = ("policies", "sign-statement", str(self.folder / "statement"), "--key", str(self.folder / key))
        return self.city.tallygate(*command).stdout

    def visit(self) -> int:
        """On a connection of its own, so that any worker may answer."""
        return _visit(self.city, self.visitor)


def test_from_a_draft_to_every_gateway_and_back(city: City, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On the page by two people; tried on live traffic, put in force at every gateway, taken back by one command."""
    with _administered(city, tmp_path) as change:
        site, first = ("--site", str(city.configuration)), _version(city)
        _drafted(change)
        # Two sign what was proposed; one of them is enough to try it, and not for more.
        draft = post(change.qian, change.page(change.qian), f"{change.at}/propose", minutes="0")
        signature = change.signed(change.qian, change.keys[0])
        draft = post(change.qian, draft, f"{change.at}/sign", signature=signature)
        assert post(change.qian, draft, f"{change.at}/release").status_code == 409
        _tried(change, draft)
        # The other one signs, and with the release the person is out, at every worker.
        signature = change.signed(change.tang, change.keys[1])
        draft = post(change.tang, change.page(change.tang), f"{change.at}/sign", signature=signature)
        assert post(change.tang, draft, f"{change.at}/release").status_code == 200
        late = _taken_up(change, first)
        released = _version(city)
        with capsys.disabled():
            sys.stdout.write(f"\nlast answer by the older policies {late * 1000:.0f} ms after the release\n")
        assert late < 5
        until(lambda: {change.visit() for _ in range(8)} == {403}, seconds=60)
        until(lambda: ">put in force<" in change.page(change.tang).text, seconds=60)
        compared = city.tallygate("policy", "diff", *site, "--version", released, "--other", first).stdout
        assert "ADDED flow-person\n1 policies and zone rows differ" in compared
        assert "LOSES social from external: citizen" in compared
        # And back, by one command.
        city.tallygate("policy", "rollback", first, *site, "--actor", "maker")
        back = _version(city)
        assert back not in {first, released}
        until(lambda: change.visit() == 200, seconds=60)
        until(lambda: _decided_by(city) == back, seconds=60)
        _forged(change, back, older=released)
    told = [entry["told"] for entry in invariants.entries(city)]
    kinds = {each["type"] for each in told}
    assert {"policy.drafted", "policy.approved", "policy.ordered", "policy.tried", "policy.trial.ended"} <= kinds
    assert [each["object"] for each in told if each["type"] == "policy.released"].count(released) == 2
    # Who may sign was written by hand into the file of a city that ran, and counted when the record told of it.
    by_hand = [each["attributes"] for each in told if each["type"] == "site.settings.changed"]
    assert "policies policies.administrators" in [each["tables"] for each in by_hand if each["what"] == "changed"]
    assert not [each for each in by_hand if any(name in str(each) for name in change.keys)]


def _drafted(change: Change) -> None:
    """A draft; its own cases are run, and the replay shows who loses."""
    qian, who = change.qian, change.who
    shown = change.overview()
    assert "never matched" in shown.text
    draft = post(qian, shown, "/policies/drafts", title="Shut one person out", base=_version(change.city))
    change.at = urlsplit(draft.url).path
    draft = post(qian, draft, f"{change.at}/file", name="flow.cedar", text=FORBID.replace("WHO", who))
    assert "no case proves flow-person" in draft.text
    for name, more in (
        ("cases.toml", f'\n[who."{who}"]\nkind = "person"\nroles = ["citizen"]\n'),
        ("cases.csv", f"{who},access,social,external,1,,disabled,,flow-person\n"),
    ):
        text = (change.source / name).read_text("utf-8") + more
        draft = post(qian, draft, f"{change.at}/file", name=name, text=text)
    assert "cases are answered as they should be" in draft.text

    def replayed() -> bool:
        recorded = change.page(qian, "/replay?days=1").text.split('id="cases"')[0]
        return "loses access" in recorded and ">social<" in recorded and "gains access" not in recorded

    until(replayed, seconds=60, every=0.5)


def _tried(change: Change, draft: requests.Response) -> None:
    """On live traffic it disagrees, the entry of the access says so; and running gateways hear of its end."""
    city, trial = change.city, change.city.folder / "public" / "policies" / "shadow"
    assert post(change.qian, draft, f"{change.at}/try").status_code == 200
    until(trial.exists, seconds=60)
    until(lambda: change.visit() == 200 and _shadows(change)[-1:] == ["disabled"], seconds=60)
    told = until(lambda: _disagreements(city), seconds=60, every=0.5)
    assert "LOSES social from external: citizen" in told
    until(lambda: "loses access" in change.overview().text, seconds=60, every=0.5)
    assert post(change.qian, change.overview(), "/policies/trial/end").status_code == 200
    until(lambda: not trial.exists(), seconds=60)
    until(lambda: change.visit() == 200 and _shadows(change)[-6:] == [""] * 6, seconds=60)


def _forged(change: Change, decides: str, *, older: str) -> None:
    """What nobody released takes no effect: a forged proof, and one that was in force before."""
    city, site = change.city, ("--site", str(change.city.configuration))
    current = city.folder / "public" / "policies" / "current"
    good, once = current.read_bytes(), (current.parent / older / ".manifest").read_bytes()
    try:
        for bad in (good.replace(b'"maker"', b'"other"'), once):
            assert bad != good
            said = _refusals(city)
            current.write_bytes(bad)
            # Every gateway hears of a trial, reads the folder, and goes on by what it had.
            trial = ("--source", str(change.source), "--actor", "maker")
            city.tallygate("policies", "shadow", *site, *trial)
            until(lambda: _refusals(city) >= said + WORKERS, seconds=60)  # noqa: B023 - asked at once
            until(lambda: {change.visit() for _ in range(4)} == {200}, seconds=60)
            until(lambda: _decided_by(city) == decides, seconds=60)
    finally:
        current.write_bytes(good)
        city.tallygate("policies", "shadow", "--end", *site, "--actor", "maker")


@contextmanager
def _administered(city: City, folder: Path) -> Iterator[Change]:
    """Two security administrators with keys of their own, whose signatures what is in force gets first."""
    before, source = city.configuration.read_text("utf-8"), folder / "source"
    keys = subject_of(city, "qian.jun"), subject_of(city, "tang.yu")
    named = []
    for name in keys:
        said = city.tallygate("policies", "administrator-key", str(folder / name)).stdout
        named.append(said.splitlines()[1].replace("IDENTIFIER", name))
    shutil.copytree(ROOT / "policies" / "shipped", source)
    lines = "\n".join(["[policies]", f'source = "{source}"', "[policies.administrators]", *named])
    site = ("--site", str(city.configuration))
    try:
        city.configuration.write_text(f"{before}\n{lines}\n", "utf-8")
        for name in keys:
            key = ("--actor", name, "--key", str(folder / name), "--days", "1", "--yes")
            city.tallygate("policies", "sign", *site, *key)
        city.tallygate("policies", "release", *site, "--actor", "maker")
        visitor = until(lambda: _agreed(city, "song.xiuying"), seconds=60)
        told = [entry["told"] for entry in invariants.published(city)]
        desk = city.url("audit", "/policies", "management")
        yield Change(
            city=city,
            folder=folder,
            keys=keys,
            source=source,
            qian=person(city, "qian.jun", desk),
            tang=person(city, "tang.yu", desk),
            visitor=visitor,
            who=_at_the_portal(told)[-1]["subject"],
        )
    finally:
        city.configuration.write_text(before, "utf-8")


def _agreed(city: City, username: str) -> requests.Session | None:
    """Somebody at the portal, who shares what it asks for; None if a busy machine did not let them in."""
    visitor = city.http()
    visitor.headers["Accept"] = "text/html"
    shown = visitor.get(city.url("social", "/me"), timeout=60)
    if shown.ok:
        shown = post(visitor, shown, "/login", username=username, password=PASSWORD)
    if "/consent" in shown.url and shown.ok:
        post(visitor, shown, "/consent", choice="allow")
    return visitor if _visit(city, visitor) == 200 else None


def _visit(city: City, visitor: requests.Session) -> int:
    """On a connection of its own, so that any worker may answer."""
    shown = visitor.get(city.url("social", "/me"), headers={"Connection": "close"}, timeout=60, allow_redirects=False)
    return shown.status_code


def _shadows(change: Change) -> list[str]:
    """Of one person's accesses to the portal, what the candidate would have said; empty where it agreed."""
    told = [entry["told"] for entry in invariants.entries(change.city)]
    mine = [each for each in _at_the_portal(told) if each["subject"] == change.who]
    return [str(each["attributes"].get("shadow", "")).partition(" ")[2] for each in mine]


def _at_the_portal(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    mine = [each for each in told if each["type"] == "gateway.decision" and each.get("object") == "social"]
    return [each for each in mine if each.get("subject")]


def _disagreements(city: City) -> str:
    said = city.tallygate("policies", "disagreements", "--site", str(city.configuration), "--days", "1").stdout
    return said if "LOSES" in said else ""


def _taken_up(change: Change, before: str) -> float:
    """Knock until everybody answers by another version; seconds after it was put in force until the last old answer."""
    asked: list[tuple[float, int]] = []

    def over() -> bool:
        asked.append((time.time(), change.visit()))
        return [status for _, status in asked[-16:]] == [403] * 16

    until(lambda: _version(change.city) != before or over(), seconds=120, every=0.01)
    since = (change.city.folder / "public" / "policies" / "current").stat().st_mtime
    until(over, seconds=60, every=0.01)
    return max([0.0, *(at - since for at, status in asked if status == 200)])


def _refusals(city: City) -> int:
    """How often gateways said that what lies in the folder is refused."""
    return (city.folder / "logs" / "gateway.log").read_text("utf-8", "replace").count("policies_not_reloaded")


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
