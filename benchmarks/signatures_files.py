# SPDX-License-Identifier: Apache-2.0
"""Files that are large or spiteful, one at a time, and folders of thousands in the terminal."""

import io
import os
import random
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from reportlab.pdfgen.canvas import Canvas

from core.errors import TallygateError
from tests.flows.city import ROOT

from . import processes
from .measure import apart
from .place import Place
from .signatures_acts import asked, sealed

_FEW = 200
_EVERY = 0.2


@dataclass(frozen=True)
class Slow:
    """One file: seconds until it was sealed, or refused, and until there was a verdict on it."""

    name: str
    size: int
    seal: float
    verdict: float
    said: str


@dataclass(frozen=True)
class Folder:
    """`tallygate verify FOLDER` once."""

    files: int
    took: float
    rows: int
    # Mebibytes: the command itself when a tenth was answered and at its end; the peak of its largest reading process.
    early: float
    late: float
    reader: int


def slow(place: Place, actor: str) -> list[Slow]:
    """Each kind of file once."""
    return [apart(_one, place, actor, name) for name in _FILES]


def folders(place: Place, actor: str, *, many: int) -> list[Folder]:
    """A folder of few files and one of many."""
    some = apart(_some, place, actor)
    return [_folder(place, some, files) for files in (_FEW, many)]


def _one(place: Place, actor: str, name: str) -> Slow:
    document = _FILES[name]()
    begun = time.monotonic()
    try:
        found = sealed(place, actor, document)
    except TallygateError:
        found = document
    between = time.monotonic()
    said = asked(place, found)
    done = time.monotonic()
    print(f"{name:<32} {between - begun:6.2f} s to seal, {done - between:6.2f} s to judge, {said}", flush=True)
    return Slow(name, len(document), between - begun, done - between, said)


def _pages(count: int) -> bytes:
    output = io.BytesIO()
    canvas = Canvas(output)
    for number in range(count):
        for line in range(40):
            canvas.drawString(72, 760 - 16 * line, f"Page {number}, line {line}: the city owes nobody anything.")
        canvas.showPage()
    canvas.save()
    return output.getvalue()


def _stream(data: bytes) -> bytes:
    """A page whose content is this, deflated."""
    packed = zlib.compress(data, 6)
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R>>",
        b"<</Length %d/Filter/FlateDecode>>\nstream\n%s\nendstream" % (len(packed), packed),
    ]
    output, places = io.BytesIO(b"%PDF-1.7\n"), []
    output.seek(0, io.SEEK_END)
    for number, each in enumerate(objects, start=1):
        places.append(output.tell())
        output.write(b"%d 0 obj\n%s\nendobj\n" % (number, each))
    table = output.tell()
    output.write(b"xref\n0 5\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % place for place in places))
    output.write(b"trailer\n<</Size 5/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % table)
    return output.getvalue()


_DICE = random.Random(7)  # noqa: S311 - noise that is the same in every run
_FILES: dict[str, Callable[[], bytes]] = {
    "400 pages of text": lambda: _pages(400),
    "18 MB that cannot be compressed": lambda: _stream(_DICE.randbytes(18_000_000)),
    "400 MB of zeros, packed": lambda: _stream(bytes(400_000_000)),
    "a million brackets": lambda: b"%PDF-1.7\n1 0 obj\n" + b"[" * 1_000_000 + b"\nstartxref\n0\n%%EOF\n",
    "noise that says it is a PDF": lambda: b"%PDF-1.7\n" + _DICE.randbytes(5_000_000),
    "a million marks of signatures": lambda: b"%PDF-1.7\n" + b"/ByteRange[0 1 2 3]/Contents<00>" * 500_000,
}


def _folder(place: Place, some: list[bytes], files: int) -> Folder:
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="tg-files-") as name:
        inbox = Path(name) / "inbox"
        inbox.mkdir()
        for number, document in enumerate(some):
            for again in range(number, files, _FEW):
                (inbox / f"{again:06}.pdf").write_bytes(document)
        out = Path(name) / "table.csv"
        command = [sys.executable, "-m", "app", "verify", str(inbox), "--out", str(out)]
        begun = time.monotonic()
        running = subprocess.Popen(
            [*command, "--site", str(place.folder / "site.toml")], cwd=ROOT, stderr=subprocess.DEVNULL
        )
        seen, reader = [], 0
        while running.poll() is None:
            time.sleep(_EVERY)
            share = (out.stat().st_size if out.exists() else 0, _resident(running.pid))
            seen.append(share)
            reader = max(reader, processes.largest(running.pid))
        took = time.monotonic() - begun
        rows = len(out.read_text("utf-8").splitlines()) - 1
    whole = max((size for size, _ in seen), default=0)
    early = next((held for size, held in seen if size > whole / 10 and held), 0.0)
    late = max((held for _, held in seen), default=0.0)
    print(f"folder of {files}: {files / took:.0f}/s, {early:.0f} to {late:.0f} MiB, reader {reader} MiB", flush=True)
    return Folder(files, took, rows, early, late, reader)


def _some(place: Place, actor: str) -> list[bytes]:
    return [sealed(place, actor) for _ in range(_FEW)]


def _resident(process: int) -> float:
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text("ascii").split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
