# SPDX-License-Identifier: Apache-2.0
"""Rules are converted exactly or refused by name and reason; a bad one stops no other."""

from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from audit import Outcome
from audit.alerts import Kind, Places, PlacesRefused, RuleRefused, convert, load
from audit.alerts.fields import SEALED
from audit.cli import audit
from tests.fakes.log_site import LogSite, event

PLAIN = """
title: Denied
id: 11111111-1111-4111-8111-111111111111
level: high
date: 2026-11-28
logsource: {product: tallygate, service: gateway}
detection:
  selection: {outcome: denied}
  condition: selection
"""
COUNT = """
title: Wrong
name: wrong
logsource: {product: tallygate}
detection:
  selection: {outcome: failure}
  condition: selection
---
title: Many wrong
id: 22222222-2222-4222-8222-222222222222
level: medium
date: 2026-11-28
correlation:
  type: event_count
  rules: [wrong]
  group-by: [network]
  timespan: 5m
  condition: {gte: 3}
"""


def _why(text: str) -> str:
    with pytest.raises(RuleRefused) as caught:
        convert(text.encode(), file="x.yml", shipped=False)
    assert caught.value.parameters["rule"]
    return str(caught.value.parameters["why"])


def test_a_rule_becomes_a_condition() -> None:
    [rule] = convert(PLAIN.encode(), file="x.yml", shipped=False)
    assert rule.kind is Kind.SINGLE
    assert rule.predicates[0].condition == "(source='gateway' AND outcome='denied')"
    [count] = convert(COUNT.encode(), file="x.yml", shipped=False)
    assert (count.kind, count.least, count.window.total_seconds(), count.group) == (
        Kind.EVENT_COUNT,
        3,
        300,
        ("network",),
    )
    assert "sigma_" in count.query


def test_ocsf_names_stand_for_the_same_fields() -> None:
    text = PLAIN.replace(
        "{outcome: denied}", "{status_code: denied, actor.user.uid: x, unmapped.attributes.reason: role}"
    )
    [rule] = convert(text.encode(), file="x.yml", shipped=False)
    assert rule.predicates[0].condition == ("(source='gateway' AND (outcome='denied' AND actor='x' AND reason='role'))")


@pytest.mark.parametrize("field", sorted(SEALED))
def test_what_is_sealed_is_refused(field: str) -> None:
    assert "personal and sealed" in _why(PLAIN.replace("outcome: denied", f"{field}: Li"))


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("outcome: denied", "user_agent: curl", "there is no field user_agent"),
        ("outcome: denied", "'rowid': 1", "there is no field rowid"),
        ("outcome: denied", "network|cidr: 203.0.113.0/28", "modifier 'cidr'"),
        ("outcome: denied", "outcome|base64offset|contains: denied", "modifier 'base64offset'"),
        ("outcome: denied", "ts|hour: 3", "modifier 'hour'"),
        ("outcome: denied", "outcome|expand: '%x%'", "modifier 'expand'"),
        ("outcome: denied", "reason|re: '(a+)+(?=b)'", "egular expression"),
        ("outcome: denied", "reason|re: '['", "egular expression"),
        ("{outcome: denied}", "[denied]", "a value without a field"),
        ("product: tallygate", "product: windows", "log source"),
        ("service: gateway", "service: kerberos", "no service 'kerberos'"),
        ("service: gateway", "category: webserver", "log source"),
        ("condition: selection", "condition: selection and other", "other"),
        ("condition: selection", "condition: selection | count() > 5", ""),
        ("level: high", "", "no level"),
        ("level: high", "level: dreadful", "dreadful"),
        ("date: 2026-11-28", "", "no date"),
        ("id: 11111111-1111-4111-8111-111111111111", "", "no id"),
        ("level: high", "level: high\ntallygate: {colour: red}", "not known here"),
        ("level: high", "level: high\ntallygate: {quiet: soon}", "quiet must be a time"),
        ("level: high", "level: high\ntallygate: {group: [name]}", "personal and sealed"),
        ("level: high", "level: high\naction: global", "collections and filters"),
    ],
)
def test_what_cannot_be_meant_is_refused(old: str, new: str, why: str) -> None:
    assert old in PLAIN
    assert why in _why(PLAIN.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("condition: {gte: 3}", "condition: {gte: 3, field: hits}\n  type: value_sum", "value_sum"),
        ("condition: {gte: 3}", "condition: {lt: 3}", "only gte and gt"),
        ("condition: {gte: 3}", "condition: {eq: 3}", "only gte and gt"),
        ("condition: {gte: 3}", "condition: {gte: 3000}", "between 1 and 1000"),
        ("condition: {gte: 3}", "condition: {gte: 2.5}", "between 1 and 1000"),
        ("timespan: 5m", "timespan: 2d", "at most 24 hours"),
        ("group-by: [network]", "group-by: [address]", "personal and sealed"),
        ("group-by: [network]", "group-by: [planet]", "no field planet"),
        ("rules: [wrong]", "rules: [elsewhere]", "elsewhere"),
        ("type: event_count", "type: value_count", ""),
    ],
)
def test_correlations_we_cannot_evaluate_are_refused(old: str, new: str, why: str) -> None:
    assert old in COUNT
    text = COUNT.replace(old, new)
    # A key that is there twice would be read by its last.
    text = text.replace("  type: event_count\n", "") if "type: value_sum" in text else text
    assert why in _why(text)


def test_correlations_of_correlations_and_conditions_of_names_are_refused() -> None:
    nested = (
        COUNT.replace("title: Many wrong\n", "title: Many wrong\nname: many\n")
        + "---"
        + COUNT.split("---")[1].replace("[wrong]", "[many]").replace("22222222-2222", "33333333-2222")
    )
    assert "correlation of correlations" in _why(nested)
    absent = COUNT.replace("type: event_count", "type: temporal").replace("{gte: 3}", "wrong and not wrong")
    assert _why(absent)


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x, x]\nb: &b [*a, *a]\n" + PLAIN,
        "x" * 70_000,
        "\x00",
        "- 1",
        "just words",
        "title: [1",
        "!!python/object/apply:os.system ['true']",
        "",
        "---\n---\n",
        "title: x\ndetection: 5\nlogsource: {product: tallygate}",
        "title: x\nlogsource: {product: tallygate}\ndetection: {condition: [1, {}], selection: {outcome: {a: b}}}",
        "correlation: 7\ntitle: x",
        "filter: {}\ntitle: x",
    ],
)  # fmt: skip
def test_what_is_no_rule_is_refused_in_words(text: str) -> None:
    assert _why(text)


def test_values_stay_values(tmp_path: Path) -> None:
    """Nothing in a rule's value or field reaches SQL as SQL."""
    text = PLAIN.replace("outcome: denied", 'reason: "x\' OR 1=1 --"')
    [rule] = convert(text.encode(), file="x.yml", shipped=False)
    assert "'x'' OR 1=1 --'" in rule.predicates[0].condition
    for field in ("'; DROP TABLE event; --", "outcome` = 1 OR `outcome", "a b"):
        assert "there is no field" in _why(PLAIN.replace("outcome: denied", f'"{field}": x'))


def test_a_site_adds_replaces_and_switches_off(tmp_path: Path) -> None:
    shipped = load(None)
    brute = next(rule for rule in shipped.rules if rule.file == "brute_force.yml")
    (tmp_path / "mine.yml").write_text(PLAIN)
    (tmp_path / "brute.yml").write_text(brute.text.replace("gte: 6", "gte: 60"))
    (tmp_path / "broken.yml").write_text(PLAIN.replace("outcome:", "mood:"))
    (tmp_path / ".hidden.yml").write_text("nonsense")
    off = next(rule for rule in shipped.rules if rule.file == "probing.yml").id
    found = load(tmp_path, off=frozenset({off, "no-such-rule"}))
    assert [(each.file, each.title) for each in found.refused] == [("broken.yml", "Denied"), ("", "no-such-rule")]
    assert "no field mood" in found.refused[0].why
    mine = {rule.id: rule for rule in found.rules}
    assert mine[brute.id].least == 60
    assert not mine[brute.id].shipped
    assert off not in mine
    assert [rule.id for rule in found.off] == [off]
    assert len(found.rules) == len(shipped.rules)
    assert found.digest != shipped.digest
    assert load(tmp_path / "nowhere").refused


def test_a_broken_replacement_leaves_ours_in_force(tmp_path: Path) -> None:
    brute = next(rule for rule in load(None).rules if rule.file == "brute_force.yml")
    (tmp_path / "brute.yml").write_text(brute.text.replace("account", "planet"))
    found = load(tmp_path)
    assert next(rule for rule in found.rules if rule.id == brute.id).shipped
    assert len(found.refused) == 1


def test_two_rules_of_one_id_are_told(tmp_path: Path) -> None:
    for name in ("a.yml", "b.yml"):
        (tmp_path / name).write_text(PLAIN)
    assert load(tmp_path, shipped=None).refused[0].why == "a.yml has its id"


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ("x = [", ""),
        ("[[town]]", "nobody knows 'town'"),
        ("[[place]]", "no name"),
        ("[[place]]\nname = 'A'\nlatitude = 91\nlongitude = 0\nnetworks = ['203.0.113.0/24']", "latitude"),
        ("[[place]]\nname = 'A'\nlatitude = true\nlongitude = 0\nnetworks = ['203.0.113.0/24']", "latitude"),
        ("[[place]]\nname = 'A'\nlatitude = 1\nlongitude = 0\nnetworks = []", "networks"),
        ("[[place]]\nname = 'A'\nlatitude = 1\nlongitude = 0\nnetworks = ['203.0.113.9/24']", "host bits"),
        ("[[place]]\nname = 'A'\nlatitude = 1\nlongitude = 0\nnetworks = ['203.0.113.0/25']", "finer"),
        ("[[place]]\nname = 'A'\nlatitude = 1\nlongitude = 0\nnetworks = ['10.1.0.0/16']", "private"),
        ("[[place]]\nname = 'A'\nlatitude = 1\nlongitude = 0\nnetworks = ['0.0.0.0/0']", "private"),
        ("[[place]]\nname = 'A'\nheight = 1\nlatitude = 1\nlongitude = 0\nnetworks = ['203.0.113.0/24']", "height"),
    ],
)
def test_a_table_of_places_is_read_strictly(table: str, why: str) -> None:
    with pytest.raises(PlacesRefused) as caught:
        Places.parse(table.encode())
    assert why in str(caught.value.parameters["why"])


def test_the_finest_network_counts_and_private_ones_are_nowhere() -> None:
    places = Places.parse(
        b"[[place]]\nname='Country'\nlatitude=30\nlongitude=110\nnetworks=['203.0.0.0/16', '2001:db8::/32']\n"
        b"[[place]]\nname='Town'\nlatitude=31.2\nlongitude=121.5\nnetworks=['203.0.113.0/24']\n"
    )
    for text, name in (
        ("203.0.113.0/24", "Town"),
        ("203.0.112.0/24", "Country"),
        ("2001:db8:7::/48", "Country"),
        ("192.168.1.0/24", None),
        ("198.51.100.0/24", None),
        ("nonsense", None),
        ("", None),
    ):
        found = places.of(text)
        assert (found.name if found else None) == name
    town, country = places.by_name["Town"], places.by_name["Country"]
    assert town.kilometres(country) == country.kilometres(town) == 1108
    assert town.kilometres(town) == 0


def test_an_operator_checks_rules_and_runs_them_over_the_past(tmp_path: Path) -> None:
    mine = tmp_path / "rules"
    mine.mkdir()
    (mine / "wrong.yml").write_text(COUNT)
    answer = CliRunner().invoke(audit, ["rules", "check", str(mine)])
    assert answer.exit_code == 0, answer.output
    assert "-- Many wrong (wrong.yml, event_count, medium, " in answer.output
    (mine / "bad.yml").write_text(PLAIN.replace("outcome:", "mood:"))
    answer = CliRunner().invoke(audit, ["rules", "check", str(mine)])
    assert answer.exit_code == 1
    assert "REFUSED: bad.yml: Denied: there is no field mood here" in answer.output

    site = LogSite(tmp_path).create()
    with closing(site.open()) as log:
        facts = {"reason": "wrong", "network": "203.0.113.0/24"}
        for _ in range(4):
            log.append([event(subject="", sealed={}, outcome=Outcome.FAILURE, attributes=facts)])
        log.integrate()
    (tmp_path / "index.key").write_bytes(b"k" * 32)
    (tmp_path / "index.key").chmod(0o600)
    ask = ["rules", "run", str(mine), "--record", str(tmp_path), "--key", site.vkey]
    answer = CliRunner().invoke(audit, ask)
    assert answer.exit_code == 1
    assert "medium Many wrong [network=203.0.113.0/24]: 1 2 3" in answer.output
    assert "5 entries, 1 rules, 1 alerts" in answer.output
    answer = CliRunner().invoke(audit, [*ask, "--from", "3"])
    assert "2 entries, 1 rules, 0 alerts" in answer.output
    assert CliRunner().invoke(audit, [*ask, "--time-zone", "Moon"]).exit_code == 2
    site.close()
