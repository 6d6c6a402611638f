# SPDX-License-Identifier: Apache-2.0
"""What is looked at again before it is relied on, what is limited, and what is forgotten."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from ca.acme import grants
from ca.acme.store import Store
from ca.config import AcmeSettings
from core.db import Database
from tests.ca.acme.client import HOST, b64, grant, member, refused, request_for
from tests.ca.acme.conftest import Files
from tests.ca.acme.test_flow import issued, prove
from tests.ca.sites import Site, open_site
from tests.ca.test_store_keys import database as database  # noqa: PLC0414 - a fixture
from tests.ca.test_store_keys import server as server  # noqa: PLC0414 - a fixture
from tests.ca.world import World
from tests.fakes.name_server import NameServer

TABLES = ("acme_orders", "acme_authorizations", "acme_challenges", "acme_wanted", "acme_nonces", "acme_strikes")


@pytest.fixture
def heeding(world: World, released: Path, settings: AcmeSettings) -> Site:
    """A site that looks CAA records up."""
    world.settings = replace(world.settings, acme=replace(settings, caa_identities=("ca.city.example",)))
    return open_site(world, released)


def rows(site: Site) -> dict[str, int]:
    with site.world.database.reading() as connection:
        return {
            name: int(connection.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar_one())  # noqa: S608 - ours
            for name in TABLES
        }


def test_caa_records_are_looked_at_again_when_the_last_look_is_old(
    heeding: Site, files: Files, names: NameServer
) -> None:
    client = member(heeding)
    order = client.order(HOST)
    prove(heeding, client, order, files)
    finalize, csr = order.get_json()["finalize"], {"csr": b64(request_for(HOST))}
    names.put(HOST, "CAA", ['0 issue "other.example"'])
    # Within eight hours the look at the validation counts.
    again = client.order(HOST)
    assert again.get_json()["status"] == "ready"
    assert client.post(again.get_json()["finalize"], {"csr": b64(request_for(HOST))}).get_json()["status"] == "valid"
    heeding.world.clock.advance(timedelta(hours=8, seconds=1))
    client.nonce = ""
    refused(client.post(finalize, csr), "caa", 400)
    assert client.post(order.headers["Location"]).get_json()["status"] == "ready"
    names.put(HOST, "CAA", ['0 issue "ca.city.example"'])
    assert client.post(finalize, csr).get_json()["status"] == "valid"


def test_no_key_that_is_handed_out_looks_like_an_option(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = [f"{number:024x}" for number in range(1000)]
    taken_for_an_option = next(kid for kid in drawn if b64(site.acme.grants.secret(kid)).startswith("-"))
    good = next(kid for kid in drawn if not b64(site.acme.grants.secret(kid)).startswith("-"))
    offered = iter([taken_for_an_option, good])
    monkeypatch.setattr(grants, "secrets", SimpleNamespace(token_hex=lambda _: next(offered)))
    assert grant(site) == (good, b64(site.acme.grants.secret(good)))


def test_failures_about_a_name_are_limited(site: Site) -> None:
    client = member(site)
    object.__setattr__(site.acme.settings, "validation_attempts", 1)
    for _ in range(site.acme.settings.failures_limit):
        order = client.order(HOST)
        authorization = client.post(order.get_json()["authorizations"][0]).get_json()
        challenge = next(each for each in authorization["challenges"] if each["type"] == "http-01")
        assert client.post(challenge["url"], {}).status_code == 200
        site.acme.validation.work()
    order = client.order(HOST)
    authorization = client.post(order.get_json()["authorizations"][0]).get_json()
    challenge = next(each for each in authorization["challenges"] if each["type"] == "http-01")
    answer = client.post(challenge["url"], {})
    refused(answer, "rateLimited", 429)
    wait = int(answer.headers["Retry-After"])
    assert 0 < wait <= 3601
    site.world.clock.advance(timedelta(seconds=wait))
    client.nonce = ""
    assert client.post(challenge["url"], {}).status_code == 200


@pytest.mark.parametrize("member_", ["notBefore", "notAfter"])
def test_another_validity_is_refused_and_said_why(site: Site, member_: str) -> None:
    document = refused(member(site).order(HOST, **{member_: "2026-11-28T00:00:00Z"}), "malformed", 400)
    assert "profile alone says how long" in document["detail"]


def test_what_nothing_rests_on_is_forgotten_after_a_month(site: Site, files: Files) -> None:
    client = member(site)
    certificate, _ = issued(site, client, files, HOST)
    client.order(f"a.{HOST}")
    before = rows(site)
    assert (before["acme_orders"], before["acme_authorizations"]) == (2, 2)
    clock = site.world.clock
    clock.advance(timedelta(days=8))
    site.acme.validation.clean()
    assert rows(site)["acme_orders"] == 2
    assert rows(site)["acme_nonces"] == rows(site)["acme_strikes"] == 0
    clock.advance(timedelta(days=40))
    # What ends in a round is forgotten in a later one, a month after it ended.
    for _ in range(2):
        site.acme.validation.clean()
    left = rows(site)
    assert (left["acme_orders"], left["acme_wanted"]) == (1, 1)
    # Whoever has a certificate may still revoke it by account, and its order is found by it.
    assert site.acme._store.orders.of_serial(format(certificate.serial_number, "x")) is not None
    clock.advance(certificate.not_valid_after_utc - clock.now() + timedelta(days=31))
    for _ in range(2):
        site.acme.validation.clean()
    left = rows(site)
    assert all(left[name] == 0 for name in TABLES), left
    # The account stays.
    client.nonce = ""
    assert client.order(HOST).status_code == 201


def test_no_round_forgets_more_than_it_may(site: Site) -> None:
    client = member(site)
    for number in range(5):
        client.order(f"x{number}.{HOST}")
    site.world.clock.advance(timedelta(days=60))
    at, store = site.world.clock.now(), site.acme._store
    store.orders.expire(at=at)
    gone = [store.pruning.prune(over_before=at - timedelta(days=30), limit=2) for _ in range(5)]
    assert max(gone) <= 2 * 3
    assert sum(gone) == 10
    assert store.pruning.prune(over_before=at, limit=2) == 0


def test_both_databases_forget(database: Database, world: World) -> None:
    store, at = Store(database), world.clock.now()
    for number in range(3):
        assert store.marks.use(f"n{number}", until=at)
        assert store.marks.strike(f"b{number}", at=at - timedelta(hours=1), until=at, most=5) is None
    assert store.marks.use("later", until=at + timedelta(hours=1))
    store.marks.forget(at=at)
    assert store.marks.use("n0", until=at)
    assert not store.marks.use("later", until=at)
    assert store.pruning.prune(over_before=at) == 0
