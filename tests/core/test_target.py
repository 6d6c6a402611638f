# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from core.web.target import raw_target


def _seen(**environ: str) -> str | None:
    found: list[str | None] = []

    def application(environ: dict[str, Any], _start: Callable[..., Any]) -> Iterable[bytes]:
        found.append(environ.get("REQUEST_URI"))
        return []

    raw_target(application)(dict(environ), lambda *_: None)
    return found[0]


@pytest.mark.parametrize(
    ("raw", "path", "query"),
    [("/a%20b?c=%2F", "/a b", "c=%2F"), ("/a?", "/a", ""), ("/%E7%A8%8E", "/ç¨\x8e", ""), ("/", "/", "")],
)
def test_the_target_that_nginx_saw_is_offered(raw: str, path: str, query: str) -> None:
    assert _seen(HTTP_X_ORIGINAL_URI=raw, PATH_INFO=path, QUERY_STRING=query) == raw


@pytest.mark.parametrize(
    ("raw", "path", "query"), [("/b", "/a", ""), ("/a?x=1", "/a", ""), ("", "/a", ""), ("a", "a", "")]
)
def test_a_target_of_another_request_is_not_believed(raw: str, path: str, query: str) -> None:
    assert _seen(HTTP_X_ORIGINAL_URI=raw, PATH_INFO=path, QUERY_STRING=query) is None


def test_what_the_server_itself_knows_stands() -> None:
    assert _seen(HTTP_X_ORIGINAL_URI="/a%61", PATH_INFO="/aa", QUERY_STRING="", REQUEST_URI="/aa") == "/aa"
