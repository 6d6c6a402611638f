# SPDX-License-Identifier: Apache-2.0
"""A refused body is taken in whole, and no more of it than there may be."""

import io
from typing import Any

import pytest

from core.web import body
from core.web.body import taken_in


def refuses(_environ: dict[str, Any], _start: Any) -> list[bytes]:
    return [b"too large"]


def test_what_the_application_left_is_read() -> None:
    sent = io.BytesIO(b"x" * 300_000)
    assert taken_in(refuses)({"wsgi.input": sent, "CONTENT_LENGTH": "300000"}, lambda *_: None) == [b"too large"]
    assert sent.read() == b""


def test_the_next_request_of_the_connection_is_not() -> None:
    sent = io.BytesIO(b"bodyGET /")
    taken_in(refuses)({"wsgi.input": sent, "CONTENT_LENGTH": "4"}, lambda *_: None)
    assert sent.read() == b"GET /"
    taken_in(refuses)({"wsgi.input": sent}, lambda *_: None)


def test_what_is_over_every_limit_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "MOST", 100_000)
    sent = io.BytesIO(b"x" * 300_000)
    taken_in(refuses)({"wsgi.input": sent, "CONTENT_LENGTH": "300000"}, lambda *_: None)
    assert len(sent.read()) == 200_000


def test_a_sender_that_went_away_hurts_nobody() -> None:
    class Gone:
        def read(self, _size: int) -> bytes:
            raise ConnectionResetError

    assert taken_in(refuses)({"wsgi.input": Gone(), "CONTENT_LENGTH": "9"}, lambda *_: None) == [b"too large"]
