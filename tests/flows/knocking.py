# SPDX-License-Identifier: Apache-2.0
"""Knocking at the city's doors: people who are logged in, programs that hold a secret, and everybody's bad manners."""

import base64
import functools
import html
import json
import re
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import requests
from requests.cookies import get_cookie_header

from tests.flows import hostile, invariants
from tests.flows.city import PASSWORD, City
from tests.flows.doors import DOORS, Door
from tests.flows.hostile import Answer, Headers, Wire

LEAKS = re.compile(rb"Traceback|\.py\"|werkzeug|sqlalchemy|sqlite3|Python/3|Werkzeug|granian", re.IGNORECASE)
SECURITY = {
    "content-security-policy": "default-src 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
}
SERVER_ERROR, ERROR = 500, 400
_DER = (b"application/ocsp-request", b"application/timestamp-query")
CARDS = frozenset({"li.na", "lin.hai", "qian.jun", "sun.li", "tang.yu", "wang.qiang", "zhao.lei", "zhou.fang"})
_FORM = re.compile(r"<form.*?</form>", re.DOTALL)
_HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')


def hidden(page: str, action: str = "") -> dict[str, str]:
    """The hidden fields of the form that leads to ``action``, or of the first one with a token."""
    for found in _FORM.findall(page):
        fields = {name: html.unescape(value) for name, value in _HIDDEN.findall(found)}
        if "csrf_token" in fields and f'action="{action}' in (found if action else f'{found}action="'):
            return fields
    raise AssertionError(f"no form {action} in:\n{page}")


def post(session: requests.Session, at: requests.Response, action: str, **fields: str) -> requests.Response:
    """Send a form of the page that is shown."""
    address = urljoin(at.url, action)
    data = {**hidden(at.text, action), **fields}
    return session.post(address, data=data, headers={"Referer": at.url}, timeout=hostile.PATIENCE)


def person(city: City, username: str, address: str, *, card: Path | None = None) -> requests.Session:
    """Somebody who logged in on the way to an address, by card or by password."""
    session = city.http()
    session.headers["Accept"] = "text/html"
    if card is None and username in CARDS:
        card = city.folder / "demo" / f"{username}.pem"
    session.cert = str(card) if card else None
    shown = session.get(address, timeout=hostile.PATIENCE)
    if card:
        shown = post(session, shown, "/login/card")
    else:
        shown = post(session, shown, "/login", username=username, password=PASSWORD)
    assert shown.status_code == 200, (shown.url, shown.text)
    return session


@dataclass(frozen=True)
class Stretch:
    """Some knocking between two decisions whose numbers are known."""

    name: str
    first: str
    last: str
    decided: int

    @property
    def asks_itself(self) -> bool:
        """Whether what was knocked at knocks at the site's doors itself, to show on a page that they are shut."""
        return "/compliance" in self.name


TOLD_TO_ALL = (b"/.well-known/oauth-protected-resource", b"/.well-known/oauth-protected-resource/api")
"""Which tokens a host takes (RFC 9728): told to the letter of these addresses, with nothing to decide."""


def _asked_by_the_site(told: Mapping[str, Any]) -> bool:
    """Whether a decision is about the stranger's device that the compliance page plays."""
    return told.get("object") == "devices" and "subject" not in told


class Knocker:
    """Sends what a door should refuse, and looks at the answer."""

    def __init__(self, city: City) -> None:
        self._city = city
        self._wires: dict[tuple[str, ...], Wire] = {}
        self._people: dict[str, requests.Session] = {}
        # Who asks for the numbers between which is counted.
        self._nobody = city.http()
        # How many requests the gateway decided.
        self.decided = 0
        self._stretches: list[Stretch] = []

    def close(self) -> None:
        """Hang up everywhere."""
        for wire in self._wires.values():
            wire.close()
        for session in (self._nobody, *self._people.values()):
            session.close()

    @contextmanager
    def counting(self, name: str) -> Iterator[None]:
        """A stretch of knocking at guarded doors, about which `uncounted` is asked later; nobody else may be about."""
        first, decided = invariants.mark(self._city, self._nobody), self.decided
        yield
        last = invariants.mark(self._city, self._nobody)
        self._stretches.append(Stretch(name, first, last, self.decided - decided))

    def uncounted(self, entries: Sequence[Mapping[str, Any]]) -> list[str]:
        """Stretches in which the record tells of more or fewer decisions than there were."""
        decisions = [entry["told"] for entry in entries if entry["told"]["type"] == "gateway.decision"]
        place = {told["decision"]: number for number, told in enumerate(decisions)}
        found = []
        for each in self._stretches:
            between = decisions[place[each.first] + 1 : place[each.last]]
            recorded = sum(not (each.asks_itself and _asked_by_the_site(told)) for told in between)
            if recorded != each.decided:
                found.append(f"{each.name}: {each.decided} decided, {recorded} recorded")
        return found

    def host(self, door: Door, listener: str = "") -> str:
        """Host and port."""
        return f"{door.label}.city.localhost:{self._city.ports[listener or door.listener]}"

    def wire(self, door: Door, listener: str = "") -> Wire:
        """The connection to a door."""
        listener = listener or door.listener
        key = (door.role, door.label, listener, door.card)
        if key not in self._wires:
            self._wires[key] = Wire(self._way(door, listener))
        return self._wires[key]

    def _way(self, door: Door, listener: str) -> Callable[[], socket.socket]:
        city = self._city
        if door.role:
            return hostile.over_unix(city.folder / "run" / door.role / "sock")
        if listener == "plain":
            return hostile.over_tcp(city.ports["plain"])
        card = city.folder / "demo" / f"{door.card}.pem" if door.card else None
        return hostile.over_tls(f"{door.label}.city.localhost", city.ports[listener], city.root, card)

    def visitor(self, door: Door) -> requests.Session:
        """Who stands at this door, logged in if somebody must be."""
        who = f"{door.who or 'nobody'} at {door.label}"
        if who not in self._people:
            if door.who:
                address = self._city.url(door.label, door.enters, door.listener)
                self._people[who] = person(self._city, door.who, address if door.label != "sso" else self._account())
            else:
                self._people[who] = self._city.http()
                self._people[who].headers["Accept"] = "text/html"
        return self._people[who]

    def _account(self) -> str:
        return self._city.url("sso", "/account")

    def credentials(self, door: Door) -> Headers:
        """What a right request carries."""
        if door.role:
            if door.component == "core":
                return ()
            path = self._city.folder / door.who / "pairs" / f"{door.who}--{door.role}"
            secret = base64.b64encode(path.read_bytes())
            return ((b"Tallygate-Caller", door.who.encode()), (b"Tallygate-Secret", secret))
        if door.listener == "plain" or door.face == "oauth":
            return ((b"Authorization", self._client()),) if door.face == "oauth" else ()
        address = self._city.url(door.label, "/", door.listener)
        cookies = get_cookie_header(self.visitor(door).cookies, _asked(address))
        return (*(((b"Cookie", cookies.encode()),) if cookies else ()), (b"Referer", address.encode()))

    def _client(self) -> bytes:
        secret = (self._city.folder / "portal-tax" / "oidc.secret").read_text("ascii").strip()
        return b"Basic " + base64.b64encode(f"tax:{secret}".encode())

    def fields(self, door: Door) -> dict[str, str]:
        """A form that is right but for what it asks."""
        if not door.form_at:
            return dict(door.fields)
        page = self.visitor(door).get(self._city.url(door.label, door.form_at, door.listener), timeout=hostile.PATIENCE)
        if self.guarded(door) and not door.form_at.startswith("/.tallygate/"):
            self.decided += 1
        return {"csrf_token": hidden(page.text)["csrf_token"], **door.fields}

    @staticmethod
    def guarded(door: Door) -> bool:
        """Whether the gateway decides about requests here."""
        return not door.role and door.label in {
            "tax",
            "social",
            "documents",
            "devices",
            "audit",
            "ca",
            "certificates",
            "sign",
            "directory",
            "accounts",
        }

    def knock(
        self,
        door: Door,
        target: bytes,
        *,
        method: bytes = b"",
        headers: Headers = (),
        body: bytes | None = None,
        listener: str = "",
    ) -> Answer | None:
        """Send one request and look at the answer; None if the connection ended without one."""
        accept = b"text/html" if door.face == "page" else b"application/json"
        names = {name.lower() for name, _ in headers}
        given: Sequence[tuple[bytes, bytes]] = ((b"Accept", accept), *self.credentials(door))
        sent = (*(pair for pair in given if pair[0].lower() not in names), *headers)
        host = "localhost" if door.role else self.host(door, listener)
        raw = hostile.request(method or door.method.encode(), target, host, sent, body)
        answer = self.wire(door, listener).send(raw)
        if answer is not None:
            sane(door, answer, raw)
            told = b"/.tallygate/" in target or target.partition(b"?")[0] in TOLD_TO_ALL
            if self.guarded(door) and answer.get("tallygate-request") and not told:
                self.decided += 1
        return answer


@functools.cache
def _asked(address: str) -> requests.PreparedRequest:
    """What a jar looks at to say which cookies go there, a hundred thousand times."""
    return requests.Request("GET", address).prepare()


def sane(door: Door, answer: Answer, raw: bytes = b"") -> None:
    """What every answer must be, whatever was asked."""
    context = (door.name, raw[:600], answer.status, answer.headers, answer.text()[:600])
    assert answer.status < SERVER_ERROR, context
    assert not LEAKS.search(answer.body), context
    assert not answer.all("injected"), context
    for header, content in SECURITY.items():
        values = answer.all(header)
        assert len(values) == 1, (header, context)
        assert content in values[0], (header, context)
    if not door.role and door.listener != "plain":
        assert len(answer.all("strict-transport-security")) == 1, context
    if answer.status >= ERROR and not raw.startswith(b"HEAD "):
        assert _shaped(door, answer), context


def _shaped(door: Door, answer: Answer) -> bool:
    """Whether an error is a page for people, or a document for programs that says the same as its status."""
    kind = answer.get("content-type").partition(";")[0]
    if kind == "text/html":
        return b"<h1>" in answer.body
    if door.face == "plain" and kind == "text/plain":
        return bool(answer.body.strip())
    document = json.loads(answer.body)
    if door.face == "scim" and kind == "application/scim+json":
        return document["status"] == str(answer.status) and bool(document["detail"])
    if kind == "application/problem+json":
        return document["status"] == answer.status and bool(document["code"]) and bool(document["title"])
    return door.face == "oauth" and kind == "application/json" and isinstance(document["error"], str)


def bodies(knocker: Knocker, door: Door) -> Iterator[tuple[bytes, bytes]]:
    """Content type and body, by what the door takes."""
    turn = DOORS.index(door)
    if door.takes == "json":
        yield from hostile.json_bodies(dict(door.fields), turn)
    elif door.takes == "jose":
        yield from ((b"application/jose+json", body) for _, body in hostile.json_bodies(dict(door.fields), turn))
    elif door.takes == "pkcs10":
        encoded = [*hostile.DER, *(base64.b64encode(body) for body in hostile.DER)]
        yield from ((kind, body) for body in encoded for kind in (b"application/pkcs10", b""))
    elif door.takes == "der":
        yield from ((kind, body) for body in hostile.DER for kind in (*_DER, b""))
    elif door.takes == "lines":
        yield from ((kind, body) for body in hostile.LINES for kind in (b"application/jsonl", b""))
    elif door.takes == "note":
        yield from ((kind, body) for body in hostile.NOTES for kind in (b"text/plain", b""))
    elif door.takes == "pdf":
        yield from ((b"application/pdf", body) for body in hostile.PDF)
        yield from ((kind, b"%PDF-1.7") for kind in (b"", b"text/plain", b"application/pdf\xff", hostile.MULTIPART))
    elif door.takes == "csv":
        kinds = (b"text/csv", b"application/zip", b"")
        yield from ((kind, body) for _, body in hostile.TABLES for kind in kinds)
    elif door.takes:
        fields = knocker.fields(door)
        yield from hostile.form_bodies(fields, turn)
        right = {name: value.encode() for name, value in fields.items()}
        files = {"upload": b"document" if door.component == "signatures" else b"file", "table": b"file"}
        if door.takes in files:
            for name, content in _files(door):
                yield hostile.MULTIPART, hostile.multipart(right, [(files[door.takes], name, content)])
            spare = {name: value for name, value in right.items() if name != "csr"}
            for name, content in _files(door):
                yield hostile.MULTIPART, hostile.multipart(spare, [(files[door.takes], name, content)] * 2)


def _files(door: Door) -> Iterator[tuple[bytes, bytes]]:
    if door.takes == "table":
        yield from hostile.TABLES
    elif door.component == "signatures":
        yield from ((b"a.pdf", content) for content in hostile.PDF)
    else:
        yield from ((b"\xff\0../a.csr", content) for content in hostile.DER)
