# SPDX-License-Identifier: Apache-2.0
"""CSV (RFC 4180) and LDIF (RFC 2849) read into rows that remember their line."""

import base64
import binascii
import csv
import io
from collections.abc import Iterable, Iterator
from itertools import chain, islice

from core.errors import N_

from ..errors import UnreadableImport
from .records import BROKEN_ROW, FIELDS, Refusal, Row

MOST_ROWS = 5_000
"""Each row becomes records in the outbox, which holds 10,000."""

_KINDS = {
    "tallycitizen": "citizen",
    "tallycivilservant": "civil-servant",
    "tallyorganisationentry": "organisation",
    "tallydevice": "device",
    "tallymandate": "mandate",
    "tallydepartmententry": "department",
    "tallypostentry": "post",
}
_NAMES = {
    "uid": "username",
    "cn": "name",
    "o": "name",
    "tallynamezh": "name_zh",
    "mail": "mail",
    "tallyid": "id",
    "tallyorganisation": "organisation",
    "tallyproofinglevel": "proofing_level",
    "tallyproofingdate": "proofing_date",
    "tallyproofingevidence": "proofing_evidence",
    "tallyclearance": "clearance",
    "tallycreditcode": "credit_code",
    "tallyparent": "parent",
    "tallyscope": "scope",
    "tallyuntil": "until",
    "tallyholder": "username",
    "tallydepartment": "department",
}
# Where an entry stood and how it was counted elsewhere means nothing here.
_TREE = ("dn", "objectclass", "sn", "tallysubject", "tallynumber")
# What every new entry is anyway.
_UNDERSTOOD = (("tallyagency", "FALSE"), ("tallyenabled", "TRUE"))
_DAY = 8


def read_csv(data: bytes) -> list[Row]:
    """Rows of a table whose first line names the columns; ``kind`` is one of them.

    Raises:
        UnreadableImport: not UTF-8, no header, unknown or doubled columns, too many rows.
    """
    return _bounded(csv_rows(io.StringIO(_text(data))))


def csv_rows(lines: Iterable[str]) -> Iterator[Row]:
    """The same, one after the other, however many.

    Raises:
        UnreadableImport: no header, unknown or doubled columns.
    """
    reader = csv.reader(lines, strict=True)
    try:
        header = next(reader, [])
        if "kind" not in header or len(set(header)) != len(header) or not set(header) <= {"kind", *FIELDS}:
            raise UnreadableImport(why=N_("the first line must name the columns, “kind” among them"))
        for cells in reader:
            if not cells:
                continue
            line = reader.line_num
            if len(cells) != len(header):
                why = N_("it has more or fewer cells than the first line")
                yield Row(line, "", {}, Refusal(line, "", why))
                continue
            fields = {name: cell.strip() for name, cell in zip(header, cells, strict=True) if cell.strip()}
            yield Row(line, fields.pop("kind", ""), fields)
    except csv.Error as error:
        raise UnreadableImport(why=N_("it is not a table of comma-separated values")) from error


def read_ldif(data: bytes) -> list[Row]:
    """Rows of entries of our own classes; names in the tree are not taken over, values from addresses never read.

    Raises:
        UnreadableImport: not UTF-8, not LDIF, change records, too many entries.
    """
    return _bounded(ldif_rows(_text(data).splitlines()))


def ldif_rows(lines: Iterable[str]) -> Iterator[Row]:
    """The same, one after the other, however many.

    Raises:
        UnreadableImport: not LDIF, or change records.
    """
    for line, pairs in _entries(lines):
        yield _row(line, pairs)


def _row(line: int, pairs: list[tuple[str, str]]) -> Row:
    """One entry. What is not imported is refused, not dropped: an entry that was left out half would be another one."""
    fields: dict[str, str] = {}
    kinds = {_KINDS[value.lower()] for name, value in pairs if name == "objectclass" and value.lower() in _KINDS}
    kind = kinds.pop() if len(kinds) == 1 else ""
    for name, value in pairs:
        if name in _TREE:
            continue
        if (name, value) == ("tallyagency", "TRUE") and kind == "organisation":
            kind = "agency"
            continue
        if (name, value) in _UNDERSTOOD:
            continue
        known = _NAMES.get(name)
        if known is None or known in fields:
            return Row(line, kind, {}, Refusal(line, name, BROKEN_ROW))
        fields[known] = _day(value) if known in _DAYS else value
    if kind in ("device", "mandate", "department", "post"):
        fields.pop("id", None)
    return Row(line, kind, fields)


_DAYS = ("proofing_date", "until")


def _entries(lines: Iterable[str]) -> Iterator[tuple[int, list[tuple[str, str]]]]:
    entry: list[tuple[str, str]] = []
    start = 0
    for number, line in chain(_unfolded(lines), [(0, "")]):
        if line and not entry and line.lower().startswith("version:"):
            continue
        if line:
            start = start if entry else number
            entry.append(_pair(line))
        elif entry:
            if entry[0][0] != "dn" or any(name in ("changetype", "control") for name, _ in entry):
                raise UnreadableImport(why=N_("it is not a list of LDIF entries"))
            yield start, entry
            entry = []


def _unfolded(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    begun, whole = 0, ""
    for number, each in enumerate(lines, 1):
        line = each.rstrip("\r\n")
        if line.startswith(" ") and begun:
            whole += line[1:]
            continue
        if begun and not whole.startswith("#"):
            yield begun, whole
        begun, whole = number, line
    if begun and not whole.startswith("#"):
        yield begun, whole


def _pair(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not name or value.startswith("<"):
        raise UnreadableImport(why=N_("it is not a list of LDIF entries"))
    if not value.startswith(":"):
        return name.lower(), value.strip(" ")
    try:
        return name.lower(), base64.b64decode(value[1:].strip(" "), validate=True).decode("utf-8")
    except (binascii.Error, ValueError) as error:
        raise UnreadableImport(why=N_("it is not a list of LDIF entries")) from error


def _day(value: str) -> str:
    # Generalized time to the way days are written in CSV.
    return f"{value[:4]}-{value[4:6]}-{value[6:8]}" if value[:_DAY].isdigit() and len(value) > _DAY else value


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableImport(why=N_("it is not encoded in UTF-8")) from error


def _bounded(given: Iterable[Row]) -> list[Row]:
    rows = list(islice(given, MOST_ROWS + 1))
    if not rows:
        raise UnreadableImport(why=N_("it is empty"))
    if len(rows) > MOST_ROWS:
        raise UnreadableImport(why=N_("it has more than 5,000 entries"))
    return rows
