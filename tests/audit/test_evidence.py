# SPDX-License-Identifier: Apache-2.0
"""Making evidence: who may, what is recorded before it leaves, what it opens, and what it never opens."""

import base64
import hashlib
import io
import json
import os
import re
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from audit.console import Console, Evidencing, Scopes
from audit.errors import NoSuchEntry, RecordUnavailable
from audit.evidence import Made, NothingChosen, TooMuchChosen, Waiting, Wish, ranges
from audit.evidence.verifier import Anchors, verify
from audit.indexer import Indexer
from audit.models import Event, Reader, Receipt, Wait
from audit.published import PublishedLog
from audit.search import NameTokens, row_of
from audit.store import IndexStore
from audit.warrants import BadScope, Scope, Warrant, WarrantNeeded, Warrants, WarrantStore
from audit.warrants.models import State
from audit.web import TRANSLATIONS, blueprint, evidencing
from core.calls import PairSecrets
from core.identity import HEADER, Identity, IdentityIssuer, IdentityVerifier
from core.site import Ports, SiteSettings
from core.web import Guard, create
from tests.fakes import audit_console
from tests.fakes.clock import ManualClock
from tests.fakes.evidence import CHOSEN, OFFICER, EvidenceWorld

LI = "0b6fd1de-9f0a-4d0c-8a51-6c4e0f3a7001"


class Pages(EvidenceWorld):
    """The world with the console's pages of evidence; ``consents`` are those of a second officer."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.add(subject=LI, sealed={"name": "Li Xiaoming"})
        self.add(type="ca.certificate.suspended", source="ca", subject="wang", actor=LI, object="1f2e",
                 sealed={"name": "Wang Fang"})  # fmt: skip
        self.log.integrate()
        self.consents: set[tuple[str, str]] = set()
        published = PublishedLog(reader=self.site.reader(), seals=self.site.seals)
        names = NameTokens(b"n" * 32)
        self.index = IndexStore.open(folder / "index")
        self.index.prepare()
        indexer = Indexer(log=published, store=self.index, names=names)
        indexer.catch_up()
        self.warrants = Warrants(
            store=WarrantStore.open(folder / "warrants.db"), recorder=self.recorder, clock=self.clock
        )
        scopes = Scopes(log=published, index=self.index, names=names)
        self.console = Console(
            log=published, index=self.index, indexer=indexer, names=names, recorder=self.recorder, clock=self.clock,
            warrants=self.warrants, scopes=scopes,
        )  # fmt: skip
        self.real = False
        self.evidencing = Evidencing(
            desk=self.desk, log=published, index=self.index,
            demand=self._demand, in_case=lambda _case: [2, 1, 2],
            covering=scopes.covering, nameless=scopes.nameless,
        )  # fmt: skip
        self.app = self._app(folder)
        # The pages of consents and of alerts, which are not here, bring these.
        self.app.jinja_env.globals["holds_role"] = lambda _role: True
        self.app.jinja_env.globals["open_alerts"] = lambda: 0

    def post(self, path: str, **form: str) -> Any:
        client = self.app.test_client()
        headers = {HEADER: self._header("GET", "/evidence?scope=entry:1")}
        page = client.get("/evidence?scope=entry:1", headers=headers, environ_overrides=_uri("/evidence?scope=entry:1"))
        token = page.text.partition('name="csrf_token" value="')[2].partition('"')[0]
        headers = {HEADER: self._header("POST", path)}
        return client.post(path, data={"csrf_token": token, **form}, headers=headers, environ_overrides=_uri(path))

    def get(self, path: str) -> Any:
        headers = {HEADER: self._header("GET", path)}
        return self.app.test_client().get(path, headers=headers, environ_overrides=_uri(path))

    def _header(self, method: str, path: str) -> str:
        who = Identity(
            subject=OFFICER.subject, kind="person", session="s", roles=frozenset({"security-officer"}), assurance=2,
            methods=("x509",), zone="management", decision="d",
        )  # fmt: skip
        issuer = IdentityIssuer(audit_console._KEY)
        return issuer.issue(who, audience=audit_console.HOST, method=method, path=path, at=self.clock.now())

    def _demand(self, reader: Reader, kind: str, scope: Scope, *, covered: Any = None) -> Warrant:
        if self.real:
            return self.warrants.demand(reader, kind, scope, covered=covered)
        if (kind, str(scope)) not in self.consents:
            raise WarrantNeeded(kind=kind, scope=str(scope))
        now = self.clock.now()
        return Warrant(
            id=f"w-{kind}", kind=kind, scope=scope, about="", state=State.GRANTED, asker=reader.subject, asked=now,
            place=1, decider="second", decided=now, until=now + timedelta(hours=1),
        )  # fmt: skip

    def _app(self, folder: Path) -> Flask:
        guard = Guard(
            clock=self.clock,
            pairs=PairSecrets(audit_console.SECRETS),
            verifier=IdentityVerifier(audit_console._KEY.public_key(), audience=audit_console.HOST),
        )
        ports = Ports(external=8443, internal=8444, management=8445, plain=8080, ldaps=8636)
        site = SiteSettings(
            name="city", domain="city.localhost", title="Sample City", title_zh="示范市", state=folder, ports=ports
        )
        return create(
            "audit", site=site, guard=guard, session_key=b"k" * 32,
            blueprints=[blueprint(guard, [evidencing(self.console, self.evidencing)])],
            translations=[TRANSLATIONS], ready=lambda: None, behind_proxy=False,
        )  # fmt: skip

    def events(self) -> list[Event]:
        self.log.integrate()
        reader = self.site.reader()
        return [entry.event for entry in reader.entries(0, reader.size())]


def _uri(path: str) -> dict[str, str]:
    return {"REQUEST_URI": path}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    with closing(Pages(tmp_path_factory.mktemp("evidence"))) as world:
        yield world


def listed(made: Made) -> dict[str, Any]:
    with zipfile.ZipFile(made.path) as whole:
        return dict(json.loads(whole.read("META-INF/manifest.json")))


def test_what_is_made_is_recorded_first_and_each_person_finds_it(world: Pages) -> None:
    made = world.make()
    assert (made.entries, made.opened, made.erased, made.sealed) == (5, 3, 1, False)
    events = world.events()
    [said] = [event for event in events if event.object == made.sha256 and event.type == "audit.evidence.made"]
    assert said.subject == OFFICER.subject
    assert said.attributes["indices"] == "1-3,5-6"
    assert said.attributes["warrants"] == "w1 w2"
    opened = [event for event in events if event.object == made.sha256 and event.type == "audit.evidence.opened"]
    assert {event.subject: event.attributes["count"] for event in opened} == {"li": 2, "mallory": 1}
    assert made.path.stat().st_mode & 0o077 == 0


def test_without_a_record_there_is_no_file(world: Pages) -> None:
    class Down:
        def record(self, _event: Event, *, wait: Wait = Wait.SEQUENCED) -> Receipt:  # noqa: ARG002 - a recorder's shape
            raise RecordUnavailable

    before = set((world.folder / "evidence").iterdir())
    with pytest.raises(RecordUnavailable):
        world.make(desk=world.made_desk(recorder=Down()))
    assert set((world.folder / "evidence").iterdir()) == before


def test_the_same_wish_at_the_same_time_gives_the_same_bytes(world: Pages) -> None:
    class Still:
        def __init__(self, world: Pages) -> None:
            self._at = world.clock.now()

        def now(self) -> Any:
            return self._at

    still = Still(world)
    first, second = (world.make(desk=world.made_desk(clock=still)) for _ in range(2))
    assert first.path != second.path
    assert first.path.read_bytes() == second.path.read_bytes()
    with zipfile.ZipFile(first.path) as whole:
        names = whole.namelist()
        assert names[0] == "mimetype"
        assert names[-1] == "META-INF/manifest.json"
        assert whole.getinfo("mimetype").compress_type == zipfile.ZIP_STORED
        assert first.path.read_bytes()[30:38] == b"mimetype"


def test_nothing_personal_is_in_a_file_that_opens_nothing(world: Pages) -> None:
    made = world.make(opened=False)
    with zipfile.ZipFile(made.path) as whole:
        assert not [name for name in whole.namelist() if "/openings/" in name]
        assert all("李晓明".encode() not in whole.read(name) for name in whole.namelist())


def test_an_opening_holds_one_entrys_secret_and_no_persons_key(world: Pages) -> None:
    made = world.make(indices=[1, 2])
    key = world.site.store.find([world.site.seals.opening(world.site.reader().entry(1)).key_id])
    [found] = [each.key for each in key.values()]
    assert found is not None
    with zipfile.ZipFile(made.path) as whole:
        everything = b"".join(whole.read(name) for name in whole.namelist())
        secrets = [json.loads(whole.read(f"logs/1/openings/{index}.json"))["secret"] for index in (1, 2)]
    assert secrets[0] != secrets[1]
    assert found not in everything
    assert found.hex().encode() not in everything


def test_a_consent_about_a_person_opens_nothing_about_others(world: Pages) -> None:
    scope = f"subject:{LI}"
    world.consents = {("export", scope), ("open", scope)}
    made = world.evidencing.make(OFFICER, Scope.parse(scope), purpose="Case", opened=True, header="")
    with zipfile.ZipFile(made.path) as whole:
        names = whole.namelist()
        # Entry 10 tells what this person did to another: it is there, and closed.
        assert {"logs/1/entries/9.json", "logs/1/entries/10.json", "logs/1/openings/9.json"} <= set(names)
        assert "logs/1/openings/10.json" not in names
        assert all(b"Wang Fang" not in whole.read(name) for name in names)


def test_the_report_is_sealed_where_it_can_be_and_says_so_where_not(world: Pages) -> None:
    asked: list[tuple[bytes, str, str]] = []

    def seal(report: bytes, header: str, consents: str) -> bytes:
        asked.append((report, header, consents))
        return report + b"%sealed"

    wish = Wish(places=[1], about="entry:1", purpose="Case", warrants=["w-export"])
    made = world.made_desk(seal=seal).make(OFFICER, wish, header="h.e.r")
    assert made.sealed
    assert listed(made)["sealed"] is True
    assert asked[0][1:] == ("h.e.r", "w-export")
    with zipfile.ZipFile(made.path) as whole:
        assert whole.read("report.pdf") == asked[0][0] + b"%sealed"
    # What is sealed names every file beside it, so that none can be swapped afterwards.
    files = sorted((name, digest) for name, digest in listed(made)["files"].items() if name != "report.pdf")
    whole_list = "".join(f"{digest}  {name}\n" for name, digest in files).encode()
    assert len(files) > 5
    assert f"tallygate-files:sha256:{hashlib.sha256(whole_list).hexdigest()}".encode() in asked[0][0]

    def refuse(_report: bytes, _header: str, _consents: str) -> bytes:
        raise NoSuchEntry

    made = world.made_desk(seal=refuse).make(OFFICER, wish, header="h.e.r")
    assert not made.sealed
    assert not world.made_desk(seal=seal).make(OFFICER, wish).sealed


def test_a_report_whose_seal_waits_for_a_second_keeper_says_where(world: Pages, tmp_path: Path) -> None:
    address, ordered = "https://sign.city.localhost/my/orders/" + "0" * 32, []

    def wait(report: bytes, _header: str, _consents: str) -> Waiting:
        ordered.append(report)
        return Waiting(address)

    wish = Wish(places=[1], about="entry:1", purpose="Case", warrants=["w-export"])
    made = world.made_desk(seal=wait).make(OFFICER, wish, header="h.e.r")
    assert (made.sealed, listed(made)["sealed"]) == (False, False)

    def told(report: bytes) -> str:
        file = tmp_path / "report.pdf"
        file.write_bytes(report)
        said = subprocess.run(["pdftotext", "-raw", file, "-"], check=True, capture_output=True, text=True).stdout
        return re.sub(r"\s", "", said)

    with zipfile.ZipFile(made.path) as whole:
        here = told(whole.read("report.pdf"))
    assert here.count(address) == 2
    assert "notsealedyet" in here
    assert "尚未盖章" in here
    # What waits is the report that bears the seal, and says so.
    (waits,) = map(told, ordered)
    assert address not in waits
    assert "carriestheseal" in waits


def test_entries_are_proven_by_the_cosigned_checkpoint_as_far_as_it_goes(world: Pages) -> None:
    published = PublishedLog(reader=world.site.reader(), seals=world.site.seals)
    found = published.prove_witnessed(3)
    assert found is not None
    assert found.checkpoint == world.cosigned == published.prove(3).checkpoint
    assert published.prove_witnessed(9) is None
    assert published.prove(9).checkpoint != world.cosigned


def test_a_log_without_authority_or_witnesses_still_gives_evidence(world: Pages) -> None:
    site = replace(world.desk._site, policy="")
    desk = world.made_desk(site=site, logs=[replace(world.kept(), stamped=lambda _size: None)])
    made = world.make(desk=desk)
    verdict = verify(made.path, Anchors(log_keys=[str(key) for key in world.log_keys()]))
    assert verdict.code == 0
    assert not any("time-stamp" in finding[1] for finding in verdict.findings)


@pytest.mark.parametrize(
    ("indices", "error"), [([], NothingChosen), (range(10_001), TooMuchChosen), ([10**9], NoSuchEntry)]
)
def test_what_cannot_be_chosen_is_refused(world: Pages, indices: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        world.make(indices=list(indices))


def test_every_part_of_the_record_names_its_entries(world: Pages) -> None:
    chosen = world.evidencing.chosen
    assert chosen(Scope.parse("entry:3")) == [3]
    assert chosen(Scope.parse("range:2-4")) == [2, 3, 4]
    assert chosen(Scope.parse("case:17")) == [1, 2]
    assert chosen(Scope.parse(f"subject:{LI}")) == [9, 10]
    assert 3 in chosen(Scope.parse("query:object=tax"))
    for bad in ("range:4-2", "class:access", "query:object=tax&object=x", "query:name_token=zz"):
        with pytest.raises(BadScope):
            chosen(Scope.parse(bad))
    with pytest.raises(TooMuchChosen):
        chosen(Scope.parse("range:0-10000"))
    with pytest.raises(NoSuchEntry):
        chosen(Scope.parse("entry:99999"))


def test_a_file_is_asked_for_and_sent_only_under_a_consent(world: Pages) -> None:
    world.consents = set()
    page = world.get("/evidence?scope=entry:1")
    assert "Make the file" in page.text
    assert "制作文件" in world.get("/evidence?scope=entry:1&lang=zh").text
    assert world.post("/evidence", scope="entry:1", purpose="Case").status_code == 403
    world.consents = {("export", "entry:1")}
    assert world.post("/evidence", scope="entry:1", purpose="Case", open="yes").status_code == 403
    assert world.post("/evidence", scope="entry:1", purpose=" ").status_code == 400
    assert world.post("/evidence", scope="../etc", purpose="Case").status_code == 400
    sent = world.post("/evidence", scope="entry:1", purpose="Case")
    assert sent.status_code == 200
    assert sent.content_type == "application/vnd.etsi.asic-e+zip"
    assert sent.data[:4] == b"PK\x03\x04"
    assert int(sent.headers["Content-Length"]) == len(sent.data)
    digest = hashlib.sha256(sent.data).hexdigest()
    assert any(event.object == digest for event in world.events())


class TestOpenings:
    """Nothing personal leaves in a file but under two consents to this officer that stand now, about just this."""

    ASKER = replace(OFFICER, roles=frozenset({"security-officer"}))
    SECOND = Reader(subject="4c1d7c1e-6a55-4f0c-9b52-3f0f8f5c7004", roles=frozenset({"security-officer"}))

    @pytest.fixture
    def real(self, world: Pages) -> Iterator[Pages]:
        """With consents as they really are given; none is left of the test before."""
        world.real = True
        for kind in ("open", "export"):
            for reader in (self.ASKER, self.SECOND):
                for left in world.warrants.held(reader, kind):
                    world.warrants.withdraw(reader, left.id)
        yield world
        world.real = False

    def consent(self, world: Pages, kind: str, scope: str, *, to: Reader | None = None) -> Warrant:
        asker = to or self.ASKER
        asked = world.warrants.ask(asker, kind, Scope.parse(scope), "a court asks")
        return world.warrants.approve(self.ASKER if asker is self.SECOND else self.SECOND, asked.id)

    def send(self, world: Pages, scope: str = "entry:1") -> Any:
        return world.post("/evidence", scope=scope, purpose="Case", open="yes")

    def refused(self, world: Pages, scope: str = "entry:1") -> None:
        before, told = list((world.folder / "evidence").iterdir()), self.told(world)
        sent = self.send(world, scope)
        assert sent.status_code == 403
        assert "consent" in sent.text
        assert b"PK" not in sent.data[:4]
        assert list((world.folder / "evidence").iterdir()) == before
        assert self.told(world) == told

    def told(self, world: Pages) -> int:
        return sum(event.type.startswith("audit.evidence.") for event in world.events())

    def opened(self, sent: Any) -> list[str]:
        assert sent.status_code == 200
        with zipfile.ZipFile(io.BytesIO(sent.data)) as whole:
            return [name for name in whole.namelist() if "/openings/" in name]

    def test_one_consent_of_the_two_is_not_enough(self, real: Pages) -> None:
        self.refused(real)
        opening = self.consent(real, "open", "entry:1")
        self.refused(real)
        real.warrants.withdraw(self.ASKER, opening.id)
        self.consent(real, "export", "entry:1")
        self.refused(real)
        assert self.opened(real.post("/evidence", scope="entry:1", purpose="Case")) == []
        self.consent(real, "open", "entry:1")
        assert self.opened(self.send(real)) == ["logs/1/openings/1.json"]

    def test_anothers_consents_are_not_mine(self, real: Pages) -> None:
        for kind in ("open", "export"):
            self.consent(real, kind, "entry:1", to=self.SECOND)
        self.refused(real)

    def test_what_was_asked_for_and_not_approved_opens_nothing(self, real: Pages) -> None:
        self.consent(real, "export", "entry:1")
        asked = real.warrants.ask(self.ASKER, "open", Scope.parse("entry:1"), "a court asks")
        self.refused(real)
        real.warrants.refuse(self.SECOND, asked.id)
        self.refused(real)

    @pytest.mark.parametrize("ends", ["open", "export"])
    def test_a_consent_that_ran_out_or_was_taken_back_opens_nothing(
        self, real: Pages, ends: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        given = {kind: self.consent(real, kind, "entry:1") for kind in ("open", "export")}
        assert self.opened(self.send(real)) == ["logs/1/openings/1.json"]
        real.warrants.withdraw(self.SECOND, given[ends].id)
        self.refused(real)
        self.consent(real, ends, "entry:1")
        assert self.opened(self.send(real)) == ["logs/1/openings/1.json"]
        # The log's own clock does not jump: it would refuse the record, and the file for that reason.
        monkeypatch.setattr(real.warrants, "_clock", ManualClock(real.clock.now() + timedelta(hours=8)))
        self.refused(real)

    @pytest.mark.parametrize("scope", ["entry:2", "range:1-2", "query:object=tax", "case:17", "subject:" + LI])
    def test_consents_about_something_else_open_nothing(self, real: Pages, scope: str) -> None:
        for kind in ("open", "export"):
            self.consent(real, kind, "entry:1")
        self.refused(real, scope)

    def test_an_index_that_was_changed_opens_no_entry_that_the_consent_does_not_hold(
        self, real: Pages, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        scope = "query:type=ca.certificate.suspended"
        for kind in ("open", "export"):
            self.consent(real, kind, scope)
        assert self.opened(self.send(real, scope)) == ["logs/1/openings/10.json"]
        rows = [row_of(entry) for entry in real.evidencing._log.read(0, 11)]
        monkeypatch.setattr(IndexStore, "search", lambda *_given: rows)
        assert self.opened(self.send(real, scope)) == ["logs/1/openings/10.json"]


def test_a_form_from_elsewhere_makes_no_file_and_looking_names_what_was_counted(world: Pages) -> None:
    world.real = False
    world.consents = {("export", "entry:1")}
    world.get("/evidence?scope=entry:1")
    [*_, looked] = [event for event in world.events() if event.attributes.get("view") == "evidence"]
    # Whoever counts by this form leaves the question behind, as whoever searches does.
    assert looked.attributes["about"] == "entry:1"
    for token in ({}, {"csrf_token": "forged"}):
        sent = world.app.test_client().post(
            "/evidence", data={"scope": "entry:1", "purpose": "Case", **token},
            headers={HEADER: world._header("POST", "/evidence")}, environ_overrides=_uri("/evidence"),
        )  # fmt: skip
        assert sent.status_code in {400, 403}
        assert sent.data[:2] != b"PK"


def test_the_operator_gets_entries_and_nothing_personal(world: Pages, tmp_path: Path) -> None:
    headers = {"Tallygate-Caller": "app", "Tallygate-Secret": base64.b64encode(audit_console.SECRETS["app"]).decode()}
    ask = world.app.test_client().post
    sent = ask("/api/v1/evidence", json={"indices": [1, 2], "purpose": "Case"}, headers=headers)
    assert sent.status_code == 200
    (tmp_path / "e.asice").write_bytes(sent.data)
    with zipfile.ZipFile(tmp_path / "e.asice") as whole:
        assert not [name for name in whole.namelist() if "/openings/" in name]
    assert world.events()[-1].attributes["reader"] == "app"
    for wrong in (
        {"indices": "1"},
        {"indices": [-1], "purpose": "x"},
        {"indices": [True], "purpose": "x"},
        {"indices": [1]},
    ):
        assert ask("/api/v1/evidence", json=wrong, headers=headers).status_code == 400
    assert ask("/api/v1/evidence", json={"indices": [1], "purpose": "x"}).status_code in {401, 403}


def test_a_page_makes_no_file_that_takes_longer_than_anybody_waits(
    world: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world.evidencing, "at_once", 3)
    told = sum(event.type == "audit.evidence.made" for event in world.events())
    world.consents = {("export", "range:1-3"), ("export", "range:1-4")}
    page = world.get("/evidence?scope=range:1-4")
    assert (page.status_code, "Make the file" in page.text) == (200, False)
    assert "tallygate audit evidence" in page.text
    assert "最多包含 3 条记录" in world.get("/evidence?scope=range:1-4&lang=zh").text
    refused = world.post("/evidence", scope="range:1-4", purpose="Case")
    assert refused.status_code == 400
    assert "tallygate audit evidence" in refused.text
    assert sum(event.type == "audit.evidence.made" for event in world.events()) == told
    assert world.post("/evidence", scope="range:1-3", purpose="Case").status_code == 200
    # The command waits longer.
    assert world.evidencing.hand_out(OFFICER, [1, 2, 3, 4], purpose="Case").entries == 4


def test_what_a_killed_process_left_is_swept(world: Pages) -> None:
    left = world.folder / "evidence" / "left.asice"
    left.write_bytes(b"x")
    world.make(indices=[1])
    assert left.exists()
    old = world.clock.now().timestamp() - 7200
    os.utime(left, (old, old))
    world.make(indices=[1])
    assert not left.exists()


def test_ranges() -> None:
    assert ranges([0, 1, 2, 4, 7, 8]) == "0-2,4,7-8"
    assert ranges(CHOSEN) == "1-3,5-6"
