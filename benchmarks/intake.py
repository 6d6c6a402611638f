# SPDX-License-Identifier: Apache-2.0
"""Events by HTTP: one and many at a time into a record of its own, beside the bare cost of the same bytes.

`python -m benchmarks.intake [--seconds N] [--without-watch]` starts the audit role as the supervisor would (log, watch,
console), sends prepared requests to the console's socket as nginx does, and prints a table. Every sync is on.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.processes import MEMORY
from tests.fakes.audit_role import AuditRole

from .intake_client import Load, Sent, made, sent
from .measure import Figure, apart, repeat
from .processes import cost

TOGETHER = 2048
_SINGLES = 64
_BATCHES = 4
_LOOK = 0.05
_SERVE = "import sys; from pathlib import Path; from app.serve import serve; serve(sys.argv[1], Path(sys.argv[2]))"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One load and what it cost."""

    name: str
    figure: Figure
    # Events per second.
    events: float
    # Microseconds of processor time for one event, by process.
    spent: dict[str, float]
    # Seconds since the last checkpoint was published, at worst.
    age: float
    load: float

    def row(self) -> str:
        """For the page of measurements."""
        spent = ", ".join(f"{name} {each:.0f}" for name, each in self.spent.items())
        return (
            f"| {self.name} | {self.events:,.0f} | {self.figure.p50:.1f} | {self.figure.p99:.1f} "
            f"| {self.figure.errors} | {self.age:.2f} | {spent} | {self.load:.1f} |"
        )


class Running:
    """The audit role's processes over one fresh record."""

    def __init__(self, *, watch: bool) -> None:
        self._site = AuditRole("bench")
        names = ("log", "watch", "audit") if watch else ("log", "audit")
        configuration = str(self._site.configuration)
        # As the supervisor starts them.
        environment = {**os.environ, **MEMORY, "PYTHONPATH": f"{_as_installed(self._site.folder)}:{Path.cwd()}"}
        self._processes = {
            name: subprocess.Popen([sys.executable, "-c", _SERVE, name, configuration], env=environment)
            for name in names
        }
        self.context = self._site.context
        socket = self.context.site.socket("audit")
        deadline = time.monotonic() + 120
        while not (socket.exists() and self.context.log_socket.exists()):
            if time.monotonic() > deadline:
                raise TimeoutError("the audit role did not start")
            time.sleep(0.1)
        time.sleep(3)

    def close(self) -> None:
        """Stop everything; nothing is left."""
        for process in reversed(self._processes.values()):
            process.terminate()
        for process in self._processes.values():
            process.wait(timeout=60)
        self._site.remove()

    def costs(self) -> dict[str, tuple[float, int, int]]:
        """Seconds of processor time, peak and present proportional memory in MiB, by process."""
        return {name: cost(process.pid) for name, process in self._processes.items()}

    def memory(self, when: str) -> str:
        """What the role takes, shared pages counted once, and of which process."""
        costs = self.costs()
        each = ", ".join(f"{name} {now} (peaks together {peak})" for name, (_spent, peak, now) in costs.items())
        return f"memory of the role {when}: {sum(now for _, _, now in costs.values())} MiB; {each}"

    def measured(self, name: str, *, together: int, connections: int, requests: int, pace: float = 0.0) -> Row:
        """One load from a client in a process of its own."""
        load = Load(
            socket=self.context.site.socket("audit"),
            caller="gateway",
            secret=self.context.site.pair_secret(holder="gateway", caller="gateway", callee="audit"),
            connections=connections,
            together=together,
            requests=requests,
            pace=pace,
        )
        before = self.costs()
        with _ages(self.context.site.folder("audit") / "log" / "checkpoint") as looks:
            done: Sent = apart(sent, load)
            begun = time.time() - done.samples.took
        after = self.costs()
        spent = {each: (after[each][0] - before[each][0]) / max(done.events, 1) * 1e6 for each in after}
        spent["client"] = done.client / max(done.events, 1) * 1e6
        figure = done.samples.figure()
        return Row(
            name=name,
            figure=figure,
            events=done.events / done.samples.took,
            spent=spent,
            age=_oldest(looks, begun),
            load=os.getloadavg()[0],
        )


def _as_installed(folder: Path) -> Path:
    """A folder before all others, in which a tool of the developers' environment that structlog loads is missing."""
    missing = folder / "missing"
    missing.mkdir()
    (missing / "rich.py").write_text('raise ImportError("not installed")')
    return missing


@contextmanager
def _ages(checkpoint: Path) -> Iterator[list[tuple[float, float]]]:
    """When it was looked at, and when the checkpoint that was published then had been written."""
    looks: list[tuple[float, float]] = []
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(_LOOK):
            looks.append((time.time(), checkpoint.stat().st_mtime))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield looks
    finally:
        stop.set()
        thread.join()


def _oldest(looks: list[tuple[float, float]], begun: float) -> float:
    """The greatest age of a checkpoint while entries came; before ``begun`` there was nothing to publish."""
    ages = [when - max(written, begun) for when, written in looks if when >= begun]
    # After the last event there is nothing to publish either; its age then is not the log's.
    while ages and ages[-1] > (ages[-2] if len(ages) > 1 else 0.0):
        ages.pop()
    return max(ages, default=0.0)


def bare(folder: Path, seconds: float) -> tuple[Figure, Figure, Figure]:
    """Syncs of one event's bytes, of a batch's, and SHA-256 with AES-256-GCM of each event, in one thread."""
    events = made(TOGETHER)
    path = folder / "bare"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    cipher, nonce = AESGCM(bytes(32)), bytes(12)

    def synced(content: bytes) -> Figure:
        def act() -> None:
            os.write(descriptor, content)
            os.fdatasync(descriptor)

        return repeat(act, seconds=seconds)

    def computed() -> None:
        for event in events:
            hashlib.sha256(event).digest()
            cipher.encrypt(nonce, event, None)

    try:
        return synced(events[0]), synced(b"".join(events)), repeat(computed, seconds=seconds)
    finally:
        os.close(descriptor)
        path.unlink()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.intake")
    parser.add_argument("--seconds", type=float, default=8.0, help="how long one load goes on, about")
    parser.add_argument("--without-watch", action="store_true", help="leave out the indexing of what is sent")
    asked = parser.parse_args()
    running = Running(watch=not asked.without_watch)
    try:
        folder = running.context.site.folder("audit")
        one, many, computing = bare(folder, 1.0)
        print(running.memory("at rest"))
        running.measured("warm", together=16, connections=4, requests=40)
        print("| load | events/s | p50, ms | p99, ms | errors | checkpoint age, s | processor, µs an event | load |")
        print("|---|---:|---:|---:|---:|---:|---|---:|")
        guess = running.measured("singles, first look", together=1, connections=_SINGLES, requests=1500)
        count = int(guess.events * asked.seconds)
        single = running.measured(f"single, {_SINGLES} connections", together=1, connections=_SINGLES, requests=count)
        print(single.row(), flush=True)
        half = running.measured(
            "single, at half of that rate",
            together=1,
            connections=_SINGLES,
            requests=count // 2,
            pace=single.figure.rate / 2,
        )
        print(half.row(), flush=True)
        first = running.measured("batches, first look", together=TOGETHER, connections=_BATCHES, requests=8)
        count = max(8, int(first.events * asked.seconds / TOGETHER))
        batched = running.measured(
            f"{TOGETHER:,} together, {_BATCHES} connections", together=TOGETHER, connections=_BATCHES, requests=count
        )
        print(batched.row(), flush=True)
        again = bare(folder, 1.0)
        one, many, computing = (
            max(pair, key=lambda each: each.rate) for pair in zip((one, many, computing), again, strict=True)
        )
        print(f"\nbare fdatasync of one event: {one.rate:,.0f}/s; ratio of single {single.events / one.rate:.2f}")
        print(
            f"bare fdatasync of {TOGETHER:,} events: {many.rate * TOGETHER:,.0f} events/s; "
            f"ratio of batches {batched.events / many.rate / TOGETHER:.2f}"
        )
        print(
            f"bare SHA-256 and AES-256-GCM, one thread: {computing.rate * TOGETHER:,.0f} events/s; "
            f"ratio of batches {batched.events / computing.rate / TOGETHER:.2f}"
        )
        print(running.memory("after all of this"))
    finally:
        running.close()


if __name__ == "__main__":
    main()
