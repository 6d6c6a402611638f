# SPDX-License-Identifier: Apache-2.0
"""Folders of thousands of files: nothing twice, nothing missing, whoever is killed; and little held in memory."""

import csv
import json
import os
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click import ClickException

from signatures.clerk import sealed_folder
from signatures.config import SignatureSettings
from signatures.errors import SandboxFailed
from signatures.folders import Entry, Examiner, Finished, Journal, OtherTerms, Rows, walk
from signatures.formats import inspect
from signatures.models import Inspection, Overall, Profile
from signatures.pades.grounds import Grounds
from signatures.sandbox import ReaderPool
from signatures.verdict import Catalogue, judge, unreadable
from tests.signatures import made
from tests.signatures.pki import NOW, City

HEADER = "file,answer\n"


def begun(out: Path, *, terms: str = "t") -> Journal:
    return Journal.open(out, terms=terms, at=NOW, header=HEADER)


def rows(out: Path) -> list[str]:
    return out.read_text("utf-8").removeprefix(HEADER).splitlines()


def test_whoever_is_killed_goes_on_where_the_last_row_is_whole(tmp_path: Path) -> None:
    out, names = tmp_path / "table.csv", [f"{number:05}.pdf" for number in range(400)]
    for _ in range(3):
        here, there = os.pipe()
        child = os.fork()
        if child == 0:
            journal = begun(out)
            for name in [each for each in names if each not in journal.done][:100]:
                journal.add(name, f"{name},yes\n", 1)
            os.write(there, b"!")
            # Dies with rows that no line of the journal names.
            signal.pause()
        assert os.read(here, 1) == b"!"
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(here)
        os.close(there)
    journal = begun(out)
    assert journal.at == NOW
    # Each run had some of its rows on the disk, and the rest again.
    assert len(journal.done) == 3 * 64
    for name in names:
        if name not in journal.done:
            journal.add(name, f"{name},yes\n", 0)
    journal.close(whole=True)
    assert rows(out) == [f"{name},yes" for name in names]
    with pytest.raises(Finished):
        begun(out)


def test_a_row_without_its_line_and_a_line_without_its_row_are_answered_again(tmp_path: Path) -> None:
    out = tmp_path / "table.csv"
    journal = begun(out)
    journal.add("a", "a,yes\n", 0)
    journal.keep()
    journal.add("b", "b,yes\n", 2)
    journal.close(whole=False)
    # Half a row, as a full disk leaves it, and half a line.
    with out.open("a") as table, (tmp_path / "table.csv.journal").open("a") as lines:
        table.write("c,y")
        lines.write('{"file": "c", "ex')
    again = begun(out)
    assert again.done == {"a": 0, "b": 2}
    again.close(whole=False)
    assert rows(out) == ["a,yes", "b,yes"]
    # The rows of a power cut are gone, though their lines reached the disk.
    os.truncate(out, len(HEADER) + 6)
    assert begun(out).done == {"a": 0}


def test_other_terms_are_no_continuation(tmp_path: Path) -> None:
    begun(tmp_path / "table.csv").close(whole=False)
    with pytest.raises(OtherTerms):
        begun(tmp_path / "table.csv", terms="another trust")


def test_a_folder_is_walked_in_order_and_links_do_not_lead_out_of_it(tmp_path: Path) -> None:
    (tmp_path / "in" / "b").mkdir(parents=True)
    (tmp_path / "out").mkdir()
    for name in ("in/z.pdf", "in/b/letter.txt", "in/b/letter.txt.p7s", "in/b/alone.p7s", "out/secret.pdf"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "in" / "outside").symlink_to(tmp_path / "out")
    os.mkfifo(tmp_path / "in" / "pipe")
    found = list(walk(tmp_path / "in"))
    assert [each.name for each in found] == ["b/alone.p7s", "b/letter.txt.p7s", "z.pdf"]
    assert [each.over and each.over.name for each in found] == [None, "letter.txt", None]


class Instant(ReaderPool):
    """Reads nothing and says what it was handed."""

    def __init__(self) -> None:
        super().__init__(SignatureSettings(readers=1))

    def inspect(self, document: bytes, **_: object) -> Inspection:
        if document == b"endless":
            raise SandboxFailed("limits")
        return Inspection(failure="not_pdf")


def examiner(city: City) -> Examiner:
    return Examiner(
        readers=Instant(), trust=city.trust(), lists=[], profile=Profile.STRICT, at=NOW, largest=10, together=2
    )


def test_no_more_files_are_held_than_are_read(tmp_path: Path, city: City) -> None:
    taken = 0

    def entries() -> Iterator[Entry]:
        nonlocal taken
        for number in range(500):
            taken += 1
            (tmp_path / "file").write_bytes(b"x")
            yield Entry(str(number), tmp_path / "file")

    for given, (entry, _) in enumerate(examiner(city).all(entries()), start=1):
        assert entry.name == str(given - 1)
        assert taken - given <= 5


def test_what_is_too_large_gone_or_endless_has_a_verdict_too(tmp_path: Path, city: City) -> None:
    (tmp_path / "large").write_bytes(b"x" * 11)
    (tmp_path / "endless").write_bytes(b"endless")
    names = ("large", "endless", "gone")
    found = {entry.name: verdict for entry, verdict in examiner(city).all(Entry(n, tmp_path / n) for n in names)}
    assert {name: verdict.overall for name, verdict in found.items()} == dict.fromkeys(names, Overall.CANNOT_TELL)


def test_no_single_file_may_take_ten_seconds() -> None:
    settings = SignatureSettings()
    assert max(settings.reader_processor, settings.reader_wall) <= timedelta(seconds=10)


def test_a_name_of_any_bytes_has_its_row_on_one_line(tmp_path: Path) -> None:
    """Names of other encodings come in archives, and whoever sends a file names it."""
    folder, out, rows_ = tmp_path / "inbox", tmp_path / "table.csv", Rows(Catalogue())
    folder.mkdir()
    names = {"申请.pdf".encode("gbk"): "\\xc9\\xea\\xc7\\xeb.pdf", "申请　书.pdf".encode(): "申请　书.pdf"}
    names |= {b"a\nb\x1b[2J.pdf": "a\\nb\\x1b[2J.pdf", "a\u202ef.pdf".encode(): "a\\u202ef.pdf"}
    for name in names:
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(b"x")
    verdict = unreadable(b"x", "malformed", profile=Profile.STRICT, at=NOW)
    journal = Journal.open(out, terms="t", at=NOW, header="")
    for each in walk(folder):
        journal.add(each.name, rows_.row(each.name, verdict), 2)
        assert json.loads(Rows(Catalogue(), whole=True).row(each.name, verdict).encode())["file"]
    journal.close(whole=False)
    assert {line.partition(",")[0] for line in out.read_text("utf-8").split("\n") if line} == {*names.values()}
    # They are known again.
    assert {*Journal.open(out, terms="t", at=NOW, header="").done} == {each.name for each in walk(folder)}


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(1)", " =1", "\uff1d1"])
def test_no_cell_is_computed_whoever_wrote_it(text: str, city: City) -> None:
    signed = made.cades(made.LETTER, [city.people.leaf(text)])
    found = inspect(signed, grounds=Grounds(city.trust(), city.lists()), profile=Profile.STRICT, at=NOW)
    row = Rows(Catalogue()).row(text, judge(signed, found, profile=Profile.STRICT, at=NOW))
    (cells,) = csv.reader([row])
    assert (cells[0], cells[3]) == (f"'{text}", f"'{text}")


def test_a_folder_with_a_name_that_no_batch_can_hold_is_refused_in_words(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + "申请.pdf".encode("gbk"))).write_bytes(b"x")
    nobody: Any = None
    with pytest.raises(ClickException, match="UTF-8"):
        sealed_folder(nobody, tmp_path, tmp_path / "out", organisation="tax-bureau")
