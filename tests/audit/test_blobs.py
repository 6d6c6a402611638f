# SPDX-License-Identifier: Apache-2.0
"""One contract, every place where a log's public part may lie."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from obstore.store import MemoryStore

from audit.blobs import BlobDiffers, BlobStore, DiskBlobs
from audit.blobs.objects import ObjectBlobs
from audit.errors import Pruned, TilesUnavailable
from tests.fakes.object_store import BUCKET, Line, ObjectServer, Weather
from tests.fakes.retention_house import RetentionHouse

TILE, PARTIAL = "tile/0/000", "tile/0/000.p/7"


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


def once(weather: str) -> Weather:
    """One request is treated so, and the next ones as usual."""
    turns = iter([weather])
    return lambda _method, _path: next(turns, "")


def opened(line: Line, server: ObjectServer, name: str, **more: object) -> ObjectBlobs:
    given = {"credentials": server.credentials, "endpoint": line.address, **more}
    return ObjectBlobs.open(f"s3://{BUCKET}/{name}", **given)  # type: ignore[arg-type]  # a test's shorthand


@pytest.fixture(params=["disk", "memory", "s3"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path, server: ObjectServer, line: Line) -> BlobStore:
    if request.param == "disk":
        return DiskBlobs(tmp_path)
    if request.param == "memory":
        return ObjectBlobs(MemoryStore())
    return opened(line, server, "contract")


def test_what_was_put_is_there_and_what_was_not_is_absent(blobs: BlobStore) -> None:
    assert blobs.get("checkpoint") is None
    blobs.create({TILE: b"a" * 32, "tile/entries/x001/000": b"b", PARTIAL: b"c"})
    blobs.replace("checkpoint", b"one")
    blobs.replace("checkpoint", b"two")
    assert [blobs.get(path) for path in (TILE, "tile/entries/x001/000", PARTIAL)] == [b"a" * 32, b"b", b"c"]
    assert blobs.get("checkpoint") == b"two"
    blobs.drop("tile/0/000.p")
    blobs.drop("tile/0/000.p")
    assert blobs.get(PARTIAL) is None
    assert blobs.get(TILE) == b"a" * 32
    blobs.create({})


def test_the_same_bytes_may_be_put_again(blobs: BlobStore) -> None:
    for _ in range(2):
        blobs.create({"tile/0/001": b"same"})
    assert blobs.get("tile/0/001") == b"same"


def test_what_is_removed_is_gone_and_nothing_else(blobs: BlobStore) -> None:
    # Names that no other test of this bucket uses.
    paths, tile = [f"tile/entries/2{number:02}" for number in range(5)], "tile/0/200"
    blobs.create(dict.fromkeys([*paths, tile, "tile/entries/200.p/7"], b"entries"))
    # Some are gone already: a run that was cut off is repeated.
    blobs.remove(paths[:2])
    blobs.remove([*paths[:4], "tile/entries/x001/000"])
    assert [blobs.get(path) for path in paths] == [None, None, None, None, b"entries"]
    assert blobs.get(tile) == blobs.get("tile/entries/200.p/7") == b"entries"
    blobs.remove([])


@pytest.mark.parametrize("weather", ["down", "error", "lost"])
def test_a_bucket_that_loses_an_answer_to_a_removal_is_asked_again(
    server: ObjectServer, line: Line, weather: str
) -> None:
    blobs = opened(line, server, f"removed-{weather}", patience=timedelta(seconds=1))
    blobs.create({TILE: b"x", "tile/0/001": b"y"})
    line.weather = once(weather)
    blobs.remove([TILE])
    assert blobs.get(TILE) is None
    line.weather = lambda _method, _path: weather
    with pytest.raises(TilesUnavailable):
        blobs.remove(["tile/0/001"])
    line.weather = lambda _method, _path: ""
    blobs.remove(["tile/0/001"])
    assert blobs.get("tile/0/001") is None


def test_whoever_may_not_remove_is_not_told_that_it_is_gone(server: ObjectServer, line: Line) -> None:
    identifier = server.credentials.partition(":")[0]
    with server.strict():
        opened(line, server, "kept").create({TILE: b"x"})
        with pytest.raises(TilesUnavailable):
            opened(line, server, "kept", credentials=f"{identifier}:wrong").remove([TILE])
        assert opened(line, server, "kept").get(TILE) == b"x"


def test_retention_prunes_a_log_in_a_bucket(tmp_path: Path, server: ObjectServer, line: Line) -> None:
    blobs = opened(line, server, "pruned")
    house = RetentionHouse(tmp_path, blobs)
    house.retaining.round()
    house.take(800)
    house.clock.advance(timedelta(days=900))
    house.store.see(int(house.clock.now().timestamp()))
    house.take()
    line.weather = lambda method, _path: "error" if method in {"DELETE", "POST"} else ""
    with pytest.raises(TilesUnavailable):
        house.retaining.round()
    # Said before the first one goes, and finished by the next run.
    assert house.site.reader().first() == 512
    line.weather = lambda _method, _path: ""
    house.retaining.round()
    assert [blobs.get(f"tile/entries/00{number}") is None for number in range(3)] == [True, True, False]
    with pytest.raises(Pruned):
        house.site.reader().entry_bytes(5)
    assert len(house.site.reader().inclusion_proof(5, 802)) > 0
    house.close()


def test_a_bucket_never_loses_the_winners_tile(server: ObjectServer, line: Line) -> None:
    blobs = opened(line, server, "winner")
    blobs.create({TILE: b"ours"})
    with pytest.raises(BlobDiffers, match=TILE):
        blobs.create({TILE: b"theirs"})
    assert blobs.get(TILE) == b"ours"


@pytest.mark.parametrize("weather", ["down", "error", "lost"])
def test_one_bad_answer_is_made_good_by_asking_again(server: ObjectServer, line: Line, weather: str) -> None:
    blobs = opened(line, server, f"once-{weather}")
    for name in ("one", "two"):
        line.weather = once(weather)
        blobs.create({f"tile/0/{name}": b"x"})
        line.weather = lambda _method, _path: ""
        assert blobs.get(f"tile/0/{name}") == b"x"


def test_a_lost_answer_is_settled_by_reading(server: ObjectServer, line: Line) -> None:
    blobs = opened(line, server, "lost", patience=timedelta(seconds=1))
    line.weather = lambda method, _path: "lost" if method == "PUT" else ""
    # Written at the first attempt; the repetitions find it there.
    with pytest.raises(TilesUnavailable):
        blobs.create({TILE: b"x"})
    line.weather = lambda _method, _path: ""
    blobs.create({TILE: b"x"})
    assert blobs.get(TILE) == b"x"


@pytest.mark.parametrize("weather", ["down", "error", "slow"])
def test_a_store_that_does_not_answer_is_told_apart_from_one_that_has_nothing(
    server: ObjectServer, line: Line, weather: str
) -> None:
    blobs = opened(line, server, "silent", patience=timedelta(milliseconds=400))
    line.weather = lambda _method, _path: weather
    with pytest.raises(TilesUnavailable):
        blobs.get(TILE)
    with pytest.raises(TilesUnavailable):
        blobs.create({TILE: b"x"})
    with pytest.raises(TilesUnavailable):
        blobs.replace("checkpoint", b"x")
    with pytest.raises(TilesUnavailable):
        blobs.drop("tile/0/000.p")


def test_wrong_credentials_and_a_missing_bucket_are_no_empty_log(server: ObjectServer, line: Line) -> None:
    identifier = server.credentials.partition(":")[0]
    with server.strict():
        good = opened(line, server, "strict")
        good.create({TILE: b"x"})
        for credentials in (f"{identifier}:wrong", "nobody:wrong"):
            wrong = opened(line, server, "strict", credentials=credentials)
            with pytest.raises(TilesUnavailable):
                wrong.get("tile/0/nothing")
            with pytest.raises(TilesUnavailable):
                wrong.create({"tile/0/001": b"x"})
    nowhere = ObjectBlobs.open("s3://nowhere/log", credentials=server.credentials, endpoint=line.address)
    with pytest.raises(TilesUnavailable):
        nowhere.get(TILE)
    with pytest.raises(TilesUnavailable):
        nowhere.create({TILE: b"x"})


@pytest.mark.parametrize(
    ("url", "credentials"),
    [("http://bucket/log", "a:b"), ("s3:///log", "a:b"), ("s3://bucket/log", "ab"), ("s3://bucket/log", ":b")],
)
def test_a_bad_address_and_bad_credentials_are_refused_at_once(url: str, credentials: str) -> None:
    with pytest.raises(ValueError, match=r"must be|are"):
        ObjectBlobs.open(url, credentials=credentials)


def test_a_changed_file_on_disk_is_noticed_when_it_is_read_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = DiskBlobs(tmp_path)
    monkeypatch.setattr(blobs, "get", lambda _path: b"another")
    with pytest.raises(BlobDiffers):
        blobs.create({TILE: b"x"})
