# SPDX-License-Identifier: Apache-2.0
"""Asking witnesses: what counts as a cosignature, what each answer means, and when enough have given one."""

import base64
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import make_server

from audit.merkle import Checkpoint, CosignerKey, Note, Signature
from audit.witness import (
    Cosigning,
    Outdated,
    Policy,
    State,
    Witness,
    WitnessClient,
    WitnessSilent,
    WitnessStatus,
    WitnessStore,
)
from audit.witness.submission import LARGEST, SIZE_TYPE, Submission
from core.calls import Reply
from tests.fakes.clock import ManualClock
from tests.fakes.log_site import LogSite, event
from tests.fakes.recorder import ListRecorder

ONE, TWO, THREE = (CosignerKey(f"w{i}.example", seed=bytes([i]) * 32, mldsa_seed=bytes([i]) * 32) for i in (1, 2, 3))
POLICY = f"""
witness one {ONE.vkey} http://one/
witness two {TWO.vkey} http://two/
witness three {THREE.mldsa_vkey} http://three/
group most 2 one two three
quorum most
"""
Answer = Callable[[bytes], Reply]


class Scripted:
    """A witness that answers as it is told, the last answer for ever."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.bodies: list[bytes] = []

    def add_checkpoint(self, body: bytes) -> Reply:
        self.bodies.append(body)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer(body)


def cosigns(key: CosignerKey, at: datetime | None = None) -> Answer:
    def answer(body: bytes) -> Reply:
        note = Submission.parse(body).unverified_note
        lines = key.cosign(note.text, at or ManualClock().now())
        return Reply(200, "text/plain", "".join(str(line) for line in lines).encode())

    return answer


def says(status: int, body: bytes = b"", kind: str = "text/plain") -> Answer:
    return lambda _: Reply(status, kind, body)


def silent(_: bytes) -> Reply:
    raise WitnessSilent


class World:
    """Our own log and its witnesses."""

    def __init__(self, folder: Path) -> None:
        self.site = LogSite(folder).create()
        self.clock = ManualClock()
        self.kept: list[bytes] = []
        self.told: list[bytes] = []

    def grow(self, count: int = 1) -> int:
        log = self.site.open()
        log.append([event() for _ in range(count)])
        log.integrate()
        log.close()
        return self.site.reader().size()

    def cosigning(self, witnesses: dict[str, Any], *, policy: str = POLICY, **more: Any) -> Cosigning:
        given = {
            "policy": Policy.parse(policy.encode()),
            "key": self.site.key.vkey,
            "log": self.site.reader(),
            "addresses": {f"http://{name}/": each for name, each in witnesses.items()},
            "keep": self.kept.append,
            "tell": self.told.append,
            "clock": self.clock,
        }
        return Cosigning(**{**given, **more})

    def status(self) -> WitnessStatus:
        found = WitnessStatus.decode(self.told[-1])
        assert found is not None
        return found

    def states(self) -> dict[str, State]:
        return {each.name: each.state for each in self.status().witnesses}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.site.close()


def test_a_quorum_makes_a_checkpoint_that_outsiders_can_check(world: World) -> None:
    asked = {"one": Scripted(cosigns(ONE)), "two": Scripted(silent), "three": Scripted(cosigns(THREE))}
    cosigning = world.cosigning(asked)
    assert (cosigning.met, cosigning.kept.size) == (None, 0)
    size = world.grow(5)
    cosigning.advance()
    assert (cosigning.met, cosigning.kept.size) == (True, size)
    assert world.kept == [cosigning.kept.note.encode()]
    policy = Policy.parse(POLICY.encode())
    assert policy.demand(world.kept[0], [world.site.key.vkey]).size == size
    # Of each witness only the key that the policy names.
    note = Note.parse(world.kept[0])
    assert note.known(ONE.vkey)
    assert not note.known(THREE.vkey)
    assert world.states() == {"one": State.COSIGNED, "two": State.SILENT, "three": State.COSIGNED}
    first = world.status().witnesses[0]
    assert (first.size, first.at) == (size, world.clock.now().replace(microsecond=0))


def test_too_few_are_no_quorum_and_what_was_witnessed_before_stays(world: World) -> None:
    asked = {"one": Scripted(cosigns(ONE)), "two": Scripted(cosigns(TWO), silent), "three": Scripted(silent)}
    cosigning = world.cosigning(asked)
    size = world.grow()
    cosigning.advance()
    kept = cosigning.kept
    since = world.status().since
    world.grow()
    world.clock.advance(timedelta(seconds=9))
    cosigning.advance()
    assert cosigning.met is False
    assert cosigning.kept == kept
    assert len(world.kept) == 1
    status = world.status()
    assert (status.met, status.asked, status.witnessed) == (False, size + 1, size)
    assert status.since == since + timedelta(seconds=9)
    world.clock.advance(timedelta(seconds=9))
    cosigning.advance()
    assert world.status().since == status.since
    assert world.status().at == status.at + timedelta(seconds=9)


def test_nobody_is_asked_twice_about_the_same(world: World) -> None:
    asked = {"one": Scripted(cosigns(ONE)), "two": Scripted(cosigns(TWO)), "three": Scripted(silent)}
    cosigning = world.cosigning(asked)
    cosigning.advance()
    cosigning.advance()
    assert len(asked["one"].bodies) == 1
    assert len(world.told) == 2


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (says(404), State.UNKNOWN),
        (says(403), State.NOT_TRUSTED),
        (says(422), State.INCONSISTENT),
        (says(409, b"99\n", SIZE_TYPE), State.AHEAD),
        (says(409, b"99\n"), State.REFUSED),
        (says(409, b"99", SIZE_TYPE), State.REFUSED),
        (says(409, b"-1\n", SIZE_TYPE), State.REFUSED),
        (says(409, b"9999999999999999999\n", SIZE_TYPE), State.REFUSED),
        # Once more with what it said, and then it is left alone.
        (says(409, b"1\n", SIZE_TYPE), State.REFUSED),
        (says(429), State.REFUSED),
        (says(500), State.REFUSED),
        (says(302), State.REFUSED),
        (silent, State.SILENT),
        (says(200), State.FORGED),
        (says(200, b"rubbish"), State.FORGED),
        (says(200, b"\xff"), State.FORGED),
        (cosigns(TWO), State.FORGED),
        (cosigns(CosignerKey("w1.example", seed=b"\x09" * 32)), State.FORGED),
        (cosigns(ONE, ManualClock().now() + timedelta(minutes=6)), State.FORGED),
        (cosigns(ONE, datetime.fromtimestamp(0, ManualClock().now().tzinfo)), State.FORGED),
        (cosigns(ONE, ManualClock().now() + timedelta(minutes=4)), State.COSIGNED),
    ],
)
def test_every_answer_means_something(world: World, answer: Answer, state: State) -> None:
    world.grow(3)
    asked = {"one": Scripted(answer), "two": Scripted(cosigns(TWO)), "three": Scripted(silent)}
    cosigning = world.cosigning(asked)
    cosigning.advance()
    assert world.states()["one"] is state
    assert cosigning.met is (state is State.COSIGNED)
    assert len(asked["one"].bodies) <= 2


def test_a_cosignature_of_another_checkpoint_is_none(world: World) -> None:
    size = world.grow(2)
    older = Checkpoint(world.site.key.origin, size, world.site.reader().root(size)).text
    world.grow()

    def another(_: bytes) -> Reply:
        return Reply(200, "", "".join(str(line) for line in ONE.cosign(older, world.clock.now())).encode())

    def shifted(body: bytes) -> Reply:
        # A whole note instead of lines: the text it brings along does not count.
        return Reply(200, "", (older + "\n").encode() + cosigns(ONE)(body).body.replace(b"A", b"B", 1))

    for answer in (another, shifted):
        cosigning = world.cosigning({"one": Scripted(answer), "two": Scripted(cosigns(TWO)), "three": Scripted(silent)})
        cosigning.advance()
        assert cosigning.met is False
        assert world.states()["one"] is State.FORGED


def test_lines_of_strangers_are_not_kept(world: World) -> None:
    grease = str(Signature("somebody.else", b"\x01\x02\x03\x04", b"grease")).encode()

    def greased(body: bytes) -> Reply:
        return Reply(200, "", grease + cosigns(ONE)(body).body + grease)

    asked = {"one": Scripted(greased), "two": Scripted(cosigns(TWO)), "three": Scripted(silent)}
    cosigning = world.cosigning(asked)
    cosigning.advance()
    assert cosigning.met
    assert "somebody.else" not in cosigning.kept.note


def test_a_real_witness_is_led_from_what_it_knows(world: World, tmp_path: Path) -> None:
    store = WitnessStore.open(tmp_path / "witness.db")
    witness = Witness(key=ONE, logs=[world.site.key.vkey], store=store, recorder=ListRecorder(), clock=world.clock)

    class Real:
        bodies: Sequence[bytes] = ()

        def add_checkpoint(self, body: bytes) -> Reply:
            self.bodies = [*self.bodies, body]
            try:
                return Reply(200, "", witness.add_checkpoint(body))
            except Outdated as error:
                return Reply(409, SIZE_TYPE, f"{error.parameters['size']}\n".encode())

    real, policy = Real(), f"witness one {ONE.vkey} http://one/\nquorum one\n"
    first = world.cosigning({"one": real}, policy=policy)
    world.grow(3)
    first.advance()
    world.grow(300)
    first.advance()
    # One question each: the second began where the first had ended.
    assert [body.split(b"\n")[0] for body in real.bodies] == [b"old 0", b"old 4"]
    # Whoever starts anew knows nothing, and learns it.
    size = world.grow(40)
    again = world.cosigning({"one": real}, policy=policy, kept=world.kept[-1])
    assert again.kept.size == size - 40
    again.advance()
    assert (again.met, again.kept.size) == (True, size)
    assert [body.split(b"\n")[0] for body in real.bodies[2:]] == [b"old 0", b"old 304"]
    store.close()


def test_what_no_longer_satisfies_the_policy_is_asked_for_again(world: World) -> None:
    world.grow()
    world.cosigning({"one": Scripted(cosigns(ONE)), "two": Scripted(cosigns(TWO)), "three": Scripted(silent)}).advance()
    stricter = POLICY.replace("group most 2", "group most all")
    for kept in (world.kept[0], b"", b"rubbish", b"\xff"):
        policy = stricter if kept == world.kept[0] else POLICY
        assert world.cosigning({}, policy=policy, kept=kept).kept.size == 0
    assert world.cosigning({}, kept=world.kept[0]).kept.size == 2


def test_a_log_that_lost_entries_does_not_go_back_behind_what_is_witnessed(world: World) -> None:
    world.grow(2)
    world.grow(3)
    asked = {"one": Scripted(cosigns(ONE)), "two": Scripted(cosigns(TWO)), "three": Scripted(silent)}
    world.cosigning(asked).advance()

    class Shorter:
        def note(self) -> str:
            reader = world.site.reader()
            return Checkpoint(world.site.key.origin, 3, reader.root(3)).sign(world.site.key, world.clock.now())

        def consistency_proof(self, old: int, new: int) -> list[bytes]:
            return world.site.reader().consistency_proof(old, new)

    cosigning = world.cosigning(asked, log=Shorter(), kept=world.kept[-1])
    cosigning.advance()
    assert cosigning.met is False
    assert cosigning.kept.size == 6
    assert len(world.kept) == 1


def test_what_cannot_be_kept_does_not_count(world: World) -> None:
    def full(_: bytes) -> None:
        raise OSError(28, "no space left")

    asked = {"one": Scripted(cosigns(ONE)), "two": Scripted(cosigns(TWO)), "three": Scripted(silent)}
    cosigning = world.cosigning(asked, keep=full)
    with pytest.raises(OSError, match="no space"):
        cosigning.advance()
    assert cosigning.kept.size == 0
    assert not cosigning.met


def test_two_keys_at_one_address_are_asked_once(world: World) -> None:
    policy = f"witness a {ONE.vkey} http://one/\nwitness b {ONE.mldsa_vkey} http://one/\ngroup g all a b\nquorum g\n"
    one = Scripted(cosigns(ONE))
    cosigning = world.cosigning({"one": one}, policy=policy)
    cosigning.advance()
    assert cosigning.met
    assert len(one.bodies) == 1


def test_a_witness_without_an_address_is_not_asked(world: World) -> None:
    policy = f"witness \xe9 {ONE.vkey}\nquorum \xe9\n".encode("latin-1")
    cosigning = world.cosigning({}, policy="quorum none")
    cosigning = Cosigning(
        policy=Policy.parse(policy), key=world.site.key.vkey, log=world.site.reader(), addresses={},
        keep=world.kept.append, tell=world.told.append, clock=world.clock,
    )  # fmt: skip
    cosigning.advance()
    assert world.states() == {"\ufffd": State.NO_ADDRESS}
    assert not cosigning.met


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b'{"met":true}', b'{"met":1,"since":1e99}', b"\xff", b"[" * 9999])
def test_a_status_that_cannot_be_read_is_none(raw: bytes) -> None:
    assert WitnessStatus.decode(raw) is None


# The client.


@contextmanager
def serving(app: Callable[..., Iterable[bytes]]) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}/prefix/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_submission_goes_to_the_prefix_and_comes_back_whole() -> None:
    seen: list[tuple[str, str, bytes]] = []

    def app(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        seen.append((environ["REQUEST_METHOD"], environ["PATH_INFO"], body))
        start("409 Conflict", [("Content-Type", "Text/X.tlog.size; charset=utf-8")])
        return [b"12", b"\n"]

    with serving(app) as url:
        client = WitnessClient(url)
        reply = client.add_checkpoint(b"old 0\n")
        assert (reply.status, reply.kind, reply.body) == (409, SIZE_TYPE, b"12\n")
        client.close()
    assert seen == [("POST", "/prefix/add-checkpoint", b"old 0\n")]


def test_a_witness_cannot_lead_elsewhere_flood_or_drip() -> None:
    gate = threading.Event()

    def app(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        wish = environ["PATH_INFO"].split("/")[2]
        if wish == "elsewhere":
            start("302 Found", [("Location", "/prefix/flood/add-checkpoint")])
            return [b""]
        start("200 OK", [("Content-Type", "text/plain")])
        if wish == "flood":
            return (b"x" * 1024 for _ in range(LARGEST // 1024 + 64))
        return drip()

    def drip() -> Iterator[bytes]:
        while not gate.wait(0.05):
            yield b"x"

    with serving(app) as url:
        assert WitnessClient(f"{url}elsewhere").add_checkpoint(b"").status == 302
        for wish in ("flood", "drip"):
            with pytest.raises(WitnessSilent):
                WitnessClient(url + wish, timeout=0.5).add_checkpoint(b"")
        gate.set()


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "https://127.0.0.1:1", "http://[", "http://\x00", "ftp://x"])
def test_where_nobody_is_nobody_answers(url: str) -> None:
    with pytest.raises(WitnessSilent):
        WitnessClient(url, timeout=0.5).add_checkpoint(b"")


def test_a_cosignature_reads_as_the_specification_writes_it(world: World) -> None:
    asked = {"one": Scripted(cosigns(ONE)), "two": Scripted(cosigns(TWO)), "three": Scripted(silent)}
    world.cosigning(asked).advance()
    text, lines = world.kept[0].decode().split("\n\n")
    names = [line.split(" ")[1] for line in lines.splitlines()]
    assert names == ["city.example/log", "city.example/log", "w1.example", "w2.example"]
    for line in lines.splitlines()[2:]:
        assert len(base64.b64decode(line.split(" ")[2])) == 4 + 8 + 64
    assert text.split("\n")[0] == "city.example/log"
