# SPDX-License-Identifier: Apache-2.0
"""What a certificate is worth, at size: revoking, lists, OCSP and issuing over tables of up to a million certificates.

Everything runs in one process over a real store, real keys and lint, with a recorder that keeps events in memory; the
answers' files are also served by a plain nginx. Writes ``docs/benchmarks-ca.md``.
"""

import argparse
import os
import secrets
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import cycle
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from ca import CASettings
from ca.ceremony import found
from ca.models import Issued, Reason, Standing
from ca.service import CertificateAuthority, answer_folder
from ca.store import Store
from ca.x509.lists import Withdrawn, entry
from tests.ca.world import World, ask, loaded, open_database, shard_of, site_in
from tests.fakes.clock import ManualClock
from tests.fakes.people import SmallDirectory
from tests.fakes.recorder import ListRecorder

from .measure import Figure, Samples, apart, wrk
from .report import Machine, replaced

_DOCUMENT = Path(__file__).parent.parent / "docs" / "benchmarks-ca.md"
_TEMPLATE = Path(__file__).with_name("status.md")
_LISTED = 100_000
_SMALLEST = 1_000
_NGINX = """daemon off; pid nginx.pid; error_log stderr crit; worker_processes 1;
events {{ worker_connections 512; }}
http {{ access_log off; default_type application/ocsp-response;
server {{ listen 127.0.0.1:{port}; location ^~ /ocsp/ {{ root "{root}"; disable_symlinks on; try_files $uri =404;
types {{}} expires modified +28740s; add_header Cache-Control "public, no-transform, must-revalidate"; }} }} }}
"""


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.status")
    parser.add_argument("--rows", type=int, default=1_000_000, help="the largest number of certificates")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long one figure is measured")
    parser.add_argument("--output", type=Path, default=_DOCUMENT, help="where the document goes")
    asked = parser.parse_args()
    machine = Machine.here(Path(tempfile.gettempdir()))
    lines = [f"| {name} | {value} |" for name, value in _all(asked.rows, asked.seconds)]
    text = _TEMPLATE.read_text("utf-8").format(
        at=f"{machine.at:%Y-%m-%d %H:%M} UTC",
        cores=machine.cores,
        model=machine.model,
        load=" ".join(f"{each:.1f}" for each in os.getloadavg()),
        before=machine.load,
        table="\n".join(lines),
    )
    # What other programs measured stays.
    before = asked.output.read_text("utf-8") if asked.output.exists() else ""
    asked.output.write_text(replaced(before, "", text), "utf-8")
    print(f"written to {asked.output}")


def _all(rows: int, seconds: float) -> Iterator[tuple[str, str]]:
    with _site() as world:
        authority = world.open()
        yield from _answers(world, authority, seconds)
        # Acts for a second of processor, by what is done and beside how many.
        known: dict[str, dict[int, float]] = {}
        for size in (_SMALLEST, 10_000, 100_000, 1_000_000):
            if size > rows:
                break
            # In a process of its own: its cache is nobody's afterwards.
            apart(_fill, str(world.site.state), size)
            for name, act in _beside(world, authority, size):
                measured = _repeat(act, seconds)
                known.setdefault(name, {})[size] = measured.unshared
                yield f"{name}, {size:,} certificates stored", _shown(measured)
        for name, rates in known.items():
            first, last = min(rates), max(rates)
            growth = rates[first] / rates[last]
            yield f"{name}: processor time beside {last:,} against {first:,}", f"{growth:.2f} times"
        yield from _list(world)
        # In a process of its own, so that it holds nothing of what was measured before.
        peak = apart(_memory, str(world.site.state))
        yield f"Memory of a process that issues, revokes, lists and answers over {rows:,} certificates", f"{peak} MB"


def _beside(world: World, authority: CertificateAuthority, size: int) -> Iterator[tuple[str, Callable[[], object]]]:
    yield "Revoke one, all others revoked", _revoking(world, authority)
    if size == _SMALLEST:
        return
    yield "Issue (ceremony in process, one thread)", lambda: authority.issue(ask())
    for name, asked in _questions(world, [authority.issue(ask()) for _ in range(20)]):
        yield f"OCSP answer {name}", partial(_answer, authority, cycle(asked))


@contextmanager
def _site() -> Iterator[World]:
    with tempfile.TemporaryDirectory() as folder:
        site = site_in(Path(folder) / "state")
        site.folder("ca").mkdir(parents=True, mode=0o700)
        database = open_database(site)
        found(site=site, settings=CASettings(), database=database, recorder=ListRecorder(), clock=ManualClock())
        yield _world(site.state)
        database.close()


def _world(state: Path) -> World:
    site = site_in(state)
    database, clock = open_database(site), ManualClock()
    clock.advance(timedelta(minutes=5))
    return World(
        site=site,
        clock=clock,
        recorder=ListRecorder(),
        database=database,
        store=Store(database),
        directory=SmallDirectory(),
    )


def _fill(state: str, size: int) -> None:
    """Bring the tables to that many certificates, all revoked, spread over their issuer's lists."""
    world = _world(Path(state))
    at = int(world.clock.now().timestamp())
    file = sqlite3.connect(world.site.folder("ca") / "ca.db")
    # Rows come in no order of their keys: without room for the indexes, pages would be read again for each of them.
    file.execute("PRAGMA cache_size = -1500000")
    have = file.execute("SELECT count(*) FROM certificates").fetchone()[0]
    serials = [secrets.token_hex(17) for _ in range(max(0, size - have))]
    file.executemany(
        "INSERT INTO certificates (serial, issuer, profile, subject, actor, state, created, name, not_before,"
        " not_after, key_hash, tbs, commitment_key, der, reaped, shard) VALUES (?, 'people', 'citizen', ?, 'x',"
        " 'delivered', ?, ?, ?, ?, hex(randomblob(32)), randomblob(850), randomblob(32), randomblob(1000), 0, ?)",
        (
            (serial, serial[:32], at, serial[:8], at, at + 10**8, int(serial, 16) % world.settings.crl_shards + 1)
            for serial in serials
        ),
    )
    moment = world.clock.now().replace(microsecond=0)
    file.executemany(
        "INSERT INTO revocations (serial, issuer, standing, reason, at, not_after, shard, revision, entry)"
        " VALUES (?, 'people', 'revoked', 'superseded', ?, ?, ?, 0, ?)",
        (
            (
                serial,
                at - 10**6,
                at + 10**8,
                int(serial, 16) % world.settings.crl_shards + 1,
                entry(
                    Withdrawn(serial=int(serial, 16), standing=Standing.REVOKED, at=moment, reason=Reason.SUPERSEDED)
                ),
            )
            for serial in serials
        ),
    )
    file.commit()
    file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    file.close()


def _revoking(world: World, authority: CertificateAuthority) -> Callable[[], object]:
    """Revoke certificates that were made for it; making them is not counted."""
    made = iter([authority.issue(ask()).serial for _ in range(_MOST)])
    world.store.outbox.drop([each.position for each in world.store.outbox.head()])
    return lambda: authority.revoke(next(made), reason=Reason.SUPERSEDED, actor="x")


_MOST = 200


def _list(world: World) -> Iterator[tuple[str, str]]:
    """A list of a hundred thousand, whole: read, joined, linted by sample, signed, stored."""
    file = sqlite3.connect(world.site.folder("ca") / "ca.db")
    file.execute("UPDATE revocations SET shard = 1")
    file.execute(
        "UPDATE revocations SET shard = 2 WHERE serial IN (SELECT serial FROM revocations LIMIT ?)", (_LISTED,)
    )
    listed = file.execute("SELECT count(*) FROM revocations WHERE shard = 2").fetchone()[0]
    file.commit()
    file.close()
    authority = world.open()
    times = []
    for _ in range(3):
        world.clock.advance(timedelta(hours=13))
        begun = time.perf_counter()
        der = authority.crl("people", 2).der
        times.append(time.perf_counter() - begun)
    if len(x509.load_der_x509_crl(der)) != listed:
        raise RuntimeError("the list lacks entries")
    yield f"Make a list of {listed:,} entries ({len(der) / 1e6:.1f} MB)", f"{min(times):.2f} s (best of three)"
    begun = time.perf_counter()
    authority.crl("people", 2, delta=True)
    yield "Make its delta", f"{(time.perf_counter() - begun) * 1000:.0f} ms"


def _answers(world: World, authority: CertificateAuthority, seconds: float) -> Iterator[tuple[str, str]]:
    issued = [authority.issue(ask()) for _ in range(20)]
    key = ec.generate_private_key(ec.SECP256R1())
    signing = _repeat(lambda: key.sign(b"x" * 300, ec.ECDSA(hashes.SHA256())), seconds)
    yield "Sign with P-256 and nothing else", _shown(signing)
    for name, asked in _questions(world, issued):
        figure = _repeat(partial(_answer, authority, cycle(asked)), seconds)
        share = f"; {figure.unshared / signing.unshared:.0%} of the bare signature"
        yield f"OCSP answer {name}, in Python", _shown(figure) + share
    with _nginx(world) as port:
        path = next(each for each in answer_folder(world.site).rglob("*") if each.is_file())
        url = f"http://127.0.0.1:{port}/ocsp/{path.relative_to(answer_folder(world.site))}"
        yield (
            "OCSP answer made beforehand, from nginx (one worker)",
            _by_the_clock(wrk(url, seconds=int(seconds), connections=16)),
        )


def _questions(world: World, issued: Sequence[Issued]) -> Iterator[tuple[str, list[bytes]]]:
    yield "made beforehand", [_question(world, each, nonce=False) for each in issued]
    yield "signed for a nonce", [_question(world, each, nonce=True) for each in issued]


def _answer(authority: CertificateAuthority, asked: Iterator[bytes]) -> object:
    return authority.ocsp("people", next(asked))


@contextmanager
def _nginx(world: World) -> Iterator[int]:
    port = 18_431
    folder = world.site.state / "bench"
    folder.mkdir()
    (folder / "nginx.conf").write_text(_NGINX.format(port=port, root=answer_folder(world.site).parent), "utf-8")
    command = ["/usr/sbin/nginx", "-p", f"{folder}/", "-c", str(folder / "nginx.conf"), "-e", "stderr"]
    process = subprocess.Popen([*command, *(("-g", "user root root;") if os.geteuid() == 0 else ())])
    time.sleep(1)
    yield port
    process.terminate()
    process.wait()


def _memory(state: str) -> int:
    world = _world(Path(state))
    authority = world.open()
    world.clock.advance(timedelta(days=2))
    for _ in range(50):
        issued = authority.issue(ask())
        authority.ocsp("people", _question(world, issued, nonce=False))
        authority.revoke(issued.serial, reason=Reason.SUPERSEDED, actor="x")
        authority.crl("people", shard_of(issued))
    for shard in range(1, world.settings.crl_shards + 1):
        authority.crl("people", shard)
    authority.look_after_answers()
    authority.renew_answers()
    # Not getrusage, whose peak is also that of the process which made this one.
    told = Path("/proc/self/status").read_text("ascii")
    return int(told.partition("VmHWM:")[2].split()[0]) // 1024


def _question(world: World, issued: Issued, *, nonce: bool) -> bytes:
    issuer = x509.load_pem_x509_certificate((world.site.public / "issuers" / "people.pem").read_bytes())
    builder = ocsp.OCSPRequestBuilder().add_certificate(loaded(issued), issuer, hashes.SHA256())
    if nonce:
        builder = builder.add_extension(x509.OCSPNonce(secrets.token_bytes(32)), critical=False)
    return builder.build().public_bytes(Encoding.DER)


@dataclass(frozen=True)
class Measured:
    """A rate by the clock on the wall, and one for each second that this process had a processor."""

    figure: Figure
    unshared: float


def _repeat(act: Callable[[], object], seconds: float) -> Measured:
    times: list[float] = []
    begun, spent = time.perf_counter(), time.process_time()
    while (now := time.perf_counter()) - begun < seconds and len(times) < 10**6:
        try:
            act()
        except StopIteration:
            break
        times.append(time.perf_counter() - now)
    unshared = len(times) / (time.process_time() - spent)
    return Measured(Samples(times, took=time.perf_counter() - begun).figure(), unshared)


def _shown(measured: Measured) -> str:
    return f"{_by_the_clock(measured.figure)}; {measured.unshared:,.0f} for each second of processor"


def _by_the_clock(figure: Figure) -> str:
    return f"{figure.rate:,.0f}/s, p50 {figure.p50:.2f} ms, p99 {figure.p99:.2f} ms"


if __name__ == "__main__":
    main()
