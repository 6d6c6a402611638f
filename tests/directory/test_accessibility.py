# SPDX-License-Identifier: Apache-2.0
"""Every page of the desk in Chromium, in both languages, wide and narrow: axe finds nothing, nothing overflows."""

import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, sync_playwright
from werkzeug.serving import WSGIRequestHandler, make_server

from app.wiring.histories import RecordedChanges
from core.identity import HEADER
from tests.directory.desk import Desk, application
from tests.directory.recorded import Record
from tests.directory.test_watching import rogue, switched
from tests.directory.world import World
from tests.fakes.audit_console import ConsoleFake

_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        pass


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def pages(filled: World) -> list[str]:
    """One of each kind, with something on it."""
    directory = filled.directory("directory")
    citizen, servant = (directory.person_by_username(name).subject for name in ("chen.wei", "wang.qiang"))
    filled.writer().watch.look()
    rogue(filled, switched(filled, directory.person_by_username("zhang.min"), to="FALSE"))
    assert filled.writer().watch.look() == 1
    lists = ["/", "/?q=nobody-at-all", "/people/change?q=li.na", "/organisations", "/devices", "/import", "/unrecorded"]
    lists += ["/reviews", "/duties", "/proofing", "/catalogue", f"/people/{servant}/proofing"]
    lists += [f"/history/person/{servant}", "/history/role/case-worker"]
    return [*lists, f"/people/{citizen}", f"/people/{servant}", f"/people/{servant}?done=enabled"]


@contextmanager
def served(world: World) -> Iterator[str]:
    """The desk on a port of its own, for an administrator whom the gateway let through."""
    desk = Desk(
        world,
        subject=world.directory("directory").person_by_username("zhao.lei").subject,
        roles=frozenset({"directory-administrator", "civil-servant"}),
    )
    server = make_server("127.0.0.1", 0, _identified(desk, world), threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(5)
        server.server_close()


def _identified(desk: Desk, world: World) -> Callable[..., Any]:
    told = ConsoleFake(Path(tempfile.mkdtemp(dir=world.site.state, prefix="record-")))
    app = application(world, RecordedChanges(Record(told, world)))

    def wsgi(environ: dict[str, Any], start: Any) -> Any:
        headers = desk.headers(environ["REQUEST_METHOD"], environ["REQUEST_URI"])
        environ.update({f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()})
        assert HEADER in headers
        return app(environ, start)

    return wsgi


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_page_is_accessible(chromium: Browser, filled: World, pages: list[str], language: str) -> None:
    # What passed is long, and stays in the browser.
    options = {"resultTypes": ["violations"], "runOnly": {"type": "tag", "values": _TAGS}}
    with served(filled) as origin:
        page = chromium.new_page()
        for path in pages:
            page.goto(f"{origin}{path}{'&' if '?' in path else '?'}lang={language}")
            assert page.title()
            page.evaluate(Axe().axe_script)
            for width in (1280, 390):
                page.set_viewport_size({"width": width, "height": 800})
                found = page.evaluate("options => axe.run(options).then(found => found.violations)", options)
                assert [(each["id"], each["nodes"][0]["html"]) for each in found] == [], (path, width)
                assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), (
                    path,
                    width,
                )
        page.close()
