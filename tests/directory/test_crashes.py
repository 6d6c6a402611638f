# SPDX-License-Identifier: Apache-2.0
"""SIGKILL at any line of the writer: what it left is whole or absent after the next start, and the record says which.

A verb is run once to see which lines it comes by. Then it is run again in a child process that dies just before one of
them, until every line has had its turn (`TALLYGATE_KILLS=all`), or a sample of them drawn by `TALLYGATE_SEED`.
"""

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any

import pytest

import directory
from audit import Event, Outcome, decode_event, encode_event
from audit.models import Receipt, Wait
from directory.models import DeviceState, Person, credit_code_check
from directory.service import DirectoryWriter, open_writer
from directory.service.watching import ALARM
from directory.store import Fate
from tests.directory.test_watching import rogue
from tests.directory.world import World
from tests.fakes.recorder import ListRecorder

KILLS = os.environ.get("TALLYGATE_KILLS", "12")
SEED = int(os.environ.get("TALLYGATE_SEED", "20261120"))
_WRITING = {"journal.py", "store.py", "changes.py", "connection.py", "unrecorded.py", "watching.py"}
"""Where something is written down or made; a sample is drawn from here."""
_HOME = str(Path(directory.__file__).parent)


class KeptRecorder(ListRecorder):
    """A log that outlives the process that writes to it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        path.touch()

    def record(self, event: Event, *, wait: Wait = Wait.SEQUENCED) -> Receipt:
        receipt = super().record(event, wait=wait)
        with self.path.open("ab") as file:
            file.write(encode_event(event) + b"\n")
        return receipt

    def taken(self) -> list[Event]:
        """Everything anybody recorded, and forget it."""
        events = [decode_event(line) for line in self.path.read_bytes().splitlines()]
        self.path.write_bytes(b"")
        self.events.clear()
        return events


@dataclass(frozen=True)
class Scene:
    """The site with one person and one device; ``turn`` makes what is new each time different each time."""

    world: World
    person: str
    device: str
    post: str
    turn: int = 0

    def seen(self) -> Person:
        return self.world.directory("directory").person(self.person)


@dataclass(frozen=True)
class Act:
    """A verb, whether it can be seen to have happened, and how to get back to where it has not."""

    kind: str
    do: Callable[[DirectoryWriter, Scene], Any]
    happened: Callable[[Scene], bool]
    before: Callable[[DirectoryWriter, Scene], Any]
    takes_away: bool = False


def _password(scene: Scene) -> str:
    return f"pass phrase number {scene.turn}"


def _opens(scene: Scene) -> bool:
    return scene.world.pool("sso").proves(scene.world.tree.person(scene.person), _password(scene))


def _table(scene: Scene) -> bytes:
    n = f"{scene.turn:05d}"
    code = f"91999999ABCD{n}"
    rows = (
        f"organisation,co{n},,Company,,{code}{credit_code_check(code)},,",
        f"citizen,,one{n},One,,,,",
        f"citizen,,two{n},Two,,,,",
        f"device,,,kiosk {n},co{n},,,",
        f"mandate,,one{n},,co{n},,all,2040-01-01",
    )
    return "\n".join(["kind,id,username,name,organisation,credit_code,scope,until", *rows]).encode()


def _entered(scene: Scene) -> bool:
    directory, n = scene.world.directory("directory"), f"{scene.turn:05d}"
    people = directory.people(n).items
    holders = [person for person in people if directory.person(person.subject).mandates]
    organisations, devices = directory.organisations(f"co{n}").items, directory.devices(f"kiosk {n}").items
    found = (len(people), len(organisations), len(devices), len(holders))
    assert found in {(0, 0, 0, 0), (2, 1, 1, 1)}, "half of a file is in"
    return found != (0, 0, 0, 0)


def _grant(writer: DirectoryWriter, scene: Scene) -> None:
    writer.grant_role(scene.person, "ra-officer", actor="", reason="x")


def _withdraw(writer: DirectoryWriter, scene: Scene) -> None:
    writer.withdraw_role(scene.person, "ra-officer", actor="")


def _disable(writer: DirectoryWriter, scene: Scene) -> None:
    writer.disable_person(scene.person, actor="", reason="x")


def _enable(writer: DirectoryWriter, scene: Scene) -> None:
    writer.enable_person(scene.person, actor="", reason="x")


def _disable_device(writer: DirectoryWriter, scene: Scene) -> None:
    writer.disable_device(scene.device, actor="")


def _enable_device(writer: DirectoryWriter, scene: Scene) -> None:
    writer.enable_device(scene.device, actor="")


def _device_enabled(scene: Scene) -> bool:
    return scene.world.directory("gateway").device(scene.device).enabled


def _give_post(writer: DirectoryWriter, scene: Scene) -> None:
    if not writer.standings.facts(scene.person).holdings:
        writer.giving.give_post(scene.person, scene.post, until=date(2040, 1, 1), actor="", reason="x")


def _take_post(writer: DirectoryWriter, scene: Scene) -> None:
    for holding in writer.standings.facts(scene.person).holdings:
        writer.giving.take_post(holding.id, actor="")


def _holds_post(scene: Scene) -> bool:
    return _follows(scene, bool(scene.world.writer().standings.facts(scene.person).holdings))


def _add_to_post(writer: DirectoryWriter, scene: Scene) -> None:
    _give_post(writer, scene)
    if "counter" not in writer.standings.post(scene.post).roles:
        writer.structure.add_to_post(scene.post, "counter", actor="", reason="x")


def _remove_from_post(writer: DirectoryWriter, scene: Scene) -> None:
    _give_post(writer, scene)
    if "counter" in writer.standings.post(scene.post).roles:
        writer.structure.remove_from_post(scene.post, "counter", actor="")


def _post_gives(scene: Scene) -> bool:
    return _follows(scene, "counter" in scene.world.writer().standings.post(scene.post).roles)


def _follows(scene: Scene, happened: bool) -> bool:  # noqa: FBT001 - passed through
    """Memberships never stand half way."""
    assert list(scene.world.writer().keeping.drifts()) == []
    return happened


def _settle(writer: DirectoryWriter) -> None:
    for found in writer.unrecorded.newest():
        if found.fate is Fate.OPEN:
            writer.unrecorded.keep(found.number, actor="", reason="x")


def _changed_past_us(writer: DirectoryWriter, scene: Scene) -> None:
    """Somebody else disables the person, or gives another name, and the change is the only one that is not settled."""
    writer.watch.look()
    _settle(writer)
    _enable(writer, scene)
    writer.watch.look()
    dn = scene.world.tree.person(scene.person)
    rogue(
        scene.world,
        f"dn: {dn}\nchangetype: modify\nreplace: tallyEnabled\ntallyEnabled: FALSE\n-\nreplace: cn\ncn: {scene.turn}\n",
    )


def _noticed(writer: DirectoryWriter, scene: Scene) -> None:
    _changed_past_us(writer, scene)
    assert writer.watch.look() == 1


def _undo(writer: DirectoryWriter, scene: Scene) -> None:
    (number,) = [found.number for found in writer.unrecorded.newest() if found.fate is Fate.OPEN]
    writer.unrecorded.undo(number, actor="")


ACTS = {
    "disable a person": Act(
        "directory.person.disabled", _disable, lambda scene: not scene.seen().enabled, _enable, takes_away=True
    ),
    "enable a person": Act("directory.person.enabled", _enable, lambda scene: scene.seen().enabled, _disable),
    "grant a role": Act("directory.role.granted", _grant, lambda scene: "ra-officer" in scene.seen().roles, _withdraw),
    "withdraw a role": Act(
        "directory.role.withdrawn",
        _withdraw,
        lambda scene: "ra-officer" not in scene.seen().roles,
        _grant,
        takes_away=True,
    ),
    "give a post": Act("directory.post.given", _give_post, _holds_post, _take_post),
    "take a post": Act(
        "directory.post.taken", _take_post, lambda scene: not _holds_post(scene), _give_post, takes_away=True
    ),
    "add a role to a post": Act("directory.power.added", _add_to_post, _post_gives, _remove_from_post),
    "remove a role from a post": Act(
        "directory.power.removed",
        _remove_from_post,
        lambda scene: not _post_gives(scene),
        _add_to_post,
        takes_away=True,
    ),
    "disable a device": Act(
        "directory.device.disabled",
        _disable_device,
        lambda scene: not _device_enabled(scene),
        _enable_device,
        takes_away=True,
    ),
    "enable a device": Act("directory.device.enabled", _enable_device, _device_enabled, _disable_device),
    "lose a device": Act(
        "directory.device.disabled",
        lambda writer, scene: writer.set_device_state(scene.device, DeviceState.LOST, actor=""),
        lambda scene: not _device_enabled(scene),
        lambda writer, scene: writer.set_device_state(scene.device, DeviceState.HEALTHY, actor=""),
        takes_away=True,
    ),
    "set a password": Act(
        "directory.person.changed",
        lambda writer, scene: writer.set_password(scene.person, _password(scene), actor=""),
        _opens,
        lambda *_: None,
    ),
    "import": Act(
        "directory.imported",
        lambda writer, scene: writer.import_csv(_table(scene), actor=""),
        _entered,
        lambda *_: None,
    ),
    "notice a change": Act(
        ALARM,
        lambda writer, _scene: writer.watch.look(),
        lambda scene: bool(scene.world.writer().unrecorded.open()),
        _changed_past_us,
        takes_away=True,
    ),
    "undo a change": Act("directory.change.undone", _undo, lambda scene: scene.seen().enabled, _noticed),
}
"""Every verb of the writer that changes something."""


def test_no_verb_is_forgotten() -> None:
    # What only asks whether something may be done writes nothing.
    verbs = {name for name in vars(DirectoryWriter) if not name.startswith("_")} - {"not_oneself"}
    # Grants whose way is that of another one here.
    same = {
        "import_ldif": "import_csv",
        "enter": "import_csv",
        "enter_new": "import_csv",
        "complete_tree": "import_csv",
    }
    assert {same.get(verb, verb) for verb in verbs} == {
        "disable_person", "enable_person", "grant_role", "withdraw_role", "disable_device", "enable_device",
        "set_password", "import_csv", "set_device_state", "replay",
    }  # fmt: skip


@pytest.fixture(scope="module")
def scene(world: World) -> Scene:
    code = "11999999ABCDEFGHJ"
    table = (
        "kind,id,username,name,organisation,credit_code\n"
        f"agency,bureau,,Bureau,,{code}{credit_code_check(code)}\n"
        "civil-servant,,clerk,Clerk,bureau,\n"
        "device,,,Gate,bureau,\n"
    )
    assert world.writer().import_csv(table.encode(), actor="").refused == ()
    directory = world.directory("directory")
    build = world.writer().structure
    build.add_role("counter", title="Counter", actor="")
    post = build.add_post("bureau", "Counter", roles=["counter"], actor="")
    return Scene(world, directory.person_by_username("clerk").subject, directory.devices().items[0].id, post)


@pytest.mark.parametrize("name", ACTS)
def test_what_a_killed_writer_left_is_repaired_at_the_next_start(scene: Scene, name: str, tmp_path: Path) -> None:
    act, recorder = ACTS[name], KeptRecorder(tmp_path / "log")
    for number, moment in enumerate(_moments(act, scene, recorder, tmp_path / "lines")):
        here = replace(scene, turn=number + 1)
        act.before(_writer(here, recorder), here)
        _forget(here, recorder)
        _killed(moment, act, here, recorder)
        # The next start.
        _writer(here, recorder).replay()
        assert here.world.store.underway() == [], moment
        _agree(act, here, recorder, moment)
        if not act.happened(here):
            act.do(_writer(here, recorder), here)
        assert act.happened(here), moment


def _agree(act: Act, scene: Scene, recorder: KeptRecorder, moment: "Moment") -> None:
    """The record says what is the case."""
    intents = [event for event in recorder.taken() if event.type == act.kind and event.outcome is Outcome.INTENDED]
    said = [event for event in scene.world.outbox() if event.type == act.kind]
    happened = act.happened(scene)
    if act.takes_away:
        assert [event.outcome for event in said] == [Outcome.SUCCESS] * happened, moment
        return
    assert {event.object for event in intents} <= {event.object for event in said}, moment
    assert len(said) <= 1, moment
    assert any(event.outcome is Outcome.SUCCESS for event in said) is happened, moment
    assert intents or not happened, moment


@dataclass(frozen=True)
class Moment:
    """Just before a line is reached for the ``count``-th time."""

    file: str
    line: int
    count: int


def _moments(act: Act, scene: Scene, recorder: KeptRecorder, told: Path) -> list[Moment]:
    """The lines of the directory that the verb comes by, in order: all of them, or a sample."""
    act.before(_writer(scene, recorder), scene)

    def run() -> None:
        seen: dict[tuple[str, int], int] = {}
        with told.open("w", encoding="utf-8") as file:

            def note(frame: FrameType) -> None:
                place = (frame.f_code.co_filename, frame.f_lineno)
                seen[place] = seen.get(place, 0) + 1
                file.write(f"{place[0]}\t{place[1]}\t{seen[place]}\n")

            _tracing(note)
            act.do(_writer(scene, recorder), scene)
            sys.settrace(None)
        os._exit(0)

    _, status = os.waitpid(_child(run), 0)
    assert os.waitstatus_to_exitcode(status) == 0
    lines = [line.split("\t") for line in told.read_text("utf-8").splitlines()]
    moments = [Moment(file, int(line), int(count)) for file, line, count in lines]
    if KILLS == "all":
        return moments
    dice = Random(f"{SEED} {act.kind}")  # noqa: S311 - moments that can be repeated
    writing = [moment for moment in moments if Path(moment.file).name in _WRITING]
    return dice.sample(writing, min(int(KILLS), len(writing)))


def _killed(moment: Moment, act: Act, scene: Scene, recorder: KeptRecorder) -> None:
    def run() -> None:
        left = [moment.count]

        def die(frame: FrameType) -> None:
            if (frame.f_code.co_filename, frame.f_lineno) == (moment.file, moment.line):
                left[0] -= 1
                if not left[0]:
                    os.kill(os.getpid(), signal.SIGKILL)

        _tracing(die)
        act.do(_writer(scene, recorder), scene)

    _, status = os.waitpid(_child(run), 0)
    assert os.WTERMSIG(status) == signal.SIGKILL, moment


def _child(run: Callable[[], None]) -> int:
    child = os.fork()
    if child == 0:
        try:
            run()
        finally:
            # Never back into pytest.
            os._exit(1)
    return child


def _tracing(hear: Callable[[FrameType], None]) -> None:
    """Call ``hear`` before each line of the directory's own code."""

    def local(frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            hear(frame)
        return local

    sys.settrace(lambda frame, _event, _: local if frame.f_code.co_filename.startswith(_HOME) else None)


def _writer(scene: Scene, recorder: KeptRecorder) -> DirectoryWriter:
    world = scene.world
    return open_writer(world.settings, site=world.site, store=world.store, recorder=recorder, clock=world.clock)


def _forget(scene: Scene, recorder: KeptRecorder) -> None:
    recorder.taken()
    scene.world.clear()
