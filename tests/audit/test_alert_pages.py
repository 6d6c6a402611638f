# SPDX-License-Identifier: Apache-2.0
"""The pages of alerts and rules: recorded before shown, in two languages, dealt with once and with a reason."""

from dataclasses import replace
from datetime import UTC
from pathlib import Path

import pytest

from audit import Outcome
from audit.alerts import Engine, Flattener, Places, RuleSet, State
from audit.errors import LogDamaged
from audit.search import Inclusion
from audit.warrants import AboutYou
from core.identity import HEADER
from tests.fakes.alerting import SHIPPED
from tests.fakes.audit_console import LI, OFFICER, SECOND, WANG, ConsoleFake

BRUTE = [rule for rule in SHIPPED.rules if rule.file == "brute_force.yml"]
HOSTILE = "<script>alert(1)</script>"


class Alarmed(ConsoleFake):
    """A console with one alert about an account and one about a person."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        facts = {"method": "pwd", "reason": "wrong", "network": "203.0.113.0/24", "account": HOSTILE}
        for _ in range(8):
            self.add(type="sso.login", source="sso", outcome=Outcome.FAILURE, attributes=facts)
        reuse = {"client": "tax", "reason": "refresh token presented twice"}
        self.add(type="sso.token.revoked", source="sso", subject=LI, object="g", attributes=reuse)
        self.look()
        self.brute, self.reuse = sorted(
            self.alerts.page(None), key=lambda alert: alert.told.title != BRUTE[0].told.title
        )

    def look(self) -> None:
        """Let the rules see what is new."""
        broken = RuleSet(rules=SHIPPED.rules[1:], off=SHIPPED.rules[:1], refused=())
        Engine(
            log=self.log,
            store=self.alerts,
            rules=broken,
            flattener=Flattener(places=Places.parse(b""), zone=UTC),
            clock=self.clock,
            recorder=self.log,
        ).advance()


@pytest.fixture
def fake(tmp_path: Path) -> Alarmed:
    return Alarmed(tmp_path)


def test_the_list_tells_what_was_found_about_whom(fake: Alarmed) -> None:
    page = fake.get("/alerts").text
    assert "2 alerts are open." in page
    assert "Somebody guesses the password of one account" in page
    assert "6 + 2" in page
    assert "&lt;script&gt;" in page
    assert HOSTILE not in page
    chinese = fake.get("/alerts?lang=zh").text
    assert "有人在猜测某个账户的密码" in chinese
    assert "有 2 条告警待处理。" in chinese
    assert "There is none." in fake.get("/alerts?state=closed").text
    assert "Somebody guesses" not in fake.get(f"/alerts?state=all&rule={fake.reuse.rule}").text


def test_the_number_of_open_ones_stands_in_the_navigation(fake: Alarmed) -> None:
    assert "2 open" in fake.get("/").text
    assert "2 条待处理" in fake.get("/search?lang=zh").text


def test_an_alert_is_told_in_words_with_entries_query_and_proofs(fake: Alarmed) -> None:
    page = fake.get(f"/alerts/{fake.brute.id}").text
    for said in ("Six or more wrong passwords", "It may be harmless:", "SELECT * FROM event", fake.brute.digest):
        assert said in page
    for index in fake.brute.entries:
        assert f'href="/entries/{index}"' in page
    assert HOSTILE not in page
    assert f'href="/people/{LI}"' in fake.get(f"/alerts/{fake.reuse.id}").text
    proof = fake.get(f"/alerts/{fake.brute.id}/{fake.brute.entries[0]}.tlog-proof")
    assert proof.text.startswith(f"c2sp.org/tlog-proof@v1\nindex {fake.brute.entries[0]}\n")
    assert "attachment" in proof.headers["Content-Disposition"]
    assert fake.get(f"/alerts/{fake.brute.id}/9999.tlog-proof").status_code == 404
    assert fake.get("/alerts/nothing").status_code == 404


def test_a_proof_leads_to_the_cosigned_checkpoint_as_soon_as_there_is_one(fake: Alarmed) -> None:
    path, entry = f"/alerts/{fake.brute.id}", fake.brute.entries[0]
    assert "by a checkpoint that the log alone has signed" in fake.get(path).text
    kept = fake.get(f"{path}/{entry}.tlog-proof").text
    later = replace(fake.log.prove(entry), checkpoint="log.city.localhost\n99\ncosigned\n\n")
    fake.alert_desk._cosigned = lambda _index: later
    assert "enough witnesses have cosigned" in fake.get(path).text
    assert "已由足够见证方联署" in fake.get(f"{path}?lang=zh").text
    assert fake.get(f"{path}/{entry}.tlog-proof").text.endswith(later.checkpoint)

    def damaged(_index: int) -> Inclusion:
        raise LogDamaged(index=0, why="a tile")

    # Whoever damages the log afterwards does not take the alert's own proof with it.
    fake.alert_desk._cosigned = damaged
    assert fake.get(f"{path}/{entry}.tlog-proof").text == kept


def test_looking_is_recorded_and_only_for_officers(fake: Alarmed) -> None:
    for path, view in (("/alerts", "alerts"), (f"/alerts/{fake.brute.id}", "alert"), ("/rules", "rules")):
        before = fake.log.size()
        assert fake.get(path).status_code == 200
        assert fake.log.size() == before + 1
        said = fake.log.events[-1]
        assert (said.type, said.subject, said.attributes["view"]) == ("audit.searched", OFFICER, view)
        assert fake.public(path).status_code == 401
        assert fake.get(path, roles=("citizen",)).status_code == 403
    fake.log.down = True
    for path in ("/alerts", f"/alerts/{fake.brute.id}", "/rules"):
        assert fake.get(path).status_code == 503


@pytest.mark.parametrize("query", ["state=asleep", "state=open&state=closed", "colour=red", "after=" + "a" * 40])
def test_other_questions_are_refused(fake: Alarmed, query: str) -> None:
    assert fake.get(f"/alerts?{query}").status_code == 400


def test_it_is_taken_on_and_closed_with_a_reason_that_is_sealed(fake: Alarmed) -> None:
    path = f"/alerts/{fake.brute.id}"
    assert fake.post(f"{path}/acknowledge", {"reason": "I call the person"}).status_code == 303
    said = fake.log.events[-1]
    assert (said.type, said.object, said.subject) == ("audit.alert.acknowledged", fake.brute.id, OFFICER)
    assert said.sealed == {"reason": "I call the person"}
    found = fake.alerts.find(fake.brute.id)
    assert found is not None
    assert (found.state, found.officer) == (State.ACKNOWLEDGED, OFFICER)
    assert fake.post(f"{path}/acknowledge", {"reason": "again"}).status_code == 409
    assert fake.post(f"{path}/close", {"reason": "It was the person\nthemselves"}).status_code == 303
    assert fake.log.events[-1].type == "audit.alert.closed"
    assert "What happens with it" not in fake.get(path).text
    assert fake.post(f"{path}/close", {"reason": "again"}).status_code in (400, 403, 409)
    assert "1 open" in fake.get("/").text


def test_evidence_is_a_step_away_from_every_alert_and_covers_its_entries_alone(fake: Alarmed) -> None:
    for alert in (fake.brute, fake.reuse):
        assert f'href="/evidence?scope=alert:{alert.id}"' in fake.get(f"/alerts/{alert.id}").text
    fake.grant(f"alert:{fake.reuse.id}")
    [entry] = fake.reuse.entries
    assert not fake.console.open(fake.reader, entry).hidden
    other = fake.add(type="sso.login", source="sso", subject=LI, sealed={"name": "Li"})
    assert fake.console.open(fake.reader, other).hidden


@pytest.mark.parametrize("forged", ["0" * 32, "f" * 31, "../cases", "F" * 32])
def test_nobody_asks_about_an_alert_that_is_none(fake: Alarmed, forged: str) -> None:
    asked = {"kind": "export", "about": "alert", "which": forged, "purpose": "a court asks"}
    assert fake.post("/warrants", asked).status_code == 400
    assert fake.warrants.desk(fake.reader).own == []


def test_whom_an_alert_tells_of_decides_nothing_about_it(fake: Alarmed) -> None:
    told = fake.add(type="sso.token.revoked", source="sso", subject=SECOND, object="g",
                    attributes={"client": "tax", "reason": "code presented twice"})  # fmt: skip
    fake.look()
    own = next(alert for alert in fake.alerts.page(None) if told in alert.entries)
    with pytest.raises(AboutYou):
        fake.grant(f"alert:{own.id}")
    for verb in ("acknowledge", "close"):
        answer = fake.post(f"/alerts/{own.id}/{verb}", {"reason": "nothing in it"}, subject=SECOND)
        assert answer.status_code == 403
        assert "This alert is about you" in answer.text
        denied = [event for event in fake.log.events if event.outcome is Outcome.DENIED and event.object == own.id]
        assert denied[-1].subject == SECOND
    found = fake.alerts.find(own.id)
    assert found is not None
    assert found.state is State.OPEN
    assert fake.post(f"/alerts/{own.id}/close", {"reason": "a lost answer"}, subject=WANG).status_code == 303


def test_without_a_reason_a_token_or_the_record_nothing_changes(fake: Alarmed) -> None:
    path = f"/alerts/{fake.brute.id}/close"
    assert fake.post(path, {"reason": "  "}).status_code == 400
    assert "Please say in a few words why." in fake.post(path, {"reason": ""}).text
    assert fake.post(path, {"reason": "x" * 3000}).status_code == 400
    headers = {HEADER: fake.header(path, method="POST")}
    forged = {"reason": "because", "csrf_token": "forged"}
    answer = fake.client().post(path, data=forged, headers=headers, environ_overrides={"REQUEST_URI": path})
    assert answer.status_code in (400, 403)
    found = fake.alerts.find(fake.brute.id)
    assert found is not None
    assert found.state is State.OPEN


def test_the_rules_page_tells_what_is_on_off_and_how_often(fake: Alarmed) -> None:
    page = fake.get("/rules").text
    assert "switched off" in page
    assert page.count("<summary>") == len(SHIPPED.rules)
    assert f'id="{BRUTE[0].id}"' in page
    assert "Alerts of this rule: 1" in page
    assert "随产品提供" in fake.get("/rules?lang=zh").text
