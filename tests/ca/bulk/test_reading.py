# SPDX-License-Identifier: Apache-2.0
"""Tables of devices: strict as a whole, forgiving with nobody, and never a path or a bomb."""

import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ca.errors import FileRefused
from ca.registration.bulk import LONGEST_FILE, read_folder, read_upload
from ca.registration.bulk.models import Line, LineState
from ca.registration.bulk.reading import MOST_LINES, table_of
from ca.registration.bulk.report import report
from ca.x509.request import LONGEST
from tests.ca.world import request_for

from .office import encoded, table

CSR = request_for()


def _zip(*members: tuple[str, bytes]) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return written.getvalue()


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("csr", [CSR.decode(), encoded(CSR)], ids=["pem", "base64"])
def test_a_table_is_read_with_and_without_a_mark_and_in_either_spelling(mark: bytes, csr: str) -> None:
    (row,) = read_upload(mark + table((" d1 ", csr)))
    assert (row.number, row.device, row.csr.strip(), row.refusal) == (2, "d1", CSR.strip(), None)


def test_lines_are_counted_as_an_editor_counts_them() -> None:
    rows = read_upload(table(("d1", CSR.decode()), ("d2", "nonsense!"), ("d3", "")))
    first = 2 + CSR.decode().count("\n") + 1
    assert [each.number for each in rows] == [2, first, first + 1]
    assert [each.refusal and each.refusal.code for each in rows] == [None, *["certificate_request_refused"] * 2]


def test_hosts_are_several_in_one_field() -> None:
    (row,) = read_upload(
        table(("d1", encoded(CSR), "a.city.localhost  b.city.localhost"), heading=("device", "csr", "hosts"))
    )
    assert row.hosts == ("a.city.localhost", "b.city.localhost")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", 0),
        (b"device,csr\r\n", 0),
        (b"device\r\nx\r\n", 1),
        (b"device,csr,file\r\nx,y,z\r\n", 1),
        (b"device,csr,device\r\nx,y,z\r\n", 1),
        (b"device,csr,colour\r\nx,y,blue\r\n", 1),
        (b"device,csr\r\nx\r\n", 2),
        (b"device,csr\r\nx,y,z\r\n", 2),
        (b'device,csr\r\n"x,y\r\n', 2),
        (b'device,csr\r\n"x"y,z\r\n', 2),
        (b"device,csr\r\nx\0,y\r\n", 0),
        ("device,csr\r\n密,y\r\n".encode("gb18030"), 0),
        ("device,csr\r\nx,y\r\n".encode("utf-16"), 0),
        (b"PK\x03\x04 nothing that follows", 0),
    ],
)
def test_what_can_be_understood_in_two_ways_is_refused_whole(content: bytes, line: int) -> None:
    with pytest.raises(FileRefused) as refused:
        read_upload(content)
    assert refused.value.parameters["line"] == line


def test_limits_of_size_and_lines() -> None:
    with pytest.raises(FileRefused):
        read_upload(b"x" * (LONGEST_FILE + 1))
    lines = [(str(number), "") for number in range(MOST_LINES + 1)]
    assert len(read_upload(table(*lines[:-1]))) == MOST_LINES
    with pytest.raises(FileRefused) as refused:
        read_upload(table(*lines))
    assert refused.value.parameters["line"] == MOST_LINES + 2
    (long,) = read_upload(table(("d" * 200, encoded(b"y" * (LONGEST + 1)))))
    assert long.refusal is not None
    assert len(long.device) <= 128


def test_requests_in_an_archive_are_found_by_plain_names_only() -> None:
    names = ["d1.csr", "../d1.csr", "/etc/passwd", "..", "", "missing.csr", "a\\b", "x/d1.csr"]
    rows = read_upload(
        _zip(
            ("devices.csv", table(*(("d", name) for name in names), heading=("device", "file"))),
            ("d1.csr", CSR),
            ("../d1.csr", CSR),
            ("x/d1.csr", CSR),
        )
    )
    assert [each.refusal and each.refusal.code for each in rows] == [None] + ["line_refused"] * 7
    assert rows[0].csr == CSR


def test_archives_that_cannot_be_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    good = ("devices.csv", table(("d", "d1.csr"), heading=("device", "file")))
    for members in ([("d1.csr", CSR)], [good, ("more.csv", b"device,csr\r\n")]):
        with pytest.raises(FileRefused):
            read_upload(_zip(*members))
    with pytest.warns(UserWarning, match="Duplicate name"):
        twice = _zip(good, ("d1.csr", CSR), ("d1.csr", request_for()))
    with pytest.raises(FileRefused):
        read_upload(twice)
    # Sixteen megabytes of zeros take sixteen kilobytes; what unpacks to more than may be is not unpacked.
    bomb = _zip(good, ("d1.csr", b"\0" * LONGEST_FILE))
    assert len(bomb) < LONGEST_FILE // 100
    with pytest.raises(FileRefused):
        read_upload(bomb)
    # And an archive that lies about its sizes is read no further than a request may be long.
    monkeypatch.setattr("ca.registration.bulk.reading.LONGEST_FILE", 2 * LONGEST_FILE)
    (row,) = read_upload(bomb)
    assert row.refusal is not None


def test_on_the_operators_machine_requests_lie_beside_the_table(tmp_path: Path) -> None:
    (tmp_path / "d1.csr").write_bytes(CSR)
    path = tmp_path / "devices.csv"
    path.write_bytes(table(("d1", "d1.csr"), ("d2", "none.csr"), ("d3", "../devices.csv"), heading=("device", "file")))
    rows = read_folder(path)
    assert [each.refusal and each.refusal.code for each in rows] == [None, "line_refused", "line_refused"]
    # As one table it can be sent, and says the same.
    again = read_upload(table_of(rows))
    assert [(each.device, each.csr) for each in again] == [("d1", CSR), ("d2", b""), ("d3", b"")]


def test_the_report_is_quoted_and_begins_no_formula() -> None:
    evil = ["=1+2", "+1", "-1", "@SUM(A1)", "\tx", "%x", "|x", 'a"b,c']
    lines = [Line(number=n, device=each, csr=b"", state=LineState.REFUSED, code="x") for n, each in enumerate(evil)]
    written = report(lines, lambda _: "=cmd")
    assert written.startswith('\ufeff"line","device"')
    for each in evil[:-1]:
        assert f'"\'{each}"' in written
    assert '"a""b,c"' in written
    assert '"=' not in written


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.binary(max_size=300), st.text(max_size=200).map(lambda text: f"device,csr\n{text}".encode())))
def test_whatever_comes_is_read_or_refused(content: bytes) -> None:
    try:
        rows = read_upload(content)
    except FileRefused:
        return
    assert all(each.refusal is not None or each.csr for each in rows)
    assert all(each.device.isprintable() and len(each.device) <= 128 for each in rows)
