# SPDX-License-Identifier: Apache-2.0
"""The log as mirrors copy it: one prefix in the layout of C2SP tlog-tiles, with a credential for the entries."""

import base64
import binascii
from collections.abc import Callable

from flask import Blueprint, Response, request

from core.calls import PairSecrets
from core.errors import Unauthenticated
from core.web import Guard

from ..console import Console, Mirroring
from ..search import TileAddress
from .asked import FOREVER, note, octets
from .blueprint import Pages


def mirrored(
    console: Console, mirrors: Mirroring, *, secrets: PairSecrets, known: Callable[[], bytes] = bytes
) -> Pages:
    """What mirrors read; ``secrets`` are those of the mirrors by name, ``known`` gives the trust root as ``public``."""

    def pages(made: Blueprint, guard: Guard) -> None:
        _closed(made, guard, console, mirrors, secrets)

        @made.get("/mirror/logs.txt")
        @guard.public("the keys of all logs of the site in their order, signed by them", errors="problem")
        def mirror_logs() -> Response:
            return note(known())

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


def _closed(made: Blueprint, guard: Guard, console: Console, mirrors: Mirroring, secrets: PairSecrets) -> None:
    """The closed logs, each under its name in the same layout: a mirror holds all of them."""

    @made.get("/mirror/logs/<log>/checkpoint")
    @guard.public("a closed log's last checkpoint; outsiders hold us to it", errors="problem")
    def mirror_closed_checkpoint(log: str) -> Response:
        return note(console.checkpoint(log))

    @made.get("/mirror/logs/<log>/pruned")
    @guard.public("below which entry of a closed log nothing is kept, signed", errors="problem")
    def mirror_closed_pruned(log: str) -> Response:
        return note(console.pruned(log))

    @made.get("/mirror/logs/<log>/tile/<level>/<path:rest>")
    @guard.public("a closed log's hash tiles hold only hashes", errors="problem")
    def mirror_closed_tile(log: str, level: str, rest: str) -> Response:
        return octets(console.tile(TileAddress.parse(level, rest), log), FOREVER)

    @made.get("/mirror/logs/<log>/tile/entries/<path:rest>")
    @guard.own("the secret of a mirror that is configured here", errors="problem")
    def mirror_closed_entries(log: str, rest: str) -> Response:
        name = _mirror(secrets)
        return octets(mirrors.bundle(name, TileAddress.parse("0", rest), log), "private, no-store")


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
