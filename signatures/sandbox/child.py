# SPDX-License-Identifier: Apache-2.0
"""The reading process itself: locks itself in, then takes one job after the other until its line closes.

Nothing it needs may be missing once it is locked in (``pades.late``).
"""

import asyncio
import base64
import gc
import logging
import socket
import sys
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from ..formats import inspect
from ..formats import late as formats_late
from ..models import Profile
from ..pades import late
from ..pades.comparison import compare
from ..pades.describing import describe
from ..pades.grounds import Grounds
from ..pades.longterm import add_proofs, prepare_stamp
from ..pades.pictures import picture
from ..pades.placing import NotSealable
from ..pades.signing import prepare, waiting_fields
from . import codec, confinement, frames

# How many new objects in one document have the garbage looked through before its end.
_OBJECTS = 50_000
# Bytes of documents, and what each counts for besides, after which it is looked through in any case.
_LOOKED_AFTER, _EACH = 4 << 20, 256 << 10


def main(descriptor: int, memory: int) -> None:
    """Get ready, lock this process in, say how, then serve."""
    confinement.close_all_but(descriptor)
    line = socket.socket(fileno=descriptor)
    # The library warns about odd files at length; nobody reads that, and names may stand in it.
    logging.disable(logging.CRITICAL)
    late.load()
    sm2 = formats_late.load()
    with asyncio.Runner() as runner:
        # A loop is made of descriptors, so this one serves every job; by itself, for nobody presses Ctrl-C here.
        loop = runner.get_loop()
        try:
            layers = confinement.confine(memory=memory)
        except confinement.LayerMissing as error:
            frames.send(line, {"unconfined": str(error)})
            return
        frames.send(line, {"layers": layers, "sm2": sm2})
        sys.setrecursionlimit(2000)
        # What is here now stays for ever; of what comes, nearly all goes with its document, and is collected then.
        gc.collect()
        gc.freeze()
        gc.set_threshold(_OBJECTS, 10, 10)
        serve(line, loop)


def serve(line: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
    """One job after the other, until the line closes or a limit ends this process."""
    reader, since = _Reader(loop), 0
    while True:
        try:
            header, body = frames.receive(line)
        except frames.LineBroken:
            return
        try:
            answer, content = reader.work(header, body)
        except MemoryError:
            answer, content = {"failed": "limits"}, b""
        except NotSealable as error:
            answer, content = {"failed": error.reason}, b""
        except Exception:  # noqa: BLE001 - malformed files raise anything; the parent only needs to know that
            answer, content = {"failed": "malformed"}, b""
        frames.send(line, answer, content)
        since += _EACH + len(body)
        del header, body, answer, content
        if since >= _LOOKED_AFTER:
            # A document and its parts hold each other: nothing else lets go of them.
            gc.collect()
            since = 0


class _Reader:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._run = loop.run_until_complete
        # What verifications start from, until the parent sends another.
        self._grounds: Grounds | None = None

    def work(self, header: Mapping[str, Any], body: bytes) -> tuple[Mapping[str, Any], bytes]:
        """Do one job."""
        match header["verb"]:
            case "start from":
                lists = [base64.b64decode(encoded) for encoded in header["lists"]]
                self._grounds = Grounds(codec.decode_trust(header["trust"]), lists)
                return {}, b""
            case "describe":
                said = describe(body)
                return {"title": said.title, "pages": said.pages, "signed": said.signed}, b""
            case "prepare":
                prepared = prepare(body, codec.decode_request(header["request"]), run=self._run)
                region = {"digest": prepared.digest.hex(), "start": prepared.start, "end": prepared.end}
                return region, prepared.document
            case "add proofs":
                given = {
                    name: [base64.b64decode(encoded) for encoded in header[name]] for name in ("certificates", "lists")
                }
                return {}, add_proofs(body, **given)
            case "prepare stamp":
                prepared = prepare_stamp(body, room=int(header["room"]), name=str(header["name"]))
                region = {"digest": prepared.digest.hex(), "start": prepared.start, "end": prepared.end}
                return region, prepared.document
            case "picture":
                drawn = picture(
                    body, page=int(header["page"]), across=int(header["across"]), outline=codec.outline(header)
                )
                return codec.encode_picture(drawn), drawn.png
            case "compare":
                return codec.encode_revisions(compare(body, end=int(header["end"])))
            case "empty fields":
                return {"fields": [asdict(each) for each in waiting_fields(body)]}, b""
            case "inspect" if self._grounds is not None:
                size = int(header["size"])
                more, tokens = ([base64.b64decode(encoded) for encoded in header[name]] for name in ("said", "tokens"))
                found = inspect(
                    body[:size],
                    content=body[size:] if header["beside"] is True else None,
                    grounds=self._grounds.knowing(more) if more else self._grounds,
                    profile=Profile(header["profile"]),
                    at=datetime.fromisoformat(header["at"]),
                    run=self._run,
                    beside=tokens,
                )
                return codec.encode_inspection(found), b""
            case verb:
                raise ValueError(verb)
