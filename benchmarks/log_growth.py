# SPDX-License-Identifier: Apache-2.0
"""What a growing log costs its process: append, publish, start and check at growing sizes, with every sync.

`python -m benchmarks.log_growth FOLDER SIZE...` tells, at each size, how fast events go in one by one and in batches,
how long one checkpoint and one start take, and what memory and disk that needs. Each size runs in a process of its own.
`python -m benchmarks.log_growth --verify FOLDER SIZE` makes a log of as many entries and checks it.

The past of a log is not appended but laid down as the log would have left it: its tiles (one full bundle, linked as
often as needed, for nothing reads what is in it), its index with a random key for each entry, its signed
checkpoint. To be checked, a log gets entries of its own, numbered without a gap.
"""

import os
import resource
import secrets
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from audit.blobs import Disk
from audit.merkle import Checkpoint, LogKey, leaf_hash
from audit.merkle.hashing import root_hash
from audit.merkle.tiles import WIDTH, Edge, bundle_path, pack, tile_path
from audit.models_codec import Draft, entry_of, parted
from audit.press.pool import Press
from audit.seals import Seals, SealStore
from audit.service import create_log
from audit.verify import verify_folder
from audit.writer import Log
from audit.writer.keys import KeyIndex
from audit.writer.log import MOST_AT_ONCE
from core.clock import Clock, SystemClock

from .intake_client import made
from .measure import apart

_BATCH = 2048
_BATCHES = 12
_SINGLE = 200
_HELPERS = 2


@dataclass(frozen=True, kw_only=True)
class Figures:
    """One row of the table."""

    size: int
    # Events per second, read, taken and published in batches, and microseconds of processor time for each: of the
    # log's own process, and of its helpers.
    batches: float
    own: float
    helpers: float
    # Milliseconds of one single append with its sync, and of one checkpoint over 250 entries.
    single: float
    checkpoint: float
    # Seconds of a start with recovery, and mebibytes after it.
    start: float
    started: float
    # Mebibytes: the process at its largest so far, the folder.
    memory: float
    disk: float
    load: float

    def row(self) -> str:
        """For the page of measurements."""
        return (
            f"| {self.size:,} | {self.batches:,.0f} | {self.own:.0f} | {self.helpers:.0f} | {self.single:.2f} "
            f"| {self.checkpoint:.0f} | {self.start:.2f} | {self.started:.0f} | {self.memory:.0f} | {self.disk:,.0f} "
            f"| {self.load:.1f} |"
        )


class Growth:
    """One log with a past."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder / "log"
        self._clock: Clock = SystemClock()
        self._key = LogKey("growth.example/log", seed=b"\x07" * 32, mldsa_seed=b"\x08" * 32)
        self._seals = Seals(SealStore.open(folder / "seals.db", upgrade=True))
        if not self._folder.exists():
            create_log(self._folder, key=self._key, seals=self._seals, clock=self._clock)

    def lay(self, size: int) -> None:
        """The past of a log of this size; to be called in another process, so that its memory is not the log's."""
        self._lay(_linked(self._folder, size))
        self._index(size)

    def measured(self, size: int) -> Figures:
        """Start, and append."""
        begun = time.perf_counter()
        with closing(Press(_HELPERS)) as press, closing(self._open(press)) as log:
            start, started = time.perf_counter() - begun, _resident()
            batches = [made(_BATCH) for _ in range(_BATCHES)]
            self._take(log, batches[0])
            begun, spent, helped = time.perf_counter(), time.process_time(), _helped(press)
            for batch in batches[1:]:
                self._take(log, batch)
            count = _BATCH * (_BATCHES - 1)
            own, helpers = (time.process_time() - spent) / count * 1e6, (_helped(press) - helped) / count * 1e6
            rate = count / (time.perf_counter() - begun)
            drafts = press.read(made(_SINGLE + 250))
            begun = time.perf_counter()
            for draft in drafts[:_SINGLE]:
                log.take([draft] if isinstance(draft, Draft) else [])
            single = (time.perf_counter() - begun) / _SINGLE * 1000
            log.integrate()
            log.take([draft for draft in drafts[_SINGLE:] if isinstance(draft, Draft)])
            begun = time.perf_counter()
            log.integrate()
            checkpoint = (time.perf_counter() - begun) * 1000
        return Figures(
            size=size,
            batches=rate,
            own=own,
            helpers=helpers,
            single=single,
            checkpoint=checkpoint,
            start=start,
            started=started,
            memory=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            disk=sum(path.stat().st_blocks * 512 / path.stat().st_nlink for path in self._folder.rglob("*")) / 2**20,
            load=os.getloadavg()[0],
        )

    def checked(self, size: int) -> tuple[float, float]:
        """Seconds until a log of so many entries is checked, and of processor time for it."""
        self._lay(_numbered(self._folder, size))
        begun, spent = time.perf_counter(), time.process_time()
        found = verify_folder(self._folder, str(self._key.vkey))
        took, busy = time.perf_counter() - begun, time.process_time() - spent
        if found.size != size:
            raise AssertionError(found)
        return took, busy

    def _take(self, log: Log, events: list[bytes]) -> None:
        log.take([draft for draft in log.press.read(events) if isinstance(draft, Draft)])
        log.integrate()

    def _open(self, press: Press) -> Log:
        return Log.open(self._folder, key=self._key, seals=self._seals, clock=self._clock, press=press)

    def _lay(self, edge: Edge) -> None:
        note = Checkpoint(self._key.origin, edge.size, edge.root()).sign(self._key, self._clock.now())
        (self._folder / "private" / "committed").write_text(note, "utf-8")
        (self._folder / "checkpoint").write_text(note, "utf-8")
        for path in (self._folder / "private" / "ahead").glob("*"):
            path.unlink()

    def _index(self, size: int) -> None:
        """The index as the log would have filled it, checkpoint by checkpoint."""
        shutil.rmtree(self._folder / "private" / "keys", ignore_errors=True)
        index = KeyIndex.open(self._folder / "private" / "keys", Disk())
        for start in range(0, size, MOST_AT_ONCE):
            end = min(size, start + MOST_AT_ONCE)
            index.add({secrets.token_hex(16): place for place in range(start, end)}, {"gateway": end}, end)
            index.settle()
        index.close()


def _linked(folder: Path, size: int) -> Edge:
    """The tiles of a log of full bundles that are all the same."""
    document, _ = parted(made(1)[0])
    raws = [entry_of(document, sequence=number, ciphertext="") for number in range(WIDTH)]
    first, count = pack(raws), size // WIDTH
    _links(folder, [bundle_path(i) for i in range(count)], first)
    hashes: list[tuple[bytes, ...]] = [()]
    tile, level = list(map(leaf_hash, raws)), 0
    while count:
        _links(folder, [tile_path(level, i) for i in range(count)], b"".join(tile))
        # Every full tile has the same root, so the level above is that root again and again.
        above, level = root_hash(tile), level + 1
        count, rest = divmod(count, WIDTH)
        hashes.append((above,) * rest)
        if rest:
            _links(folder, [tile_path(level, count, rest)], above * rest)
        tile = [above] * WIDTH
    return Edge(size, tuple(hashes), ())


def _links(folder: Path, names: list[str], content: bytes) -> None:
    source: Path | None = None
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        # A file system bounds how many names one file has.
        if source is None or number % 10_000 == 0:
            path.write_bytes(content)
            source = path
        else:
            path.hardlink_to(source)


def _numbered(folder: Path, size: int) -> Edge:
    """The tiles of a log of entries of their own."""
    edge = Edge()
    for part in _entries(size):
        edge, files = edge.extend(part)
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return edge


def _entries(size: int) -> Iterator[list[bytes]]:
    document, _ = parted(made(1)[0])
    ciphertext = "A" * 200
    before, after = entry_of(document, sequence=0, ciphertext=ciphertext).split(b'"sequence":0')
    for start in range(0, size, _BATCH):
        yield [b'%b"sequence":%d%b' % (before, i, after) for i in range(start, min(size, start + _BATCH))]


def _resident() -> float:
    said = Path("/proc/self/statm").read_text("ascii").split()
    return int(said[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _helped(press: Press) -> float:
    said = [Path(f"/proc/{helper.process}/stat").read_text("ascii").rpartition(")")[2] for helper in press.helpers]
    return sum(sum(map(int, each.split()[11:13])) for each in said) / os.sysconf("SC_CLK_TCK")


def _laid(folder: Path, size: int) -> None:
    Growth(folder).lay(size)


def _of(folder: Path, size: int) -> Figures:
    return Growth(folder).measured(size)


def main(arguments: list[str]) -> None:
    """Tell the table."""
    if arguments[0] == "--verify":
        size = int(arguments[2])
        took, busy = Growth(Path(arguments[1]) / f"verify-{size}").checked(size)
        print(f"{size:,} entries checked in {took:.1f} s, {busy:.1f} s of processor; load {os.getloadavg()[0]:.1f}")
        return
    print(
        "| entries | in batches, events/s | processor, µs each | of helpers | one append, ms | checkpoint, ms "
        "| start, s | memory after it, MiB | at most, MiB | disk, MiB | load |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for size in sorted(-(-int(each) // WIDTH) * WIDTH for each in arguments[1:]):
        folder = Path(arguments[0]) / f"{size}"
        apart(_laid, folder, size)
        print(apart(_of, folder, size).row(), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
