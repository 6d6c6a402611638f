# SPDX-License-Identifier: Apache-2.0
"""The log as mirrors copy it: one prefix in the layout of C2SP tlog-tiles, with a credential for the entries."""

import base64
import binascii

from flask import Blueprint, Response, request

from core.calls import PairSecrets
from core.errors import Unauthenticated
from core.web import Guard

from ..console import Console, Mirroring
from ..search import TileAddress
from .asked import FOREVER, note, octets
from .blueprint import Pages


def mirrored(console: Console, mirrors: Mirroring, *, secrets: PairSecrets) -> Pages:
    """What mirrors read; ``secrets`` are those of the mirrors by name."""

    def pages(made: Blueprint, guard: Guard) -> None:
        @made.get("/mirror/checkpoint")
        @guard.public("the log's signed size and root; outsiders hold us to it", errors="problem")
        def mirror_checkpoint() -> Response:
            return note(console.checkpoint())

        @made.get("/mirror/pruned")
        @guard.public("below which entry nothing is kept, signed; mirrors need it", errors="problem")
        def mirror_pruned() -> Response:
            return note(console.pruned())

        @made.get("/mirror/tile/<level>/<path:rest>")
        @guard.public("hash tiles hold only hashes; proofs are made of them", errors="problem")
        def mirror_tile(level: str, rest: str) -> Response:
            return octets(console.tile(TileAddress.parse(level, rest)), FOREVER)

        @made.get("/mirror/tile/entries/<path:rest>")
        @guard.own("the secret of a mirror that is configured here", errors="problem")
        def mirror_entries(rest: str) -> Response:
            name = _mirror(secrets)
            return octets(mirrors.bundle(name, TileAddress.parse("0", rest)), "private, no-store")

    return pages


def _mirror(secrets: PairSecrets) -> str:
    """Whose credential came with the request (RFC 7617).

    Raises:
        Unauthenticated: nobody's.
    """
    kind, _space, encoded = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "basic":
        raise Unauthenticated
    try:
        name, _colon, shown = base64.b64decode(encoded, validate=True).decode("ascii").partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise Unauthenticated from error
    return secrets.caller(name, shown)
