# SPDX-License-Identifier: Apache-2.0
"""What clients hear of an incident by renewal information (RFC 9773), and what came of an account or of its grant."""

from dataclasses import replace
from datetime import datetime, timedelta

from ca.acme.renewal import identifier_of
from ca.incidents import Act, Incident, Item, Selector, Whom
from ca.models import serial_hex
from tests.ca.acme.client import HOST, ORIGIN, member
from tests.ca.acme.conftest import Files
from tests.ca.acme.test_flow import issued
from tests.ca.incidents.house import SECOND, House, plan
from tests.ca.sites import Site
from tests.fakes.people import OFFICER


def _house(site: Site) -> House:
    site.world.directory.people[SECOND.subject] = SECOND
    return House(site.world, site.authority, site.incidents, site.runner)


def test_clients_are_told_to_renew_now_and_where_they_read_why(site: Site, files: Files) -> None:
    house, client = _house(site), member(site)
    leaf, _ = issued(site, client, files, HOST)
    asked = f"/acme/renewal-info/{identifier_of(leaf)}"
    before = site.client().get(asked, base_url=ORIGIN).get_json()
    assert "explanationURL" not in before
    deadline = site.world.clock.now() + timedelta(days=1)
    wanted = {"account": client.kid.rsplit("/", 1)[1], "deadline": deadline, "whom": Whom.UNRENEWED}
    made = house.proposed(Act.RENEW_THEN_REVOKE, **wanted)
    # Until another officer has agreed, nobody hears anything.
    assert site.client().get(asked, base_url=ORIGIN).get_json() == before
    page = f"/notices/{made.id}"
    assert site.client().get(page, base_url=ORIGIN).status_code == 404
    site.incidents.approve(made.id, by=SECOND.subject, digest=made.digest)
    site.runner.round()
    told = site.client().get(asked, base_url=ORIGIN).get_json()
    assert told["explanationURL"] == f"{ORIGIN}{page}"
    assert datetime.fromisoformat(told["suggestedWindow"]["end"]) < site.world.clock.now()
    read = site.client().get(page, base_url=ORIGIN)
    assert "A key leaked." in read.get_data(as_text=True)
    assert HOST not in read.get_data(as_text=True)
    # It renews, naming what is replaced, and is spared at the deadline.
    site.world.clock.advance(timedelta(minutes=5))
    newer, _ = issued(site, client, files, HOST, replaces=identifier_of(leaf))
    site.world.clock.advance(timedelta(days=2))
    site.runner.round()
    assert house.counts(made) == {Item.RENEWED: 1}
    assert site.authority.status(serial_hex(newer.serial_number)).good


def test_what_is_revoked_says_why_as_well(site: Site, files: Files) -> None:
    house, client = _house(site), member(site)
    leaf, _ = issued(site, client, files, HOST)
    done = house.carried_out(profiles=("device-server",))
    told = site.client().get(f"/acme/renewal-info/{identifier_of(leaf)}", base_url=ORIGIN).get_json()
    assert told["explanationURL"] == f"{ORIGIN}/notices/{done.id}"
    assert not site.authority.status(serial_hex(leaf.serial_number)).good


def test_an_account_and_its_officer_lead_to_what_came_of_them(site: Site, files: Files) -> None:
    house = _house(site)
    client, other = member(site), member(site)
    mine = serial_hex(issued(site, client, files, HOST)[0].serial_number)
    theirs = serial_hex(issued(site, other, files, f"a.{HOST}")[0].serial_number)
    account = client.kid.rsplit("/", 1)[1]
    found = site.acme._store.accounts.account(account)
    assert found is not None

    def selected(**selector: object) -> list[str]:
        made: Incident = site.incidents.preview(replace(plan(), selector=Selector(**selector)), by="x")  # type: ignore[arg-type]  # its fields
        return house.serials(made)

    assert selected(account=account) == [mine]
    assert selected(account=found.grant.kid) == [mine]
    assert selected(account=account, profiles=("citizen",)) == []
    assert selected(account=account, serials=frozenset({theirs})) == []
    assert selected(account="none") == []
    # Who granted the accounts answers for what they ordered, though no officer asked for it.
    assert selected(officer=OFFICER.subject) == [mine, theirs]
    assert selected(officer=SECOND.subject) == []
