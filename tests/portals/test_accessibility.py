# SPDX-License-Identifier: Apache-2.0
"""Every page of every portal in Chromium, in both languages, wide and narrow: axe finds nothing, nothing overflows."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Browser, sync_playwright
from werkzeug.serving import WSGIRequestHandler, make_server

from core.clock import SystemClock
from core.identity import Identity, IdentityIssuer, IdentityVerifier
from core.site import SiteSettings
from core.web import Guard, create
from portals import Declarations, Portal, SignOn, documents, social, tax
from portals.base import Link, Visitor
from portals.base.pages import TRANSLATIONS, blueprint

from .conftest import KEY

CLOCK = SystemClock()
PORTALS = (tax.PORTAL, social.PORTAL, documents.PORTAL)


class _Known(SignOn):
    """The login is tested elsewhere; here its result is enough."""

    def known(self, identity: Identity) -> Visitor | None:
        return Visitor(
            subject=identity.subject,
            session=identity.session,
            name="Li Na",
            name_zh="李娜",
            acting="organisation:bright:all",
            principal="Bright Ltd",
            principal_zh="明亮公司",
        )


class _Declared(Declarations):
    """Taken; that nothing is shown without it is tested elsewhere."""

    def declare(self, identity: Identity, *, header: str, subject: str, purpose: str) -> int:  # noqa: ARG002 - fits
        return 1


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        pass


def _behind_a_gateway(app: Flask) -> Callable[..., Any]:
    issuer = IdentityIssuer(KEY)

    def wsgi(environ: dict[str, Any], start: Any) -> Any:
        identity = Identity(
            subject="u1",
            kind="person",
            session="s1",
            roles=frozenset({"civil-servant"}),
            assurance=2,
            methods=("hwk",),
            zone="external",
            decision="5f0c2d1e9a7b4c33",
        )
        environ["HTTP_TALLYGATE_IDENTITY"] = issuer.issue(
            identity, audience="any", method=environ["REQUEST_METHOD"], path=environ["REQUEST_URI"], at=CLOCK.now()
        )
        return app(environ, start)

    return wsgi


def _portal(portal: Portal, site: SiteSettings) -> Flask:
    guard = Guard(clock=CLOCK, verifier=IdentityVerifier(KEY.public_key(), audience="any"))
    known = _Known(
        issuer="https://sso", client="c", secret="s", redirect_uri="https://x/callback", roots=Path(), mandates=True
    )
    links = [Link(title=other.title, address="https://x/me") for other in PORTALS if other is not portal]
    declared = _Declared(issuer="https://sso", client="c", secret="s", roots=Path())
    pages = blueprint(
        portal, known, guard, declarations=declared, clock=CLOCK, links=links, account="https://x/account"
    )
    return create(
        f"portal:{portal.name}",
        site=site,
        guard=guard,
        session_key=b"k" * 32,
        blueprints=[pages, documents.downloads(guard, clock=CLOCK, seal=lambda document, _: document)],
        translations=[TRANSLATIONS],
        behind_proxy=False,
    )


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.mark.parametrize("portal", PORTALS, ids=lambda portal: portal.name)
def test_every_page_is_accessible(chromium: Browser, site: SiteSettings, portal: Portal) -> None:
    server = make_server(
        "127.0.0.1", 0, _behind_a_gateway(_portal(portal, site)), threaded=True, request_handler=_Quiet
    )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        for language, width in (("en", 1280), ("en", 360), ("zh", 1280), ("zh", 360)):
            page = chromium.new_page(viewport={"width": width, "height": 800})
            for path in ("/", "/me"):
                page.goto(f"http://127.0.0.1:{server.server_port}{path}?lang={language}")
                assert page.title()
                found = Axe().run(page).response["violations"]
                assert [violation["id"] for violation in found] == [], (path, language, width)
                assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
            page.close()
        # The same without JavaScript; the landing page knows that the person is logged in.
        plain = chromium.new_context(java_script_enabled=False)
        page = plain.new_page()
        page.goto(f"http://127.0.0.1:{server.server_port}/?lang=en")
        assert "You are logged in as Li Na." in page.inner_text("main")
        page.get_by_role("link", name="Go to your page").click()
        page.wait_for_url("**/me")
        page.get_by_role("link", name="Log out").wait_for()
        plain.close()
    finally:
        server.shutdown()
        thread.join(5)
        server.server_close()
