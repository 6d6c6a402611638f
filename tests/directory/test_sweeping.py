# SPDX-License-Identifier: Apache-2.0
"""One change for many people: told before, made line by line, within the administrator's part; names while typing."""

import json

import pytest

from directory.errors import BadName, BeyondScope, NoReason, TooManyPeople
from directory.models import Person
from directory.service import Administration, DirectoryWriter
from directory.service.sweeping import Sweep, names_in
from tests.directory.desk import Desk
from tests.directory.world import World

ROLE = "ra-officer"


@pytest.fixture
def boss(writer: DirectoryWriter) -> Administration:
    """The directory's administrator."""
    subject = writer.directory.person_by_username("zhao.lei").subject
    return Administration(writer, subject=subject, roles=frozenset({"directory-administrator"}))


@pytest.fixture
def agency(writer: DirectoryWriter) -> Administration:
    """The document office's."""
    subject = writer.directory.person_by_username("zhou.fang").subject
    return Administration(writer, subject=subject, roles=frozenset({"agency-administrator"}))


def test_each_line_is_told_before_it_is_made_and_only_the_rest_is_made_again(
    boss: Administration, filled: World, li_na: Person
) -> None:
    names = ["li.na", "chen.wei", "nobody.here", "zhao.lei"]
    told = boss.would_sweep(Sweep.GRANT, names, role=ROLE)
    assert told[0].change.gained_roles == (ROLE,)
    assert [bool(each.refused) for each in told] == [False, True, True, True]
    assert ROLE not in filled.directory("directory").person(li_na.subject).roles
    made = boss.sweep(Sweep.GRANT, names, role=ROLE, reason="season")
    assert [(each.done, bool(each.refused)) for each in made] == [(True, False), *[(False, True)] * 3]
    assert ROLE in filled.directory("directory").person(li_na.subject).roles
    # As after a crash: what is done is told as done and not made again.
    filled.clear()
    assert boss.sweep(Sweep.GRANT, names[:1], role=ROLE, reason="season")[0].done
    assert filled.recorder.types() == []
    back = boss.would_sweep(Sweep.WITHDRAW, ["li.na"], role=ROLE)[0]
    assert back.change.lost_roles == (ROLE,)
    assert boss.sweep(Sweep.WITHDRAW, ["li.na"], role=ROLE, reason="over")[0].done
    assert ROLE not in filled.directory("directory").person(li_na.subject).roles


def test_duties_that_clash_are_told_before(boss: Administration) -> None:
    assert boss.would_sweep(Sweep.GRANT, ["zhou.fang"], role="security-administrator")[0].refused


def test_accounts_are_shut_and_opened_together(boss: Administration, filled: World, li_na: Person) -> None:
    for act, enabled in ((Sweep.DISABLE, False), (Sweep.ENABLE, True)):
        made = boss.sweep(act, ["li.na", li_na.subject], reason="drill")
        assert all(each.done for each in made)
        assert filled.directory("directory").person(li_na.subject).enabled is enabled


def test_an_agency_changes_its_own_people_and_no_roles(agency: Administration, writer: DirectoryWriter) -> None:
    # Whoever works elsewhere is not there, by name or by identifier; nor is a citizen.
    (other,) = writer.directory.people_where("(tallyOrganisation=tax-bureau)", limit=1).items
    lines = agency.sweep(Sweep.DISABLE, [other.username, other.subject, "chen.wei", "zhou.fang"], reason="attack")
    assert writer.directory.person(other.subject).enabled
    assert all(each.refused and each.person is None for each in lines)
    for act in (Sweep.GRANT, Sweep.WITHDRAW):
        with pytest.raises(BeyondScope):
            agency.would_sweep(act, ["zhou.fang"], role=ROLE)


def test_a_list_is_read_from_a_table_and_bounded(boss: Administration) -> None:
    assert names_in('username,name\r\n"li.na",Li\n\nchen.wei\n') == ["li.na", "chen.wei"]
    with pytest.raises(BadName):
        names_in("a" * 65)
    with pytest.raises(TooManyPeople):
        boss.would_sweep(Sweep.DISABLE, [f"n{i}" for i in range(501)])
    with pytest.raises(NoReason):
        boss.sweep(Sweep.DISABLE, ["li.na"], reason=" ")


def test_the_page_leads_from_a_search_over_a_look_to_the_change(filled: World) -> None:
    filled.clear()
    subject = filled.directory("directory").person_by_username("zhao.lei").subject
    desk = Desk(filled, subject=subject, roles=frozenset({"directory-administrator"}))
    assert "li.na" in desk.get("/people/change?q=li.na").text
    form = {"step": "look", "act": "grant", "role": ROLE, "names": "li.na\nnobody.here"}
    looked = desk.post("/people/change", form)
    assert "Make these changes" in looked.text
    assert "Refused" in looked.text
    assert filled.recorder.types()[-1] == "directory.people.searched"
    done = desk.post("/people/change", {**form, "step": "make", "reason": "season"})
    assert "What was done" in done.text
    assert desk.post("/people/change", {**form, "act": "destroy"}).status_code == 400
    assert desk.post("/people/change", form, token=False).status_code == 403


def test_names_are_offered_while_typing_within_the_part_and_recorded(filled: World) -> None:
    filled.clear()
    directory = filled.directory("directory")
    boss = Desk(
        filled, subject=directory.person_by_username("zhao.lei").subject, roles=frozenset({"directory-administrator"})
    )
    offered = json.loads(boss.get("/people/suggest?q=li.n").text)
    assert {"username": "li.na", "name": "李娜"} in offered
    assert filled.recorder.types() == ["directory.people.searched"]
    assert json.loads(boss.get("/people/suggest?q=l").text) == []
    assert json.loads(boss.get("/people/suggest?q=%E6%9D%8E").text)
    assert json.loads(boss.get("/people/suggest?q=%2A%29%28uid%3D%2A").text) == []
    assert "data-suggest" in boss.get("/").text
    assert boss.get("/suggest.js").mimetype == "text/javascript"
    agency = Desk(
        filled, subject=directory.person_by_username("zhou.fang").subject, roles=frozenset({"agency-administrator"})
    )
    assert json.loads(agency.get("/people/suggest?q=zhao.l").text) == []
    assert json.loads(boss.get("/people/suggest?q=zhao.l").text)
