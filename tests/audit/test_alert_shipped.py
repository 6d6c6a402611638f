# SPDX-License-Identifier: Apache-2.0
"""Every shipped rule, by realistic entries: what sets it off, and what comes close and does not."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from audit.alerts import SHIPPED as FOLDER
from audit.alerts import Alert
from audit.models import Outcome
from tests.fakes.alerting import SHIPPED, TUESDAY, Alerting

Story = Callable[[Alerting], None]
LI, WANG, CLERK, OFFICER = "subject-li", "subject-wang", "subject-clerk", "subject-officer"
NIGHT = datetime(2026, 12, 1, 23, 30, tzinfo=UTC)
SATURDAY = datetime(2026, 12, 5, 11, 0, tzinfo=UTC)


def _wrong(
    it: Alerting, account: str, *, network: str = "203.0.113.0/24", reason: str = "wrong", after: float = 5
) -> None:
    attributes = {"method": "pwd", "reason": reason, "network": network, "account": account}
    it.add("sso.login", Outcome.FAILURE, after=after, object="tax", attributes=attributes)


def _login(it: Alerting, subject: str = LI, *, network: str = "203.0.113.0/24", after: float = 5, **more: str) -> None:
    attributes = {"acr": "1", "amr": "pwd", "network": network, **more}
    sealed = {"name": "Li Xiaoming", "address": "203.0.113.7"}
    it.add("sso.login", after=after, subject=subject, session="s", object="tax", attributes=attributes, sealed=sealed)


def _read_person(it: Alerting, *, after: float) -> None:
    it.add("directory.person.read", after=after, subject=LI, actor=CLERK)


def _times(count: int, act: Callable[[Alerting, int], object]) -> Story:
    def story(it: Alerting) -> None:
        for number in range(count):
            act(it, number)

    return story


def _issue(it: Alerting, actor: str = OFFICER, *, after: float = 20, serial: int = 0) -> None:
    facts = {"profile": "person-sign", "issuer": "people"}
    it.add(
        "ca.certificate.issued",
        after=after,
        subject=f"s-{serial}",
        actor=actor,
        object=f"{serial:034x}",
        attributes=facts,
    )


def _forbidden(it: Alerting, reason: str, *, network: str = "", subject: str = "", portal: str = "tax") -> None:
    facts = {"reason": reason, "method": "GET"} | ({"network": network} if network else {})
    it.add("gateway.decision", Outcome.DENIED, attributes=facts, zone="external", subject=subject, object=portal)


def _release(it: Alerting, sequence: int, content: str, outcome: Outcome = Outcome.SUCCESS) -> None:
    facts = {"sequence": sequence, "files": 9, "content": content}
    it.add("policy.released", outcome, after=60, object=f"{sequence}-x", policy=f"{sequence}-x", attributes=facts)


def _role(
    it: Alerting, act: str, role: str, *, after: float = 60, outcome: Outcome = Outcome.SUCCESS, **more: str
) -> None:
    said: dict[str, Any] = {"subject": LI, "actor": OFFICER, "attributes": {"role": role}} | more
    it.add(f"directory.role.{act}", outcome, after=after, **said)


def _guess_then_enter(it: Alerting, *, account: str, after: float) -> None:
    for _ in range(3):
        _wrong(it, "a1")
    _wrong(it, "a1", reason="waiting")
    _login(it, after=after, account=account)


def _travel(it: Alerting, network: str, hours: float) -> None:
    _login(it)
    _login(it, network=network, after=hours * 3600)


def _idle(it: Alerting, days: float) -> None:
    _login(it)
    _login(it, after=days * 86400)


def _three_releases(it: Alerting, *contents: str) -> None:
    for sequence, content in enumerate(contents, 1):
        _release(it, sequence, content, Outcome.INTENDED)
        _release(it, sequence, content)


def _log(it: Alerting, *acts: str, after: float = 2) -> None:
    for act in acts:
        it.add(f"log.{act}", after=after if act == "started" else 1, attributes={"size": it.log.size()})


def _taken_over(it: Alerting, *, apart: float, who: str = LI) -> None:
    it.add("directory.person.changed", subject=LI, actor=CLERK, attributes={"what": "password"})
    it.add("sso.factor.removed", after=apart, subject=who, session="s", attributes={"factor": "codes"})


def _then(*stories: Story) -> Story:
    def story(it: Alerting) -> None:
        for each in stories:
            each(it)

    return story


def _at(moment: datetime, story: Story) -> Story:
    def later(it: Alerting) -> None:
        it.clock.advance(moment - it.clock.now())
        story(it)

    return later


def _one(kind: str, outcome: Outcome = Outcome.SUCCESS, **fields: Any) -> Story:
    def story(it: Alerting) -> None:
        it.add(kind, outcome, **fields)

    return story


CASES: dict[str, tuple[Story, Story]] = {
    "brute_force": (
        _times(7, lambda it, _: _wrong(it, "a1")),
        # Five wrong ones, a pause of over ten minutes, and one more.
        _then(_times(5, lambda it, _: _wrong(it, "a1")), lambda it: _wrong(it, "a1", after=700)),
    ),
    "password_spraying": (
        _times(10, lambda it, n: _wrong(it, f"a{n}")),
        # As many attempts at half as many accounts.
        _times(10, lambda it, n: _wrong(it, f"a{n % 5}")),
    ),
    "guessed_password": (
        lambda it: _guess_then_enter(it, account="a1", after=60),
        lambda it: _guess_then_enter(it, account="a2", after=60),
    ),
    "code_guessing": (
        _times(
            5,
            lambda it, _: it.add(
                "sso.login",
                Outcome.FAILURE,
                subject=LI,
                attributes={"method": "otp", "reason": "wrong", "network": "203.0.113.0/24"},
            ),
        ),
        _times(
            5,
            lambda it, n: it.add(
                "sso.login",
                Outcome.FAILURE,
                subject=f"s{n}",
                attributes={"method": "otp", "reason": "wrong", "network": "203.0.113.0/24"},
            ),
        ),
    ),
    "impossible_travel": (
        # 2,900 km in an hour; in a day it is a flight, and an unknown network is nowhere.
        lambda it: _travel(it, "198.51.100.0/24", 1),
        _then(lambda it: _travel(it, "198.51.100.0/24", 24), lambda it: _login(it, network="192.0.2.0/24")),
    ),
    "dormant_account": (lambda it: _idle(it, 90.1), lambda it: _idle(it, 89.9)),
    "refresh_reuse": (
        _one(
            "sso.token.revoked",
            subject=LI,
            object="g",
            attributes={"client": "tax", "reason": "refresh token presented twice"},
        ),
        _one("sso.token.revoked", subject=LI, object="g", attributes={"client": "tax", "reason": "revoked by client"}),
    ),
    "mass_issuance": (
        _times(20, lambda it, n: _issue(it, serial=n)),
        # As many, by two officers.
        _times(38, lambda it, n: _issue(it, f"officer-{n % 2}", serial=n)),
    ),
    "mass_issuance_by_role": (
        _times(300, lambda it, n: _issue(it, "role:sso", after=1, serial=n)),
        _times(299, lambda it, n: _issue(it, "role:sso", after=1, serial=n)),
    ),
    "mass_revocation": (
        _times(20, lambda it, n: it.add("ca.certificate.revoked", actor=OFFICER, object=f"{n:034x}")),
        _times(20, lambda it, n: it.add("ca.certificate.revoked", actor="role:ca", object=f"{n:034x}")),
    ),
    "off_hours_approval": (
        _at(NIGHT, lambda it: _role(it, "granted", "registrar")),
        _then(
            lambda it: _role(it, "granted", "registrar"),
            _at(NIGHT, lambda it: _role(it, "granted", "registrar", actor="role:app")),
        ),
    ),
    "self_approval": (
        _one(
            "ca.certificate.refused",
            Outcome.DENIED,
            subject=OFFICER,
            actor=OFFICER,
            attributes={"code": "issuance_denied", "reasons": "not-for-oneself", "profile": "person-sign"},
        ),
        _one(
            "ca.certificate.refused",
            Outcome.DENIED,
            subject=LI,
            actor=OFFICER,
            attributes={"code": "issuance_denied", "reasons": "requester-not-allowed", "profile": "person-sign"},
        ),
    ),
    "incident_overdue": (
        _one("audit.case.overdue", object="5a1a8a5236b57002", attributes={"report": "first", "grade": 1}),
        _one("audit.case.reported", object="5a1a8a5236b57002", attributes={"report": "first"}),
    ),
    "policy_rollback": (
        lambda it: _three_releases(it, "aa", "bb", "aa"),
        lambda it: _three_releases(it, "aa", "bb", "cc"),
    ),
    "audit_stop_unclean": (
        lambda it: _log(it, "started", "started"),
        lambda it: _log(it, "started", "stopped", "started"),
    ),
    "audit_silence": (
        lambda it: _log(it, "started", "stopped", "started", after=400),
        lambda it: _log(it, "started", "stopped", "started", after=200),
    ),
    "source_silent": (
        _then(lambda it: _forbidden(it, "role", subject=LI), lambda it: _read_person(it, after=1000)),
        # It spoke meanwhile; the record itself stood still; and at night nobody is there.
        _then(
            lambda it: _forbidden(it, "role", subject=LI),
            lambda it: _read_person(it, after=600),
            lambda it: _forbidden(it, "role", subject=LI),
            lambda it: _read_person(it, after=600),
            lambda it: _log(it, "started", after=2000),
            lambda it: _read_person(it, after=600),
            lambda it: it.clock.advance(timedelta(hours=12)),
            lambda it: _read_person(it, after=600),
        ),
    ),
    "audit_stopped": (lambda it: _log(it, "started", "stopped"), lambda it: _log(it, "started")),
    "alert_rules_changed": (
        _one("audit.rules.changed", attributes={"what": "changed", "digest": "00"}),
        _one("audit.rules.changed", attributes={"what": "first", "digest": "00"}),
    ),
    "settings_changed": (
        _one("site.settings.changed", source="audit", attributes={"what": "changed", "role": "gateway"}),
        _one("site.settings.changed", source="audit", attributes={"what": "first", "role": "app"}),
    ),
    "clerk_enumeration": (
        _times(30, lambda it, n: it.add("directory.person.read", subject=f"s{n}", actor=CLERK)),
        _times(60, lambda it, n: it.add("directory.person.read", subject=f"s{n % 29}", actor=CLERK)),
    ),
    "clerk_searching": (
        _times(60, lambda it, _: it.add("directory.people.searched", subject=CLERK, actor=CLERK)),
        _times(60, lambda it, _: it.add("directory.people.searched", after=11, subject=CLERK, actor=CLERK)),
    ),
    "officer_enumeration": (
        _times(50, lambda it, n: it.add("audit.opened", subject=f"s{n}", actor=OFFICER, object=str(n))),
        _times(80, lambda it, n: it.add("audit.opened", subject=LI, actor=OFFICER, object=str(n))),
    ),
    "directory_change_unrecorded": (
        _one("directory.change.unrecorded", Outcome.FAILURE, subject=LI),
        _one("directory.change.undone", subject=LI, actor=OFFICER),
    ),
    "witness_contradicted": (
        _one("audit.witness.contradicted", Outcome.FAILURE, object="other.example/log"),
        _one("log.witnesses.back"),
    ),
    "witnesses_lost": (_one("log.witnesses.lost", Outcome.FAILURE), _one("log.witnesses.back")),
    "record_set_aside": (
        _one("audit.record.set_aside", Outcome.FAILURE, source="sso", attributes={"reason": "bad_event"}),
        _one("audit.searched", subject=OFFICER, attributes={"view": "overview", "hits": 3}),
    ),
    "ca_tables_behind": (_one("ca.tables.reconciled"), _one("ca.certificate.issued", actor="role:sso", subject=LI)),
    "ca_checker_found": (
        _one("ca.check.found", Outcome.FAILURE, object="1a2b", attributes={"code": "signature", "profile": "citizen"}),
        _one("ca.check.swept", attributes={"checked": 10, "found": 0}),
    ),
    "certificate_possibly_issued": (
        _one("ca.certificate.abandoned", Outcome.FAILURE, subject=LI, attributes={"profile": "person-sign"}),
        _one("ca.certificate.refused", Outcome.DENIED, subject=LI, attributes={"profile": "person-sign"}),
    ),
    "separation_of_duties": (
        lambda it: _forbidden(it, "separation", subject=LI),
        lambda it: _forbidden(it, "role", subject=LI),
    ),
    "probing": (
        _times(5, lambda it, n: _forbidden(it, "role", subject=LI, portal=f"portal-{n}")),
        _times(9, lambda it, n: _forbidden(it, "role", subject=LI, portal=f"portal-{n % 4}")),
    ),
    "forged_credentials": (
        _times(20, lambda it, _: _forbidden(it, "credential", network="203.0.113.0/24")),
        _times(20, lambda it, _: _forbidden(it, "login", network="203.0.113.0/24")),
    ),
    "short_lived_role": (
        _then(lambda it: _role(it, "granted", "registrar"), lambda it: _role(it, "withdrawn", "registrar", after=900)),
        # The other way round, and another role.
        _then(
            lambda it: _role(it, "withdrawn", "registrar"),
            lambda it: _role(it, "granted", "registrar", after=900),
            lambda it: _role(it, "withdrawn", "clerk"),
        ),
    ),
    "account_taken_over": (
        lambda it: _taken_over(it, apart=600),
        # Too far apart, and somebody else's.
        _then(
            lambda it: _taken_over(it, apart=3700),
            lambda it: it.clock.advance(timedelta(hours=2)),
            lambda it: _taken_over(it, apart=5, who=WANG),
        ),
    ),
}


def _of(alerts: list[Alert], it: Alerting, name: str) -> list[Alert]:
    [rule] = [rule for rule in it.rules.rules if rule.file == f"{name}.yml"]
    return [alert for alert in alerts if alert.rule == rule.id]


def test_every_shipped_rule_is_used_and_has_both_cases() -> None:
    assert SHIPPED.refused == []
    assert {path.stem for path in FOLDER.glob("*.yml")} == {rule.file.removesuffix(".yml") for rule in SHIPPED.rules}
    assert {rule.file.removesuffix(".yml") for rule in SHIPPED.rules} == CASES.keys()
    assert {rule.kind.value for rule in SHIPPED.rules} == {
        "single",
        "event_count",
        "value_count",
        "temporal",
        "temporal_ordered",
    }


@pytest.mark.parametrize("name", CASES)
def test_what_sets_it_off(tmp_path: Path, name: str) -> None:
    it = Alerting(tmp_path, at=TUESDAY)
    CASES[name][0](it)
    [alert] = _of(list(it.raised()), it, name)
    assert alert.entries
    assert alert.query
    assert alert.told.title_zh
    # Every entry of it is proven, by the tree as it was then.
    for proven in it.store.proven(alert.id):
        assert it.log.prove(proven.index).index == proven.index
        assert proven.checkpoint.startswith(it.log.origin)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("directory.power.refused", {"act": "grant", "role": "registrar", "code": "own_role"}),
        ("ca.release.refused", {"reasons": "not-for-oneself", "profile": "citizen"}),
        ("ca.request.refused", {"act": "approve", "reasons": "own-request", "profile": "citizen"}),
        ("ca.request.refused", {"act": "approve", "reasons": "one-officer-twice", "profile": "citizen"}),
        ("ca.incident.refused", {"act": "revoke", "reasons": "own-incident", "verb": "approve"}),
    ],
)
def test_a_power_that_was_refused_over_oneself_sets_it_off_too(tmp_path: Path, kind: str, said: Any) -> None:
    it = Alerting(tmp_path, at=TUESDAY)
    it.add(kind, Outcome.DENIED, subject=OFFICER, actor=OFFICER, object="1f2e3d4c", attributes=said)
    assert len(_of(list(it.raised()), it, "self_approval")) == 1


@pytest.mark.parametrize("name", CASES)
def test_what_comes_close(tmp_path: Path, name: str) -> None:
    it = Alerting(tmp_path, at=TUESDAY)
    CASES[name][1](it)
    assert _of(list(it.raised()), it, name) == []


@pytest.mark.parametrize(
    "name",
    [
        "brute_force",
        "password_spraying",
        "guessed_password",
        "clerk_enumeration",
        "short_lived_role",
        "account_taken_over",
    ],
)
def test_one_by_one_as_on_the_stream(tmp_path: Path, name: str) -> None:
    """The same alert, whether the entries are read one by one or all at once."""
    together = Alerting(tmp_path, at=TUESDAY)
    CASES[name][0](together)
    (tmp_path / "apart").mkdir()
    apart = Alerting(tmp_path / "apart", at=TUESDAY)
    original = apart.log.record

    def record_and_look(event: object, **more: object) -> object:
        receipt = original(event, **more)  # type: ignore[arg-type]  # as it came
        if getattr(event, "type", "") not in ("audit.alert.raised", "audit.rules.changed"):
            apart.engine.advance()
        return receipt

    apart.log.record = record_and_look  # type: ignore[method-assign, assignment]  # every event is looked at as it comes
    CASES[name][0](apart)
    [one] = _of(list(together.raised()), together, name)
    [other] = _of(list(apart.raised()), apart, name)
    assert (one.group, one.count, len(one.entries)) == (other.group, other.count, len(other.entries))


def test_at_a_weekend_and_in_another_time_zone_the_office_is_closed(tmp_path: Path) -> None:
    it = Alerting(tmp_path, at=SATURDAY)
    _role(it, "granted", "registrar")
    assert "off_hours_approval" in it.titles()
    (tmp_path / "east").mkdir()
    # One in the afternoon in London is nine in the evening in the east.
    east = Alerting(tmp_path / "east", at=TUESDAY + timedelta(hours=3), zone=ZoneInfo("Asia/Shanghai"))
    _role(east, "granted", "registrar")
    assert "off_hours_approval" in east.titles()
