# SPDX-License-Identifier: Apache-2.0
"""Each portal is composed from its site's files alone."""

import threading
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from werkzeug.serving import make_server

from app.context import Context
from app.wiring import portals
from core.config import ConfigurationError, Document
from core.site import PORTALS, SiteSettings
from gateway import GatewaySettings
from portals.base.accounts import PREFIX

from .conftest import CLOCK, KEY


@pytest.fixture
def context(tmp_path: Path) -> Context:
    table = {
        "name": "city",
        "domain": "city.localhost",
        "title": "City",
        "title_zh": "城市",
        "state": "state",
        "ports": {"external": 8443, "internal": 8444, "management": 8445, "plain": 8080, "ldaps": 8636},
    }
    document = Document({"site": table}, folder=tmp_path)
    made = document.section("site", SiteSettings)
    made.public.mkdir(parents=True)
    (made.public / "gateway-identity.pem").write_bytes(
        KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    for name in PORTALS:
        folder = made.folder(f"portal:{name}")
        folder.mkdir()
        (folder / "oidc.secret").write_text("a-secret\n", "ascii")
    made.socket("portal:tax", "live").parent.mkdir(parents=True)
    pair = made.secret_path(holder="portal:documents", caller="portal:documents", callee="signatures")
    pair.parent.mkdir()
    pair.write_bytes(b"s" * 32)
    pair.chmod(0o600)
    return Context(site=made, document=document, clock=CLOCK, path=tmp_path / "site.toml")


def test_the_office_asks_the_signatures_role_with_nothing_but_the_header(context: Context) -> None:
    asked: list[tuple[str, str, str]] = []
    path = context.site.socket("signatures")
    path.parent.mkdir(parents=True)

    def signatures(environ: dict[str, Any], start: Any) -> list[bytes]:
        document = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        asked.append((environ["QUERY_STRING"], environ["HTTP_TALLYGATE_CALLER"], environ["HTTP_TALLYGATE_IDENTITY"]))
        start("200 OK", [("Content-Type", "application/pdf")])
        return [document + b"% sealed"]

    server = make_server(f"unix://{path}", 0, signatures)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        assert portals.seal(context, "portal:documents")(b"%PDF", "h.e.r") == b"%PDF% sealed"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert asked == [("organisation=document-office", "portal:documents", "h.e.r")]


@pytest.mark.parametrize("name", PORTALS)
def test_a_portal_serves_its_landing_page(context: Context, name: str) -> None:
    app = portals.application(context, name)
    page = app.test_client().get("/", base_url=f"https://{name}.city.localhost")
    assert page.status_code == 200
    assert app.config["SESSION_COOKIE_NAME"] == f"__Host-portal-{name}"


def test_only_the_tax_portal_answers_devices_and_only_the_office_holds_documents(context: Context) -> None:
    rules = {name: {rule.rule for rule in portals.application(context, name).url_map.iter_rules()} for name in PORTALS}
    assert [name for name in PORTALS if "/api/device/v1/me" in rules[name]] == ["tax"]
    for rule in ("/documents/<name>.pdf", "/documents/<name>/seal"):
        assert [name for name in PORTALS if rule in rules[name]] == ["documents"]


def test_a_portal_without_its_client_secret_does_not_start(context: Context) -> None:
    (context.site.folder("portal:tax") / "oidc.secret").unlink()
    with pytest.raises(ConfigurationError):
        portals.application(context, "tax")


@pytest.mark.parametrize("name", PORTALS)
def test_every_page_of_a_portal_is_registered_as_one_that_declares_or_does_not(context: Context, name: str) -> None:
    route = GatewaySettings().routes[name]
    # What shows nobody's record: everybody's pages, machines' own, the way out, and what every application has.
    # Accounts are kept there by the directory, which sees what it wrote.
    nobodys = {"/", "/callback", "/logout", "/api/device/v1/me", "/livez", "/readyz", "/queue", "/queue/display.js"}
    rules = [rule.rule for rule in portals.application(context, name).url_map.iter_rules()]
    told = [path.removesuffix("*") for path in (*route.declared, *route.undeclared)]
    left = [rule for rule in rules if rule not in nobodys and not rule.startswith(("/static", PREFIX, *told))]
    assert left == []
