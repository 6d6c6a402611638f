# SPDX-License-Identifier: Apache-2.0
"""A portal between a real identity header and a small provider over TLS."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask
from flask.testing import FlaskClient

from core.identity import Identity, IdentityIssuer, IdentityVerifier
from core.site import Ports, SiteSettings
from core.web import Guard, create
from portals import Declarations, Portal, SignOn, documents, social, tax
from portals.base import Link
from portals.base.pages import TRANSLATIONS, blueprint
from tests.fakes.clock import ManualClock
from tests.fakes.sign_on_server import SignOnServer

KEY = ec.generate_private_key(ec.SECP256R1())
CLOCK = ManualClock()
HOST = "tax.city.localhost"
ORIGIN = f"https://{HOST}"

Headers = Callable[..., dict[str, str]]
Build = Callable[..., Flask]


@pytest.fixture(scope="session")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SignOnServer]:
    server = SignOnServer(tmp_path_factory.mktemp("sso"), client="tax", secret="portal-secret")
    yield server
    server.stop()


@pytest.fixture
def sign_on(provider: SignOnServer) -> SignOnServer:
    provider.claims = {"sub": "u1", "sid": "s1"}
    provider.about = {"sub": "u1", "name": "Li Na", "name_zh": "李娜"}
    provider.token_changes = {}
    provider.declared, provider.receipts = [], 201
    return provider


@pytest.fixture
def site(tmp_path: Path) -> SiteSettings:
    return SiteSettings(
        name="city",
        domain="city.localhost",
        title="Sample City",
        title_zh="示例市",
        state=tmp_path,
        ports=Ports(external=443, internal=8444, management=8445, plain=8080, ldaps=8636),
    )


@dataclass
class Seals:
    """The signatures role: remembers what it was asked."""

    asked: list[tuple[bytes, str]] = field(default_factory=list)
    error: Exception | None = None

    def __call__(self, document: bytes, identity: str) -> bytes:
        self.asked.append((document, identity))
        if self.error is not None:
            raise self.error
        return document + b"% sealed"


@pytest.fixture
def seal() -> Seals:
    return Seals()


@pytest.fixture
def build(site: SiteSettings, sign_on: SignOnServer, seal: Seals) -> Build:
    def make(portal: Portal = tax.PORTAL, *, roots: Path | None = None, issuer: str = "") -> Flask:
        guard = Guard(clock=CLOCK, verifier=IdentityVerifier(KEY.public_key(), audience=HOST))
        client = SignOn(
            issuer=issuer or sign_on.issuer,
            client="tax",
            secret="portal-secret",
            redirect_uri=f"{ORIGIN}/callback",
            roots=roots or sign_on.root,
            mandates=portal.mandates,
        )
        declarations = Declarations(
            issuer=issuer or sign_on.issuer, client="tax", secret="portal-secret", roots=roots or sign_on.root
        )
        links = [Link(title=social.PORTAL.title, address="https://social.city.localhost/me")]
        account = "https://sso.city.localhost/account"
        pages = blueprint(portal, client, guard, declarations=declarations, clock=CLOCK, links=links, account=account)
        machines = tax.device_api(IdentityVerifier(KEY.public_key(), audience=f"x{HOST}"), guard, clock=CLOCK)
        downloads = documents.downloads(guard, clock=CLOCK, seal=seal)
        return create(
            "portal:tax",
            site=site,
            guard=guard,
            session_key=b"k" * 32,
            blueprints=[pages, machines, downloads],
            translations=[TRANSLATIONS],
            behind_proxy=False,
        )

    return make


@pytest.fixture
def client(build: Build) -> FlaskClient:
    return browser(build())


def browser(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def header() -> Headers:
    """The gateway's header for one request of one person."""

    def make(path: str, *, audience: str = HOST, method: str = "GET", **changes: object) -> dict[str, str]:
        fields: dict[str, object] = {
            "subject": "u1",
            "kind": "person",
            "session": "s1",
            "roles": frozenset({"citizen"}),
            "assurance": 1,
            "methods": ("pwd",),
            "zone": "external",
            "decision": "d-77",
        }
        identity = Identity(**{**fields, **changes})  # type: ignore[arg-type]  # fields by name
        issued = IdentityIssuer(KEY).issue(identity, audience=audience, method=method, path=path, at=CLOCK.now())
        return {"Tallygate-Identity": issued}

    return make
