# SPDX-License-Identifier: Apache-2.0
"""A few long-lived reading processes; one that fails, stalls or grew old is replaced."""

import base64
import math
import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from queue import Empty, Queue
from typing import Any, TypeVar

from core.log import logger

from ..config import SignatureSettings
from ..errors import Busy, SandboxFailed, Unconfined
from ..looks import EmptyField, Picture, Revisions
from ..models import Description, Inspection, Prepared, Profile, Trust
from ..pades.signing import Request
from . import codec, frames

ROOT = Path(__file__).parents[2]
TONGSUO = "sm2_tongsuo"
START = "import sys; from signatures.sandbox.child import main; main(int(sys.argv[1]), int(sys.argv[2]))"

# Places in what follows the state in proc(5): utime, stime, vsize.
_USER, _SYSTEM, _ADDRESS_SPACE = 10, 11, 19
# Of its address space; what is loaded takes two fifths.
_ROOMY = 0.7
# Of the documents a process takes the last tenth: its successor loads meanwhile.
_LAST = 10

T = TypeVar("T")
_Grounds = tuple[Trust, tuple[bytes, ...]]
_log = logger(__name__)


class ReaderPool:
    """Gives each document to a free reading process; processes start when first needed."""

    def __init__(self, settings: SignatureSettings) -> None:
        self._settings = settings
        self._free: Queue[_Reader | None] = Queue()
        for _ in range(settings.readers):
            self._free.put(None)

    def inspect(
        self,
        document: bytes,
        *,
        trust: Trust,
        lists: Sequence[bytes],
        profile: Profile,
        at: datetime,
        content: bytes | None = None,
        said: Sequence[bytes] = (),
        tokens: Sequence[bytes] = (),
    ) -> Inspection:
        """Read the signatures of one file; ``content`` came beside a detached one.

        ``said`` are lists and answers (OCSP) of issuers that were asked for because of this file, ``tokens``
        time-stamps that came beside it.

        Raises:
            Busy: no reading process came free in time.
            SandboxFailed: the process died, ran out of time or answered nonsense.
            Unconfined: it could not be locked in.
        """
        grounds = (trust, tuple(lists))
        header = {
            "verb": "inspect",
            "profile": profile.value,
            "at": at.isoformat(),
            "size": len(document),
            "beside": content is not None,
            "said": [base64.b64encode(each).decode() for each in said],
            "tokens": [base64.b64encode(each).decode() for each in tokens],
        }
        return self._call(
            header, document + (content or b""), lambda answer, _: codec.decode_inspection(answer), grounds=grounds
        )

    def describe(self, document: bytes) -> Description:
        """What one PDF says of itself.

        Raises:
            Busy, SandboxFailed, Unconfined: as ``prepare``.
        """
        return self._call({"verb": "describe"}, document, lambda answer, _: codec.decode_description(answer))

    def prepare(self, document: bytes, request: Request) -> Prepared:
        """Make room for a signature in one file.

        Raises:
            Busy: no reading process came free in time.
            SandboxFailed: the file cannot be signed, or the process died over it.
            Unconfined: it could not be locked in.
        """
        header = {"verb": "prepare", "request": codec.encode_request(request)}
        return self._call(header, document, codec.decode_prepared)

    def add_proofs(self, document: bytes, *, certificates: Sequence[bytes], lists: Sequence[bytes]) -> bytes:
        """The document with proofs for long-term keeping.

        Raises:
            Busy, SandboxFailed, Unconfined: as ``prepare``.
        """
        header = {
            "verb": "add proofs",
            "certificates": [base64.b64encode(each).decode() for each in certificates],
            "lists": [base64.b64encode(each).decode() for each in lists],
        }
        return self._call(header, document, lambda _, content: content)

    def prepare_stamp(self, document: bytes, *, room: int, name: str) -> Prepared:
        """Make room for a time-stamp over the whole file, in a field of this name and a free number.

        Raises:
            Busy, SandboxFailed, Unconfined: as ``prepare``.
        """
        header = {"verb": "prepare stamp", "room": room, "name": name}
        return self._call(header, document, codec.decode_prepared)

    def picture(
        self, document: bytes, *, page: int, across: int, outline: tuple[float, float, float, float] | None = None
    ) -> Picture:
        """One page as a reader sees it, counted from 1 (0 is the last), about ``across`` picture elements wide.

        ``outline`` is drawn around a place: lower left corner, width and height in points.

        Raises:
            Busy, Unconfined: as ``prepare``.
            SandboxFailed: the file cannot be drawn, has no such page, or the process died over it.
        """
        header = {"verb": "picture", "page": page, "across": across, "outline": outline}
        return self._call(header, document, codec.decode_picture)

    def compare(self, document: bytes, *, end: int) -> Revisions:
        """The first ``end`` bytes of a document beside the whole, page by page.

        Raises:
            Busy, Unconfined: as ``prepare``.
            SandboxFailed: one of both cannot be drawn, or the process died over it.
        """
        return self._call({"verb": "compare", "end": end}, document, codec.decode_revisions)

    def empty_fields(self, document: bytes) -> tuple[EmptyField, ...]:
        """The signature fields of the document that wait for a signature.

        Raises:
            Busy, SandboxFailed, Unconfined: as ``picture``.
        """
        return self._call({"verb": "empty fields"}, document, lambda answer, _: codec.decode_fields(answer))

    def check(self) -> dict[str, int]:
        """Start every reading process; says how they are locked in (``confinement``), and whether Tongsuo verifies SM2.

        For the start of the role.

        Raises:
            Busy, SandboxFailed, Unconfined: one does not start.
        """
        layers: dict[str, int] = {}
        for _ in range(self._settings.readers):
            # The queue goes round, so each has its turn.
            layers = self._with(lambda reader: (reader.ready(), True))
        return layers

    def close(self) -> None:
        """End every idle process."""
        while True:
            try:
                reader = self._free.get_nowait()
            except Empty:
                return
            if reader is not None:
                self._ended(reader)

    def _call(
        self,
        header: Mapping[str, Any],
        body: bytes,
        read: Callable[[dict[str, Any], bytes], T],
        *,
        grounds: "_Grounds | None" = None,
    ) -> T:
        def work(reader: _Reader) -> tuple[T, bool]:
            if grounds is not None:
                reader.start_from(grounds)
            answer, content = reader.work(header, body)
            if "failed" in answer:
                raise SandboxFailed(str(answer["failed"]), fit=answer["failed"] != "limits")
            try:
                found = read(answer, content)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise SandboxFailed("malformed") from error
            # One that met a limit may be short of memory for good, and one that has grown leaves the next too little.
            fit = answer.get("failure") != "limits" and reader.documents < self._settings.reader_documents
            return found, fit and not reader.grown()

        return self._with(work)

    def _with(self, act: Callable[["_Reader"], tuple[T, bool]]) -> T:
        """Have a free reading process do something that says whether it can go on afterwards."""
        try:
            reader = self._free.get(timeout=self._settings.reader_wait.total_seconds())
        except Empty as error:
            raise Busy from error
        fit = False
        try:
            reader = reader or _Reader(self._settings)
            answer, fit = act(reader)
        except SandboxFailed as error:
            fit = error.fit
            raise
        else:
            return answer
        finally:
            # Whatever happened in there, the next document gets a process that works.
            if reader is not None:
                reader = self._going_on(reader) if fit else self._replaced(reader)
            self._free.put(reader)

    def _going_on(self, reader: "_Reader") -> "_Reader":
        """The same; before its last documents come another gets ready, so that none of them waits for a start."""
        most = self._settings.reader_documents
        if reader.successor is None and reader.documents >= most - max(1, most // _LAST):
            # Without one the next starts when it is needed.
            with suppress(Busy):
                reader.successor = _Reader(self._settings)
        return reader

    def _replaced(self, reader: "_Reader") -> "_Reader | None":
        """What takes its place; None where that is still to be started."""
        successor, reader.successor = reader.successor, None
        reader.end()
        if successor is None or successor.lives():
            return successor
        successor.end()
        return None

    def _ended(self, reader: "_Reader") -> None:
        for each in (reader, reader.successor):
            if each is not None:
                each.end()


class _Reader:
    def __init__(self, settings: SignatureSettings) -> None:
        self._wall = settings.reader_wall.total_seconds()
        self._start = settings.reader_start.total_seconds()
        self._processor = settings.reader_processor.total_seconds()
        self._roomy = settings.reader_memory * _ROOMY
        self._layers: dict[str, int] | None = None
        self._grounds: _Grounds | None = None
        self.documents = 0
        # Which waits to take its place.
        self.successor: _Reader | None = None
        self._line, theirs = socket.socketpair()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-B", "-c", START, str(theirs.fileno()), str(settings.reader_memory)],
                pass_fds=[theirs.fileno()],
                # Nothing of our environment, no terminal, no open file but the line.
                env={"PYTHONPATH": str(ROOT), "LANG": "C.UTF-8", "MALLOC_ARENA_MAX": "1", "TZ": "UTC"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                close_fds=True,
            )
        except OSError as error:
            self._line.close()
            raise Busy from error
        finally:
            theirs.close()

    def ready(self) -> dict[str, int]:
        """Wait until it is locked in; how.

        Raises:
            SandboxFailed: it did not start.
            Unconfined: it could not be locked in.
        """
        if self._layers is None:
            with _told():
                said, _ = frames.receive(self._line, deadline=time.monotonic() + self._start)
            if "layers" not in said:
                _log.error("reader_unconfined", why=str(said.get("unconfined"))[:200])
                raise Unconfined
            self._layers = {**said["layers"], TONGSUO: int(said["sm2"] == "tongsuo")}
        return self._layers

    def start_from(self, grounds: "_Grounds") -> None:
        """Have it know this trust and these lists; costs nothing if it does.

        Raises:
            SandboxFailed: it cannot read them, died or was killed.
        """
        if grounds == self._grounds:
            return
        trust, lists = grounds
        header = {
            "verb": "start from",
            "trust": codec.encode_trust(trust),
            "lists": [base64.b64encode(found).decode() for found in lists],
        }
        answer, _ = self._ask(header, b"")
        if answer:
            raise SandboxFailed(str(answer.get("failed", "malformed")))
        self._grounds = grounds

    def work(self, header: Mapping[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        """One job; the kernel ends the process beyond its processor time, whoever gave it beyond its wall time.

        Raises:
            SandboxFailed: it died or was killed.
            Unconfined: it could not be locked in.
        """
        self.documents += 1
        return self._ask(header, body)

    def _ask(self, header: Mapping[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        self.ready()
        with _told():
            self._grant()
            deadline = time.monotonic() + self._wall
            frames.send(self._line, header, body, deadline=deadline)
            return frames.receive(self._line, deadline=deadline)

    def grown(self) -> bool:
        """Whether it keeps so much after a document that the next one might want for memory."""
        try:
            return _stat(self._process.pid)[_ADDRESS_SPACE] > self._roomy
        except OSError:
            return True

    def lives(self) -> bool:
        """Whether it has not ended by itself."""
        return self._process.poll() is None

    def end(self) -> None:
        """Kill and reap."""
        self._line.close()
        self._process.kill()
        self._process.wait()

    def _grant(self) -> None:
        """Allow this much more processor time from now; from outside, for inside nothing may be asked of limits."""
        try:
            used = _processor_time(self._process.pid)
            resource.prlimit(
                self._process.pid, resource.RLIMIT_CPU, (math.ceil(used + self._processor), resource.RLIM_INFINITY)
            )
        except OSError as error:
            # It is gone already.
            raise SandboxFailed("limits") from error


@contextmanager
def _told() -> Iterator[None]:
    """A line that broke, or was silent for too long, is a limit that was met; whoever holds the process ends it."""
    try:
        yield
    except frames.LineBroken as error:
        raise SandboxFailed("limits") from error


def _processor_time(pid: int) -> float:
    """Seconds a process has spent, in user and system time."""
    spent = _stat(pid)
    return (spent[_USER] + spent[_SYSTEM]) / os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> list[int]:
    """The numbers of proc(5) that follow a process's name, which may hold anything, and the letter of its state."""
    return list(map(int, Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[1:]))
