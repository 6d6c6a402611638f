# SPDX-License-Identifier: Apache-2.0
"""A table of devices: CSV in UTF-8, alone or in a ZIP with the requests that its lines name.

Strict: what could be understood in two ways is refused as a whole (`FileRefused`, with the line); what is wrong with
one line alone is that line's refusal. Nothing is ever written to a disk, and no name in an archive is used as a path.
"""

import base64
import binascii
import csv
import io
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from core.errors import N_, TallygateError

from ...errors import FileRefused, LineRefused, RequestRefused
from ...x509.request import LONGEST as LONGEST_REQUEST
from .models import Row

LONGEST_FILE = 16 * 1024 * 1024
"""Bytes of an upload, and of everything in it."""
MOST_LINES = 5_000
COLUMNS = ("device", "csr", "file", "hosts")
_MOST_HOSTS = 100
_LONGEST_NAME = 128
_ZIP = b"PK\x03\x04"

csv.field_size_limit(LONGEST_REQUEST * 2)


def read_upload(unverified: bytes) -> list[Row]:
    """A CSV file, or a ZIP of one and its requests.

    Raises:
        FileRefused: not such a file; ``line`` is where, 0 for the whole.
    """
    if len(unverified) > LONGEST_FILE:
        raise FileRefused(why=N_("it is too long"), line=0)
    if not unverified.startswith(_ZIP):
        return _read(unverified, _no_file)
    try:
        with zipfile.ZipFile(io.BytesIO(unverified)) as archive:
            return _read_archive(archive)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, ValueError, EOFError) as error:
        raise FileRefused(why=N_("it is no archive that can be read"), line=0) from error


def read_folder(table: Path) -> list[Row]:
    """A CSV file on the operator's own machine, whose requests lie beside it.

    Raises:
        FileRefused: see ``read_upload``.
    """

    def beside(name: str) -> bytes | None:
        path = table.parent / name
        try:
            with path.open("rb") as file:
                return file.read(LONGEST_REQUEST + 1)
        except OSError:
            return None

    with table.open("rb") as file:
        content = file.read(LONGEST_FILE + 1)
    if len(content) > LONGEST_FILE:
        raise FileRefused(why=N_("it is too long"), line=0)
    return read_upload(content) if content.startswith(_ZIP) else _read(content, beside)


def table_of(rows: list[Row]) -> bytes:
    """The rows as one table that needs no other file."""
    written = io.StringIO(newline="")
    writer = csv.writer(written, lineterminator="\r\n")
    writer.writerow(("device", "csr", "hosts"))
    for each in rows:
        writer.writerow((each.device, base64.b64encode(each.csr).decode(), " ".join(each.hosts)))
    return written.getvalue().encode()


def _read_archive(archive: zipfile.ZipFile) -> list[Row]:
    members = [each for each in archive.infolist() if not each.is_dir()]
    if len(members) > MOST_LINES + 1 or sum(each.file_size for each in members) > LONGEST_FILE:
        raise FileRefused(why=N_("it is too long"), line=0)
    if any(count > 1 for count in Counter(each.filename for each in members).values()):
        raise FileRefused(why=N_("two files in it have one name"), line=0)
    tables = [each for each in members if each.filename.lower().endswith(".csv")]
    if len(tables) != 1:
        raise FileRefused(why=N_("it must hold exactly one table, whose name ends in .csv"), line=0)
    # What an archive says of sizes is a claim; reading stops where it should.
    found = {each.filename: each for each in members}

    def content(member: zipfile.ZipInfo, longest: int) -> bytes:
        with archive.open(member) as file:
            return file.read(longest + 1)

    table = content(tables[0], LONGEST_FILE)
    if len(table) > LONGEST_FILE:
        raise FileRefused(why=N_("it is too long"), line=0)
    return _read(table, lambda name: content(found[name], LONGEST_REQUEST) if name in found else None)


def _no_file(_: str) -> bytes | None:
    return None


def _read(unverified: bytes, file: Callable[[str], bytes | None]) -> list[Row]:
    try:
        text = unverified.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileRefused(why=N_("it is not written in UTF-8"), line=0) from error
    if "\0" in text:
        raise FileRefused(why=N_("it holds a character that no table holds"), line=0)
    lines = _lines(text)
    heading = next(lines, None)
    if heading is None:
        raise FileRefused(why=N_("it is empty"), line=0)
    names = [each.strip() for each in heading[1]]
    _check_heading(names)
    rows: list[Row] = []
    for number, values in lines:
        if not values:
            # An empty line says nothing.
            continue
        if len(values) != len(names):
            raise FileRefused(why=N_("a line has more or fewer fields than the heading"), line=number)
        if len(rows) == MOST_LINES:
            raise FileRefused(why=N_("it has too many lines"), line=number)
        rows.append(_row(number, dict(zip(names, values, strict=True)), file))
    if not rows:
        raise FileRefused(why=N_("it is empty"), line=0)
    return rows


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """Each record and the line on which it begins."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    begins = 1
    try:
        for values in reader:
            yield begins, values
            begins = reader.line_num + 1
    except csv.Error as error:
        raise FileRefused(why=N_("its quoting cannot be understood"), line=begins) from error


def _check_heading(names: list[str]) -> None:
    if unknown := next((each for each in names if each not in COLUMNS), None):
        raise FileRefused(why=N_("the heading names a column that is not known"), line=1) from ValueError(unknown)
    if len(set(names)) < len(names) or "device" not in names or ("csr" in names) == ("file" in names):
        raise FileRefused(
            why=N_("the heading must name “device”, either “csr” or “file”, and may name “hosts”"), line=1
        )


def _row(number: int, values: dict[str, str], file: Callable[[str], bytes | None]) -> Row:
    device = values["device"].strip()
    hosts = tuple(values.get("hosts", "").split())
    refusal: TallygateError | None = None
    csr = b""
    try:
        _check_text(device, *hosts)
        if not device or len(hosts) > _MOST_HOSTS:
            raise LineRefused(why=N_("a field is empty or too long"))
        csr = _request(values["csr"]) if "csr" in values else _from_file(values["file"].strip(), file)
    except TallygateError as error:
        refusal = error
        # What cannot be kept is not kept.
        device = "".join(each for each in device if each.isprintable())[:_LONGEST_NAME]
        hosts = ()
    return Row(number=number, device=device, csr=csr, hosts=hosts, refusal=refusal)


def _check_text(*texts: str) -> None:
    if any(len(each) > 2 * _LONGEST_NAME or not each.isprintable() for each in texts) or len(texts[0]) > _LONGEST_NAME:
        raise LineRefused(why=N_("a field is empty or too long"))


def _request(text: str) -> bytes:
    """PEM, or the base64 of DER."""
    text = text.strip()
    if text.startswith("-----"):
        return _encoded(text)
    try:
        found = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise RequestRefused(why=N_("it is not a well-formed PKCS #10 request")) from error
    return _bounded(found)


def _from_file(name: str, file: Callable[[str], bytes | None]) -> bytes:
    if (
        not name
        or len(name) > _LONGEST_NAME
        or PurePosixPath(name).name != name
        or "\\" in name
        or not name.isprintable()
    ):
        raise LineRefused(why=N_("its file has no plain name"))
    found = file(name)
    if found is None:
        raise LineRefused(why=N_("its file is not there"))
    return _bounded(found)


def _encoded(text: str) -> bytes:
    try:
        return _bounded(text.encode("ascii"))
    except UnicodeEncodeError as error:
        raise RequestRefused(why=N_("it is not a well-formed PKCS #10 request")) from error


def _bounded(content: bytes) -> bytes:
    if not content:
        raise RequestRefused(why=N_("it is not a well-formed PKCS #10 request"))
    if len(content) > LONGEST_REQUEST:
        raise RequestRefused(why=N_("it is too long"))
    return content
