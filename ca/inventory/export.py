# SPDX-License-Identifier: Apache-2.0
"""Certificates as lines for other programs: JSON, or CSV that no spreadsheet takes for formulas."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Any

from .models import Held

FIELDS = (
    "serial",
    "issuer",
    "profile",
    "subject",
    "name",
    "standing",
    "reason",
    "changed",
    "created",
    "not_before",
    "not_after",
    "key_sha256",
    "actor",
)
_DANGEROUS = frozenset("=+-@\t\r\n|%\uff1d\uff0b\uff0d\uff20\ufe63\uff5c")
"""Beginnings that some spreadsheet takes for a formula, full-width ones too."""
_MARK = "\ufeff"
_AT_ONCE = 200


class Form(StrEnum):
    """How an export is written."""

    CSV = "csv"
    LINES = "jsonl"


MEDIA = {Form.CSV: "text/csv; charset=utf-8", Form.LINES: "application/x-ndjson"}


def document(held: Held) -> dict[str, Any]:
    """One certificate for programs."""
    return {
        "serial": held.serial,
        "issuer": held.issuer,
        "profile": held.profile,
        "subject": held.subject,
        "name": held.name,
        "standing": held.standing.value,
        "reason": held.reason.value if held.reason else None,
        "changed": held.changed.isoformat() if held.changed else None,
        "created": held.created.isoformat(),
        "not_before": held.not_before.isoformat(),
        "not_after": held.not_after.isoformat(),
        "key_sha256": held.key_hash,
        "actor": held.actor,
    }


def written(found: Iterable[Held], form: Form) -> Iterator[bytes]:
    """The export, in pieces of a few hundred lines."""
    if form is Form.CSV:
        yield (_MARK + ",".join(FIELDS) + "\r\n").encode()
    piece: list[str] = []
    for held in found:
        values = document(held)
        piece.append(_row(values) if form is Form.CSV else json.dumps(values, ensure_ascii=False) + "\n")
        if len(piece) >= _AT_ONCE:
            yield "".join(piece).encode()
            piece.clear()
    if piece:
        yield "".join(piece).encode()


def _row(values: dict[str, Any]) -> str:
    line = io.StringIO(newline="")
    csv.writer(line, lineterminator="\r\n").writerow([safe(str(values[name] or "")) for name in FIELDS])
    return line.getvalue()


def safe(cell: str) -> str:
    """A cell that is shown as it is: an apostrophe before what would be computed."""
    return f"'{cell}" if cell.lstrip(" \u3000\u00a0")[:1] in _DANGEROUS and cell.strip() else cell
