# SPDX-License-Identifier: Apache-2.0
"""Everything that was issued: found, paged, exported; recorded before it is shown; counted without counting."""

import csv
import dataclasses
import io
import json
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import insert, text

from audit import Outcome
from audit.errors import RecordUnavailable
from ca import Reason
from ca.ceremony import MIGRATIONS
from ca.checker import Findings
from ca.checker.models import Finding, Heard
from ca.checker.store import LOG, NEW
from ca.errors import NoSuchCertificate, NoSuchPage
from ca.inventory import Counting, Form, Inventory, Query, Reader, Sought, Stock
from ca.inventory.export import safe
from ca.inventory.store import searching
from ca.models import Standing, State
from ca.service import CertificateAuthority
from ca.service.notes import event, note
from ca.store import Store
from ca.store.issuances import row_of
from ca.store.tables import certificates, outbox
from core.db import Database, migrate
from core.errors import NotFound
from tests.ca.tracing import traced
from tests.fakes import postgres
from tests.fakes.clock import ManualClock
from tests.fakes.people import AGENCY, CITIZEN, KIOSK, OFFICER

from .sites import Site, open_inventory
from .world import World, ask, intent

WHO = Reader(subject=OFFICER.subject, zone="management")
SETTLED = timedelta(minutes=5)
NOW = ManualClock().now()


_EMPTIED = (
    "revocations", "certificates", "keys", "tallies", "watch_marks", "outbox", "check_heard", "check_strays",
    "check_findings", "check_sweeps",
)  # fmt: skip


@pytest.fixture(scope="module")
def server(postgres_server: Path) -> Iterator[Database]:
    opened = Database.open(postgres.migrated(postgres_server, MIGRATIONS))
    yield opened
    opened.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "postgresql":
        opened: Database = request.getfixturevalue("server")
        with opened.transaction() as connection:
            for table in _EMPTIED:
                connection.execute(text(f"DELETE FROM {table}"))  # noqa: S608 - names of our own tables
        yield opened
        return
    opened = Database.open(f"sqlite:///{tmp_path}/ca.db")
    migrate(opened, MIGRATIONS)
    yield opened
    opened.close()


def _fill(database: Database, many: int, **changed: object) -> None:
    """So many delivered certificates, one a minute; every tenth is a civil servant's."""
    rows = []
    for number in range(many):
        at = NOW + timedelta(minutes=number)
        made = intent(
            format((1 << 136) + number, "x"), at=at, key_hash=format(number, "064x"), subject=f"s{number % 7}"
        )
        row = {**row_of(made), "state": State.DELIVERED, "der": b"d", "tbs": b""}
        row["profile"] = "civil-servant" if number % 10 == 0 else "citizen"
        rows.append(row | changed)
    with database.transaction() as connection:
        connection.execute(insert(certificates), rows)


def _withdraw(database: Database, serial: str, reason: Reason, *, minutes: int = 0) -> None:
    told = note(event("ca.certificate.revoked", Outcome.SUCCESS, at=NOW, actor="role:ca", serial=serial))
    at = NOW + timedelta(minutes=minutes)
    Store(database).withdraw(serial, standing=Standing.REVOKED, reason=reason, at=at, note=told)


def _serials(stock: Stock, query: Query, *, limit: int = 50, days: int = 0) -> list[str]:
    found, after = [], ""
    while True:
        page = stock.search(query, at=NOW + timedelta(days=days), after=after, limit=limit)
        found += [each.serial for each in page.held]
        if not page.more:
            return found
        after = page.more


def test_every_condition_finds_what_it_says_and_nothing_else(database: Database) -> None:
    _fill(database, 40)
    stock = Stock(database)
    all_of_them = [format((1 << 136) + number, "x") for number in range(40)]
    _withdraw(database, all_of_them[3], Reason.SUPERSEDED)
    assert _serials(stock, Query()) == all_of_them[::-1]
    assert _serials(stock, Query(holder="s2")) == [each for n, each in enumerate(all_of_them) if n % 7 == 2][::-1]
    assert _serials(stock, Query(serial=all_of_them[5])) == [all_of_them[5]]
    assert _serials(stock, Query(key=format(9, "064x"))) == [all_of_them[9]]
    assert _serials(stock, Query(profile="civil-servant")) == all_of_them[::10][::-1]
    assert _serials(stock, Query(issuer="devices")) == []
    assert _serials(stock, Query(name="x")) == all_of_them[::-1]
    assert _serials(stock, Query(name="_")) == []
    assert _serials(stock, Query(state=Sought.REVOKED)) == [all_of_them[3]]
    assert len(_serials(stock, Query(state=Sought.GOOD))) == 39
    assert len(_serials(stock, Query(state=Sought.EXPIRED), days=400)) == 39
    today = NOW.date()
    assert _serials(stock, Query(issued_from=today, issued_to=today)) == all_of_them[::-1]
    assert _serials(stock, Query(issued_from=today + timedelta(days=1))) == []
    assert _serials(stock, Query(issued_to=today - timedelta(days=1))) == []
    end = today + timedelta(days=365)
    # What ends is listed by when it ends.
    assert _serials(stock, Query(expires_from=end, expires_to=end)) == all_of_them
    assert _serials(stock, Query(expires_to=end - timedelta(days=1))) == []


@pytest.mark.parametrize("query", [Query(), Query(profile="citizen"), Query(expires_from=NOW.date())])
def test_pages_hold_everything_once_whatever_comes_meanwhile(
    database: Database, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "STRETCH", 7)
    monkeypatch.setattr(searching, "ROUNDS", 2)
    _fill(database, 60)
    stock = Stock(database)
    whole = _serials(stock, query, limit=1000)
    assert len(whole) == len(set(whole)) == (54 if query.profile else 60)
    for limit in (1, 4, 50):
        assert _serials(stock, query, limit=limit) == whole
    page = stock.search(query, at=NOW, limit=4)
    _withdraw(database, whole[0], Reason.CESSATION)
    after = stock.search(query, at=NOW, after=page.more, limit=4)
    assert [each.serial for each in after.held] == whole[len(page.held) : len(page.held) + len(after.held)]


def test_a_search_that_finds_little_stops_and_says_where_to_go_on(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "STRETCH", 5)
    monkeypatch.setattr(searching, "ROUNDS", 2)
    _fill(database, 40)
    page = Stock(database).search(Query(issuer="devices"), at=NOW)
    assert (page.held, page.partial) == ((), True)
    rounds = 1
    while page.more:
        page = Stock(database).search(Query(issuer="devices"), at=NOW, after=page.more)
        rounds += 1
    assert rounds == 4
    assert not page.partial


@pytest.mark.parametrize("after", ["x", "p", "p1'--", "e1", "p" + "9" * 40, "e1-2-3", "\uff11"])
def test_a_made_up_place_is_refused(database: Database, after: str) -> None:
    for query in (Query(), Query(holder="a"), Query(expires_from=NOW.date())):
        with pytest.raises(NoSuchPage):
            Stock(database).search(query, at=NOW, after=after)


def test_an_export_of_many_is_made_in_little_memory(database: Database) -> None:
    _fill(database, 3000)
    stock = Stock(database)
    with traced() as held:
        many = sum(1 for _ in stock.each(Query(), at=NOW))
        assert held(most=True) < 6_000_000
    assert many == 3000


def test_counters_say_what_a_count_would_say(database: Database) -> None:
    clock = ManualClock()
    _fill(database, 30)
    counting = Counting(database, clock=clock, settled=SETTLED)
    serials = _serials(Stock(database), Query())[::-1]
    clock.advance(timedelta(minutes=20))
    assert counting.round() == 15
    _withdraw(database, serials[2], Reason.KEY_COMPROMISE, minutes=20)
    _withdraw(database, serials[29], Reason.SUPERSEDED, minutes=29)

    def told() -> tuple[int, int, int, dict[str, int], bool]:
        found = counting.counts(past=timedelta(days=30), ahead=timedelta(days=400))
        sums = [sum(each.values()) for each in (found.issued, found.expires, found.revoked)]
        return sums[0], sums[1], sums[2], dict(found.valid), found.behind

    # What is not yet counted is counted when it is looked at; it moves nothing.
    now = (30, 28, 2, {"citizen": 25, "civil-servant": 3}, False)
    assert told() == now
    clock.advance(timedelta(minutes=30))
    counting.round()
    assert told() == now
    assert counting.round() == 0
    assert told() == now
    found = counting.counts(past=timedelta(days=1), ahead=timedelta(days=1))
    day = NOW.date()
    assert found.revoked == {(day, "key-compromise"): 1, (day, "superseded"): 1}
    assert found.issued == {(day, "citizen"): 27, (day, "civil-servant"): 3}


def test_two_that_count_at_once_count_once(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ManualClock()
    _fill(database, 10)
    clock.advance(timedelta(hours=1))
    one, two = (Counting(database, clock=clock, settled=SETTLED) for _ in range(2))
    add = one._add

    def late(*arguments: object) -> None:
        two.round()
        add(*arguments)  # type: ignore[arg-type]  # as they came

    monkeypatch.setattr(one, "_add", late)
    one.round()
    counts = two.counts(past=timedelta(days=1), ahead=timedelta(days=400))
    assert sum(counts.issued.values()) == sum(counts.expires.values()) == 10


@pytest.fixture
def inventory(world: World) -> Inventory:
    return open_inventory(world)


def _told(world: World) -> list[tuple[str, str]]:
    return [(each.type, str(each.attributes.get("view", ""))) for each in world.recorder.events[-3:]]


def test_the_checkers_tables_say_the_same_on_both_databases(database: Database) -> None:
    _fill(database, 6)
    for serial in ("1" + "e" * 34, "1" + "f" * 34):
        _fill(database, 1, serial=serial, subject="twice")
    findings, later = Findings(database, outbox=outbox), NOW + timedelta(hours=1)
    rows = findings.rows(0, 100)
    assert [each.position for each in rows] == sorted(each.position for each in rows)
    assert findings.rows(rows[5].position, 100) == rows[6:]
    serials = [each.serial for each in rows]
    assert findings.double(serials) == set()
    # The last two repeat the first one's key, for another holder.
    assert findings.shared([each.key_hash for each in rows]) == {rows[0].key_hash}
    assert findings.serials_before(rows[1].position, 5) == [int(rows[1].serial, 16), int(rows[0].serial, 16)]
    assert findings.places([serials[2], "ab"]) == {serials[2]: rows[2].position}
    _withdraw(database, serials[4], Reason.SUPERSEDED)
    changed = findings.rows(rows[3].position, 1)[0]
    assert (changed.withdrawn, changed.reason, changed.changed) == ("revoked", "superseded", NOW)
    # What the record says comes in two parts, perhaps twice, perhaps about what is unknown.
    place = rows[0].position
    for said in (Heard(b"i" * 32, None), Heard(None, b"c" * 32), Heard(b"i" * 32, None)):
        findings.hear({place: said}, {"ab": 7, serials[1]: 8}, position=9, at=later)
    assert findings.rows(0, 1)[0].heard == Heard(b"i" * 32, b"c" * 32)
    assert findings.strays() == [("ab", 7)]
    assert findings.mark(LOG) == (9, later)
    # A sweep: what is found once is recorded once, settled when it is gone, and recorded anew when it comes back.
    findings.begin_sweep(at=NOW)
    findings.begin_sweep(at=later)
    bad = Finding(code="state", about=serials[0], detail="x" * 300)
    before = Store(database).outbox.standing().waiting
    for number, found in enumerate(([bad], [bad], [], [bad])):
        findings.keep(
            found,
            {("state", serials[0]): (f"{number:032x}", b"{}")},
            at=later + timedelta(minutes=number),
            mark=(NEW, number),
            checked=serials,
            sweep=(8, len(found)),
        )
        assert [(each.code, each.about, len(each.detail)) for each in findings.open()] == [
            ("state", serials[0], 200) for _ in found
        ]
    assert Store(database).outbox.standing().waiting == before + 2
    assert findings.waiting()
    assert findings.sweep() == (32, 3)
    findings.end_sweep(at=later, note=("e" * 32, b"{}"))
    findings.end_sweep(at=later, note=("e" * 31 + "f", b"{}"))
    assert Store(database).outbox.standing().waiting == before + 3
    look = findings.look()
    assert (look.ended, look.checked, look.began, look.open, look.place) == (later, 32, None, 1, 3)
    assert look.newest == rows[-1].position


def test_reading_is_in_the_record_and_names_are_sealed(
    world: World, authority: CertificateAuthority, inventory: Inventory
) -> None:
    issued = authority.issue(ask())
    found = inventory.search(Query(name="王", state=Sought.GOOD), WHO)
    assert [each.serial for each in found.held] == [issued.serial]
    said = world.recorder.events[-1]
    assert (said.type, said.actor, said.subject) == ("ca.inventory.read", OFFICER.subject, OFFICER.subject)
    assert said.attributes == {"view": "search", "filter_state": "good", "shown": CITIZEN.subject}
    assert (said.sealed, said.zone) == ({"text": "王"}, "management")
    inventory.one(issued.serial, WHO)
    said = world.recorder.events[-1]
    # Whoever it is about finds it under their own name.
    assert (said.subject, said.actor, said.attributes["view"]) == (CITIZEN.subject, OFFICER.subject, "certificate")
    assert said.sealed == {"name": "王小明"}
    with pytest.raises(NoSuchCertificate):
        inventory.one("ab12", WHO)


def test_nothing_is_shown_while_the_record_is_away(
    world: World, authority: CertificateAuthority, inventory: Inventory
) -> None:
    issued = authority.issue(ask())
    world.recorder.down = True
    for look in (
        lambda: inventory.search(Query(), WHO),
        lambda: inventory.one(issued.serial, WHO),
        lambda: inventory.holder(CITIZEN.subject, WHO),
        lambda: inventory.export(Query(), Form.CSV, WHO),
        lambda: inventory.looked("overview", WHO),
    ):
        with pytest.raises(RecordUnavailable):
            look()


def test_who_holds_what(world: World, authority: CertificateAuthority, inventory: Inventory) -> None:
    own = authority.issue(ask())
    kiosk = authority.issue(ask("device-client", subject=KIOSK.id))
    seal = authority.issue(ask("organisation-seal", subject=AGENCY.id))
    person = inventory.holder(CITIZEN.subject, WHO)
    assert (person.kind, person.name, [each.serial for each in person.held.held]) == ("person", "王小明", [own.serial])
    device = inventory.holder(KIOSK.id, WHO)
    assert (device.kind, device.organisation, device.organisation_name) == ("device", AGENCY.id, "税务局")
    agency = inventory.holder(AGENCY.id, WHO)
    assert (agency.kind, [each.serial for each in agency.held.held]) == ("organisation", [seal.serial])
    assert [(name, held[0].serial) for _, name, held in agency.devices] == [("Kiosk 7", kiosk.serial)]
    assert inventory.holder("ocsp-people", WHO).kind == "machine"
    # Who left the directory still holds what they hold.
    world.directory.people.pop(CITIZEN.subject)
    assert inventory.holder(CITIZEN.subject, WHO).kind == "unknown"
    for stranger in ("nobody", "0" * 36, "../../etc", "(uid=*)"):
        with pytest.raises(NotFound):
            inventory.holder(stranger, WHO)


def test_exports_hold_everything_and_no_formula(
    world: World, authority: CertificateAuthority, inventory: Inventory
) -> None:
    named = dataclasses.replace(CITIZEN, name="x", name_zh='=HYPERLINK("http://evil","x")')
    world.directory.people[CITIZEN.subject] = named
    issued = authority.issue(ask())
    lines = [json.loads(each) for each in b"".join(inventory.export(Query(), Form.LINES, WHO)).splitlines()]
    found = next(each for each in lines if each["serial"] == issued.serial)
    assert found["name"] == named.name_zh
    assert len(lines) == world.rows()
    table = b"".join(inventory.export(Query(holder=CITIZEN.subject), Form.CSV, WHO)).decode()
    assert table.startswith("\ufeffserial,")
    rows = list(csv.DictReader(io.StringIO(table.removeprefix("\ufeff"), newline="")))
    assert [each["name"] for each in rows] == ["'" + named.name_zh]
    said = world.recorder.events[-1]
    assert (said.type, said.attributes, said.sealed) == (
        "ca.inventory.exported",
        {"form": "csv"},
        {"text": CITIZEN.subject},
    )


@pytest.mark.parametrize(
    "cell", ["=1", "+1", "-1", "@x", "\t=1", " =1", "\u3000=1", "\uff1d1", "\uff20x", "|calc", "%0A=1"]
)
def test_what_a_spreadsheet_would_compute_is_text(cell: str) -> None:
    assert safe(cell) == "'" + cell


@pytest.mark.parametrize("cell", ["", "王小明", "a=1", "3f", "2026-11-20", "O'Neil", " "])
def test_what_is_harmless_stays_as_it_is(cell: str) -> None:
    assert safe(cell) == cell


def test_the_pages_show_and_lead_on(site: Site) -> None:
    issued = site.authority.issue(ask())
    client = site.client()

    def get(path: str, roles: frozenset[str] = frozenset({"ra-officer"})) -> tuple[int, str]:
        answer = client.get(path, headers=site.headers("GET", path, roles))
        return answer.status_code, answer.get_data(as_text=True)

    for path, says in (
        ("/inventory", issued.serial),
        ("/inventory?holder=wang.xiaoming", issued.serial),
        (f"/inventory?serial={issued.serial}&state=good&profile=citizen&issuer=people", issued.serial),
        ("/inventory?expires_from=2026-01-01", "Soonest end first"),
        ("/inventory?name=nobody", "No certificate matches."),
        (f"/inventory/certificates/{issued.serial}", "desk"),
        (f"/inventory/holders/{CITIZEN.subject}", "王小明"),
        (f"/inventory/holders/{AGENCY.id}", "Devices of this organisation"),
        ("/inventory/holders/ocsp-people", "ocsp-people"),
    ):
        status, page = get(path)
        assert (status, says in page) == (200, True), path
    assert get("/inventory/holders?who=wang.xiaoming")[0] == 302
    assert get("/inventory/holders?who=")[0] == 302
    for path in ("/inventory", "/inventory/export.csv", f"/inventory/holders/{CITIZEN.subject}", "/api/v1/inventory"):
        assert get(path, frozenset({"citizen"}))[0] == 403
        assert client.get(path).status_code == 401
    for path in (
        "/inventory?profile=none",
        "/inventory?state=x",
        "/inventory?issued_from=yesterday",
        "/inventory?issued_from=9999-12-31",
        "/inventory?key=zz",
        "/inventory?after=p%00",
        "/inventory?serial=zz",
        "/inventory?issuer=%27",
        "/inventory?name=a&name=b",
    ):
        assert get(path)[0] == 400, path
    assert get("/inventory/holders/nobody")[0] == 404
    assert get("/inventory/certificates/abcd")[0] == 404


def test_an_export_is_streamed_as_a_file(site: Site) -> None:
    site.authority.issue(ask())
    for path, media in (
        ("/inventory/export.csv?profile=citizen", "text/csv"),
        ("/api/v1/inventory/export.jsonl", "application/x-ndjson"),
    ):
        answer = site.client().get(path, headers=site.headers("GET", path))
        assert (answer.status_code, answer.mimetype) == (200, media)
        assert answer.headers["Content-Disposition"].startswith("attachment")
        assert answer.headers["Cache-Control"] == "no-store"
        assert CITIZEN.subject in answer.get_data(as_text=True)
    path = "/inventory/export.exe"
    assert site.client().get(path, headers=site.headers("GET", path)).status_code == 404


def test_programs_page_through_everything(site: Site) -> None:
    for _ in range(3):
        site.authority.issue(ask())
    seen, after = [], ""
    while True:
        path = f"/api/v1/inventory?limit=2{f'&after={after}' if after else ''}"
        page = site.client().get(path, headers=site.headers("GET", path)).get_json()
        seen += [each["serial"] for each in page["certificates"]]
        if not (after := page["more"]):
            break
    assert len(seen) == len(set(seen)) == site.world.rows()
    assert all(len(one) == len(two) for one, two in pairwise(sorted(seen)))
