# SPDX-License-Identifier: Apache-2.0
"""The reading process itself: takes one job after the other until its line closes or a limit ends it."""

import base64
import logging
import math
import resource
import signal
import socket
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ..models import Profile
from ..pades.inspection import inspect
from ..pades.signing import NotSealable, prepare
from . import codec, frames

_FILES = 16


def main(descriptor: int, memory: int, processor: float) -> None:
    """Confine this process, then serve."""
    line = socket.socket(fileno=descriptor)
    # The library warns about odd files at length; nobody reads that, and names may stand in it.
    logging.disable(logging.CRITICAL)
    _confine(memory)
    while True:
        try:
            header, body = frames.receive(line)
        except frames.LineBroken:
            return
        _grant(processor)
        try:
            answer, content = _work(header, body)
        except MemoryError:
            answer, content = {"failed": "limits"}, b""
        except NotSealable as error:
            answer, content = {"failed": error.reason}, b""
        except Exception:  # noqa: BLE001 - malformed files raise anything; the parent only needs to know that
            answer, content = {"failed": "malformed"}, b""
        frames.send(line, answer, content)


def _work(header: Mapping[str, Any], body: bytes) -> tuple[Mapping[str, Any], bytes]:
    if header["verb"] == "check":
        return {}, b""
    if header["verb"] == "prepare":
        prepared = prepare(body, codec.decode_request(header["request"]))
        region = {"digest": prepared.digest.hex(), "start": prepared.start, "end": prepared.end}
        return region, prepared.document
    found = inspect(
        body,
        trust=codec.decode_trust(header["trust"]),
        lists=[base64.b64decode(encoded) for encoded in header["lists"]],
        profile=Profile(header["profile"]),
        at=datetime.fromisoformat(header["at"]),
    )
    return codec.encode_inspection(found), b""


def _confine(memory: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_FILES, _FILES))
    # Ctrl-C in the operator's terminal is the service's business; it closes the line.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.setrecursionlimit(2000)


def _grant(processor: float) -> None:
    """Allow this much more processor time from now; the kernel ends the process beyond it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    until = math.ceil(used.ru_utime + used.ru_stime + processor)
    resource.setrlimit(resource.RLIMIT_CPU, (until, resource.RLIM_INFINITY))
