# SPDX-License-Identifier: Apache-2.0
"""``python -m benchmarks.grants``: what sign-on itself costs for each grant, in processor time of one core.

One process, real tables in a file, durable; the record, the directory and TLS stand aside, for they run in processes of
their own and are measured with the whole city (``scripts/bench``). Processor time, so that a busy machine does not
show.
"""

import argparse
import io
import secrets
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from werkzeug.test import TestResponse

from audit import Event, encode_event
from tests.sso.conftest import Browser, World, make_world
from tests.sso.test_client_authentication import TYPE
from tests.sso.test_fapi import KEY
from tests.sso.test_fapi import register as bank

MACHINE = {"grant_type": "client_credentials"}


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.grants")
    parser.add_argument("--seconds", type=float, default=5.0, help="processor time spent on each figure")
    seconds = parser.parse_args().seconds
    print("| operation | per core per second | ms of processor time | P-256 work in it, alone |")
    print("|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        world = make_world(Path(folder), recorder=Record())
        sign, check = _bare(seconds / 5)
        bank(world, name="service", grants=frozenset({"client_credentials"}), requires=frozenset(), profile="")
        browser = world.browser()
        browser.log_in("tax")
        kept = world.redeem("tax", browser.log_in_again("tax")["code"]).get_json()
        held, basic = kept["refresh_token"], world.basic("tax")
        call, machine = Caller(world), world.basic("machine")
        _row("client credentials, secret", lambda: call("/token", MACHINE, machine), seconds, sign)
        _row(
            "client credentials, private_key_jwt", lambda: call("/token", _signed(world), {}), seconds, 2 * sign + check
        )
        refresh = {"grant_type": "refresh_token", "refresh_token": held}
        _row("refresh, two tokens", lambda: call("/token", refresh, basic), seconds, 2 * sign)
        asked = {"token": kept["access_token"]}
        _row("introspection", lambda: call("/introspect", asked, basic), seconds, check)
        _row("userinfo", lambda: _good(world.bearer(kept["access_token"])), seconds, check)
        _row("code flow in a session (authorize, token)", lambda: _flow(world, browser), seconds, 2 * sign)
        _row("code flow with login page", lambda: _whole(world), seconds, 2 * sign)
        world.database.close()


class Record:
    """Takes everything and keeps nothing; every event is still encoded, as on its way to the log."""

    def record(self, event: Event, **_options: object) -> None:
        """Encode it."""
        encode_event(event)

    def types(self) -> list[str]:
        """None are kept."""
        return []


def _bare(seconds: float) -> tuple[float, float]:
    key, text = ec.generate_private_key(ec.SECP256R1()), b"x" * 500
    signature, public = key.sign(text, ec.ECDSA(hashes.SHA256())), key.public_key()
    sign = spent(lambda: key.sign(text, ec.ECDSA(hashes.SHA256())), seconds)
    return sign, spent(lambda: public.verify(signature, text, ec.ECDSA(hashes.SHA256())), seconds)


def spent(act: Callable[[], object], seconds: float) -> float:
    """Processor time of one act, in seconds; the first few warm up."""
    for _ in range(5):
        act()
    begun, done = time.process_time(), 0
    while time.process_time() - begun < seconds:
        act()
        done += 1
    return (time.process_time() - begun) / max(done, 1)


def _row(name: str, act: Callable[[], object], seconds: float, limit: float) -> None:
    each = spent(act, seconds)
    print(f"| {name} | {1 / each:,.0f} | {each * 1000:.2f} | {limit * 1000:.3f} ms ({limit / each:.1%}) |", flush=True)


def _good(answer: TestResponse) -> None:
    if answer.status_code != 200:
        raise RuntimeError(answer.text)


class Caller:
    """Calls the application as its server does, without what werkzeug's test client costs."""

    def __init__(self, world: World) -> None:
        self._application = world.app.wsgi_app
        self._host = urlsplit(world.issuer).netloc

    def __call__(self, path: str, form: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """One POST; the answer has to be a good one."""
        body = urlencode(form).encode()
        environ = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "SERVER_NAME": "sso",
            "SERVER_PORT": "443",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": self._host,
            "CONTENT_TYPE": "application/x-www-form-urlencoded",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.url_scheme": "https",
            "wsgi.input": io.BytesIO(body),
            **{f"HTTP_{name.upper()}": value for name, value in headers.items()},
        }
        said: list[str] = []

        def start(status: str, *_: object) -> Callable[[bytes], object]:
            said.append(status)
            return lambda _piece: None

        b"".join(self._application(environ, start))
        if said != ["200 OK"]:
            raise RuntimeError(said[0])


def _signed(world: World) -> dict[str, str]:
    at = int(world.clock.now().timestamp())
    about = {"iss": "service", "sub": "service", "aud": world.issuer, "exp": at + 60, "jti": secrets.token_hex(8)}
    return {**MACHINE, "client_assertion_type": TYPE, "scope": "profile", "client_assertion": KEY.sign(about)}


def _flow(world: World, browser: Browser) -> None:
    code = browser.log_in_again("tax")["code"]
    _good(world.redeem("tax", code))


def _whole(world: World) -> None:
    _good(world.redeem("tax", world.browser().log_in("tax")["code"]))


if __name__ == "__main__":
    main()
