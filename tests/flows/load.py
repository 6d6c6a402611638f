# SPDX-License-Identifier: Apache-2.0
"""People, portals and roles at work while processes die, and an exact memory of what they were told had happened.

A refused or lost answer is no acknowledgement, whatever became of it. A page of status 500 is a fault: whatever a
neighbour's death does to a role, the person gets an answer that was thought of.
"""

import base64
import html
import io
import json
import re
import secrets
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from random import Random
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from reportlab.pdfgen.canvas import Canvas

from core.calls import Peer
from core.config import secret
from core.errors import TallygateError
from tests.flows.city import PASSWORD, City

TIMEOUT = 15
POINT_KEY = "k" * 40
"""Of the enforcement point that a city of ``test_crash`` knows."""
_FORM = re.compile(r'<form[^>]*method="post" action="([^"]+)">(.*?)</form>', re.DOTALL)
_HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')
_HEADING = re.compile(r"<h1[^>]*>\s*(.*?)\s*(?:<|$)", re.MULTILINE)


class Refused(Exception):
    """No, or no answer that says yes."""


@dataclass
class Acknowledged:
    """What somebody was told had happened; lists and counters only grow."""

    sessions: list[str] = field(default_factory=list)
    families: list[str] = field(default_factory=list)
    decisions: list[str] = field(default_factory=list)
    # Numbers of decisions that refused, and of answers to another enforcement point.
    denied: list[str] = field(default_factory=list)
    evaluations: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    revoked_families: dict[str, str] = field(default_factory=dict)
    # How often a code was redeemed, by its text.
    redeemed: Counter[str] = field(default_factory=Counter)
    certificates: dict[str, str] = field(default_factory=dict)
    withdrawn: list[str] = field(default_factory=list)
    did: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


class Surfer:
    """A browser without a window: keeps cookies, follows redirects, fills in the forms that are shown."""

    def __init__(self, city: City, username: str, memory: Acknowledged, *, card: bool = False) -> None:
        self.city, self.username, self._memory, self._card = city, username, memory, card
        self.http = city.http()
        self.http.headers["Accept"] = "text/html"
        if card:
            self.http.cert = str(city.folder / "demo" / f"{username}.pem")

    def enter(self, address: str) -> requests.Response:
        """Open a page, logging in and agreeing where asked."""
        page = self.get(address)
        for _ in range(8):
            if page.status_code != 200:
                raise Refused(f"{page.status_code} {heading(page)}")
            match heading(page):
                case "Log in" if self._card:
                    page = self.send(page, "/login/card", {})
                case "Log in":
                    page = self.send(page, "/login", {"username": self.username, "password": PASSWORD})
                case "Share your data?":
                    page = self.send(page, "/consent", {"choice": "allow"})
                case _:
                    return page
        raise Refused("went in circles")

    def get(self, address: str, **options: Any) -> requests.Response:
        """One page."""
        return self._watched(self.http.get(address, timeout=TIMEOUT, **options))

    def send(self, page: requests.Response, action: str, values: dict[str, str]) -> requests.Response:
        """Fill in a form of the page that is shown."""
        for target, inside in _FORM.findall(page.text):
            if urlsplit(html.unescape(target)).path.endswith(action):
                hidden = {name: html.unescape(value) for name, value in _HIDDEN.findall(inside)}
                return self._watched(
                    self.http.post(
                        urljoin(page.url, html.unescape(target)),
                        data={**hidden, **values},
                        headers={"Referer": page.url},
                        timeout=TIMEOUT,
                    )
                )
        raise Refused(f"no form for {action} on {heading(page)}")

    def _watched(self, answer: requests.Response) -> requests.Response:
        watch(self._memory, answer)
        return answer


def watch(memory: Acknowledged, answer: requests.Response) -> None:
    """Keep the faults; nothing a person does is answered with 500."""
    if answer.status_code == 500:
        memory.faults.append(f"{answer.request.method} {answer.url}: {answer.text[:2000]}")


def heading(page: requests.Response) -> str:
    """What a page says first."""
    found = _HEADING.search(page.text)
    return html.unescape(found.group(1)) if found else ""


class Load:
    """Threads that work until told to stop."""

    def __init__(self, city: City, memory: Acknowledged, subjects: list[str], *, seed: int) -> None:
        self._city, self._memory, self._subjects = city, memory, subjects
        self._stop = threading.Event()
        self._broken: list[BaseException] = []
        self._threads = [
            threading.Thread(target=self._work, args=(turn, Random(f"{seed}-{name}")), name=name)  # noqa: S311 - a seed
            for name, turn in (
                ("citizen-1", lambda dice: citizen(city, memory, dice, "chen.wei", "Chen Wei")),
                ("citizen-2", lambda dice: citizen(city, memory, dice, "zhang.min", "Zhang Min")),
                ("authority", lambda dice: authority(city, memory, dice, subjects)),
                ("agency", lambda dice: agency(city, memory, dice)),
                ("administrator", lambda dice: administrator(city, memory, dice, subjects)),
                ("officer", lambda dice: officer(city, memory, dice)),
                ("stranger", lambda dice: stranger(city, memory, dice)),
            )
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        print(self._memory.did, self._memory.refusals.most_common(40), sep="\n")  # noqa: T201 - shown when the test fails
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=120)
        assert not any(thread.is_alive() for thread in self._threads)
        self.check()

    def check(self) -> None:
        """Raise what a thread found wrong."""
        if self._broken:
            raise self._broken[0]

    def _work(self, turn: Callable[[Random], None], dice: Random) -> None:
        while not self._stop.is_set():
            try:
                turn(dice)
            except (Refused, requests.RequestException, TallygateError) as error:
                self._memory.refusals[f"{type(error).__name__}: {error}"[:120]] += 1
            except BaseException as error:  # noqa: BLE001 - told by the main thread
                self._broken.append(error)
                return
            self._stop.wait(dice.uniform(0.05, 0.25))


def citizen(city: City, memory: Acknowledged, dice: Random, username: str, name: str) -> None:
    """Log in, look at two portals, let a program act, and perhaps log out."""
    surfer = Surfer(city, username, memory)
    for portal in dice.sample(["tax", "social"], 2):
        page = surfer.enter(city.url(portal, "/me"))
        assert name in page.text, "somebody else's page"
        memory.did["page"] += 1
    _listen(surfer, memory)
    tokens = _tokens(surfer, memory, dice)
    claims = _claims(tokens["access_token"])
    memory.sessions.append(claims["sid"])
    memory.families.append(claims["grant"])
    memory.did["login"] += 1
    for _ in range(3):
        # A program of its own: a cookie and a token together would be two answers to one question.
        with city.http() as program:
            answer = program.get(
                city.url("tax", "/api/v1/me"),
                headers={"Authorization": f"Bearer {tokens['access_token']}"},
                timeout=TIMEOUT,
            )
        watch(memory, answer)
        if answer.status_code == 200:
            memory.decisions.append(answer.json()["decision"])
    match dice.choice(["refresh", "revoke", "log out", "stay"]):
        case "refresh":
            # This client keeps a secret, so its refresh token stays (FAPI 2.0 section 5.3.2.1).
            _refresh(surfer, memory, tokens["refresh_token"])
        case "revoke":
            answer = _post(surfer, memory, "/revoke", {"token": tokens["refresh_token"]})
            if answer.status_code == 200:
                memory.revoked_families[claims["grant"]] = tokens["refresh_token"]
                _refresh(surfer, memory, tokens["refresh_token"], expect=False)
        case "log out":
            page = surfer.send(surfer.get(city.url("sso", "/logout")), "/logout", {})
            if page.status_code == 200 and heading(page) == "You are logged out":
                memory.ended.append(claims["sid"])
                _refresh(surfer, memory, tokens["refresh_token"], expect=False)


def _listen(surfer: Surfer, memory: Acknowledged) -> None:
    """Open the WebSocket of the tax office, hear one frame, and go."""
    city = surfer.city
    own = urlsplit(city.url("tax", "/queue/live"))
    name, port = str(own.hostname), int(own.port or 0)
    kept = surfer.http.cookies.get("__Host-tallygate", domain=name)
    asked = [
        "GET /queue/live HTTP/1.1", f"Host: {own.netloc}", "Upgrade: websocket", "Connection: Upgrade",
        f"Sec-WebSocket-Key: {base64.b64encode(secrets.token_bytes(16)).decode()}", "Sec-WebSocket-Version: 13",
        f"Origin: https://{own.netloc}", f"Cookie: __Host-tallygate={kept}",
    ]  # fmt: skip
    context = ssl.create_default_context(cafile=str(city.root))
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as plain,
            context.wrap_socket(plain, server_hostname=name) as line,
        ):
            line.sendall("\r\n".join(asked).encode("ascii") + b"\r\n\r\n")
            heard = b""
            while not (b'"serving"' in heard or _refused(heard)) and (part := line.recv(4096)):
                heard += part
    except OSError:
        memory.refusals["socket broke"] += 1
        return
    if heard.startswith(b"HTTP/1.1 101 ") and b'"serving"' in heard:
        memory.did["socket"] += 1
    else:
        memory.refusals[f"socket: {heard[9:12].decode('latin-1')}"] += 1


def _refused(heard: bytes) -> bool:
    return b"\r\n\r\n" in heard and not heard.startswith(b"HTTP/1.1 101 ")


def _tokens(surfer: Surfer, memory: Acknowledged, dice: Random) -> dict[str, Any]:
    """What the tax portal's own client gets; sometimes its code is presented twice, at once or after another."""
    verifier, callback = secrets.token_urlsafe(48), surfer.city.url("tax", "/callback")
    challenge = base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    query = {
        "response_type": "code", "client_id": "tax", "redirect_uri": callback, "scope": "openid profile",
        "state": "s" * 32, "nonce": "n" * 32, "code_challenge": challenge, "code_challenge_method": "S256",
    }  # fmt: skip
    asked = surfer.get(surfer.city.url("sso", f"/authorize?{urlencode(query)}"), allow_redirects=False)
    code = parse_qs(urlsplit(asked.headers.get("Location", "")).query).get("code", [""])[0]
    if not code:
        raise Refused(f"no code: {asked.status_code} {heading(asked)}")
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": callback, "code_verifier": verifier}
    if dice.random() < 0.3:
        with ThreadPoolExecutor(2) as pair:
            for each in [pair.submit(_redeem, surfer, memory, code, form) for _ in range(2)]:
                each.exception()
        raise Refused("code spent on a race")
    tokens = _redeem(surfer, memory, code, form)
    if dice.random() < 0.3:
        _redeem(surfer, memory, code, form)
    return tokens


def _redeem(surfer: Surfer, memory: Acknowledged, presented: str, form: dict[str, str]) -> dict[str, Any]:
    answer = _post(surfer, memory, "/token", form)
    if answer.status_code != 200:
        raise Refused(f"token endpoint: {answer.status_code} {answer.text[:60]}")
    memory.redeemed[presented] += "code" in form
    document: dict[str, Any] = answer.json()
    memory.families.append(_claims(document["access_token"])["grant"])
    return document


def _refresh(surfer: Surfer, memory: Acknowledged, token: str, *, expect: bool = True) -> None:
    try:
        _redeem(surfer, memory, token, {"grant_type": "refresh_token", "refresh_token": token})
    except (Refused, requests.RequestException):
        if expect:
            raise
        return
    assert expect, "a token of an ended family worked"
    memory.did["refresh"] += 1


def _post(surfer: Surfer, memory: Acknowledged, path: str, form: dict[str, str]) -> requests.Response:
    city = surfer.city
    password = (city.folder / "portal-tax" / "oidc.secret").read_text("ascii").strip()
    # A client of its own: the person's browser has no part in this.
    with city.http() as http:
        answer = http.post(city.url("sso", path), data=form, auth=("tax", password), timeout=TIMEOUT)
    watch(memory, answer)
    return answer


def _claims(token: str) -> dict[str, str]:
    body = token.split(".")[1]
    claims: dict[str, str] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return claims


def peer(city: City, callee: str) -> Peer:
    """A role, as the operator on the machine may call it."""
    mine = secret(city.folder / "app" / "pairs" / f"app--{callee}")
    return Peer(path=city.folder / "run" / callee / "sock", caller="app", secret=mine)


def authority(city: City, memory: Acknowledged, dice: Random, subjects: list[str]) -> None:
    """Issue a certificate to somebody; perhaps take it back, or suspend and release it."""
    subject = dice.choice(subjects)
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    role = peer(city, "ca")
    try:
        made = role.call(
            "POST",
            "/api/v1/certificates",
            document={
                "profile": "citizen",
                "csr": base64.b64encode(request.public_bytes(Encoding.DER)).decode(),
                "subject": subject,
                "actor": "role:app",
                "exception": "load test",
            },
        ).json()
        serial = str(made["serial"])
        assert serial not in memory.certificates, "a serial was used twice"
        memory.certificates[serial] = subject
        memory.did["certificate"] += 1
        match dice.choice(["revoke", "suspend", "leave", "leave"]):
            case "revoke":
                role.call("POST", f"/api/v1/certificates/{serial}/revoke", document={"reason": "superseded"})
                memory.withdrawn.append(serial)
            case "suspend":
                role.call("POST", f"/api/v1/certificates/{serial}/suspend", document={})
                role.call("POST", f"/api/v1/certificates/{serial}/release", document={})
    finally:
        role.close()


def agency(city: City, memory: Acknowledged, dice: Random) -> None:
    """Seal a document and have it verified by the public interface."""
    role = peer(city, "signatures")
    query = urlencode({"organisation": "document-office", "actor": _holder(city, "li.na"), "assurance": 2})
    try:
        sealed = role.call(
            "POST", f"/api/v1/seal?{query}", body=_page(str(dice.random())), headers={"Content-Type": "application/pdf"}
        ).body
    finally:
        role.close()
    memory.did["seal"] += 1
    with city.http() as http:
        answer = http.post(
            city.url("verify", "/api/v1/verify"),
            data=sealed,
            headers={"Content-Type": "application/pdf"},
            timeout=TIMEOUT,
        )
    watch(memory, answer)
    if answer.status_code != 200:
        raise Refused(f"verify: {answer.status_code}")
    memory.did["verify"] += 1
    # With the authority away it cannot be told; a sealed document is never called worse than that.
    assert answer.json()["overall"] in {"trusted", "cannot_tell"}, answer.text


def _holder(city: City, username: str) -> str:
    """The identifier of a civil servant, from the certificate on the card."""
    card = x509.load_pem_x509_certificates((city.folder / "demo" / f"{username}.pem").read_bytes())[0]
    names = card.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return str(names.get_values_for_type(x509.UniformResourceIdentifier)[0]).removeprefix("urn:uuid:")


def _page(text: str) -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    canvas.drawString(72, 700, text)
    canvas.save()
    return buffer.getvalue()


def administrator(city: City, memory: Acknowledged, dice: Random, subjects: list[str]) -> None:
    """Log in by card at the directory's desk; disable somebody and enable them again."""
    surfer = Surfer(city, "zhao.lei", memory, card=True)
    person = city.url("directory", f"/people/{dice.choice(subjects)}", "management")
    for _ in range(4):
        page = surfer.enter(person)
        verb = "/disable" if f"{urlsplit(person).path}/disable" in page.text else "/enable"
        page = surfer.send(page, verb, {"reason": "Exercise"})
        if page.status_code != 200:
            raise Refused(f"desk: {page.status_code} {heading(page)}")
        memory.did[verb] += 1


def stranger(city: City, memory: Acknowledged, dice: Random) -> None:
    """Knock without a session, and with what only a proxy may say; and let an enforcement point ask."""
    with city.http() as http:
        http.headers["Accept"] = "application/json"
        for forged in (False, True):
            said = {"Forwarded": "for=192.0.2.1"} if forged else {}
            answer = http.get(city.url(dice.choice(["tax", "social"]), "/me"), headers=said, timeout=TIMEOUT)
            watch(memory, answer)
            if answer.status_code == (403 if forged else 401):
                memory.denied.append(str(answer.json()["instance"]).rpartition(":")[2])
                memory.did["denied"] += 1
        question: dict[str, Any] = {
            "subject": {"type": "anonymous", "id": "nobody"},
            "action": {"name": "access"},
            "resource": {"type": "portal", "id": "tax"},
            "context": {"zone": "external", "assurance": 0},
        }
        answer = http.post(
            city.url("pdp", "/access/v1/evaluation"),
            json=question,
            headers={"Authorization": f"Bearer {POINT_KEY}"},
            timeout=TIMEOUT,
        )
    watch(memory, answer)
    if answer.status_code == 200:
        told = answer.json()
        assert told["decision"] is False
        if "id" in told["context"]:
            memory.evaluations.append(told["context"]["id"])
            memory.did["evaluation"] += 1
    else:
        raise Refused(f"pdp: {answer.status_code} {answer.text[:60]}")


def officer(city: City, memory: Acknowledged, dice: Random) -> None:
    """Log in by card at the audit console and search."""
    surfer = Surfer(city, "wang.qiang", memory, card=True)
    for _ in range(4):
        outcome = dice.choice(["success", "denied"])
        surfer.enter(city.url("audit", f"/search?outcome={outcome}", "management"))
        memory.did["search"] += 1
