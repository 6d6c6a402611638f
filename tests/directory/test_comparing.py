# SPDX-License-Identifier: Apache-2.0
"""The tree held against the record: a city is what the record says of it, and whatever is done past it is named."""

from datetime import UTC, datetime

import pytest

from audit import Event, Outcome, decode_event
from directory.ledger import Gone, Told, told
from directory.service import DirectoryWriter
from directory.service.comparing import Apart, Comparison
from tests.directory.test_watching import rogue, switched
from tests.directory.world import World

AT = datetime(2026, 11, 20, tzinfo=UTC)


def said(type_: str, subject: str = "s", outcome: Outcome = Outcome.SUCCESS, **what: str) -> Event:
    return Event(
        key="0" * 32, type=f"directory.{type_}", outcome=outcome, at=AT, source="directory", subject=subject,
        organisation="o", attributes=dict(what),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("event", "facts"),
    [
        (said("person.created", "S"), (Told("people", "s", "on"),)),
        (said("person.created", outcome=Outcome.INTENDED), ()),
        (said("person.disabled", outcome=Outcome.FAILURE), ()),
        (said("person.disabled"), (Told("people", "s", "off"),)),
        (said("person.enabled"), (Told("people", "s", "on"),)),
        (said("device.disabled"), (Told("devices", "s", "off"),)),
        (said("entry.created", kind="device"), (Told("devices", "s", "on"),)),
        (said("entry.created", kind="post"), (Told("posts", "s"),)),
        (said("entry.created", kind="mandate", scope="t"), (Told("mandates", "s o t"),)),
        (said("entry.created", kind="base"), ()),
        (said("entry.removed", kind="post"), (Gone("posts", "s"),)),
        (said("post.given", post="p"), (Told("holdings", "s p"),)),
        (said("post.taken", post="p"), (Gone("holdings", "s p"),)),
        (said("role.granted", role="r"), (Told("grants", "s r"),)),
        (said("role.granted", role="r", because="mended"), ()),
        (said("role.withdrawn", role="r"), (Gone("grants", "s r"),)),
        (said("entitlement.granted", entitlement="a/b"), (Told("grants", "s a/b"),)),
        (said("mandate.withdrawn", scope="t"), (Gone("mandates", "s o t"),)),
        (said("representative.named"), (Told("representatives", "s o"),)),
        (said("people.searched"), ()),
    ],
)
def test_an_entry_of_the_record_says(event: Event, facts: tuple[Told | Gone, ...]) -> None:
    assert told(event) == facts


def test_whoever_leaves_holds_nothing_and_whoever_moves_one_post() -> None:
    left = told(said("person.left"))
    assert {each.branch for each in left} == {"holdings", "grants", "mandates", "representatives"}
    assert all(isinstance(each, Gone) and each.everything and each.key == "s " for each in left)
    assert told(said("person.moved", post="p"))[-1] == Told("holdings", "s p")


def hear(world: World) -> None:
    """What a follower of the record does."""
    events = list(world.recorder.events)
    while rows := world.store.outbox.head():
        events += [decode_event(row.body) for row in rows]
        world.store.outbox.drop([row.position for row in rows])
    ledger = world.writer().comparing.ledger
    begin = ledger.heard()
    ledger.hear(list(enumerate(events, begin)))
    # A slower process hears the same once more.
    ledger.hear(list(enumerate(events, begin)))
    world.clear()


def compared(writer: DirectoryWriter) -> Comparison:
    return writer.comparing.run(pause=lambda: None)


def test_a_city_is_what_its_record_says_and_what_is_done_past_it_is_named(filled: World) -> None:
    hear(filled)
    writer, directory = filled.writer(), filled.directory("directory")
    first = compared(writer)
    assert first.told == ()
    assert first.entries > 800
    li_na, zhang_min = (directory.person_by_username(name) for name in ("li.na", "zhang.min"))
    writer.disable_person(li_na.subject, actor="", reason="r")
    hear(filled)
    assert compared(writer).told == ()

    rogue(filled, switched(filled, li_na, to="TRUE"))
    extra = f"dn: tallyId=mine,{filled.tree.branch('mandates')}\nchangetype: add\nobjectClass: tallyMandate\n"
    extra += "tallyId: mine\ntallyHolder: me\ntallyOrganisation: tax-bureau\ntallyScope: tax\n"
    rogue(filled, f"{extra}tallyFrom: 20260101000000Z\ntallyUntil: 20990101000000Z\n")
    rogue(filled, f"dn: {filled.tree.person(zhang_min.subject)}\nchangetype: delete\n")
    filled.clear()
    found = compared(writer)
    assert Apart("people", li_na.subject, "off") in found.told
    assert Apart("people", zhang_min.subject, "missing") in found.told
    assert Apart("mandates", "me tax-bureau tax", "unrecorded") in found.told
    assert found.differences == 3
    (event,) = [each for each in filled.outbox() if each.type == "directory.tree.compared"]
    assert (event.outcome, event.attributes["differences"]) == (Outcome.FAILURE, 3)


def test_it_is_done_once_a_day(filled: World) -> None:
    comparing = filled.writer().comparing
    assert not comparing.nightly(pause=lambda: None), "the record has not been heard to its end"
    comparing.ledger.is_current = True
    assert comparing.nightly(pause=lambda: None)
    assert not comparing.nightly(pause=lambda: None)


def test_what_only_lagged_is_no_difference(filled: World) -> None:
    hear(filled)
    writer = filled.writer()
    person = filled.directory("directory").person_by_username("zhao.lei")
    known = compared(writer).differences
    writer.disable_person(person.subject, actor="", reason="r")
    assert writer.comparing.run(pause=lambda: hear(filled)).differences == known
