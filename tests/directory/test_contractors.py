# SPDX-License-Identifier: Apache-2.0
"""A contractor's account is bound to one portal, has an end that is near enough, and is over with it."""

from datetime import timedelta

import pytest

from directory.errors import ContractorTerms, OwnRole
from directory.models import Person
from directory.service import DirectoryWriter
from tests.directory.test_vetting import entered
from tests.directory.world import World

ROLE, OTHER = "contractor-tax", "contractor-documents"


@pytest.fixture
def roles(writer: DirectoryWriter) -> None:
    for name in (ROLE, OTHER):
        if writer.standings.role_if_any(name) is None:
            writer.structure.add_role(name, title="Contractor", actor="")


@pytest.fixture
def worker(writer: DirectoryWriter, roles: None) -> Person:
    name = f"worker-{writer.standings.today():%m%d}-{id(writer) % 9973}"
    return entered(writer, name, "Outside Worker")


def test_it_has_an_end_one_portal_and_nothing_beside(
    filled: World, writer: DirectoryWriter, worker: Person, li_na: Person
) -> None:
    boss, today = writer.directory.person_by_username("zhao.lei").subject, writer.standings.today()

    def grant(role: str, days: int | None, whom: str = worker.subject, actor: str = boss) -> None:
        until = None if days is None else today + timedelta(days=days)
        writer.grant_role(whom, role, actor=actor, reason="contract 7", until=until)

    for days in (None, 181, 4000):
        with pytest.raises(ContractorTerms):
            grant(ROLE, days)
    # Not for a civil servant, whose account would outlive it; and not by oneself.
    with pytest.raises(ContractorTerms):
        grant(ROLE, 30, whom=li_na.subject)
    with pytest.raises(OwnRole):
        grant(ROLE, 30, actor=worker.subject)
    assert filled.directory("gateway").person(worker.subject).roles == {"citizen"}
    grant(ROLE, 30)
    assert filled.directory("gateway").person(worker.subject).roles == {"citizen", ROLE}
    with pytest.raises(ContractorTerms):
        grant(OTHER, 30)
    with pytest.raises(ContractorTerms):
        writer.giving.grant_entitlement(
            worker.subject, "tax/returns.read", actor=boss, reason="more", until=today + timedelta(days=3)
        )
    # Renewed it goes on, as far as a new one would.
    grant(ROLE, 180)


def test_with_its_end_the_account_is_over(filled: World, writer: DirectoryWriter, worker: Person) -> None:
    boss, today = writer.directory.person_by_username("zhao.lei").subject, writer.standings.today()
    writer.grant_role(worker.subject, ROLE, actor=boss, reason="contract 7", until=today)
    filled.clear()
    filled.clock.advance(timedelta(days=1))
    try:
        # Readers refuse the role from midnight on; the account follows with the next round.
        assert ROLE not in filled.directory("gateway").person(worker.subject).roles
        assert writer.keeping.end() >= 1
        found = filled.directory("gateway").person(worker.subject)
        assert not found.enabled
        assert found.roles == {"citizen"}
        kinds = [event.type for event in filled.outbox() if event.subject == worker.subject]
        # Shut out first: dead in between, the account is not left bound to nothing.
        assert kinds.index("directory.person.disabled") < kinds.index("directory.role.withdrawn")
    finally:
        filled.clock.advance(timedelta(days=-1))
