# SPDX-License-Identifier: Apache-2.0
"""Composes one portal: its pages, its client of the sign-on, and links to its neighbours."""

from collections.abc import Callable

from flask import Flask

from core.config import ConfigurationError
from portals import Declarations, Portal, SignOn
from portals import documents as documents_portal
from portals import social as social_portal
from portals import tax as tax_portal
from portals.base import Accounts, Link, accounts_service
from portals.base.pages import TRANSLATIONS, blueprint
from signatures import SealOrder
from signatures.client import SignatureClient
from signatures.verdict.words import TRANSLATIONS as SIGNATURE_TRANSLATIONS

from ..context import Context
from ..files import ACCOUNTS_FILE

_PORTALS: dict[str, Portal] = {
    portal.name: portal for portal in (tax_portal.PORTAL, social_portal.PORTAL, documents_portal.PORTAL)
}
_OFFICE = "document-office"
_ZONES = {"tax": "external", "social": "external", "documents": "internal"}


def application(context: Context, name: str) -> Flask:
    """The portal's WSGI application."""
    site, role, portal = context.site, f"portal:{name}", _PORTALS[name]
    origin = site.origin(name, _ZONES[name])
    guard = context.guard(role, audience=site.host(name))
    issuer, secret = site.origin("sso"), _client_secret(context, role)
    sign_on = SignOn(
        issuer=issuer,
        client=name,
        secret=secret,
        redirect_uri=f"{origin}/callback",
        roots=site.anchors,
        mandates=portal.mandates,
    )
    # What stands on another network cannot be opened from here, so no link leads there.
    links = [
        Link(title=other.title, address=f"{site.origin(other.name, _ZONES[other.name])}/me")
        for other in _PORTALS.values()
        if other is not portal and _ZONES[other.name] == _ZONES[name]
    ]
    accounts = Accounts(site.folder(role) / "accounts.json")
    pages = blueprint(
        portal,
        sign_on,
        guard,
        declarations=Declarations(issuer=issuer, client=name, secret=secret, roots=site.anchors),
        clock=context.clock,
        links=links,
        account=f"{issuer}/account",
        held=accounts.held,
    )
    blueprints, translations = [pages], [TRANSLATIONS]
    if name == "documents":
        blueprints.append(documents_portal.downloads(guard, clock=context.clock, seal=seal(context, role)))
        blueprints.append(accounts_service(accounts, guard, token=lambda: _accounts_token(context, role)))
        # What the signatures role refuses is shown here.
        translations.append(SIGNATURE_TRANSLATIONS)
    if name == "tax":
        devices = context.verifier(site.host("devices"))
        blueprints.append(tax_portal.device_api(devices, guard, clock=context.clock))
        blueprints.append(tax_portal.queue(guard, clock=context.clock))
        tax_portal.LiveQueue(context.verifier(site.host(name)), clock=context.clock).start(site.socket(role, "live"))
    return context.flask(role, guard=guard, blueprints=blueprints, translations=translations)


def seal(context: Context, role: str) -> Callable[[bytes, str], bytes]:
    """The office's seal, asked for with the header the portal itself was asked with."""
    client = SignatureClient(context.peer(role, "signatures"))

    def ask(document: bytes, header: str) -> bytes:
        order = SealOrder(document=document, organisation=_OFFICE, caller=role, unverified_identity=header)
        return client.seal(order)

    return ask


def _accounts_token(context: Context, role: str) -> str:
    """What the directory shows; a site that was born before there was one has none, and lets nobody in."""
    path = context.site.folder(role) / ACCOUNTS_FILE
    return path.read_text("ascii").strip() if path.exists() else ""


def _client_secret(context: Context, role: str) -> str:
    path = context.site.folder(role) / "oidc.secret"
    try:
        return path.read_text("ascii").strip()
    except OSError as error:
        raise ConfigurationError(where=str(path), why=error.strerror or "unreadable") from error
