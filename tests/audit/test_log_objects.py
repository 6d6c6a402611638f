# SPDX-License-Identifier: Apache-2.0
"""A log whose public part lies in object storage: what a store may do to it, and what it may not."""

import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from obstore.store import MemoryStore

from audit import LogDamaged, LogExists, RecordUnavailable, Wait
from audit.blobs import BlobStore, Disk
from audit.blobs.objects import ObjectBlobs
from audit.cli import audit
from audit.errors import TilesUnavailable
from audit.lineage import LOGS, trust_root
from audit.merkle import Checkpoint, LogKey
from audit.published import INDEX_KEY
from audit.rotation import Place as Lies
from audit.rotation import Rotation
from audit.verify import Report, verify
from audit.writer import Log, Place
from tests.fakes.log_site import LogSite, event, wait_for
from tests.fakes.object_store import BUCKET, Line, ObjectServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectServer]:
    server = ObjectServer(tmp_path_factory.mktemp("objects"))
    yield server
    server.close()


@pytest.fixture
def line(server: ObjectServer) -> Iterator[Line]:
    line = Line(server)
    yield line
    line.close()


@pytest.fixture
def site(tmp_path: Path, server: ObjectServer, line: Line) -> Iterator[LogSite]:
    blobs = ObjectBlobs.open(
        f"s3://{BUCKET}/{tmp_path.name}",
        credentials=server.credentials,
        endpoint=line.address,
        patience=timedelta(seconds=10),
    )
    site = LogSite(tmp_path, blobs=blobs).create()
    yield site
    site.close()


def whole(site: LogSite) -> Report:
    assert site.blobs is not None
    return verify(site.blobs.get, site.vkey)


def committed(site: LogSite) -> Checkpoint:
    return Checkpoint.verified((site.folder / "private" / "committed").read_bytes(), [site.key.vkey])


def puts(method: str, _path: str) -> bool:
    return method == "PUT"


def test_only_the_public_part_is_in_the_bucket(site: LogSite, server: ObjectServer) -> None:
    log = site.open()
    log.append([event(sealed={"name": "a very particular name"}) for _ in range(300)])
    log.integrate()
    log.close()
    assert whole(site).size == 301
    assert {path.name for path in site.folder.iterdir()} == {"private"}
    listed = server.ask("GET", f"/{BUCKET}?list-type=2&prefix={site.folder.parent.name}/")
    assert "tile/entries/000<" in listed
    assert "private" not in listed
    assert "committed" not in listed
    # The partial tiles of what became full are gone.
    assert "/0/000.p" not in listed
    assert "entries/000.p" not in listed
    log = site.open()
    assert log.size == 301
    assert site.reader().entry(300).event.type == "sso.login"
    log.close()


def test_a_log_is_not_born_over_another_one(site: LogSite, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = LogSite(tmp_path / "other", blobs=site.blobs)
    with pytest.raises(LogExists):
        other.create()
    other.close()


def test_a_store_that_is_away_before_the_commit_costs_nothing_but_time(site: LogSite, line: Line) -> None:
    log = site.open()
    log.append([event()])
    line.weather = lambda _method, _path: "down"
    for _ in range(2):
        with pytest.raises(TilesUnavailable):
            log.integrate()
    assert committed(site).size == 1
    assert isinstance(log.append([event()])[0], Place)
    line.weather = lambda _method, _path: ""
    log.integrate()
    assert whole(site).size == log.published == 3
    log.close()


@pytest.mark.parametrize("weather", ["down", "error", "lost"])
def test_a_store_that_goes_away_after_the_commit_gets_that_very_tree(site: LogSite, line: Line, weather: str) -> None:
    log = site.open()
    log.append([event()])
    line.weather = lambda method, path: weather if puts(method, path) else ""
    with pytest.raises(TilesUnavailable):
        log.integrate()
    first = committed(site)
    assert (first.size, log.published) == (2, 1)
    log.append([event(), event()])
    with pytest.raises(TilesUnavailable):
        log.integrate()
    assert committed(site) == first
    line.weather = lambda _method, _path: ""
    assert log.integrate() == first
    assert whole(site).size == log.published == 2
    log.integrate()
    assert whole(site).size == 4
    log.close()


def test_a_successor_finishes_what_the_store_did_not_take(site: LogSite, line: Line) -> None:
    log = site.open()
    log.append([event()])
    line.weather = lambda method, path: "down" if puts(method, path) and path.endswith("checkpoint") else ""
    with pytest.raises(TilesUnavailable):
        log.integrate()
    log.close()
    # Nor is the log opened while the store is away: nobody would know where the tree stands.
    with pytest.raises(TilesUnavailable):
        site.open()
    assert whole(site).size == 1
    line.weather = lambda _method, _path: ""
    log = site.open()
    assert whole(site).size == log.published == 2
    log.close()


def test_an_old_checkpoint_from_a_cache_stops_nothing_and_wins_nothing(site: LogSite, line: Line) -> None:
    site.reader().checkpoint()
    log = site.open()
    line.weather = lambda method, path: "stale" if method == "GET" and path.endswith("checkpoint") else ""
    for _ in range(2):
        log.append([event()])
        log.integrate()
    log.close()
    log = site.open()
    assert log.published == 3
    log.close()
    line.weather = lambda _method, _path: ""
    assert whole(site).size == 3


def test_whoever_puts_the_checkpoint_back_or_takes_it_away_is_undone_or_noticed(site: LogSite) -> None:
    assert site.blobs is not None
    old = site.blobs.get("checkpoint")
    assert old is not None
    log = site.open()
    log.append([event()])
    log.integrate()
    log.close()
    site.blobs.replace("checkpoint", old)
    site.open().close()
    assert whole(site).size == 2
    site.blobs.replace("checkpoint", old.replace(b"\n1\n", b"\n9\n"))
    with pytest.raises(LogDamaged):
        site.open()


@pytest.mark.parametrize("path", ["tile/0/000.p/2", "tile/entries/000.p/2"])
def test_a_changed_tile_in_the_bucket_stops_the_log(site: LogSite, path: str) -> None:
    log = site.open()
    log.append([event()])
    log.integrate()
    log.close()
    assert site.blobs is not None
    raw = site.blobs.get(path)
    assert raw is not None
    site.blobs.replace(path, raw[:-1] + bytes([raw[-1] ^ 1]))
    with pytest.raises(LogDamaged):
        site.open()


def test_of_two_writers_with_copies_of_one_folder_the_second_stops_before_it_publishes(
    site: LogSite, tmp_path: Path
) -> None:
    shutil.copytree(site.folder, tmp_path / "copy" / "log")
    shutil.copy(site.seal_keys, tmp_path / "copy" / "seals.db")
    twin = LogSite(tmp_path / "copy", blobs=site.blobs)
    log, other = site.open(), twin.open()
    log.append([event()])
    log.integrate()
    won = whole(site)
    other.append([event()])
    with pytest.raises(LogDamaged, match="somebody else"):
        other.integrate()
    with pytest.raises(RecordUnavailable):
        other.append([event()])
    assert whole(site) == won
    other.close()
    log.close()
    twin.close()


def test_in_a_race_the_winners_tiles_stay(site: LogSite, tmp_path: Path, line: Line) -> None:
    shutil.copytree(site.folder, tmp_path / "copy" / "log")
    shutil.copy(site.seal_keys, tmp_path / "copy" / "seals.db")
    twin = LogSite(tmp_path / "copy", blobs=site.blobs)
    log, other = site.open(), twin.open()
    log.append([event()])
    other.append([event()])
    line.weather = lambda method, path: "down" if puts(method, path) and path.endswith("checkpoint") else ""
    with pytest.raises(TilesUnavailable):
        log.integrate()
    # It still sees the old checkpoint and commits; the tiles are there, and are not its own.
    with pytest.raises(LogDamaged, match="differently"):
        other.integrate()
    line.weather = lambda _method, _path: ""
    log.integrate()
    assert whole(site).size == 2
    for each in (log, other):
        each.close()
    twin.close()


class Dying:
    """Lets the n-th step be the last: it is carried out or not, and nothing after it is."""

    def __init__(self, blobs: BlobStore, after: int) -> None:
        self._blobs = blobs
        self.left = after

    def get(self, path: str) -> bytes | None:
        return self._blobs.get(path)

    def create(self, files: Mapping[str, bytes]) -> None:
        for name, content in files.items():
            self._step()
            self._blobs.create({name: content})
            self._step()

    def replace(self, path: str, content: bytes) -> None:
        self._step()
        self._blobs.replace(path, content)
        self._step()

    def remove(self, paths: Sequence[str]) -> None:
        self._blobs.remove(paths)

    def drop(self, folder: str) -> None:
        self._step()
        self._blobs.drop(folder)
        self._step()

    def _step(self) -> None:
        if self.left <= 0:
            raise Killed
        self.left -= 1


class DyingDisk(Disk):
    """The same for the writer's own disk."""

    def __init__(self, dying: Dying) -> None:
        self._dying = dying

    def sync(self, descriptor: int) -> None:
        self._dying._step()
        super().sync(descriptor)

    def sync_folder(self, folder: Path) -> None:
        self._dying._step()
        super().sync_folder(folder)


class Killed(BaseException):
    """As SIGKILL: nobody catches it."""


def test_dying_at_any_step_leaves_one_history_and_no_litter(tmp_path: Path) -> None:
    store = ObjectBlobs(MemoryStore())
    site = LogSite(tmp_path, blobs=store).create()
    roots: dict[int, bytes] = {}
    acknowledged: dict[int, str] = {}
    step, finished = 0, False
    while not finished:
        dying = Dying(store, step)
        site.blobs = dying
        log: Log | None = None
        try:
            log = site.open(DyingDisk(dying))
            for count in (3, 40):
                batch = [event() for _ in range(count)]
                for one, found in zip(batch, log.append(batch), strict=True):
                    assert isinstance(found, Place)
                    acknowledged[found.index] = one.key
                log.integrate()
            finished = True
        except Killed:
            step += 1
        finally:
            if log is not None:
                log.close()
        site.blobs = store
        report = whole(site)
        assert roots.setdefault(report.size, report.root) == report.root
    assert step > 20
    entries = site.reader().entries(0, report.size)
    assert all(entries[index].event.key == key for index, key in acknowledged.items())
    site.open().close()
    full = report.size // 256
    assert full > 1
    listed = [path for index in range(full) for path in (f"tile/0/{index:03}.p", f"tile/entries/{index:03}.p")]
    assert not [each for each in listed for width in range(256) if store.get(f"{each}/{width}") is not None]
    site.close()


@pytest.mark.parametrize("fatal", [1, 2, 3])
def test_a_process_killed_while_it_speaks_to_the_store_is_succeeded(
    site: LogSite, server: ObjectServer, line: Line, fatal: int
) -> None:
    process = site.process(f"s3://{BUCKET}/{site.folder.parent.name}", line.address, server.credentials)
    wait_for(lambda: whole(site).size == 2)
    left = [fatal]

    def weather(method: str, path: str) -> str:
        if puts(method, path):
            left[0] -= 1
            if left[0] == 0:
                process.kill()
                return "lost" if fatal % 2 else "down"
        return ""

    line.weather = weather
    client = site.recorder()
    receipt = client.record(one := event())
    process.wait(timeout=20)
    client.close()
    line.weather = lambda _method, _path: ""
    log = site.open()
    assert whole(site).size == log.published == 3
    assert site.reader().entry(receipt.index).event.key == one.key
    log.close()


def test_recording_goes_on_while_the_store_is_away_and_the_record_says_so(site: LogSite, line: Line) -> None:
    with site.served() as served:
        client, impatient = site.recorder(timeout=10.0), site.recorder(timeout=1.0)
        assert client.record(event(), wait=Wait.PUBLISHED).checkpoint
        line.weather = lambda _method, _path: "down"
        for _ in range(3):
            client.record(event())
            time.sleep(0.05)
        with pytest.raises(RecordUnavailable):
            impatient.record(event(), wait=Wait.PUBLISHED)
        impatient.close()
        # The log has noticed: that is an entry, too.
        wait_for(lambda: served.log.size == 8)
        assert not served.ended()
        line.weather = lambda _method, _path: ""
        assert client.record(event(), wait=Wait.PUBLISHED).checkpoint
        client.close()
        wait_for(lambda: "log.storage.back" in kinds(site))
    told = kinds(site)
    assert told.count("log.storage.lost") == told.count("log.storage.back") == 1
    assert whole(site).size == len(told)


def test_a_log_can_be_stopped_while_the_store_is_away(site: LogSite, line: Line) -> None:
    with site.served() as served:
        client = site.recorder()
        line.weather = lambda _method, _path: "down"
        receipt = client.record(event())
        client.close()
        served.stop()
    line.weather = lambda _method, _path: ""
    log = site.open()
    assert log.published > receipt.index
    log.close()


def kinds(site: LogSite) -> list[str]:
    return [entry.event.type for entry in site.reader().entries(0, 1000)]


def test_the_index_is_built_from_object_storage_over_all_logs(tmp_path: Path, server: ObjectServer) -> None:
    def stored(name: str) -> ObjectBlobs:
        address = f"s3://{BUCKET}/{tmp_path.name}/{name}"
        return ObjectBlobs.open(address, credentials=server.credentials, endpoint=f"http://127.0.0.1:{server.port}")

    folder = tmp_path / "audit"
    folder.mkdir()
    site = LogSite(folder, blobs=stored("log")).create()
    log = site.open()
    log.append([event() for _ in range(300)])
    log.integrate()
    log.close()
    new = LogKey("city.example/log-2", seed=b"\x17" * 32, mldsa_seed=b"\x18" * 32)
    Rotation(
        old=Lies(folder=folder / "log", key=site.key, blobs=stored("log")),
        new=Lies(folder=folder / "log.next", key=new, blobs=stored("log-2")),
        archive=folder / "logs" / "log",
        seals=site.seals,
        clock=site.clock,
    ).run(None)
    (tmp_path / "public").mkdir()
    (tmp_path / "public" / LOGS).write_bytes(trust_root([(site.key, "https://log/logs/log"), (new, "https://log")]))
    secrets = {folder / INDEX_KEY: b"k" * 32, tmp_path / "storage": server.credentials.encode()}
    for path, content in secrets.items():
        path.write_bytes(content)
        path.chmod(0o600)
    (tmp_path / "site.toml").write_text(
        f'[audit]\ntiles = "s3://{BUCKET}/{tmp_path.name}"\ntiles_endpoint = "http://127.0.0.1:{server.port}"\n'
        'tiles_credentials = "storage"\n',
        "utf-8",
    )
    arguments = ["reindex", str(folder), "--key", str(new.vkey)]
    told = CliRunner().invoke(audit, [*arguments, "--site", str(tmp_path / "site.toml")])
    assert told.output == "303 entries indexed\n", told.output
    refused = CliRunner().invoke(audit, arguments)
    assert refused.exit_code == 2
    assert "--site says where" in refused.output
    site.close()
