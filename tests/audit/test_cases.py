# SPDX-License-Identifier: Apache-2.0
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from werkzeug.test import TestResponse

from audit.cases import Cases, CaseStore, State
from audit.cases.errors import (
    BadStep,
    CaseAboutYou,
    CaseDamaged,
    CaseSettled,
    NoSuchCase,
    OwnCase,
    StaleCase,
    StepUnrecorded,
)
from audit.errors import RecordUnavailable
from audit.models import Outcome
from core.identity import HEADER
from tests.fakes.audit_console import HOST, OFFICER, WANG, ConsoleFake

OTHER = "99c9a8b0-1d7e-4b5f-9e0e-2f8f5c1d7009"
ORIGIN = f"https://{HOST}"


@pytest.fixture
def fake(tmp_path: Path) -> ConsoleFake:
    made = ConsoleFake(tmp_path)
    made.fill()
    return made


@pytest.fixture
def cases(fake: ConsoleFake) -> Cases:
    return fake.cases


def test_a_case_collects_and_another_officer_closes_it(fake: ConsoleFake, cases: Cases) -> None:
    second = replace(fake.reader, subject=OTHER)
    case = cases.open(fake.reader, title="Odd logins", text="Wang Fang,\r\nat night")
    cases.add_entries(fake.reader, case, version=1, entries=[5, 3, 5], why="refused twice")
    cases.note(second, case, version=3, text="called the bureau")
    cases.decide(fake.reader, case, version=4, to="in_review", text="")
    with pytest.raises(OwnCase):
        cases.decide(fake.reader, case, version=5, to="closed", text="nothing in it")
    with pytest.raises(BadStep):
        cases.decide(second, case, version=5, to="closed", text=" ")
    (denied,) = [event for event in fake.log.events if event.outcome is Outcome.DENIED and event.object == case]
    assert (denied.type, denied.subject, denied.attributes) == ("audit.case.decided", OFFICER, {"state": "closed"})
    cases.decide(second, case, version=5, to="closed", text="a lost card")
    found = cases.read(second, case)
    assert (found.title, found.state, list(found.entries)) == ("Odd logins", State.CLOSED, [5, 3])
    assert cases.entries_at(case) == [5, 3]
    assert found.steps[0].text == "Wang Fang,\nat night"
    assert [step.officer for step in found.steps] == [OFFICER, OFFICER, OFFICER, OTHER, OFFICER, OTHER]
    told = [event for event in fake.log.events if event.object == case and event is not denied]
    assert [event.type.removeprefix("audit.case.") for event in told] == [
        "opened", "entry_added", "entry_added", "noted", "decided", "decided", "read",
    ]  # fmt: skip
    assert told[1].attributes["entry"] == 5
    assert told[5].attributes["state"] == "closed"
    # What was written lies sealed in the case, and not in the log's clear header.
    assert "night" not in str(told)
    with pytest.raises(CaseSettled):
        cases.note(second, case, version=6, text="one more")


def test_nobody_closes_a_case_with_entries_about_themselves(fake: ConsoleFake, cases: Cases) -> None:
    told = fake.add(type="ca.certificate.suspended", source="ca", subject=WANG, actor=OTHER, object="1f2e")
    case = cases.open(fake.reader, title="Odd", text="", entries=[3, told])
    cases.decide(fake.reader, case, version=3, to="in_review", text="")
    with pytest.raises(CaseAboutYou):
        cases.decide(replace(fake.reader, subject=OTHER), case, version=4, to="closed", text="nothing in it")
    denied = fake.log.events[-1]
    assert (denied.type, denied.outcome, denied.object) == ("audit.case.decided", Outcome.DENIED, case)
    assert (denied.subject, denied.actor, denied.attributes) == (OTHER, OTHER, {"state": "closed"})
    # Without a record of it there is no answer either.
    fake.log.down = True
    with pytest.raises(RecordUnavailable):
        cases.decide(replace(fake.reader, subject=OTHER), case, version=4, to="closed", text="nothing in it")
    fake.log.down = False
    third = replace(fake.reader, subject="ab" + OTHER[2:])
    cases.decide(third, case, version=4, to="closed", text="it was done by mistake")


def test_the_second_of_two_who_write_at_once_reads_first(fake: ConsoleFake, cases: Cases) -> None:
    case = cases.open(fake.reader, title="a", text="")
    cases.note(fake.reader, case, version=1, text="first")
    with pytest.raises(StaleCase):
        cases.note(fake.reader, case, version=1, text="second")
    with pytest.raises(StaleCase):
        cases.note(fake.reader, case, version=7, text="from the future")
    assert [step.text for step in cases.read(fake.reader, case).steps] == ["", "first"]


def test_a_step_the_log_did_not_take_is_shown_to_nobody_until_it_has(fake: ConsoleFake, cases: Cases) -> None:
    case = cases.open(fake.reader, title="a", text="")
    fake.log.down = True
    with pytest.raises(StepUnrecorded):
        cases.note(fake.reader, case, version=1, text="waits")
    with pytest.raises(StepUnrecorded):
        cases.read(fake.reader, case)
    with pytest.raises(StepUnrecorded):
        cases.note(fake.reader, case, version=1, text="waits")
    fake.log.down = False
    before = len(fake.log.events)
    assert [step.text for step in cases.read(fake.reader, case).steps] == ["", "waits"]
    assert [event.type for event in fake.log.events[before:]] == ["audit.case.noted", "audit.case.read"]
    # And once only.
    cases.read(fake.reader, case)
    assert fake.log.types().count("audit.case.noted") == 1


def test_a_case_that_could_not_be_recorded_is_there_as_soon_as_it_can(fake: ConsoleFake, cases: Cases) -> None:
    fake.log.down = True
    with pytest.raises(StepUnrecorded):
        cases.open(fake.reader, title="a", text="")
    fake.log.down = False
    assert [summary.title for summary in cases.all(fake.reader)[0]] == ["a"]


def test_the_database_alone_says_nothing_of_whom_it_is_about(fake: ConsoleFake, cases: Cases, tmp_path: Path) -> None:
    case = cases.open(fake.reader, title="Wang Fang", text="card reported lost")
    cases.add_entries(fake.reader, case, version=1, entries=[3], why="because")
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("cases.db*"))
    for word in (b"Wang", b"lost", b"because", OFFICER.encode(), b"note"):
        assert word not in stored
    assert (tmp_path / "cases.db").stat().st_mode & 0o077 == 0
    stranger = Cases(
        store=CaseStore.open(tmp_path / "cases.db"),
        key=b"x" * 32,
        recorder=fake.log,
        clock=fake.clock,
        size=fake.log.size,
    )
    with pytest.raises(CaseDamaged):
        stranger.read(fake.reader, case)


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE steps SET sealed = (SELECT sealed FROM steps WHERE number = 2) WHERE number = 3",
        "UPDATE steps SET sealed = substr(sealed, 1, 40) WHERE number = 2",
        "DELETE FROM steps WHERE number = 2",
    ],
)
def test_steps_cannot_be_moved_changed_or_left_out(
    fake: ConsoleFake, cases: Cases, tmp_path: Path, attack: str
) -> None:
    case = cases.open(fake.reader, title="a", text="")
    cases.note(fake.reader, case, version=1, text="one")
    cases.note(fake.reader, case, version=2, text="two")
    engine = create_engine(f"sqlite:///{tmp_path / 'cases.db'}")
    with engine.begin() as connection:
        connection.execute(text(attack))
    engine.dispose()
    with pytest.raises(CaseDamaged):
        cases.read(fake.reader, case)


def test_a_step_rewritten_by_whoever_has_the_key_is_noticed(fake: ConsoleFake, tmp_path: Path) -> None:
    case = fake.cases.open(fake.reader, title="a", text="the truth")
    engine = create_engine(f"sqlite:///{tmp_path / 'cases.db'}")
    with engine.begin() as connection:
        first = connection.execute(text("SELECT sealed, place FROM steps")).one()
    # Sealed anew under the right key, for the same step: only the log's digest can tell.
    sealing = fake.cases._sealing
    content = sealing.open(case, 1, first.sealed)
    content["said"]["text"] = "a lie"
    with engine.begin() as connection:
        connection.execute(text("UPDATE steps SET sealed = :sealed"), {"sealed": sealing.seal(case, 1, content)})
    engine.dispose()
    page = fake.get(f"/cases/{case}").text
    assert "Step 1 is not what was recorded" in page
    assert ">as recorded</a>" not in page


def test_a_consent_for_a_case_does_not_cover_what_is_put_in_later(fake: ConsoleFake, cases: Cases) -> None:
    case = cases.open(fake.reader, title="a", text="")
    cases.add_entries(fake.reader, case, version=1, entries=[3], why="")
    cases.add_entries(fake.reader, case, version=2, entries=[5], why="")
    assert cases.entries_at(f"{case}.2") == [3]
    assert cases.entries_at(f"{case}.3") == cases.entries_at(case) == [3, 5]
    assert (cases.named(case), cases.named(f"{case}.02")) == (f"{case}.3", f"{case}.2")
    # A version that is not reached would cover what others put in later.
    for scope in (f"{case}.", f"{case}.x", "0" * 16 + ".9", "0" * 16, "", f"{case}.0", f"{case}.4", f"{case}.9999999"):
        with pytest.raises(NoSuchCase):
            cases.named(scope)
        with pytest.raises(NoSuchCase):
            cases.entries_at(scope)


def test_a_step_keeps_its_place_over_all_logs_and_not_its_index_in_the_last(fake: ConsoleFake, tmp_path: Path) -> None:
    after = Cases(
        store=CaseStore.open(tmp_path / "after.db"),
        key=b"x" * 32,
        recorder=fake.log,
        clock=fake.clock,
        size=fake.log.size,
        before=1_000,
    )
    index = fake.log.size()
    case = after.open(fake.reader, title="a", text="")
    assert [step.place for step in after.read(fake.reader, case).steps] == [1_000 + index]


@pytest.mark.parametrize("entries", [[], [10**9], [-1], list(range(101))])
def test_only_entries_of_the_log_are_collected(fake: ConsoleFake, cases: Cases, entries: list[int]) -> None:
    case = cases.open(fake.reader, title="a", text="")
    with pytest.raises(BadStep):
        cases.add_entries(fake.reader, case, version=1, entries=entries, why="")


def test_no_case_begins_with_an_entry_that_is_not_there(fake: ConsoleFake, cases: Cases) -> None:
    for entries in ([1, 10**9], list(range(101))):
        with pytest.raises(BadStep):
            cases.open(fake.reader, title="a", text="", entries=entries)
    assert cases.all(fake.reader)[0] == []
    case = cases.open(fake.reader, title="a", text="", entries=[1, 2])
    assert cases.entries_at(case) == [1, 2]


@pytest.mark.parametrize("title", ["", "   ", "x" * 201, "two\nlines", "nul\0"])
def test_a_title_is_one_line_that_can_be_read(fake: ConsoleFake, cases: Cases, title: str) -> None:
    with pytest.raises(BadStep):
        cases.open(fake.reader, title=title, text="")
    assert cases.all(fake.reader)[0] == []


def test_asking_for_a_case_that_is_not_there_is_recorded(fake: ConsoleFake, cases: Cases) -> None:
    for case in ("0" * 16, "../../etc", "x"):
        with pytest.raises(NoSuchCase):
            cases.read(fake.reader, case)
        assert (fake.log.events[-1].type, fake.log.events[-1].outcome) == ("audit.case.read", Outcome.FAILURE)


def test_cases_are_listed_by_their_last_change_page_by_page(
    fake: ConsoleFake, cases: Cases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audit.cases.cases.PAGE", 2)
    names = [cases.open(fake.reader, title=str(number), text="") for number in range(5)]
    cases.note(fake.reader, names[0], version=1, text="x")
    seen: list[str] = []
    before = None
    while True:
        page, before = cases.all(fake.reader, before=before)
        seen += [summary.title for summary in page]
        if before is None:
            break
    assert seen == ["0", "4", "3", "2", "1"]


class TestPages:
    def _send(
        self, fake: ConsoleFake, path: str, page: str = "/cases", *, who: Any = OFFICER, **form: object
    ) -> TestResponse:
        client = fake.client()

        def headers(method: str, at: str) -> dict[str, str]:
            return {HEADER: fake.header(at, method=method, subject=who), "Referer": f"{ORIGIN}{at}"}

        environ = {"REQUEST_URI": page}
        seen = client.get(page, headers=headers("GET", page), base_url=ORIGIN, environ_overrides=environ)
        token = re.search(r'name="csrf_token" value="([^"]+)"', seen.text)
        assert token
        return client.post(
            path,
            data={"csrf_token": token.group(1), **form},
            headers=headers("POST", path),
            base_url=ORIGIN,
            environ_overrides={"REQUEST_URI": path},
        )

    def test_an_officer_opens_a_case_with_chosen_entries_and_adds_to_it(self, fake: ConsoleFake) -> None:
        assert 'href="/cases?entry=3"' in fake.get("/entries/3").text
        listed = fake.get("/cases?entry=3&entry=5").text
        assert "2 entries are chosen" in listed
        made = self._send(fake, "/cases", title="Odd <logins>", text="why", entry=["3", "5"])
        assert made.status_code == 303
        path = made.headers["Location"]
        page = fake.get(path).text
        assert "Odd &lt;logins&gt;" in page
        assert page.count("put an entry into the case") == 2
        assert page.count("as recorded") == 3
        # Names wait for the consent of a second officer, here as in a search.
        assert "Xiaoming" not in page
        assert f"scope=case:{path.rpartition('/')[2]}.3" in page
        assert "You opened this case; another officer closes it." in page
        assert 'value="closed"' not in page
        case = path.rpartition("/")[2]
        assert f'action="/cases/{case}/entries"' in fake.get("/cases?entry=7").text
        assert self._send(fake, f"{path}/notes", version="3", text="one\ntwo").status_code == 303
        assert "one\ntwo" in fake.get(path).text
        assert self._send(fake, f"{path}/decisions", version="4", to="closed", text="x").status_code == 403

    @pytest.mark.parametrize("through", [[], ["in_review"], ["in_review", "open"]])
    def test_no_way_leads_the_opener_to_close_the_case(self, fake: ConsoleFake, through: list[str]) -> None:
        path = self._send(fake, "/cases", title="mine", entry="3").headers["Location"]
        version = 2
        for to in through:
            decide = self._send(fake, f"{path}/decisions", version=str(version), to=to, text="x", who=OTHER)
            assert decide.status_code == 303
            version += 1
        case = path.rpartition("/")[2]
        # Whoever the form says it is from, the gateway's header says who it is.
        tries: list[dict[str, Any]] = [
            {"to": "closed"},
            {"to": "closed", "officer": OTHER, "subject": OTHER, "opener": OTHER},
            {"to": ["closed", "in_review"]},
            {"to": " closed"},
            {"to": "CLOSED"},
        ]
        for form in tries:
            sent = self._send(fake, f"{path}/decisions", version=str(version), text="nothing in it", **form)
            assert sent.status_code in {400, 403}, form
        assert fake.cases.read(fake.reader, case).version == version
        done = [event for event in fake.log.events if event.outcome is Outcome.SUCCESS]
        assert "closed" not in [event.attributes.get("state") for event in done]
        closed = self._send(fake, f"{path}/decisions", version=str(version), to="closed", text="a lost card", who=OTHER)
        assert closed.status_code == 303
        assert fake.cases.read(fake.reader, case).state is State.CLOSED

    def test_who_writes_on_a_stale_page_keeps_what_they_typed(self, fake: ConsoleFake) -> None:
        path = self._send(fake, "/cases", title="a").headers["Location"]
        self._send(fake, f"{path}/notes", version="1", text="first")
        stale = self._send(fake, f"{path}/notes", version="1", text="typed for long")
        assert stale.status_code == 409
        assert "typed for long</textarea>" in stale.text
        assert "first" in stale.text

    @pytest.mark.parametrize("path", ["/cases", "/cases?entry=3"])
    def test_the_list_is_for_officers_and_recorded_first(self, fake: ConsoleFake, path: str) -> None:
        self._send(fake, "/cases", title="Odd logins")
        before = fake.log.size()
        assert fake.get(path, roles=("citizen",)).status_code == 403
        assert fake.public(path).status_code == 401
        assert fake.log.size() == before
        assert "Odd logins" in fake.get(path).text
        assert fake.log.types()[-1] == "audit.case.read"
        fake.log.down = True
        answer = fake.get(path)
        assert answer.status_code == 503
        assert "Odd logins" not in answer.text

    def test_a_case_is_shown_only_when_the_reading_is_on_record(self, fake: ConsoleFake) -> None:
        path = self._send(fake, "/cases", title="Odd logins").headers["Location"]
        fake.log.down = True
        answer = fake.get(path)
        assert (answer.status_code, "Odd logins" in answer.text) == (503, False)

    def test_nothing_is_written_without_the_forms_token(self, fake: ConsoleFake) -> None:
        header = {HEADER: fake.header("/cases", method="POST"), "Referer": ORIGIN}
        answer = fake.client().post("/cases", data={"title": "forged"}, headers=header, base_url=ORIGIN)
        assert answer.status_code in {400, 403}
        assert "audit.case.opened" not in fake.log.types()

    @pytest.mark.parametrize(
        "form",
        [
            {"version": "1", "text": ""},
            {"version": "x", "text": "a"},
            {"text": "a"},
            {"version": "1", "text": ["a", "b"]},
        ],
    )
    def test_a_bad_form_is_refused_and_nothing_kept(self, fake: ConsoleFake, form: dict[str, Any]) -> None:
        path = self._send(fake, "/cases", title="a").headers["Location"]
        assert self._send(fake, f"{path}/notes", **form).status_code == 400
        assert self._send(fake, f"{path}/nothing", version="1").status_code == 400
        assert "audit.case.noted" not in fake.log.types()
