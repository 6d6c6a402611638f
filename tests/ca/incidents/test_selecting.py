# SPDX-License-Identifier: Apache-2.0
"""Every selector and their conjunction; a preview that changes nothing; whatever somebody writes."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, text

from ca.errors import SelectorRefused, TooMuchSelected
from ca.incidents import Act, Selector, read_selector
from ca.incidents.models import read_kept
from ca.incidents.selection import LARGEST_FILE, LARGEST_KEYS, MOST_KEYS, MOST_SERIALS
from ca.models import Reason, Standing, State
from ca.registration import At, Evidence
from tests.ca.incidents.house import SECOND, House, plan
from tests.ca.sites import Site
from tests.ca.world import ask, intent, loaded, new_key, request_for
from tests.fakes.people import CITIZEN, CLERK, COMPANY, OFFICER


def _hash(key: object) -> str:
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined]
    return hashlib.sha256(spki).hexdigest()


def test_each_selector_finds_what_it_names_and_nothing_else(house: House) -> None:
    clock, key = house.world.clock, new_key()
    begun = clock.now()
    citizen = house.authority.issue(ask(csr=request_for(key))).serial
    clock.advance(timedelta(hours=1))
    clerk = house.clerk().serial
    clock.advance(timedelta(hours=1))
    seal = house.seal(actor=SECOND.subject).serial
    for selector, found in (
        ({"profiles": ("citizen",)}, [citizen]),
        ({"profiles": ("citizen", "organisation-seal")}, [citizen, seal]),
        ({"issuers": ("people",)}, [citizen, clerk]),
        ({"issuers": ("organisations", "devices")}, [seal]),
        ({"keys": (_hash(key),)}, [citizen]),
        ({"keys": ("0" * 64,)}, []),
        ({"holder": CLERK.subject}, [clerk]),
        ({"officer": SECOND.subject}, [seal]),
        ({"officer": OFFICER.subject}, [citizen, clerk]),
        ({"since": begun + timedelta(minutes=1)}, [clerk, seal]),
        ({"until": begun + timedelta(hours=1)}, [citizen, clerk]),
        ({"since": begun + timedelta(hours=1), "until": begun + timedelta(hours=1)}, [clerk]),
        ({"since": begun + timedelta(hours=5)}, []),
        ({"serials": frozenset({seal, clerk, "beef"})}, [clerk, seal]),
        # The conjunction of them.
        ({"issuers": ("people",), "since": begun + timedelta(minutes=1)}, [clerk]),
        ({"issuers": ("people",), "profiles": ("organisation-seal",)}, []),
        ({"keys": (_hash(key),), "holder": CLERK.subject}, []),
        ({"keys": (_hash(key),), "holder": CITIZEN.subject, "officer": OFFICER.subject}, [citizen]),
        ({"officer": OFFICER.subject, "profiles": ("civil-servant",)}, [clerk]),
        ({"serials": frozenset({seal, clerk}), "issuers": ("people",), "until": begun}, []),
        ({"serials": frozenset({seal, clerk}), "officer": SECOND.subject}, [seal]),
        ({"holder": COMPANY.id, "issuers": ("organisations",), "profiles": ("organisation-seal",)}, [seal]),
    ):
        made = house.preview(**selector)
        # The delegates made at the site's birth are infrastructure of every issuer.
        mine = [each for each in house.serials(made) if each in (citizen, clerk, seal)]
        assert mine == found, selector


def test_a_preview_counts_lists_and_changes_nothing(house: House) -> None:
    issued = [house.citizen().serial, house.clerk().serial, house.seal().serial]
    revoked = house.citizen().serial
    house.authority.revoke(revoked, reason=Reason.SUPERSEDED, actor="x")
    suspended = house.citizen().serial
    house.authority.suspend(suspended, actor="x")
    house.world.store.intend(intent("1f2e3d", at=house.world.clock.now(), key_hash="f" * 64))
    wanted = frozenset({*issued, revoked, suspended, "1f2e3d", "abcdef"})
    made = house.preview(serials=wanted)
    assert house.serials(made) == [*issued, suspended, "1f2e3d"]
    assert (made.size, made.summary.possibly_issued) == (5, 1)
    assert (made.summary.unknown, made.summary.unknown_first, made.summary.left_out) == (1, ("abcdef",), 1)
    assert made.summary.profiles == {"citizen": 3, "civil-servant": 1, "organisation-seal": 1}
    assert made.summary.kinds == {"person": 4, "organisation": 1}
    assert made.summary.issuers == {"people": 4, "organisations": 1}
    # Nothing happens, whoever runs.
    house.runner.round()
    assert [house.authority.status(each).standing for each in issued] == [Standing.GOOD] * 3
    assert house.told() == ["ca.incident.previewed"]
    assert house.world.outbox()[-1].attributes["found"] == 5
    # The same selection has the same digest; another act, another text or one certificate more has another.
    assert house.preview(serials=wanted).digest == made.digest
    others = {house.incidents.preview(each, by="x").digest for each in (plan(Act.RENEW, serials=wanted),
              plan(serials=wanted, text="Another."), plan(serials=wanted, reason=Reason.KEY_COMPROMISE),
              plan(serials=wanted - {suspended}))}  # fmt: skip
    assert len(others | {made.digest}) == 5


def test_what_has_ended_is_not_selected(house: House) -> None:
    issued = house.citizen()
    house.world.clock.advance(loaded(issued).not_valid_after_utc - house.world.clock.now() + timedelta(seconds=1))
    assert house.preview(holder=CITIZEN.subject).size == 0


def test_more_than_the_site_allows_is_refused_and_leaves_nothing(house: House) -> None:
    for _ in range(3):
        house.citizen()
    object.__setattr__(house.incidents._settings, "most", 2)
    try:
        with pytest.raises(TooMuchSelected):
            house.preview(holder=CITIZEN.subject)
    finally:
        object.__setattr__(house.incidents._settings, "most", 250_000)
    with house.world.database.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM incident_items")).scalar_one() == 0
    assert house.incidents.incidents() == ([], 0)
    # What was begun and never became whole lapses.
    house.world.clock.advance(timedelta(days=2))
    assert house.incidents.tidy() == 1


def test_pages_of_any_length_hold_the_whole_selection(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ca.incidents.store.candidates.PAGE", 2)
    monkeypatch.setattr("ca.incidents.store.candidates._AT_ONCE", 2)
    monkeypatch.setattr("ca.incidents.store.items._PAGE", 2)
    issued = [house.citizen().serial for _ in range(5)]
    for selector in ({"holder": CITIZEN.subject}, {"serials": frozenset(issued)}, {"officer": OFFICER.subject}):
        assert house.serials(house.preview(**selector)) == issued
    made = house.preview(holder=CITIZEN.subject)
    first, more = house.incidents.listed(made.id, limit=3)
    rest, none = house.incidents.listed(made.id, after=more, limit=3)
    assert [each.serial for each in first + rest] == issued
    assert none == 0


SELECTORS = (
    Selector(profiles=("citizen",)),
    Selector(issuers=("people",)),
    Selector(keys=("0" * 64,)),
    Selector(holder="x"),
    Selector(officer="x"),
    Selector(since=datetime(2026, 1, 1, tzinfo=UTC), until=datetime(2026, 1, 2, tzinfo=UTC)),
    Selector(profiles=("citizen",), issuers=("people",), since=datetime(2026, 1, 1, tzinfo=UTC)),
    Selector(serials=frozenset({"ab"})),
)


@pytest.mark.parametrize("selector", SELECTORS, ids=lambda each: "+".join(each.document()))
def test_no_selector_walks_over_all_certificates(desk: Site, selector: Selector) -> None:
    """Each leads through an index, in its order; PostgreSQL plans by size, of which a test has none."""
    house = House(desk.world, desk.authority, desk.incidents, desk.runner)
    house.citizen()
    asked: list[tuple[str, object]] = []

    def hear(_c: object, _u: object, statement: str, values: object, *_: object) -> None:
        if "FROM certificates" in statement and "horizon" not in statement:
            asked.append((statement, values))

    engine = house.world.database.engine
    event.listen(engine, "before_cursor_execute", hear)
    made = house.incidents.preview(plan(**selector.__dict__), by="x")
    event.remove(engine, "before_cursor_execute", hear)
    assert asked, made
    with house.world.database.reading() as connection:
        for statement, values in asked:
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)  # type: ignore[arg-type]
            steps = [row[3] for row in rows]
            # The greatest position is the last leaf of the table.
            walked = [each for each in steps if each.startswith("SCAN") and "max(" not in statement]
            sorted_ = [each for each in steps if "TEMP B-TREE" in each]
            assert not walked, (statement, steps)
            assert not sorted_, (statement, steps)


def test_a_window_survives_a_clock_that_was_set_back(house: House) -> None:
    clock = house.world.clock
    clock.advance(timedelta(hours=2))
    late = house.citizen().serial
    clock.advance(-timedelta(hours=1))
    early = house.citizen().serial
    now = clock.now()
    assert house.serials(house.preview(since=now + timedelta(minutes=30), holder=CITIZEN.subject)) == [late]
    made = house.preview(since=now - timedelta(minutes=1), until=now + timedelta(minutes=1), profiles=("citizen",))
    assert house.serials(made) == [early]


def test_keys_are_read_in_every_shape() -> None:
    key, other = new_key(), new_key()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    public = other.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    third = new_key()
    colons = ":".join(_hash(third)[start : start + 2] for start in range(0, 64, 2)).upper()
    found = read_selector(keys=f"{private}\n{colons}\n{public}{request_for(key).decode()}")
    assert found.keys == tuple(sorted({_hash(key), _hash(other), _hash(third)}))
    assert "PRIVATE" not in str(found)


@pytest.mark.parametrize(
    "bad",
    [
        {},
        {"profiles": ["no-such"]},
        {"issuers": ["nobody"]},
        {"keys": "zz"},
        {"keys": "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"},
        {"keys": "-----BEGIN PRIVATE KEY-----\n????\n-----END PRIVATE KEY-----"},
        {"keys": "0" * (LARGEST_KEYS + 1)},
        {"keys": "\n".join(f"{number:064x}" for number in range(MOST_KEYS + 1))},
        {"since": "yesterday"},
        {"since": "9999-01-01"},
        {"since": "0001-01-01T00:00+14:00"},
        {"since": "2026-01-02", "until": "2026-01-01"},
        {"holder": "x" * 129},
        {"holder": "a\0b"},
        {"officer": "\ud800"},
        {"serials": b""},
        {"serials": b"# nothing\n\n"},
        {"serials": b"xyz"},
        {"serials": b"\xff\xfe\0"},
        {"serials": b"f" * 41},
        {"serials": b"1" * (LARGEST_FILE + 1)},
        {"serials": "\n".join(f"{number:x}" for number in range(1, MOST_SERIALS + 2)).encode()},
    ],
    ids=lambda bad: "-".join(bad) or "nothing",
)
def test_what_cannot_be_meant_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(SelectorRefused):
        read_selector(**bad)  # type: ignore[arg-type]  # its own keywords


def test_a_file_may_be_a_list_of_ours_or_of_others() -> None:
    found = read_selector(serials=b'\xef\xbb\xbfserial,issuer\r\n00:AB:CD,people\r\n# note\r\n"1f"\r\n\r\n0abcd\n')
    assert sorted(found.serials or ()) == ["1f", "abcd"]


@settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(st.sampled_from(["keys", "holder", "officer", "account", "since", "until"]), st.text()),
       st.none() | st.binary())  # fmt: skip
@example({"since": "2026-01-01T00:00:00+23:59"}, b"1")
def test_whatever_is_written_is_read_or_refused(fields: dict[str, str], serials: bytes | None) -> None:
    try:
        found = read_selector(**fields, serials=serials)
    except SelectorRefused:
        return
    kept = found.document()
    again = read_kept(kept)
    assert again.document() == {name: value for name, value in kept.items() if not name.startswith("serials")}


def test_who_put_evidence_on_file_answers_for_what_came_of_it(desk: Site) -> None:
    registration, house = desk.registration, House(desk.world, desk.authority, desk.incidents, desk.runner)
    asked = registration.ask(asker=CITIZEN.subject, offer="citizen", csr=request_for())
    proving = At(officer=SECOND.subject, assurance=3, zone="management")
    registration.prove(asked.id, proving, evidence=Evidence.DOCUMENTS, reference="file 7")
    approving = replace(proving, officer=OFFICER.subject)
    done = registration.approve(asked.id, approving, digest=registration.preview(asked).digest)
    for officer in (SECOND.subject, OFFICER.subject):
        assert house.serials(house.preview(officer=officer, profiles=("citizen",))) == [done.serial]


def test_the_state_of_an_issuance_decides(house: House) -> None:
    house.world.store.intend(intent("1f2e3d", at=house.world.clock.now(), key_hash="f" * 64))
    house.world.store.abandon("1f2e3d", None)
    assert house.preview(holder=CITIZEN.subject).size == 0
    assert house.world.store.certificate("1f2e3d").state is State.ABANDONED
