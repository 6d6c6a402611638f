# SPDX-License-Identifier: Apache-2.0
"""What was signed, beside what the file shows now: what looks different is named and marked."""

import io
import struct
import zlib
from typing import Any

import pytest
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

from signatures.errors import SandboxFailed
from signatures.looks import PageState
from signatures.pades.comparison import compare
from signatures.sandbox import ReaderPool
from tests.signatures import documents


def pixels(png: bytes) -> bytes:
    """The picture elements of a picture, by another reading than the one that wrote it."""
    at, data = 8, b""
    while at < len(png):
        size, name = struct.unpack("!I4s", png[at : at + 8])
        data += png[at + 8 : at + 8 + size] if name == b"IDAT" else b""
        at += size + 12
    return zlib.decompress(data)


def test_a_page_that_was_added_is_named_and_shown(sealed: bytes) -> None:
    changed = documents.page_appended(sealed)
    found = compare(changed, end=len(sealed))
    assert (found.pages_then, found.pages_now, found.whole) == (1, 2, True)
    assert found.pages[-1].state is PageState.ADDED
    assert found.pages[-1].now.startswith(b"\x89PNG")
    assert not found.pages[-1].then


def test_what_looks_the_same_is_the_same_and_shows_no_picture(sealed: bytes) -> None:
    found = compare(documents.trailing_bytes(sealed), end=len(sealed))
    assert [each.state for each in found.pages] == [PageState.SAME]
    assert not any(each.now or each.then for each in found.pages)


def other_words(document: bytes) -> bytes:
    """An incremental update that puts other words on the first page."""
    writer: Any = IncrementalPdfFileWriter(io.BytesIO(document), strict=False)
    page = writer.root["/Pages"]["/Kids"][0]
    page["/Contents"] = writer.add_object(generic.StreamObject(stream_data=b"0 g 72 700 200 60 re f"))
    writer.update_container(page)
    output = io.BytesIO()
    writer.write(output)
    return output.getvalue()


def test_other_content_is_framed_in_red_where_it_differs(sealed: bytes) -> None:
    (page,) = compare(other_words(sealed), end=len(sealed)).pages
    assert page.state is PageState.CHANGED
    assert b"\xd0\x10\x20" in pixels(page.now)
    assert b"\xd0\x10\x20" not in pixels(page.then)


def test_the_reading_process_compares_alike_and_refuses_what_cannot_be_drawn(
    readers: ReaderPool, sealed: bytes
) -> None:
    changed = documents.page_appended(sealed)
    assert readers.compare(changed, end=len(sealed)) == compare(changed, end=len(sealed))
    for document, end in ((sealed, 10), (b"%PDF-1.7\n", 5), (documents.encrypted(documents.permit()), 400)):
        with pytest.raises(SandboxFailed):
            readers.compare(document, end=end)


def test_a_page_as_high_as_a_tower_costs_no_more_than_others() -> None:
    tower = documents.permit().replace(b"595 842", b"9 14000").replace(b"595.0 842.0", b"9.0 14000.0")
    found = compare(tower, end=len(tower))
    assert [each.state for each in found.pages] == [PageState.SAME]
