# SPDX-License-Identifier: Apache-2.0
"""The sample city: the same every time, whole, and quick to enter."""

from app.sample import city
from app.sample.city import KNOWN, PASSWORD
from audit import Outcome
from directory.models import ADMINISTRATIVE, credit_code_is_right
from tests.directory.world import World


def test_the_city_is_the_same_for_the_same_seed() -> None:
    assert city.build(7) == city.build(7)
    assert city.build(7) != city.build(8)


def test_the_city_has_its_size_and_only_right_credit_codes() -> None:
    batch = city.build().batch
    kinds = [person.kind.value for _, person in batch.people]
    agencies = [organisation for _, organisation in batch.organisations if organisation.agency]
    assert (kinds.count("citizen"), kinds.count("civil-servant")) == (501, 65)
    assert (len(agencies), len(batch.organisations) - len(agencies), len(batch.devices)) == (6, 40, 30)
    assert all(credit_code_is_right(organisation.credit_code) for _, organisation in batch.organisations)
    assert {new.mandate.organisation for _, new in batch.mandates} == {
        organisation.id for _, organisation in batch.organisations if not organisation.agency
    }


def test_filling_enters_everything_records_it_and_may_be_repeated(own_world: World) -> None:
    report = city.fill(own_world.writer(), city.build())
    assert (report.people, report.organisations, report.devices) == (566, 46, 30)
    assert (report.departments, report.posts, report.holdings) == (12, 24, 65)
    created, named = ["directory.entry.created"], ["directory.representative.named"] * city.REPRESENTED
    granted = ["directory.role.granted"] * 11
    # Five roles before everybody, three services after.
    assert own_world.recorder.types() == [*created * 5, "directory.imported", *granted, *created * 3, *named]
    assert all(event.outcome is Outcome.INTENDED for event in own_world.recorder.events)

    again = city.fill(own_world.writer(), city.build())
    assert again.entered == 0
    assert len(own_world.recorder.events) == 20 + city.REPRESENTED
    writer = own_world.writer()
    assert list(writer.keeping.drifts()) == []
    assert writer.standings.clashes() == []


def test_the_known_accounts_can_log_in_and_hold_their_roles(filled: World) -> None:
    directory = filled.directory("sso")
    for known in KNOWN:
        person = directory.authenticate(known.username, PASSWORD)
        by_post = {"case-worker", "head-of-section"}
        assert person.roles - by_post == {person.kind.value} | ({known.role} if known.role else set())
        assert len(person.roles & ADMINISTRATIVE) <= 1
        assert person.name_zh == known.name_zh
    assert directory.person_by_username("chen.wei").mandates[0].scope == "all"
