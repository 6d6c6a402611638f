# SPDX-License-Identifier: Apache-2.0
"""What must hold after every flow, checked from the files an auditor gets, with code that shares nothing with ours.

The tree is recomputed from the entry bundles (RFC 6962) and compared with the signed checkpoint; then what nginx wrote
about requests is compared with the decisions that stand in the record:

1. No decision is recorded twice, and none in the name of a place or network other than the request's.
2. What nginx forwarded to a host has a decision, and that decision is a permit.
3. What nginx answered by a decision has its entry; a refusal because the record was away has perhaps none.
4. Every entry belongs to a request that nginx saw. If nginx does not know the decision, it was not acted on: the
   gateway died before it answered, and nginx asked again or told the visitor to come again.
"""

import base64
import contextlib
import hashlib
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from tests.flows.city import City, until
from tests.flows.telling import told

SIDE_DOOR = "ca-direct"
"""The one host that decides by itself."""


@dataclass
class _Written:
    """A log of nginx's as far as it was read: it is only ever added to, also when it was put aside."""

    head: bytes = b""
    offset: int = 0
    text: list[str] = field(default_factory=list)
    parsed: list[dict[str, str]] = field(default_factory=list)

    def goes_on_in(self, path: Path) -> bool:
        """Whether this is the same log, and not another that got its place on the disk."""
        with path.open("rb") as file:
            return file.read(len(self.head)) == self.head and path.stat().st_size >= self.offset

    def read(self, path: Path) -> None:
        """Go on where it ended, up to the last whole line."""
        with path.open("rb") as file:
            file.seek(self.offset)
            whole = file.read()
        whole = whole[: whole.rfind(b"\n") + 1]
        self.head = self.head or whole[:512]
        self.offset += len(whole)
        fresh = [line for line in whole.decode("utf-8").splitlines() if line.startswith("{")]
        self.text += fresh
        for line in fresh:
            # What HAProxy has no value for it writes as a dash.
            self.parsed.append({name: "" if value == "-" else value for name, value in json.loads(line).items()})


@dataclass
class _Known:
    """What was read of one city's record and of nginx's lines: neither ever changes, so nothing is read twice."""

    origin: str = ""
    leaves: list[bytes] = field(default_factory=list)
    hashes: list[bytes] = field(default_factory=list)
    entries: list[dict[str, Any]] = field(default_factory=list)
    # By the number of the file on the disk.
    logs: dict[int, _Written] = field(default_factory=dict)


_KNOWN: dict[Path, _Known] = {}


def entries(city: City) -> list[dict[str, Any]]:
    """Every published entry, parsed by hand from the bundles (C2SP tlog-tiles), and under ``told`` what it tells."""
    known = _read(city)
    for leaf in known.leaves[len(known.entries) :]:
        document = json.loads(leaf)
        known.entries.append({**document, "told": told(document)})
    return list(known.entries)


def leaves(city: City) -> list[bytes]:
    """The raw entries that the checkpoint covers."""
    return list(_read(city).leaves)


def _read(city: City) -> _Known:
    """Everything the checkpoint covers; from the disk what was not read before."""
    origin, size = _lines(city)[0], checkpoint(city)[0]
    known = _KNOWN.setdefault(city.folder, _Known())
    if known.origin != origin or size < len(known.leaves):
        # A successor's record, or the next city's.
        known = _KNOWN[city.folder] = _Known(origin=origin)
    folder = city.folder / "audit" / "log" / "tile" / "entries"
    for bundle in range(len(known.leaves) // 256, (size + 255) // 256):
        width = min(256, size - bundle * 256)
        content = _bundle(folder, bundle, width)
        for number in range(width):
            length = int.from_bytes(content[:2])
            if bundle * 256 + number >= len(known.leaves):
                known.leaves.append(content[2 : 2 + length])
                known.hashes.append(hashlib.sha256(b"\0" + known.leaves[-1]).digest())
            content = content[2 + length :]
    return known


def checkpoint(city: City) -> tuple[int, bytes]:
    """Size and root of the newest checkpoint."""
    lines = _lines(city)
    return int(lines[1]), base64.b64decode(lines[2])


def _lines(city: City) -> list[str]:
    return (city.folder / "audit" / "log" / "checkpoint").read_text("utf-8").split("\n")


def mark(city: City, visitor: requests.Session | None = None) -> str:
    """The number of a decision made now: what was answered before stands before it in the record."""
    address = city.url("social", "/nobody-is-logged-in")
    answer = (visitor or city.http()).get(address, headers={"Accept": "application/json"}, timeout=20)
    assert answer.status_code == 401, answer.text
    return str(answer.json()["instance"]).rpartition(":")[2]


def published(city: City) -> list[dict[str, Any]]:
    """Every entry, those included that were recorded before an answer was given and are published only now.

    What waited in an outbox meanwhile is not among them for certain. nginx has written about all of them.
    """
    last = mark(city)
    until(lambda: any(entry["told"].get("decision") == last for entry in entries(city)))
    until(lambda: any(line["decision"] == last for line in lines(city)))
    return entries(city)


def check(city: City) -> None:
    """The record agrees with itself, with its signature, and with what nginx saw."""
    report = city.verify_log()
    assert report.returncode == 0, report.stdout + report.stderr
    _, root = checkpoint(city)
    hashes = list(_read(city).hashes)
    _, again = checkpoint(city)
    if again == root:
        assert _root(hashes) == root
    limit = time.monotonic() + 30
    # nginx writes its lines, and the log publishes its entries, a moment after the answer.
    while wrong := unexplained(city):
        assert time.monotonic() < limit, (len(wrong), wrong[:5])
        time.sleep(0.05)


def unexplained(city: City) -> list[str]:
    """Where nginx and the record do not tell the same."""
    recorded = [entry for entry in entries(city) if _type(entry) == "gateway.decision"]
    by_decision = {str(entry["told"]["decision"]): entry for entry in recorded}
    assert len(by_decision) == len(recorded), "one decision recorded twice"
    seen, ports = lines(city), city.ports
    wrong = [f"{why}: {line}" for line in seen if (why := _line_wrong(ports, line, by_decision))]
    wrong += [f"nobody asked for: {entry['told']}" for entry in unclaimed(city)]
    return wrong


def unclaimed(city: City) -> list[dict[str, Any]]:
    """Decisions in the record that belong to no request nginx wrote about."""
    recorded = [entry for entry in entries(city) if _type(entry) == "gateway.decision"]
    seen = lines(city)
    by_request = {line["request"]: line for line in seen}
    acted_on = {line["decision"] for line in seen}
    return [
        entry
        for entry in recorded
        if str(entry["told"]["decision"]) not in acted_on and not _not_acted_on(entry, by_request)
    ]


def _line_wrong(ports: dict[str, int], line: dict[str, str], by_decision: dict[str, dict[str, Any]]) -> str:
    """What is wrong with one line of nginx's."""
    label = line["host"].partition(".")[0]
    # The side door's style sheet needs no decision; the gateway's own pages and nginx's answers let nobody in.
    forwarded = line["to"] not in {"", "role_gateway"} and label != SIDE_DOOR
    if not line["decision"]:
        return "forwarded without a decision" if forwarded else ""
    entry = by_decision.get(line["decision"])
    if entry is None:
        return "" if line["status"] == "503" and not forwarded else "not recorded"
    said = entry["told"]
    if forwarded and entry["status_code"] != "success":
        return "forwarded though denied"
    if str(ports[said["zone"]]) != line["port"]:
        return f"recorded for {said['zone']}"
    if label != SIDE_DOOR and said.get("object", label) != label:
        return f"recorded for {said['object']}"
    return ""


def _not_acted_on(entry: dict[str, Any], by_request: dict[str, dict[str, str]]) -> bool:
    line = by_request.get(str(entry["told"]["attributes"].get("request", "")))
    if line is None:
        return False
    refused = line["to"] in {"", "role_gateway"} and line["status"] in {"499", "503"}
    return bool(line["decision"]) or refused


def lines(city: City) -> list[dict[str, str]]:
    """What nginx wrote about requests to hosts where decisions are made."""
    return [line for written in _written(city) for line in written.parsed]


def noted(city: City) -> list[str]:
    """The same as text, from the files that were put aside and from the newest."""
    return [line for written in _written(city) for line in written.text]


def _written(city: City) -> list[_Written]:
    said = city.folder / "logs" / "haproxy.log"
    # HAProxy says it on its output, which the supervisor writes down.
    log = said if said.exists() else city.folder / "nginx" / "logs" / "decisions.log"
    known = _KNOWN.setdefault(city.folder, _Known()).logs
    while True:
        aside = sorted(log.parent.glob(f"{log.name}.*"))
        found = []
        for path in [*aside, log]:
            # For a moment, when it has just been put aside, there is none of the name.
            with contextlib.suppress(FileNotFoundError):
                number = path.stat().st_ino
                if number not in known or not known[number].goes_on_in(path):
                    known[number] = _Written()
                known[number].read(path)
                found.append(known[number])
        if aside == sorted(log.parent.glob(f"{log.name}.*")):
            return found


def _type(entry: dict[str, Any]) -> str:
    return str(entry["told"]["type"])


def _root(hashes: list[bytes]) -> bytes:
    if not hashes:
        return hashlib.sha256(b"").digest()
    while len(hashes) > 1:
        pairs = [hashlib.sha256(b"\1" + a + b).digest() for a, b in zip(hashes[::2], hashes[1::2], strict=False)]
        hashes = pairs + ([hashes[-1]] if len(hashes) % 2 else [])
    return hashes[0]


def _bundle(folder: Path, number: int, width: int) -> bytes:
    parts = f"{number:03d}" if number < 1000 else f"x{number // 1000:03d}/{number % 1000:03d}"
    # Once it is full the partial one goes, perhaps just when it was to be read.
    for path in (folder / parts, folder / f"{parts}.p" / str(width)):
        with contextlib.suppress(FileNotFoundError):
            return path.read_bytes()
    return (folder / parts).read_bytes()
