# SPDX-License-Identifier: Apache-2.0
"""Every kind of evidence on the compliance page: shown by a whole site, and gone or a no where the site is broken."""

import base64
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.wiring.complying_clauses import both, level_three, tenets
from app.wiring.complying_doors import bound
from app.wiring.complying_record import Recorded
from app.wiring.complying_settings import InForce
from app.wiring.complying_trials import Entrance, Trials
from audit.config import AuditSettings, ExportTarget
from audit.console.picture import Count
from audit.models import Entry, Event, Outcome
from audit.store import IndexChecked
from audit.web import Finding, examined
from core.site import Ports, SiteSettings
from directory.config import DirectorySettings
from gateway import GatewaySettings
from policies.bundle import read_source
from policies.config import SHIPPED, PolicySettings
from policies.models import Code, Decision, DecisionRequest
from policies.release import Release
from sso.config import SSOSettings

EXPORT = ExportTarget.__new__(ExportTarget)
"""Only its name is shown."""
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
RELEASE = Release(read_source(SHIPPED), version="7-shipped")
LEO = "8b7c2a52-7a3e-4f0e-9c43-2f1f6d1d7a01"


@dataclass
class Policies:
    """The shipped ones; ``answer`` stands for policies that answer everything so."""

    version: str = "7-shipped"
    sequence: int = 7
    zones: frozenset[str] = RELEASE.zones
    needless: Sequence[str] = ()
    answer: Decision | None = None

    def decide(self, request: DecisionRequest) -> Decision:
        return self.answer or RELEASE.decide(request)


OPEN = Decision(allowed=True, code="allowed", reasons=("everything",), step_up=None, version="8")
NOTHING = Policies(version="", sequence=0, answer=replace(OPEN, allowed=False, code=Code.ERROR))


@dataclass
class Log:
    """Entries in a list."""

    entries: list[Entry] = field(default_factory=list)
    signed: bool = True

    def size(self) -> int:
        return len(self.entries)

    def first(self) -> int:
        return 0

    def read(self, start: int, limit: int) -> Sequence[Entry]:
        return self.entries[start : start + limit]

    def checkpoint(self, log: str = "") -> bytes:
        return log.encode()

    def opened_checkpoint(self, text: str) -> tuple[int, bytes]:
        if not self.signed:
            raise ValueError(text)
        return len(self.entries), b""


def decision(index: int, **fields: object) -> Entry:
    told: dict[str, str | int | bool] = {
        "reason": "allowed",
        "method": "GET",
        "to_zone": "external",
        "port": 8443,
        "protocol": "https",
        "network": "203.0.113.0/24",
    }
    event = Event(
        key=f"{index:032x}", type="gateway.decision", outcome=Outcome.SUCCESS, at=NOW, source="gateway",
        object="tax", zone="external", decision=f"{index:032x}", policy="7-shipped", attributes=told,
    )  # fmt: skip
    return Entry(index=index, event=replace(event, **fields), ciphertext="c" if fields.get("subject") else "")  # type: ignore[arg-type]  # of an event


def denied(index: int) -> Entry:
    one = decision(index)
    said = {**one.event.attributes, "reason": "forwarded"}
    return replace(one, event=replace(one.event, outcome=Outcome.DENIED, attributes=said))


def count(kind: str, outcome: Outcome = Outcome.SUCCESS, *, reason: str = "", zone: str = "", to: str = "") -> Count:
    return Count(at=NOW, type=kind, outcome=outcome, zone=zone, to_zone=to, reason=reason, times=3)


COUNTS = [
    count("gateway.decision", Outcome.DENIED, reason="forwarded", zone="internet", to="external"),
    count("gateway.decision", zone="external", to="management"),
    *(count(kind) for kind in ("policy.released", "audit.searched", "directory.person.disabled")),
]


@dataclass
class Site:
    """A whole site; a test takes something from it."""

    policies: Policies = field(default_factory=Policies)
    nothing: Policies = field(default_factory=lambda: NOTHING)
    log: Log = field(default_factory=lambda: Log([decision(0, subject=LEO, session="s" * 32), decision(1), denied(2)]))
    counts: Iterable[Count] = field(default_factory=lambda: list(COUNTS))
    differ: int = 0
    alarms: int = 4
    gateway: GatewaySettings = field(default_factory=GatewaySettings)
    sso: SSOSettings = field(default_factory=SSOSettings)
    audit: AuditSettings = field(
        default_factory=lambda: AuditSettings(mirrors={"other": Path("secret")}, exports={"soc": EXPORT})
    )
    directory: DirectorySettings = field(default_factory=lambda: DirectorySettings(second_port=636))
    administrators: tuple[str, ...] = ("a", "b")
    workers: int = 2

    def rows(self) -> dict[str, bool | None]:
        trials = Trials(
            site=SiteSettings(
                name="test", domain="test.localhost", title="Test", title_zh="测试", state=Path("/nowhere"),
                ports=Ports(external=1, internal=1, management=1, plain=1, ldaps=1),
            ),
            engine=lambda: self.policies, empty=self.nothing, now=NOW, suffix="dc=city,dc=example",
            entrance=Entrance(label="devices", listener="external", path="/api/device/"),
        )  # fmt: skip
        force = InForce(
            gateway=self.gateway, sso=self.sso, audit=self.audit, directory=self.directory,
            policies=PolicySettings(administrators={name: _key(name[0]) for name in self.administrators}),
            zones=lambda: self.policies.zones, workers=self.workers,
        )  # fmt: skip
        record = Recorded(
            log=self.log, counts=lambda _since, _until: self.counts,
            checked=lambda: IndexChecked(place=3, found=self.differ), alarms=lambda: {"in force": self.alarms}, now=NOW,
        )  # fmt: skip
        found = {row.clause.number: row.met for row in examined(level_three(trials, force, record))}
        return found | {f"tenet {row.clause.number}": row.met for row in examined(tenets(trials, force, record))}


def _key(letter: str) -> str:
    return base64.b64encode(letter.encode() * 32).decode()


SITES_OWN = {"8.1.3.1 d", "8.1.3.4", "8.1.4.10"}
AT_THE_DOOR = {
    *("8.1.2.2", "8.1.3.1 b", "8.1.4.1 c", "8.1.4.2 b", "8.1.4.4 d", "8.1.4.7", "8.1.4.8", "tenet 2", "tenet 5"),
}
"""Shown by a connection to the site's own listeners, which no test here has: tests/gateway and tests/flows do."""
EMPTY_OF_LIMITS = {"8.1.3.2 e"}


def test_a_whole_site_shows_all_but_what_is_its_organisations_own() -> None:
    found = Site().rows()
    assert {number for number, met in found.items() if met is None} == SITES_OWN | AT_THE_DOOR
    assert {number for number, met in found.items() if met is False} <= EMPTY_OF_LIMITS


def test_every_clause_of_the_specification_and_every_tenet_has_a_row() -> None:
    wanted = {
        *("8.1.2.1", "8.1.2.2", "8.1.3.4", "8.1.3.6", "8.1.4.7", "8.1.4.8", "8.1.4.9", "8.1.4.10", "8.1.4.11"),
        *(f"8.1.3.1 {letter}" for letter in "abcd"),
        *(f"8.1.3.2 {letter}" for letter in "abcde"),
        *(f"8.1.3.3 {letter}" for letter in "abcd"),
        *(f"8.1.3.5 {letter}" for letter in "abcd"),
        *(f"8.1.4.1 {letter}" for letter in "abcd"),
        *(f"8.1.4.2 {letter}" for letter in "abcdefg"),
        *(f"8.1.4.3 {letter}" for letter in "abcd"),
        *(f"8.1.4.4 {letter}" for letter in "cd"),
        *(f"8.1.5.{number}" for number in range(1, 5)),
        *(f"tenet {number}" for number in range(1, 8)),
    }
    assert Site().rows().keys() == wanted


@pytest.mark.parametrize(
    ("broken", "lost"),
    [
        (Site(policies=Policies(answer=OPEN)), ("8.1.3.1 b 8.1.3.1 c 8.1.3.2 a 8.1.3.3 b 8.1.4.1 d 8.1.4.2 a 8.1.4.2 d"
         " 8.1.4.2 g 8.1.4.4 c")),
        # Refused, and for another reason than the clause's.
        (Site(policies=Policies(answer=replace(OPEN, allowed=False, code="role"))), "8.1.4.2 d 8.1.4.2 g"),
        (Site(policies=Policies(answer=replace(OPEN, allowed=False, code="separation"))), "8.1.4.2 d 8.1.4.2 g"),
        (Site(nothing=Policies(answer=OPEN)), "8.1.3.2 a"),
        (Site(policies=Policies(needless=("a is b",))), "8.1.3.2 b"),
        (Site(policies=Policies(sequence=0)), "8.1.3.6"),
        (Site(policies=Policies(zones=frozenset({"one"}))), "8.1.2.1"),
        (Site(gateway=GatewaySettings(session_idle=timedelta(hours=2))), "8.1.3.2 d"),
        (Site(sso=SSOSettings(session_idle=timedelta(hours=2))), "8.1.4.1 b"),
        (Site(directory=DirectorySettings(password_history=0)), "8.1.4.1 a 8.1.4.9"),
        (Site(administrators=("a",)), "8.1.4.2 e"),
        (Site(administrators=("a", "a-by-another-name")), "8.1.4.2 e"),
        (Site(audit=AuditSettings()), "8.1.3.3 c 8.1.4.9"),
        (Site(workers=1), "8.1.4.9"),
        (Site(differ=1), "8.1.3.5 c 8.1.4.3 c"),
        (Site(alarms=0), "8.1.3.3 d"),
        (Site(counts=[]), "8.1.3.3 a 8.1.3.5 d 8.1.4.2 c 8.1.5.1 8.1.5.2 8.1.5.3"),
        (Site(log=Log()), "8.1.3.1 a 8.1.3.2 c 8.1.3.3 d 8.1.3.5 a 8.1.3.5 b 8.1.4.3 a 8.1.4.3 b 8.1.4.3 d 8.1.4.11"),
        (Site(log=Log([decision(0), denied(1)], signed=False)), "8.1.3.5 c 8.1.4.3 c 8.1.4.11"),
        (Site(log=Log([decision(0, subject=LEO, attributes={"reason": "allowed"}), denied(1)])), "8.1.3.2 c"),
        (Site(log=Log([decision(0, subject=LEO, attributes={"name": "Leo"}), denied(1)])), "8.1.3.5 b 8.1.4.11"),
        (Site(log=Log([decision(0, subject=LEO, at=NOW - timedelta(hours=1))])), "8.1.4.3 d"),
    ],
)  # fmt: skip
def test_a_row_changes_when_the_site_is_broken(broken: Site, lost: str) -> None:
    rows = broken.rows()
    numbers = [f"8.1.{each.strip()}" for each in lost.split("8.1.") if each]
    assert {number: rows[number] for number in numbers if rows[number] is True} == {}


def test_what_several_looks_must_show_one_of_them_can_take() -> None:
    yes, no, nothing = Finding(met=True, shown=("1",)), Finding(met=False, shown=("0",)), Finding(met=True, shown=())
    assert both(lambda: yes, lambda: yes)() == Finding(met=True, shown=("1", "1"))
    assert both(lambda: yes, lambda: no)().met is False
    assert both(lambda: yes, lambda: nothing)().shown == ()


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (bytes.fromhex("300c02010161070a010004000400"), 0),
        (bytes.fromhex("300c02010161070a013104000400"), 49),
        # The same as OpenLDAP writes it, with lengths of four bytes.
        (bytes.fromhex("30840000001002010161840000000" + "70a013104000400"), 49),
        (b"HTTP/1.1 400 Bad Request", None),
        (b"", None),
    ],
)
def test_what_a_directory_says_of_a_name_and_a_password_is_read(answer: bytes, code: int | None) -> None:
    here, there = socket.socketpair()
    with here, there:
        there.sendall(answer)
        there.shutdown(socket.SHUT_WR)
        if code is None:
            with pytest.raises(ValueError, match="no answer"):
                bound(here, "cn=root,dc=city", "secret")
        else:
            assert bound(here, "cn=root,dc=city", "secret") == code
            # Message, number, bind, version 3, name, simple password (RFC 4511 section 4.2).
            said = there.recv(1000)
            assert said == bytes.fromhex("3021020101601c020103040f") + b"cn=root,dc=city" + b"\x80\x06secret"
