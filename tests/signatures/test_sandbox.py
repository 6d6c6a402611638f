# SPDX-License-Identifier: Apache-2.0
"""Files are opened only in confined processes, and whatever a file does there ends as an answer."""

import os
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from signatures.config import SignatureSettings
from signatures.errors import Busy, SandboxFailed
from signatures.models import Chain, Inspection, Profile, Revocation
from signatures.sandbox import ReaderPool
from signatures.sandbox.pool import _Reader
from tests.signatures import documents
from tests.signatures.pki import NOW, City, Leaf

_SETTINGS = SignatureSettings(readers=1, reader_wait=timedelta(seconds=0.05))


def read(pool: ReaderPool, document: bytes, city: City) -> Inspection:
    return pool.inspect(document, trust=city.trust(), lists=city.lists(), profile=Profile.STRICT, at=NOW)


def test_a_reading_process_says_what_reading_in_process_says(readers: ReaderPool, sealed: bytes, city: City) -> None:
    found = read(readers, sealed, city)
    assert found.signatures[0].covers_file
    assert found.signatures[0].certificate.authority == "organisations"
    assert found == read(readers, sealed, city)


def test_a_document_bomb_costs_bounded_memory_and_gets_an_answer(readers: ReaderPool, city: City) -> None:
    found = read(readers, documents.bomb(), city)
    assert found.failure in {"limits", "malformed"}
    assert read(readers, documents.permit(), city).failure == ""


def test_too_little_memory_ends_the_document_not_the_service(sealed: bytes, city: City) -> None:
    pool = ReaderPool(replace(_SETTINGS, reader_memory=256 * 1024 * 1024))
    try:
        failure = ""
        try:
            failure = read(pool, b"%PDF-1.7\n" + b"[" * (60 << 20), city).failure
        except SandboxFailed as error:
            failure = error.reason
        assert failure in {"limits", "malformed"}
        assert read(pool, sealed, city).signatures
    finally:
        pool.close()


def test_a_document_that_eats_processor_time_is_ended(city: City, sealed: bytes) -> None:
    pool = ReaderPool(replace(_SETTINGS, reader_processor=timedelta(seconds=1)))
    try:
        failure = ""
        try:
            failure = read(pool, documents.slow(), city).failure
        except SandboxFailed as error:
            failure = error.reason
        assert failure == "limits"
        assert read(pool, sealed, city).signatures
    finally:
        pool.close()


def test_a_process_that_stalls_is_killed_when_the_wall_time_is_over() -> None:
    reader = _Reader(replace(_SETTINGS, reader_start=timedelta(seconds=0.1)))
    os.kill(reader._process.pid, 19)
    with pytest.raises(SandboxFailed):
        reader.work({"verb": "inspect"}, b"")
    reader.end()


def test_a_dead_process_is_replaced(sealed: bytes, city: City) -> None:
    pool = ReaderPool(_SETTINGS)
    try:
        read(pool, sealed, city)
        reader = pool._free.get()
        assert reader is not None
        reader._process.kill()
        reader._process.wait()
        pool._free.put(reader)
        with pytest.raises(SandboxFailed):
            read(pool, sealed, city)
        assert read(pool, sealed, city).signatures
    finally:
        pool.close()


def test_an_old_process_is_replaced(sealed: bytes, city: City) -> None:
    pool = ReaderPool(replace(_SETTINGS, reader_documents=1))
    try:
        read(pool, sealed, city)
        assert pool._free.get_nowait() is None
    finally:
        pool.close()


@pytest.mark.parametrize("dies", [False, True])
def test_the_next_process_is_ready_before_the_old_one_goes(sealed: bytes, city: City, *, dies: bool) -> None:
    pool = ReaderPool(replace(_SETTINGS, readers=1, reader_documents=3))
    try:
        read(pool, sealed, city)
        old = pool._free.get_nowait()
        assert old is not None
        assert old.successor is None
        pool._free.put(old)
        read(pool, sealed, city)
        assert old.successor is not None
        successor = old.successor
        successor.ready()
        if dies:
            successor._process.kill()
            successor._process.wait()
        read(pool, sealed, city)
        assert not old.lives()
        # One that died waiting costs nobody a document.
        assert list(pool._free.queue) == [None if dies else successor]
        assert read(pool, sealed, city).signatures
        assert successor.documents == (0 if dies else 1)
    finally:
        pool.close()
    assert not successor.lives()


def test_the_largest_document_is_sealed_judged_and_drawn_in_less_than_300_megabytes(
    readers: ReaderPool, city: City, leaf: Leaf
) -> None:
    """The kernel holds a process to it: it cannot even ask for more."""
    settings = SignatureSettings()
    document = documents.large(settings.largest - 64 * 1024)
    sealed = documents.sealed(document, leaf, by=readers.prepare)
    assert read(readers, sealed, city).signatures[0].digest_matches
    assert readers.picture(sealed, page=1, across=400).png
    assert readers.compare(sealed, end=len(document)).pages_now == 1
    reader = readers._free.get_nowait()
    readers._free.put(reader)
    assert reader is not None
    status, limits = (Path(f"/proc/{reader._process.pid}/{name}").read_text("ascii") for name in ("status", "limits"))
    most = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    allowed = next(line for line in limits.splitlines() if line.startswith("Max address space"))
    assert int(most.split()[1]) * 1024 < int(allowed.split()[3]) == settings.reader_memory < 300_000_000


def test_a_process_that_keeps_most_of_its_memory_is_replaced(sealed: bytes, city: City) -> None:
    pool = ReaderPool(_SETTINGS)
    try:
        read(pool, sealed, city)
        reader = pool._free.get_nowait()
        assert reader is not None
        assert not reader.grown()
        # What it has is more than seven tenths of this.
        reader._roomy = 0.7 * 64 * 1024 * 1024
        pool._free.put(reader)
        read(pool, sealed, city)
        assert pool._free.get_nowait() is None
        pool._free.put(None)
        assert read(pool, sealed, city).signatures
    finally:
        pool.close()


def test_one_process_follows_changing_lists_and_anchors(readers: ReaderPool) -> None:
    """What is kept between documents is replaced the moment it is another."""

    def status(city: City) -> tuple[Chain, Revocation]:
        certificate = read(readers, sealed, city).signatures[0].certificate
        return certificate.chain, certificate.revocation

    ours, theirs = City(), City()
    leaf = ours.seal()
    sealed = documents.sealed(documents.permit(), leaf)
    for _ in range(2):
        assert status(ours) == (Chain.TRUSTED, Revocation.GOOD)
        ours.organisations.revoke(leaf)
        assert status(ours) == (Chain.TRUSTED, Revocation.REVOKED)
        assert status(theirs)[0] is Chain.UNKNOWN
        ours.organisations.revoked.clear()


def test_a_certificate_in_one_document_does_not_help_the_next(readers: ReaderPool, city: City) -> None:
    stranger = City()
    leaf = stranger.seal()
    signed = documents.sealed(documents.permit(), leaf)
    both = replace(city.trust(), roots=(*city.trust().roots, stranger.root.pem.decode()))
    lists = [*city.lists(), *stranger.lists()]

    def chain(document: bytes) -> Chain:
        found = readers.inspect(document, trust=both, lists=lists, profile=Profile.STRICT, at=NOW)
        return found.signatures[0].certificate.chain

    # This document brings the issuer's certificate along; the other one, of the same signer, does not.
    assert chain(signed) is Chain.TRUSTED
    alone = documents.sealed(documents.permit(), Leaf(leaf.key, leaf.certificate, b""))
    assert chain(alone) is Chain.UNKNOWN
    assert (
        readers.inspect(alone, trust=both, lists=lists, profile=Profile.STRICT, at=NOW).signatures[0].library_trusts
        is False
    )


def test_when_all_processes_are_at_work_the_caller_is_told(sealed: bytes, city: City) -> None:
    pool = ReaderPool(_SETTINGS)
    taken = pool._free.get()
    with pytest.raises(Busy):
        read(pool, sealed, city)
    pool._free.put(taken)
    pool.close()


def test_nonsense_from_a_reading_process_is_no_verdict(sealed: bytes, city: City) -> None:
    pool = ReaderPool(_SETTINGS)
    reader = _Lying()
    pool._free.get()
    pool._free.put(reader)  # type: ignore[arg-type]  # a corrupted process
    with pytest.raises(SandboxFailed):
        read(pool, sealed, city)
    assert reader.ended


def test_a_reading_process_has_no_environment_and_cannot_write(tmp_path: Path) -> None:
    reader = _Reader(_SETTINGS)
    try:
        environment = Path(f"/proc/{reader._process.pid}/environ").read_bytes()
        reader.work({"verb": "nothing"}, b"")
        limits = Path(f"/proc/{reader._process.pid}/limits").read_text("ascii")
        opened = {str(link.readlink()) for link in Path(f"/proc/{reader._process.pid}/fd").iterdir()}
    finally:
        reader.end()
    assert set(environment.split(b"\0")) <= {
        *(line for line in environment.split(b"\0") if line.split(b"=")[0] in {b"PYTHONPATH", b"LANG", b"TZ", b""}),
        b"MALLOC_ARENA_MAX=1",
    }
    sizes = next(line for line in limits.splitlines() if line.startswith("Max file size"))
    assert sizes.split()[3:5] == ["0", "0"]
    # The line, and the loop's own poll and pair of sockets.
    assert {link for link in opened if not link.startswith("socket:")} == {"/dev/null", "anon_inode:[eventpoll]"}


def test_two_threads_share_the_processes(readers: ReaderPool, sealed: bytes, city: City) -> None:
    found: list[Inspection] = []
    threads = [threading.Thread(target=lambda: found.append(read(readers, sealed, city))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.failure for one in found] == ["", "", ""]


class _Lying:
    documents, ended, successor = 0, False, None

    def start_from(self, _: object) -> None:
        return

    def work(self, *_: object) -> tuple[dict[str, object], bytes]:
        return {"failure": "", "marks": 1, "pages": 1, "signatures": [{"field": "x"}]}, b""

    def end(self) -> None:
        self.ended = True
