# SPDX-License-Identifier: Apache-2.0
"""A few long-lived reading processes; one that fails, stalls or grew old is replaced."""

import base64
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from queue import Empty, Queue
from typing import Any

from ..config import SignatureSettings
from ..errors import Busy, SandboxFailed
from ..models import Inspection, Prepared, Profile, Trust
from ..pades.signing import Request
from . import codec, frames

_ROOT = Path(__file__).parents[2]
_START = "import sys; from signatures.sandbox.child import main; main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))"  # noqa: E501 - one program text


class ReaderPool:
    """Gives each document to a free reading process; processes start when first needed."""

    def __init__(self, settings: SignatureSettings) -> None:
        self._settings = settings
        self._free: Queue[_Reader | None] = Queue()
        for _ in range(settings.readers):
            self._free.put(None)

    def inspect(
        self, document: bytes, *, trust: Trust, lists: Sequence[bytes], profile: Profile, at: datetime
    ) -> Inspection:
        """Read the signatures of one file.

        Raises:
            Busy: no reading process came free in time.
            SandboxFailed: the process died, ran out of time or answered nonsense.
        """
        header = {
            "verb": "inspect",
            "trust": codec.encode_trust(trust),
            "lists": [base64.b64encode(found).decode() for found in lists],
            "profile": profile.value,
            "at": at.isoformat(),
        }
        answer, _ = self._call(header, document)
        try:
            return codec.decode_inspection(answer)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise SandboxFailed("malformed") from error

    def prepare(self, document: bytes, request: Request) -> Prepared:
        """Make room for a signature in one file.

        Raises:
            Busy: no reading process came free in time.
            SandboxFailed: the file cannot be signed, or the process died over it.
        """
        answer, content = self._call({"verb": "prepare", "request": codec.encode_request(request)}, document)
        try:
            digest, start, end = bytes.fromhex(answer["digest"]), int(answer["start"]), int(answer["end"])
        except (KeyError, TypeError, ValueError) as error:
            raise SandboxFailed("malformed") from error
        return Prepared(document=content, digest=digest, start=start, end=end)

    def check(self) -> None:
        """See that a reading process starts and answers; for the start of the role.

        Raises:
            Busy, SandboxFailed: it does not.
        """
        self._call({"verb": "check"}, b"")

    def close(self) -> None:
        """End every idle process."""
        while True:
            try:
                reader = self._free.get_nowait()
            except Empty:
                return
            if reader is not None:
                reader.end()

    def _call(self, header: Mapping[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        try:
            reader = self._free.get(timeout=self._settings.reader_wait.total_seconds())
        except Empty as error:
            raise Busy from error
        try:
            reader = reader or _Reader(self._settings)
            answer = reader.work(header, body)
        except BaseException:
            # Whatever happened in there, the next document gets a fresh process.
            if reader is not None:
                reader.end()
            self._free.put(None)
            raise
        # A process that met a limit may be short of memory for good.
        spent = answer[0].get("failed") == "limits" or answer[0].get("failure") == "limits"
        if spent or reader.documents >= self._settings.reader_documents:
            reader.end()
            reader = None
        self._free.put(reader)
        if "failed" in answer[0]:
            raise SandboxFailed(str(answer[0]["failed"]))
        return answer


class _Reader:
    def __init__(self, settings: SignatureSettings) -> None:
        self._wall = settings.reader_wall.total_seconds()
        self.documents = 0
        self._line, theirs = socket.socketpair()
        limits = (str(settings.reader_memory), str(settings.reader_processor.total_seconds()))
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-B", "-c", _START, str(theirs.fileno()), *limits],
                pass_fds=[theirs.fileno()],
                # Nothing of our environment, no terminal, no open file but the line.
                env={"PYTHONPATH": str(_ROOT), "LANG": "C.UTF-8", "MALLOC_ARENA_MAX": "1"},
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

    def work(self, header: Mapping[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        """One job; the watchdog kills the process when the wall time is over.

        Raises:
            SandboxFailed: it died or was killed.
        """
        self.documents += 1
        watchdog = threading.Timer(self._wall, self._process.kill)
        watchdog.daemon = True
        watchdog.start()
        try:
            frames.send(self._line, header, body)
            return frames.receive(self._line)
        except frames.LineBroken as error:
            raise SandboxFailed("limits") from error
        finally:
            watchdog.cancel()

    def end(self) -> None:
        """Kill and reap."""
        self._line.close()
        self._process.kill()
        self._process.wait()
