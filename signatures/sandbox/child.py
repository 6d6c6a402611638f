# SPDX-License-Identifier: Apache-2.0
"""The reading process itself: locks itself in, then takes one job after the other until its line closes.

Nothing it needs may be missing once it is locked in (``pades.late``).
"""

import asyncio
import base64
import logging
import socket
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ..models import Profile
from ..pades import late
from ..pades.inspection import inspect
from ..pades.signing import NotSealable, prepare
from . import codec, confinement, frames


def main(descriptor: int, memory: int) -> None:
    """Get ready, lock this process in, say how, then serve."""
    confinement.close_all_but(descriptor)
    line = socket.socket(fileno=descriptor)
    # The library warns about odd files at length; nobody reads that, and names may stand in it.
    logging.disable(logging.CRITICAL)
    late.load()
    with asyncio.Runner() as runner:
        # A loop is made of descriptors, so this one serves every job.
        runner.get_loop()
        try:
            layers = confinement.confine(memory=memory)
        except confinement.LayerMissing as error:
            frames.send(line, {"unconfined": str(error)})
            return
        frames.send(line, {"layers": layers})
        sys.setrecursionlimit(2000)
        serve(line, runner)


def serve(line: socket.socket, runner: asyncio.Runner) -> None:
    """One job after the other, until the line closes or a limit ends this process."""
    while True:
        try:
            header, body = frames.receive(line)
        except frames.LineBroken:
            return
        try:
            answer, content = _work(header, body, runner)
        except MemoryError:
            answer, content = {"failed": "limits"}, b""
        except NotSealable as error:
            answer, content = {"failed": error.reason}, b""
        except Exception:  # noqa: BLE001 - malformed files raise anything; the parent only needs to know that
            answer, content = {"failed": "malformed"}, b""
        frames.send(line, answer, content)


def _work(header: Mapping[str, Any], body: bytes, runner: asyncio.Runner) -> tuple[Mapping[str, Any], bytes]:
    if header["verb"] == "prepare":
        prepared = prepare(body, codec.decode_request(header["request"]), run=runner.run)
        region = {"digest": prepared.digest.hex(), "start": prepared.start, "end": prepared.end}
        return region, prepared.document
    found = inspect(
        body,
        trust=codec.decode_trust(header["trust"]),
        lists=[base64.b64decode(encoded) for encoded in header["lists"]],
        profile=Profile(header["profile"]),
        at=datetime.fromisoformat(header["at"]),
        run=runner.run,
    )
    return codec.encode_inspection(found), b""
