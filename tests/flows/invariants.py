# SPDX-License-Identifier: Apache-2.0
"""What must hold after every flow, checked from the files an auditor gets, with code that shares nothing with ours.

The tree is recomputed from the entry bundles (RFC 6962) and compared with the signed checkpoint; then every request
that nginx let the gateway decide is matched with exactly one decision entry.
"""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from tests.flows.city import City, until


def entries(city: City) -> list[dict[str, Any]]:
    """Every published entry, parsed by hand from the bundles (C2SP tlog-tiles)."""
    return [json.loads(raw) for raw in leaves(city)]


def leaves(city: City) -> list[bytes]:
    """The raw entries that the checkpoint covers."""
    size, _ = checkpoint(city)
    folder = city.folder / "audit" / "log" / "tile" / "entries"
    found: list[bytes] = []
    for bundle in range((size + 255) // 256):
        width = min(256, size - bundle * 256)
        content = _bundle(folder, bundle, width)
        for _ in range(width):
            length = int.from_bytes(content[:2])
            found.append(content[2 : 2 + length])
            content = content[2 + length :]
    return found


def checkpoint(city: City) -> tuple[int, bytes]:
    """Size and root of the newest checkpoint."""
    lines = (city.folder / "audit" / "log" / "checkpoint").read_text("utf-8").split("\n")
    return int(lines[1]), base64.b64decode(lines[2])


def check(city: City) -> None:
    """The record agrees with itself, with its signature, and with what nginx saw."""
    report = city.verify_log()
    assert report.returncode == 0, report.stdout + report.stderr
    _, root = checkpoint(city)
    hashes = [hashlib.sha256(b"\0" + leaf).digest() for leaf in leaves(city)]
    _, again = checkpoint(city)
    if again == root:
        assert _root(hashes) == root
    until(lambda: not _unmatched(city), seconds=5)


def _unmatched(city: City) -> set[str]:
    """Decisions nginx acted on that have no entry, and entries no request asked for."""
    seen = _decisions_seen(city)
    recorded = [entry for entry in entries(city) if _type(entry) == "gateway.decision"]
    ids = [_decision(entry) for entry in recorded]
    assert len(set(ids)) == len(ids), "one decision recorded twice"
    return seen ^ set(ids)


def _decisions_seen(city: City) -> set[str]:
    seen = set()
    for line in (city.folder / "nginx" / "logs" / "decisions.log").read_text("utf-8").splitlines():
        fields = json.loads(line)
        if fields["decision"]:
            seen.add(fields["decision"])
    return seen


def _type(entry: dict[str, Any]) -> str:
    return str(entry["unmapped"]["type"])


def _decision(entry: dict[str, Any]) -> str:
    return str(entry["unmapped"].get("decision", ""))


def _root(hashes: list[bytes]) -> bytes:
    if not hashes:
        return hashlib.sha256(b"").digest()
    while len(hashes) > 1:
        pairs = [hashlib.sha256(b"\1" + a + b).digest() for a, b in zip(hashes[::2], hashes[1::2], strict=False)]
        hashes = pairs + ([hashes[-1]] if len(hashes) % 2 else [])
    return hashes[0]


def _bundle(folder: Path, number: int, width: int) -> bytes:
    parts = f"{number:03d}" if number < 1000 else f"x{number // 1000:03d}/{number % 1000:03d}"
    full = folder / parts
    return (full if full.exists() and full.is_file() else folder / f"{parts}.p" / str(width)).read_bytes()
