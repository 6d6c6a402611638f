# SPDX-License-Identifier: Apache-2.0
"""What callers of sign-on do, each over its own TLS connection: the acts that ``benchmarks.sso`` repeats."""

import base64
import itertools
import json
import re
import secrets
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from html import unescape
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from core.jose import base64url, members
from tests.flows.city import PASSWORD

from . import processes
from .measure import Samples, sampled
from .wire import Answer, Wire

_FORM = re.compile(r'<form[^>]*method="post" action="([^"]+)">(.*?)</form>', re.DOTALL)
_HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')
_OK, _FOUND = 200, (302, 303)
_MOST_STEPS = 8


@dataclass(frozen=True)
class Target:
    """What a measuring process has to know; small enough to be sent to one."""

    host: str
    port: int
    root: Path
    # The portal people log in at: its address for answers, and the secrets of clients by name.
    callback: str
    secrets: Mapping[str, str]

    def wire(self) -> Wire:
        """A new connection."""
        return Wire(host=self.host, port=self.port, root=self.root)

    def basic(self, client: str) -> dict[str, str]:
        """How a client proves itself."""
        return {"Authorization": "Basic " + base64.b64encode(f"{client}:{self.secrets[client]}".encode()).decode()}


@dataclass(frozen=True)
class Load:
    """Samples of one process, and what making the requests cost it."""

    samples: Samples
    # Seconds of processor time of the caller itself, and meanwhile of the city, by role.
    spent: float
    city: Mapping[str, float]


class Start:
    """All processes of callers begin together, when the last of them has made its sessions."""

    barrier: ClassVar[Barrier | None] = None

    @classmethod
    def given(cls, barrier: Barrier) -> None:
        """Called in each process first."""
        cls.barrier = barrier

    @classmethod
    def wait(cls) -> None:
        """Until all are ready."""
        if cls.barrier is not None:
            cls.barrier.wait(120)


def measured(target: Target, kind: str, people: list[str], *, seconds: float, threads: int, supervisor: int) -> Load:
    """One process of callers, each of which waits for its answer before it asks again."""
    named = list(itertools.islice(itertools.cycle(people), threads))
    # Connections, sessions and tokens are made outside the measured time.
    with ThreadPoolExecutor(threads) as pool:
        callers = deque(pool.map(lambda username: ACTS[kind](target, username), named))

    def act() -> None:
        caller = callers.popleft()
        try:
            caller()
        finally:
            callers.append(caller)

    sampled(act, seconds=1.0, threads=threads)
    Start.wait()
    before, begun = processes.spent(supervisor), time.process_time()
    samples = sampled(act, seconds=seconds, threads=threads)
    spent, after = time.process_time() - begun, processes.spent(supervisor)
    return Load(samples, spent, {role: after[role] - before.get(role, 0.0) for role in after})


def tokens_of(target: Target, username: str) -> dict[str, str]:
    """What the portal got at somebody's login."""
    wire = target.wire()
    form = logged_in(wire, target, username)
    answer = wire.post("/token", form, target.basic("tax"))
    wire.close()
    found: dict[str, str] = json.loads(answer.body)
    return found


def logged_in(wire: Wire, target: Target, username: str) -> dict[str, str]:
    """From the portal's request over the pages to the code; returns what redeems it."""
    query, form = _request(target)
    answer = wire.get(f"/authorize?{query}")
    for _ in range(_MOST_STEPS):
        onward = answer.header("location")
        if onward.startswith(target.callback):
            return form | {"code": _code(onward)}
        if answer.status in _FOUND:
            parts = urlsplit(onward)
            answer = wire.get(f"{parts.path}?{parts.query}")
            continue
        action, fields = _next_form(answer)
        typed = {"choice": "allow"} if action.endswith("/consent") else {"username": username, "password": PASSWORD}
        answer = wire.submit(action, fields | typed)
    raise RuntimeError("the login went in circles")


def _repeated(target: Target, client: str, path: str, form: dict[str, str]) -> Callable[[], None]:
    wire = target.wire()
    request = wire.posted(path, form, target.basic(client))

    def act() -> None:
        _good(wire.send(request))

    return act


def _credentials(target: Target, _username: str) -> Callable[[], None]:
    return _repeated(target, "bench-machine", "/token", {"grant_type": "client_credentials"})


def _refresh(target: Target, username: str) -> Callable[[], None]:
    held = tokens_of(target, username)["refresh_token"]
    return _repeated(target, "tax", "/token", {"grant_type": "refresh_token", "refresh_token": held})


def _introspection(target: Target, username: str) -> Callable[[], None]:
    return _repeated(target, "tax", "/introspect", {"token": tokens_of(target, username)["access_token"]})


def _bound(target: Target, _username: str) -> Callable[[], None]:
    """Client credentials with a proof of possession, which the caller signs anew each time (RFC 9449)."""
    wire, key = target.wire(), generate_private_key(SECP256R1())
    public, url, nonce = members(key.public_key()), f"https://{target.host}:{target.port}/token", ""

    def act() -> None:
        nonlocal nonce
        for _ in range(2):
            claims = {"jti": secrets.token_hex(8), "htm": "POST", "htu": url, "iat": int(time.time())}
            said = claims | ({"nonce": nonce} if nonce else {})
            proof = jwt.encode(said, key, algorithm="ES256", headers={"typ": "dpop+jwt", "jwk": public})
            headers = target.basic("bench-machine") | {"DPoP": proof}
            answer = wire.post("/token", {"grant_type": "client_credentials"}, headers)
            nonce = answer.header("dpop-nonce") or nonce
            if answer.status == _OK:
                return
        _good(answer)

    return act


def _flow(target: Target, username: str) -> Callable[[], None]:
    """A code and its tokens in a session that stands: two requests, no password."""
    wire = target.wire()
    logged_in(wire, target, username)
    basic = target.basic("tax")

    def act() -> None:
        query, form = _request(target)
        answer = wire.get(f"/authorize?{query}")
        _good(wire.post("/token", form | {"code": _code(answer.header("location"))}, basic))

    return act


def _login(target: Target, username: str) -> Callable[[], None]:
    """A new browser each time: the request, the page, the password with its hash, the code."""

    def act() -> None:
        wire = target.wire()
        try:
            logged_in(wire, target, username)
        finally:
            wire.close()

    return act


ACTS: Mapping[str, Callable[[Target, str], Callable[[], None]]] = {
    "credentials": _credentials,
    "bound": _bound,
    "refresh": _refresh,
    "introspection": _introspection,
    "flow": _flow,
    "login": _login,
}


def _request(target: Target) -> tuple[str, dict[str, str]]:
    verifier = secrets.token_urlsafe(48)
    query = {
        "response_type": "code",
        "client_id": "tax",
        "redirect_uri": target.callback,
        "scope": "openid profile",
        "state": secrets.token_hex(16),
        "nonce": secrets.token_hex(16),
        "code_challenge": base64url(sha256(verifier.encode()).digest()),
        "code_challenge_method": "S256",
    }
    form = {"grant_type": "authorization_code", "redirect_uri": target.callback, "code_verifier": verifier}
    return urlencode(query), form


def _code(location: str) -> str:
    found = parse_qs(urlsplit(location).query).get("code")
    if not found:
        raise RuntimeError(f"no code: {location[:200]}")
    return found[0]


def _next_form(answer: Answer) -> tuple[str, dict[str, str]]:
    for action, inside in _FORM.findall(answer.body):
        if urlsplit(unescape(action)).path.endswith(("/login", "/consent")):
            return unescape(action), {name: unescape(value) for name, value in _HIDDEN.findall(inside)}
    raise RuntimeError(f"{answer.status}: {answer.body[:300]}")


def _good(answer: Answer) -> None:
    if answer.status != _OK:
        raise RuntimeError(f"{answer.status}: {answer.body[:200]}")
