# SPDX-License-Identifier: Apache-2.0
"""The engine: nothing lost and nothing twice, whatever is killed; bounded, whatever comes; and each alert proven."""

import base64
import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest

from audit import Outcome
from audit.alerts import (
    AlertStore,
    Engine,
    Evaluator,
    Flattener,
    Places,
    RuleSet,
    State,
    convert,
    load,
)
from audit.alerts.own import CROWD, FLOODED, STOPPED
from audit.alerts.stretch import MOST_RAISED
from audit.errors import RecordUnavailable
from audit.published import PublishedLog
from audit.search import proof_text
from audit.search.evidence import Inclusion
from core.clock import SystemClock
from tests.fakes.alerting import SHIPPED, Alerting
from tests.fakes.log_site import LogSite, event, wait_for

BRUTE = RuleSet(rules=[rule for rule in SHIPPED.rules if rule.file == "brute_force.yml"])
[_RULE] = BRUTE.rules


def _rules(text: str) -> RuleSet:
    return RuleSet(rules=convert(text.encode(), file="site.yml", shipped=False))


def _single(selection: str, more: str = "") -> RuleSet:
    return _rules(
        "title: Site's own\nid: 11111111-1111-4111-8111-111111111111\nlevel: low\ndate: 2026-11-28\n"
        f"logsource: {{product: tallygate}}\n{more}\ndetection:\n  selection: {selection}\n  condition: selection\n"
    )


def _wrong(it: Alerting, account: str = "a1", **fields: Any) -> int:
    attributes = {"method": "pwd", "reason": "wrong", "network": "203.0.113.0/24", "account": account}
    return it.add("sso.login", Outcome.FAILURE, attributes=attributes, **fields)


def test_an_alert_says_what_was_found_where(tmp_path: Path) -> None:
    it = Alerting(tmp_path, rules=BRUTE)
    it.add("log.created")
    indices = [_wrong(it) for _ in range(6)]
    [alert] = it.raised()
    assert (alert.rule, alert.version, alert.digest) == (_RULE.id, _RULE.version, _RULE.digest)
    assert alert.query == _RULE.query
    assert alert.group == {"account": "a1"}
    assert list(alert.entries) == indices
    assert alert.count == 6
    assert alert.state is State.OPEN
    said = it.log.events[alert.recorded]
    assert (said.type, said.object, said.subject) == ("audit.alert.raised", alert.id, "")
    assert said.attributes["first"] == indices[0]
    assert said.attributes["last"] == indices[-1]
    assert said.attributes["digest"] == _RULE.digest


def test_it_fires_once_for_a_group_and_window_and_counts_what_follows(tmp_path: Path) -> None:
    it = Alerting(tmp_path, rules=BRUTE)
    for _ in range(20):
        _wrong(it)
        it.engine.advance()
    [alert] = it.raised()
    assert alert.again == 14
    assert alert.again_until == max(index for index, found in enumerate(it.log.events) if found.type == "sso.login")
    # Another group is another alert; the same group after its window, too.
    for _ in range(6):
        _wrong(it, "a2")
    it.clock.advance(timedelta(minutes=11))
    for _ in range(6):
        _wrong(it)
    assert sorted(each.group["account"] for each in it.raised()) == ["a1", "a1", "a2"]


def test_several_windows_in_one_stretch_are_each_found(tmp_path: Path) -> None:
    """After an outage the engine reads hours at once."""
    it = Alerting(tmp_path, rules=BRUTE)
    for _ in range(3):
        for _ in range(7):
            _wrong(it)
        it.clock.advance(timedelta(hours=1))
    found = it.raised()
    assert len(found) == 3
    assert [each.again for each in found] == [1, 1, 1]


def _killed(_: object) -> bool:
    raise RuntimeError


def test_a_kill_between_any_two_steps_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    it = Alerting(tmp_path, rules=BRUTE)
    for _ in range(6):
        _wrong(it)
    # Killed before the commit: nothing happened.
    kept: Any = it.store.commit
    it.store.commit = _killed  # type: ignore[method-assign, assignment]  # as if
    with pytest.raises(RuntimeError):
        it.engine.advance()
    it.store.commit = kept  # type: ignore[method-assign]  # as it was
    it.restart()
    # Committed, and killed before the record was told.
    it.log.down = True
    with pytest.raises(RecordUnavailable):
        it.engine.advance()
    it.restart()
    it.log.down = False
    it.engine.advance()
    # Told, and killed before that was noted: told again under the same key.
    [alert] = it.raised()
    it.store.recorded(alert.id, -1)
    keys = [found.key for found in it.log.events if found.type == "audit.alert.raised"]
    it.restart()
    it.engine.advance()
    again = [found.key for found in it.log.events if found.type == "audit.alert.raised"]
    assert len(keys) == 1
    assert set(again) == set(keys)
    assert len(it.store.page(None)) == 1
    # The log itself takes a key once (test_log_writer); everything but the key's repetition is the same.
    assert len({(found.at, found.object) for found in it.log.events if found.type == "audit.alert.raised"}) == 1


def test_half_a_window_survives_a_restart(tmp_path: Path) -> None:
    it = Alerting(tmp_path, rules=BRUTE)
    for number in range(6):
        _wrong(it)
        if number % 2:
            it.engine.advance()
            it.restart()
    assert len(it.raised()) == 1


def test_two_engines_over_one_store_do_not_double(tmp_path: Path) -> None:
    it = Alerting(tmp_path, rules=BRUTE)
    first = it.engine
    it.restart()
    for _ in range(6):
        _wrong(it)
    threads = [threading.Thread(target=engine.advance) for engine in (first, it.engine)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(it.raised()) == 1


def test_values_that_look_like_sql_are_values(tmp_path: Path) -> None:
    nasty = "x'); DROP TABLE event; --\"`%_\\"
    it = Alerting(tmp_path, rules=_single('{reason: "x\'); DROP TABLE event; --\\"`%_\\\\\\\\"}'))
    it.add("gateway.decision", Outcome.DENIED, attributes={"reason": "x"}, object="'; DELETE FROM alert; --")
    it.add("gateway.decision", Outcome.DENIED, attributes={"reason": nasty}, object="'; DELETE FROM alert; --")
    [alert] = it.raised()
    assert alert.entries == (1,)
    for _ in range(6):
        _wrong(it, nasty)
    it.engine.advance()
    assert it.store.open_alerts() == 1


def test_groups_that_look_like_sql_or_json_keep_apart(tmp_path: Path) -> None:
    it = Alerting(tmp_path, rules=BRUTE)
    accounts = ['a","b', "a", "' OR 1=1 --", '["a"]', "ä", "é"]
    for account in accounts:
        for _ in range(6):
            _wrong(it, account)
    assert {alert.group["account"] for alert in it.raised()} == {
        account.lower() if account.isascii() else account for account in accounts
    }


def test_a_flood_is_bounded_and_says_so(tmp_path: Path) -> None:
    it = Alerting(tmp_path, rules=BRUTE, most_hits=300)
    for number in range(1500):
        _wrong(it, f"a{number}", after=0.01)
    own = [alert for alert in it.raised() if alert.rule == FLOODED.id]
    assert len(own) == 1
    assert it.store.count_hits() <= 300
    # The newest are still watched.
    for _ in range(5):
        _wrong(it, "a1499", after=0.01)
    assert _RULE.id in {alert.rule for alert in it.raised()}


def test_a_group_keeps_no_more_than_its_rule_needs(tmp_path: Path) -> None:
    it = Alerting(tmp_path, rules=RuleSet(rules=[r for r in SHIPPED.rules if r.file == "clerk_enumeration.yml"]))
    for number in range(200):
        it.add("directory.person.read", subject=f"s{number % 20}", actor="clerk")
    it.engine.advance()
    assert it.store.count_hits() == 20


def test_ten_thousand_groups_at_once(tmp_path: Path) -> None:
    it = Alerting(tmp_path, rules=BRUTE)
    # The log in memory would hash all of itself for each proof.
    it.log.prove = lambda index: Inclusion(index=index, path=(), checkpoint="")  # type: ignore[method-assign]  # cheap
    for number in range(10_000):
        _wrong(it, f"a{number}", after=0.001)
    started = time.monotonic()
    assert it.raised() == []
    assert it.store.count_hits() == 10_000
    assert time.monotonic() - started < 60
    for _ in range(5):
        for number in range(200):
            _wrong(it, f"a{number}", after=0.001)
    found = it.raised()
    # So many at once that only the first have an alert of their own.
    crowd = [alert for alert in found if alert.rule == CROWD.id]
    assert len([alert for alert in found if alert.rule == _RULE.id]) == MOST_RAISED
    assert [(alert.group, alert.count) for alert in crowd] == [({"rule": _RULE.id}, 200 - MOST_RAISED)]


def test_a_source_with_a_wrong_clock_neither_hides_nor_invents(tmp_path: Path) -> None:
    it = Alerting(tmp_path, rules=BRUTE)
    now = it.clock.now()
    # Stamped years apart, in the log within seconds: one window.
    for number in range(6):
        _wrong(it, at=now + timedelta(days=(-1) ** number * 400 * number) if number else now)
    assert len(it.raised()) == 1
    # One entry from the future does not pull later ones with it: those of tomorrow are of tomorrow.
    it.add("gateway.decision", at=it.clock.now() + timedelta(days=30))
    it.clock.advance(timedelta(days=1))
    for _ in range(5):
        _wrong(it, "a2")
    it.clock.advance(timedelta(minutes=20))
    _wrong(it, "a2")
    assert len(it.raised()) == 1


def test_a_greedy_expression_takes_no_time(tmp_path: Path) -> None:
    it = Alerting(tmp_path, rules=_single('{reason|re: "^(a+)+$"}'))
    for _ in range(50):
        it.add("gateway.decision", Outcome.DENIED, attributes={"reason": "a" * 2000 + "!"})
    started = time.monotonic()
    assert it.raised() == []
    assert time.monotonic() - started < 5


def test_a_rule_that_takes_too_long_is_stopped_and_told_and_the_others_go_on(tmp_path: Path) -> None:
    slow = _single("{reason|contains: " + repr([f"x{n}" for n in range(900)]) + "}")
    it = Alerting(tmp_path, rules=RuleSet(rules=[*slow.rules, *BRUTE.rules]), evaluator=Evaluator(most_steps=3))
    for _ in range(30):
        it.add("gateway.decision", Outcome.DENIED, attributes={"reason": "y" * 500})
    for _ in range(6):
        _wrong(it)
    found = it.raised()
    assert {alert.rule for alert in found} == {STOPPED.id, _RULE.id}
    standing = {each.id: each.error for each in it.store.rules(since=it.clock.now() - timedelta(days=30))}
    assert standing[slow.rules[0].id] == "rule_stopped"
    assert standing[_RULE.id] == ""


@pytest.mark.parametrize(
    "statement",
    [
        "ATTACH DATABASE '/tmp/x' AS y",
        "PRAGMA writable_schema=1",
        "SELECT load_extension('x')",
        "DETACH DATABASE main",
    ],
)
def test_a_condition_reaches_nothing_but_its_rows(statement: str) -> None:
    evaluator = Evaluator()
    with pytest.raises(Exception, match=r"not authorized|prohibited|no such function|too many"):
        evaluator._database.execute(statement)


def test_rules_that_change_are_in_the_record_and_an_alert(tmp_path: Path) -> None:
    it = Alerting(tmp_path)
    it.engine.advance()
    it.restart()
    it.engine.advance()
    assert it.log.types().count("audit.rules.changed") == 1
    it.rules = replace(SHIPPED, rules=SHIPPED.rules[1:], off=SHIPPED.rules[:1])
    it.restart()
    assert it.titles() == ["alert_rules_changed"]
    assert it.log.events[-2].attributes["off"] == SHIPPED.rules[0].id


def test_an_alert_does_not_set_off_another(tmp_path: Path) -> None:
    it = Alerting(tmp_path, rules=_single("{source: audit}", "tallygate: {group: [object], quiet: 1s}"))
    it.add("audit.searched", subject="o", object="x")
    for _ in range(5):
        it.clock.advance(timedelta(minutes=1))
        it.engine.advance()
    assert len([alert for alert in it.store.page(None) if alert.group.get("object") == "x"]) == 1
    assert len(it.store.page(None)) == 2  # and that its rules are in force


def test_erasing_a_person_forgets_where_and_when_they_logged_in(tmp_path: Path) -> None:
    it = Alerting(tmp_path)
    login = {"acr": "1", "amr": "pwd", "network": "203.0.113.0/24"}
    it.add("sso.login", subject="li", attributes=login)
    it.add("sso.login", Outcome.FAILURE, subject="li", attributes={"method": "otp"})
    it.engine.advance()
    assert set(it.store.memory(["login:li", "place:li"])) == {"login:li", "place:li"}
    assert it.store.count_hits() == 1
    it.store.forget("li")
    assert it.store.memory(["login:li", "place:li"]) == {}
    assert it.store.count_hits() == 0


def test_nothing_personal_is_kept(tmp_path: Path) -> None:
    it = Alerting(tmp_path)
    for _ in range(3):
        it.add("sso.login", Outcome.FAILURE, subject="li", attributes={"method": "otp"},
               sealed={"name": "Li Xiaoming", "address": "203.0.113.77"})  # fmt: skip
    it.engine.advance()
    it.store.close()
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("alerts.db*"))
    assert b"Xiaoming" not in kept
    assert b"203.0.113.77" not in kept


@pytest.fixture
def site(tmp_path: Path) -> Any:
    made = LogSite(tmp_path).create()
    yield made
    made.close()


def _engine(site: LogSite, folder: Path, **more: Any) -> Engine:
    return Engine(
        log=PublishedLog(reader=site.reader(), seals=site.seals),
        store=AlertStore.open(folder / "alerts.db"),
        rules=load(None),
        flattener=Flattener(places=Places.parse(b""), zone=UTC),
        clock=SystemClock(),
        **more,
    )


def test_over_the_real_log_within_five_seconds_and_proven_offline(site: LogSite, tmp_path: Path) -> None:
    facts = {"method": "pwd", "reason": "wrong", "network": "203.0.113.0/24", "account": "a1"}
    with site.served() as served:
        client, own = site.recorder(), site.recorder("audit")
        engine = _engine(site, tmp_path, recorder=own)
        stop = threading.Event()

        def watch() -> None:
            while not stop.wait(0.5):
                engine.advance()

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            for _ in range(6):
                client.record(event(SystemClock(), subject="", sealed={}, outcome=Outcome.FAILURE, attributes=facts))
            last = time.monotonic()
            store = AlertStore.open(tmp_path / "alerts.db")
            wait_for(lambda: [each for each in store.page(None) if each.recorded >= 0])
            assert time.monotonic() - last < 5
        finally:
            stop.set()
            thread.join()
            own.close()
            client.close()
        served.stop()
    [alert] = [each for each in store.page(None) if each.rule == _RULE.id]
    said = site.reader().entry(alert.recorded).event
    assert (said.type, said.object) == ("audit.alert.raised", alert.id)
    # Offline, with the entry's bytes and the file alone.
    for proven in store.proven(alert.id):
        text = proof_text(Inclusion(index=proven.index, path=tuple(proven.path), checkpoint=proven.checkpoint))
        _prove(text, site.reader().entry_bytes(proven.index))


def _prove(text: str, raw: bytes) -> None:
    head, _, checkpoint = text.partition("\n\n")
    lines = head.split("\n")
    at, last = int(lines[1].removeprefix("index ")), int(checkpoint.split("\n")[1]) - 1
    node = hashlib.sha256(b"\0" + raw).digest()
    for sibling in map(base64.b64decode, lines[2:]):
        if at % 2 or at == last:
            node = hashlib.sha256(b"\1" + sibling + node).digest()
            while at and not at % 2:
                at, last = at >> 1, last >> 1
        else:
            node = hashlib.sha256(b"\1" + node + sibling).digest()
        at, last = at >> 1, last >> 1
    assert base64.b64encode(node).decode() == checkpoint.split("\n")[2]


def test_a_clean_stop_is_in_the_record_and_a_kill_is_not(site: LogSite, tmp_path: Path) -> None:
    with site.served():
        pass
    process = site.process()
    wait_for(lambda: site.reader().size() == 4)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    with site.served() as served:
        served.stop()
    engine = _engine(site, tmp_path, recorder=None)
    engine.advance()
    types = [entry.event.type for entry in site.reader().entries(0, 100)]
    assert types == ["log.created", "log.started", "log.stopped", "log.started", "log.started", "log.stopped"]
    titles = {alert.told.title: alert.entries for alert in AlertStore.open(tmp_path / "alerts.db").page(None)}
    assert titles["The record's process died"] == (3, 4)


def test_killed_as_a_process_it_goes_on_where_it_was(site: LogSite, tmp_path: Path) -> None:
    """SIGKILL at whatever it is doing, again and again; in the end there is one alert for each account."""
    facts = {"method": "pwd", "reason": "wrong", "network": "203.0.113.0/24"}
    with closing(site.open()) as log:
        for number in range(40):
            for _ in range(6):
                log.append(
                    [
                        event(
                            subject="", sealed={}, outcome=Outcome.FAILURE, attributes=facts | {"account": f"a{number}"}
                        )
                    ]
                )
        log.integrate()
    program = (
        "import sys; from pathlib import Path; from tests.audit.test_alert_engine import _engine, LogSite;"
        "import audit.alerts.engine as it; it.BATCH = 8; site = LogSite(Path(sys.argv[1]));"
        "engine = _engine(site, Path(sys.argv[1]), recorder=None); print('begun', flush=True); engine.advance()"
    )
    for pause in (0.05, 0.15, 0.3, None):
        process = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        if pause is not None:
            time.sleep(pause)
            process.kill()
        process.communicate()
    found = [each for each in AlertStore.open(tmp_path / "alerts.db").page(None, limit=100) if each.rule == _RULE.id]
    assert sorted(alert.group["account"] for alert in found) == sorted(f"a{number}" for number in range(40))
    assert all(len(alert.entries) == 6 for alert in found)
