# SPDX-License-Identifier: Apache-2.0
"""A portal on a loopback socket with TLS: the sample portals' own SCIM service, and what may go wrong on the way."""

import json
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from werkzeug.serving import make_server

from core.clock import Clock
from core.site import SiteSettings
from core.web import Guard, create
from directory.config import PortalAccounts
from portals.base import Accounts, accounts_service

TOKEN = "t" * 43


class ScimPortal:
    """What it holds, what it was asked, and what it answers next instead of doing it."""

    def __init__(self, folder: Path, *, site: SiteSettings, clock: Clock) -> None:
        self.accounts = Accounts(folder / "accounts.json")
        self.token = TOKEN
        # As method, path, body.
        self.asked: list[tuple[str, str, Any]] = []
        # Statuses, with headers, of the next answers; 0 lets one through, a negative one is done and then answered so.
        self.next: list[tuple[int, dict[str, str]]] = []
        guard = Guard(clock=clock)
        service = accounts_service(self.accounts, guard, token=lambda: self.token)
        self._app = create("portal-fake", site=site, guard=guard, session_key=b"k" * 32, blueprints=[service])
        self.folder = folder
        self.target: PortalAccounts

    def users(self) -> dict[str, dict[str, Any]]:
        """Every account by user name."""
        return {each["userName"]: each for each in self.accounts.all("Users")}

    def changes(self) -> list[tuple[str, str]]:
        """What was asked beside looking."""
        return [(method, path) for method, path, _ in self.asked if method != "GET"]

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """WSGI."""
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        self.asked.append((environ["REQUEST_METHOD"], environ["PATH_INFO"], json.loads(body) if body else None))
        status, headers = self.next.pop(0) if self.next else (0, {})
        told = self._app.test_client().open(
            environ["PATH_INFO"], method=environ["REQUEST_METHOD"], query_string=environ.get("QUERY_STRING", ""),
            base_url="https://portal", data=body or None, content_type=environ.get("CONTENT_TYPE", ""),
            headers={
                name: environ[key]
                for name, key in (("Authorization", "HTTP_AUTHORIZATION"), ("If-Match", "HTTP_IF_MATCH"))
                if key in environ
            },
        ) if status <= 0 else None  # fmt: skip
        if told is None or status < 0:
            start(f"{abs(status)} -", [("Content-Length", "0"), *headers.items()])
            return [b""]
        headers = {name: value for name, value in told.headers if name.lower() != "content-length"}
        start(told.status, [*headers.items(), ("Content-Length", str(len(told.data)))])
        return [told.data]


@contextmanager
def scim_portal(
    folder: Path,
    *,
    site: SiteSettings,
    clock: Clock,
    certified: tuple[bytes, bytes],
    clients: Path | None = None,
    **settings: Any,
) -> Iterator[ScimPortal]:
    """One that runs; ``target`` is what the directory's settings say of it. ``clients`` is who may connect at all."""
    portal = ScimPortal(folder, site=site, clock=clock)
    certificate, key, token = folder / "tls.pem", folder / "tls.key", folder / "token"
    certificate.write_bytes(certified[0])
    key.write_bytes(certified[1])
    token.touch(mode=0o600)
    token.write_text(TOKEN)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    if clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients)
    server = make_server("127.0.0.1", 0, portal, threaded=True, ssl_context=context)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    portal.target = PortalAccounts(
        url=f"https://127.0.0.1:{server.server_port}/scim/v2", token_file=token, authorities=certificate, private=True,
        **settings,
    )  # fmt: skip
    try:
        yield portal
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
