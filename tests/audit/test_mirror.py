# SPDX-License-Identifier: Apache-2.0
"""An off-site copy: complete, verified before it is kept, resumed after death, and not to be told two stories."""

import base64
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from audit import LogDamaged, LogInUse
from audit.blobs import Disk, DiskBlobs
from audit.cli import audit
from audit.errors import Pruned
from audit.lineage import LOGS, closed, trust_root
from audit.merkle import Checkpoint, CosignerKey, LogKey, Note, leaf_hash
from audit.merkle.pruning import PRUNED, Pruning
from audit.merkle.tiles import bundle_path
from audit.mirror import LogForked, LogShrunk, Mirror, Source, Succession
from audit.mirror.copying import BATCH, FEW
from audit.models_codec import encode_entry
from audit.reader import LogReader
from audit.verify import verify_folder, verify_logs
from audit.writer.integration import Integrator
from core.clock import SystemClock
from core.errors import Unavailable
from tests.fakes.audit_console import ConsoleFake
from tests.fakes.log_site import event
from tests.fakes.retention_house import RetentionHouse

KEY = LogKey("city.example/log", seed=b"\x07" * 32, mldsa_seed=b"\x08" * 32)


class Origin:
    """A log of another machine; ``spoil`` may change what it hands out, ``asked`` is what was asked for."""

    def __init__(self, folder: Path, mark: str = "") -> None:
        (folder / "private").mkdir(parents=True)
        self.folder = folder
        self._blobs = DiskBlobs(folder)
        self._mark = mark
        self._writer = Integrator(folder, key=KEY, clock=SystemClock(), disk=Disk(), blobs=self._blobs)
        self._writer.create()
        self._writer.recover()
        self.asked: list[str] = []
        self.spoil: Callable[[str, bytes | None], bytes | None] = lambda _path, found: found

    def get(self, path: str) -> bytes | None:
        self.asked.append(path)
        return self.spoil(path, self._blobs.get(path))

    def grow(self, size: int, *, differently_from: int = 10**9) -> None:
        self.add([f"{i}{self._mark if i >= differently_from else ''}".encode() for i in range(self.size, size)])

    def add(self, entries: list[bytes]) -> None:
        self._writer.integrate(entries, [leaf_hash(entry) for entry in entries])

    def prune(self, first: int, key: LogKey = KEY) -> None:
        """Retention removes the bundles below an entry."""
        self._blobs.replace(PRUNED, Pruning(key.origin, first, self.size - 1).sign(key))
        self._blobs.remove([bundle_path(index) for index in range(first // 256)])

    @property
    def size(self) -> int:
        return self._writer.edge.size


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    return Origin(tmp_path / "origin")


def mirror(tmp_path: Path, origin: Origin, **more: object) -> Mirror:
    return Mirror(tmp_path / "copy", origin, KEY.vkey, clock=SystemClock(), **more)  # type: ignore[arg-type]


def same(origin: Path, copy: Path) -> None:
    """Every file of the log is there, byte for byte, but for partial tiles that only other sizes had."""
    for path in origin.rglob("tile/**/*"):
        if path.is_file() and ".p" not in str(path.relative_to(origin)):
            assert (copy / path.relative_to(origin)).read_bytes() == path.read_bytes()


def size_of(copy: Path) -> int:
    return Checkpoint.verified((copy / "checkpoint").read_bytes(), [KEY.vkey]).size


def test_a_copy_is_complete_and_grows_with_its_log(tmp_path: Path, origin: Origin) -> None:
    copy = mirror(tmp_path, origin)
    for size in (0, 1, 5, 300, 17_000):
        if size > origin.size:
            origin.grow(size)
        done = copy.advance()
        assert done.size == size_of(tmp_path / "copy") == size
    same(origin.folder, tmp_path / "copy")
    # What is whole has no partial forerunner any more; what is not has the one of its size.
    assert not (tmp_path / "copy/tile/0/000.p").exists()
    assert (tmp_path / "copy/tile/0/066.p/104").exists()
    with pytest.raises(LogDamaged, match="entry 0"):
        # Its entries are no events of ours, which the tree does not mind.
        verify_folder(tmp_path / "copy", str(KEY.vkey))
    origin.asked.clear()
    assert copy.advance().new == 0
    assert origin.asked == ["checkpoint"]


class Mortal(Disk):
    """Dies at the n-th sync."""

    def __init__(self, after: int) -> None:
        self.left = after

    def sync(self, descriptor: int) -> None:
        if self.left <= 0:
            raise KeyboardInterrupt
        self.left -= 1
        super().sync(descriptor)


def test_death_anywhere_loses_no_batch_that_was_kept(tmp_path: Path, origin: Origin) -> None:
    origin.grow(BATCH + 300)
    alive = 5
    for _ in range(20):
        try:
            mirror(tmp_path, origin, disk=Mortal(alive)).advance()
        except KeyboardInterrupt:
            alive += 60
            continue
        break
    assert size_of(tmp_path / "copy") == BATCH + 300
    same(origin.folder, tmp_path / "copy")


def test_after_a_first_batch_only_the_rest_is_fetched(tmp_path: Path, origin: Origin) -> None:
    origin.grow(BATCH + 300)
    origin.spoil = lambda path, found: None if path.startswith("tile/entries/065") else found
    with pytest.raises(LogDamaged):
        mirror(tmp_path, origin).advance()
    assert not (tmp_path / "copy/checkpoint").exists()
    origin.spoil = lambda _path, found: found
    origin.asked.clear()
    mirror(tmp_path, origin).advance()
    assert sorted(path for path in origin.asked if "entries" in path) == ["tile/entries/064", "tile/entries/065.p/44"]


@pytest.mark.parametrize("part", ["tile/entries/001", "tile/0/001", "tile/1/000.p/2", "checkpoint"])
def test_nothing_spoilt_is_kept(tmp_path: Path, origin: Origin, part: str) -> None:
    origin.grow(100)
    copy = mirror(tmp_path, origin)
    copy.advance()
    origin.grow(700)

    def spoil(path: str, found: bytes | None) -> bytes | None:
        return found[:60] + bytes([found[60] ^ 1]) + found[61:] if path == part and found else found

    origin.spoil = spoil
    with pytest.raises(LogDamaged):
        copy.advance()
    assert size_of(tmp_path / "copy") == 100
    assert not (tmp_path / "copy/tile/entries/001").exists()
    assert not (tmp_path / "copy/evidence").exists()
    origin.spoil = lambda _path, found: found
    assert copy.advance().size == 700
    same(origin.folder, tmp_path / "copy")


@pytest.mark.parametrize(("mine", "theirs"), [(50, 50), (50, 80), (80, 50), (300, 600), (600, 300)])
def test_two_histories_are_told_and_both_kept(tmp_path: Path, origin: Origin, mine: int, theirs: int) -> None:
    origin.grow(mine)
    mirror(tmp_path, origin).advance()
    other = Origin(tmp_path / "other", mark="!")
    other.grow(theirs, differently_from=40)
    for _ in range(2):
        with pytest.raises(LogForked):
            mirror(tmp_path, other).advance()
    kept = [Checkpoint.verified(path.read_bytes(), [KEY.vkey]) for path in (tmp_path / "copy/evidence").iterdir()]
    assert sorted(each.size for each in kept) == sorted((mine, theirs))
    assert len({each.root for each in kept}) == 2
    assert size_of(tmp_path / "copy") == mine


def test_a_log_that_shrinks_is_told(tmp_path: Path, origin: Origin) -> None:
    origin.grow(40)
    shutil.copytree(origin.folder, tmp_path / "before")
    origin.grow(300)
    mirror(tmp_path, origin).advance()
    old = DiskBlobs(tmp_path / "before")
    with pytest.raises(LogShrunk):
        Mirror(tmp_path / "copy", old, KEY.vkey, clock=SystemClock()).advance()
    assert len(list((tmp_path / "copy/evidence").iterdir())) == 2


def test_another_logs_checkpoint_is_no_evidence_and_changes_nothing(tmp_path: Path, origin: Origin) -> None:
    origin.grow(40)
    mirror(tmp_path, origin).advance()
    stranger = LogKey(KEY.origin, seed=b"\x01" * 32)
    forged = Checkpoint(KEY.origin, 50, b"x" * 32).sign(stranger, SystemClock().now()).encode()
    origin.spoil = lambda path, found: forged if path == "checkpoint" else found
    with pytest.raises(LogDamaged):
        mirror(tmp_path, origin).advance()
    assert not (tmp_path / "copy/evidence").exists()


def test_our_own_damaged_copy_is_not_built_upon(tmp_path: Path, origin: Origin) -> None:
    origin.grow(300)
    mirror(tmp_path, origin).advance()
    path = tmp_path / "copy/tile/0/001.p/44"
    path.write_bytes(b"\0" * 32 + path.read_bytes()[32:])
    origin.grow(310)
    with pytest.raises(LogDamaged):
        mirror(tmp_path, origin).advance()


def test_a_little_growth_waits_so_that_a_copy_does_not_feed_itself(tmp_path: Path, origin: Origin) -> None:
    origin.grow(40)
    copy = mirror(tmp_path, origin)
    copy.advance(lazy=True)
    origin.grow(40 + FEW - 1)
    assert copy.advance(lazy=True).new == 0
    origin.grow(40 + FEW)
    assert copy.advance(lazy=True).new == FEW
    origin.grow(41 + FEW)
    assert copy.advance().new == 1


def test_a_fresh_copy_of_a_pruned_log_is_complete_from_its_first_entry_on(tmp_path: Path, origin: Origin) -> None:
    events = [encode_entry(event(key=f"{i:032x}"), sequence=i, ciphertext="") for i in range(BATCH + 900)]
    origin.add(events)
    origin.prune(BATCH + 256)
    # Killed on the way.
    with pytest.raises(KeyboardInterrupt):
        mirror(tmp_path, origin, disk=Mortal(70)).advance()
    done = mirror(tmp_path, origin).advance()
    assert (done.size, done.first) == (BATCH + 900, BATCH + 256)
    same(origin.folder, tmp_path / "copy")
    reader = LogReader(tmp_path / "copy", str(KEY.vkey))
    with pytest.raises(Pruned):
        reader.entry_bytes(BATCH)
    assert reader.entries_bytes(BATCH + 256, 999) == events[BATCH + 256 :]
    assert reader.inclusion_proof(3, BATCH + 900)
    assert verify_folder(tmp_path / "copy", str(KEY.vkey)).pruned == BATCH + 256


@pytest.mark.parametrize("had", [256, 300, 700, 1000])
def test_a_copy_keeps_what_its_source_prunes_and_goes_on(tmp_path: Path, origin: Origin, had: int) -> None:
    origin.grow(had)
    copy = mirror(tmp_path, origin)
    copy.advance()
    before = {path: path.read_bytes() for path in (tmp_path / "copy/tile/entries").rglob("*") if path.is_file()}
    origin.grow(1100)
    origin.prune(768)
    assert copy.advance().first == 768
    for path, content in before.items():
        # A partial bundle goes when the whole one is there.
        assert path.exists() or Path(str(path.parent).removesuffix(".p")).exists()
        assert not path.exists() or path.read_bytes() == content
    origin.grow(1400)
    assert copy.advance().size == size_of(tmp_path / "copy") == 1400
    same(origin.folder, tmp_path / "copy")
    reader = LogReader(tmp_path / "copy", str(KEY.vkey))
    assert reader.entries_bytes(768, 999) == [str(i).encode() for i in range(768, 1400)]
    # An older note that is shown again takes nothing back.
    origin.grow(1500)
    origin.prune(256)
    assert copy.advance().first == 768


@pytest.mark.parametrize("lie", ["none", "stranger", "spoilt", "beyond", "other log"])
def test_entries_that_are_missing_without_a_signed_note_are_damage(tmp_path: Path, origin: Origin, lie: str) -> None:
    origin.grow(100)
    mirror(tmp_path, origin).advance()
    origin.grow(1000)
    origin.prune(512)
    true = (origin.folder / PRUNED).read_bytes()
    forged = {
        "none": None,
        "stranger": Pruning(KEY.origin, 512, 5).sign(LogKey(KEY.origin, seed=b"\x01" * 32)),
        "spoilt": true.replace(b"\n512\n", b"\n768\n"),
        "beyond": Pruning(KEY.origin, 1024, 5).sign(KEY),
        "other log": Pruning("city.example/other", 512, 5).sign(LogKey("city.example/other", seed=b"\x07" * 32)),
    }[lie]
    origin.spoil = lambda path, found: forged if path == PRUNED else found
    with pytest.raises(LogDamaged):
        mirror(tmp_path, origin).advance()
    assert size_of(tmp_path / "copy") == 100
    assert not (tmp_path / "copy" / PRUNED).exists()
    origin.spoil = lambda _path, found: found
    assert mirror(tmp_path, origin).advance().first == 512


def test_one_process_copies_into_one_folder(tmp_path: Path, origin: Origin) -> None:
    with mirror(tmp_path, origin).alone(), pytest.raises(LogInUse), mirror(tmp_path, origin).alone():
        pass


def test_a_mirror_vouches_for_what_it_keeps(tmp_path: Path, origin: Origin) -> None:
    cosigner = CosignerKey("mirror.example/m1", seed=b"\x31" * 32)
    origin.grow(10)
    mirror(tmp_path, origin, cosigner=cosigner).advance()
    note = Note.parse((tmp_path / "copy/checkpoint").read_bytes())
    Checkpoint.unverified(note.text).verify_cosignature(note, cosigner.vkey)
    assert mirror(tmp_path, origin, cosigner=cosigner).advance().size == 10


def test_a_closed_log_names_its_successor(tmp_path: Path, origin: Origin) -> None:
    successor = LogKey("city.example/log-2", seed=b"\x17" * 32)
    origin.add([encode_entry(closed(successor, SystemClock().now()), sequence=0, ciphertext="")])
    assert mirror(tmp_path, origin).advance().successor == "city.example/log-2"


def test_an_origin_that_is_away_is_no_damage(tmp_path: Path, origin: Origin) -> None:
    origin.spoil = lambda _path, _found: None
    with pytest.raises(Unavailable):
        mirror(tmp_path, origin).advance()


def test_a_credential_never_goes_in_clear() -> None:
    with pytest.raises(ValueError, match="https"):
        Source.open("http://log.example/mirror", credential="m:x")


SECRET = base64.b64encode(b"m" * 32).decode()


@pytest.fixture
def console(tmp_path: Path) -> ConsoleFake:
    (tmp_path / "console").mkdir()
    fake = ConsoleFake(tmp_path / "console")
    for number in range(600):
        fake.log.record(event(key=f"{number:032x}", sealed={}))
    return fake


def _ask(console: ConsoleFake, path: str, credential: str = "") -> tuple[int, bytes]:
    encoded = base64.b64encode(credential.encode()).decode()
    answer = console.public(path, {"Authorization": f"Basic {encoded}"} if credential else None)
    return answer.status_code, answer.data


def test_entries_are_for_known_mirrors_and_each_range_is_recorded_first(console: ConsoleFake) -> None:
    good, before = f"backup:{SECRET}", len(console.log.events)
    for credential in ("", f"backup:{base64.b64encode(b'n' * 32).decode()}", f"other:{SECRET}", "backup:", "é"):
        assert _ask(console, "/mirror/tile/entries/000", credential)[0] == 401
    assert len(console.log.events) == before
    assert _ask(console, "/mirror/checkpoint")[1].startswith(console.log.origin.encode())
    assert _ask(console, "/mirror/tile/0/000")[0] == 200
    assert _ask(console, "/mirror/tile/entries/000", good) == (200, console.log.bundle(0, 256))
    assert _ask(console, "/mirror/tile/entries/001", good)[0] == 200
    [read] = console.log.events[before:]
    assert (read.type, read.attributes) == ("audit.read", {"reader": "mirror:backup", "first": 0, "count": before})
    # What the range did not hold is recorded anew; what is not published is not there.
    assert _ask(console, "/mirror/tile/entries/002.p/89", good)[0] == 200
    assert console.log.events[-1].attributes["first"] == 512
    assert _ask(console, "/mirror/tile/entries/009", good)[0] == 404
    console.log.down = True
    console.log.events += [event(sealed={})] * 500
    console.log.stored += [b"{}"] * 500
    assert _ask(console, "/mirror/tile/entries/003", good)[0] == 503


def test_the_command_tells_by_its_exit_code(tmp_path: Path, origin: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Source, "open", lambda _url, **_more: origin)
    into = tmp_path / "copy"
    arguments = ["mirror", "https://log.example/mirror", "--key", str(KEY.vkey), "--into", str(into)]
    origin.grow(100)
    told = CliRunner().invoke(audit, [*arguments, "--cosign", "mirror.example/m", "--cosign-key", str(tmp_path / "k")])
    assert told.exit_code == 0, told.output
    assert "100 entries, 100 of them new" in told.output
    assert (into / "mirror.vkey").read_text("utf-8").startswith("mirror.example/m+")
    assert (tmp_path / "k").stat().st_mode & 0o077 == 0
    origin.grow(200)
    origin.spoil = lambda path, found: found and found[:-1] + b"!" if "entries" in path else found
    assert CliRunner().invoke(audit, arguments).exit_code == 1
    origin.spoil = lambda _path, _found: None
    assert CliRunner().invoke(audit, arguments).exit_code == 2
    other = Origin(tmp_path / "other", mark="!")
    other.grow(150, differently_from=40)
    monkeypatch.setattr(Source, "open", lambda _url, **_more: other)
    told = CliRunner().invoke(audit, arguments)
    assert told.exit_code == 3
    assert "two histories" in told.output
    loose = tmp_path / "loose"
    loose.write_text("backup:x", "utf-8")
    loose.chmod(0o644)
    assert CliRunner().invoke(audit, [*arguments, "--credential", str(loose)]).exit_code == 2


class House(Origin):
    """A site's logs as mirrors see them: the present one at the top, closed ones below, and the list of them."""

    def __init__(self, present: Path, closed: Path, root: bytes) -> None:
        self._blobs, self._old, self.root = DiskBlobs(present), DiskBlobs(closed), root
        self.asked: list[str] = []
        self.spoil: Callable[[str, bytes | None], bytes | None] = lambda _path, found: found

    def get(self, path: str) -> bytes | None:
        self.asked.append(path)
        below = path.removeprefix("logs/log/")
        found = self._old.get(below) if below != path else self._blobs.get(path)
        return self.spoil(path, self.root if path == LOGS else found)


def test_all_logs_of_a_site_are_copied_joined_and_checked_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = RetentionHouse(tmp_path)
    kept.take(300)
    first, into = kept.site.key, tmp_path / "copy"
    before = House(kept.site.folder, tmp_path, trust_root([(first, "https://log")]))
    copy = Succession(into, before, first.vkey, clock=SystemClock())
    [(name, done)] = copy.advance()
    assert (name, done.size) == (first.origin, 301)
    kept.rotate()
    kept.take(5)
    second = kept.site.key
    root = trust_root([(first, "https://log/logs/log"), (second, "https://log")])
    house = House(kept.site.folder, kept.folder / "logs/log", root)
    # The key is still the first log's; what was closed and what follows comes by itself.
    copy._source = house
    assert [(done.size, done.new) for _name, done in copy.advance()] == [(302, 1), (6, 6)]
    reports = verify_logs(str(into / "log-2"), (into / LOGS).read_bytes(), str(first.vkey))
    assert [report.size for report in reports] == [302, 6]
    same(kept.folder / "logs/log", into / "log")
    # Nobody makes a mirror forget a log, nor think of others.
    house.root = trust_root([(second, "https://log")])
    with pytest.raises(LogDamaged, match="list of logs"):
        Succession(into, house, second.vkey, clock=SystemClock()).advance()
    stranger = LogKey("city.example/log-1", seed=b"\x29" * 32)
    for logs in ([first, stranger, second], [first, KEY, second], [first]):
        house.root = trust_root([(each, "https://log") for each in logs])
        with pytest.raises(LogDamaged, match="list of logs"):
            copy.advance()
    house.root = root
    # By the command, into a folder of its own.
    monkeypatch.setattr(Source, "open", lambda _url, **_more: house)
    arguments = ["mirror", "https://log/mirror", "--key", str(second.vkey), "--into", str(tmp_path / "other")]
    told = CliRunner().invoke(audit, [*arguments, "--all-logs"])
    assert told.exit_code == 0, told.output
    assert "city.example/log: 302 entries, 302 of them new" in told.output
    assert "city.example/log-2: 6 entries, 6 of them new" in told.output
    house.spoil = lambda path, found: None if path.startswith("logs/") else found
    assert CliRunner().invoke(audit, [*arguments, "--all-logs"]).exit_code == 2
    kept.close()


def test_a_successor_that_continues_another_log_is_no_copy(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    one, other = (RetentionHouse(tmp_path / name) for name in ("one", "other"))
    for number, kept in enumerate((one, other)):
        kept.take(3 + number)
        kept.rotate()
    root = trust_root([(one.old, "https://log/logs/log"), (one.site.key, "https://log")])
    house = House(one.site.folder, other.folder / "logs/log", root)
    with pytest.raises(LogDamaged, match="does not continue"):
        Succession(tmp_path / "copy", house, one.old.vkey, clock=SystemClock()).advance()
    for kept in (one, other):
        kept.close()
