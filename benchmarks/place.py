# SPDX-License-Identifier: Apache-2.0
"""Where the figures are measured: one city, the plain listeners beside it, and how a process of ours reaches both."""

import http.client
import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

from app.context import Context
from tests.flows.city import PASSWORD

_FORM = re.compile(r'<form[^>]*method="post" action="([^"]+)">(.*?)</form>', re.DOTALL)
_HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')


@dataclass(frozen=True)
class Place:
    """What a measuring process has to know; small enough to be sent to one."""

    folder: Path
    # Plain ports by listener.
    ports: Mapping[str, int]
    # Seconds one figure may take.
    seconds: int

    @property
    def context(self) -> Context:
        """The site, as its operator sees it."""
        return Context.read(self.folder / "site.toml")

    def url(self, listener: str, path: str) -> str:
        """An address for wrk, which is given the host in a header."""
        return f"http://127.0.0.1:{self.ports[listener]}{path}"


class Visitor:
    """A browser reduced to its cookies and one kept connection; TLS is off, so it minds no "Secure"."""

    def __init__(self, place: Place) -> None:
        self._context = place.context
        self._http = http.client.HTTPConnection("127.0.0.1", place.ports["external"], timeout=20)
        self.cookies: dict[str, dict[str, str]] = {}

    def ask(self, address: str, form: Mapping[str, str] | None = None) -> tuple[int, str, str]:
        """Status, Location and page of one address of the city."""
        parts = urlsplit(address)
        kept = self.cookies.setdefault(parts.hostname or "", {})
        headers = {"Host": parts.netloc, "Accept": "text/html"}
        if kept:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in kept.items())
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        body = None
        if form is not None:
            body = urlencode(form)
            headers |= {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"https://{parts.netloc}"}
            headers["Referer"] = address
        self._http.request("GET" if form is None else "POST", target, body=body, headers=headers)
        answer = self._http.getresponse()
        page = answer.read().decode("utf-8", "replace")
        for cookie in answer.headers.get_all("Set-Cookie") or ():
            name, _, value = cookie.partition(";")[0].partition("=")
            kept[name] = value
        return answer.status, urljoin(address, answer.headers.get("Location") or ""), page

    def post(self, path: str, form: Mapping[str, str], headers: Mapping[str, str]) -> bytes:
        """What one address answers to a form, on the same connection, without cookies."""
        self._http.request("POST", path, body=urlencode(form), headers=dict(headers))
        return self._http.getresponse().read()

    def log_in(self, username: str, client: str = "tax") -> tuple[str, dict[str, str]]:
        """From the portal's request to the code in the portal's redirect; also what redeems the code."""
        site = self._context.site
        verifier, callback = secrets.token_urlsafe(48), f"{site.origin(client)}/callback"
        query = {
            "response_type": "code",
            "client_id": client,
            "redirect_uri": callback,
            "scope": "openid profile",
            "state": "s" * 32,
            "nonce": "n" * 32,
            "code_challenge": urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        address = f"{site.origin('sso')}/authorize?{urlencode(query)}"
        status, onward, page = self.ask(address)
        for _ in range(8):
            if onward.startswith(callback) and "code=" in onward:
                code = parse_qs(urlsplit(onward).query)["code"][0]
                return code, {
                    "grant_type": "authorization_code",
                    "code": code,
                    "redirect_uri": callback,
                    "code_verifier": verifier,
                }
            if status in (302, 303):
                address = onward
                status, onward, page = self.ask(address)
                continue
            action, form = _form(page)
            values = (
                {"choice": "allow"} if action.endswith("/consent") else {"username": username, "password": PASSWORD}
            )
            address = urljoin(address, action)
            status, onward, page = self.ask(address, form | values)
            if status not in (302, 303):
                raise RuntimeError(f"{address}: {status}")
        raise RuntimeError("the login went in circles")

    def enter(self, address: str, username: str) -> str:
        """Log in at a guarded host through the gateway; its session cookie."""
        status, onward, page = self.ask(address)
        for _ in range(12):
            if status == 200 and "/login" not in urlsplit(address).path:
                return self.cookies[urlsplit(address).hostname or ""]["__Host-tallygate"]
            if status in (302, 303):
                address = onward
                status, onward, page = self.ask(address)
            else:
                action, form = _form(page)
                address = urljoin(address, action)
                status, onward, page = self.ask(address, form | {"username": username, "password": PASSWORD})
        raise RuntimeError("the login went in circles")

    def close(self) -> None:
        """Close the connection."""
        self._http.close()


def client_secret(place: Place, client: str) -> str:
    """What a portal's OAuth client shows."""
    return (place.folder / f"portal-{client}" / "oidc.secret").read_text("ascii").strip()


def _form(page: str) -> tuple[str, dict[str, str]]:
    """The form to go on with: the password's, or the agreement's."""
    for action, inside in _FORM.findall(page):
        if urlsplit(unescape(action)).path.endswith(("/login", "/consent")):
            return unescape(action), {name: unescape(value) for name, value in _HIDDEN.findall(inside)}
    raise RuntimeError(f"no form: {page[:300]}")
