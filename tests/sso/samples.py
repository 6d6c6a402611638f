# SPDX-License-Identifier: Apache-2.0
"""Runs the programs that portals copy: as processes of their own, over TLS, against a whole sign-on."""

import json
import os
import ssl
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from werkzeug.serving import make_server

from core.clock import SystemClock
from sso.models import Client
from sso.service import register_client
from sso.web.admin.samples import LANGUAGES, METHODS, samples
from tests.fakes.ports import free_port
from tests.sso.conftest import Browser, World, answered, hidden, make_world
from tests.sso.signing import base64url, jwks

SECRET = "c" * 43
CALLBACK = "https://library.example/callback"
_HERE = (
    "import runpy, socket, sys\n"
    "real = socket.getaddrinfo\n"
    "socket.getaddrinfo = lambda host, *more, **named: real('127.0.0.1', *more, **named)\n"
    "runpy.run_path(sys.argv[1], run_name='__main__')\n"
)
_HERE_TOO = (
    "const dns = require('node:dns');\n"
    "dns.lookup = (host, options, done) => {\n"
    "  const given = typeof options === 'function' ? [options, {}] : [done, options];\n"
    "  given[0](null, given[1].all ? [{ address: '127.0.0.1', family: 4 }] : '127.0.0.1', 4);\n"
    "};\n"
)


@contextmanager
def served(folder: Path) -> Iterator[tuple[World, Path]]:
    """A sign-on that answers over TLS at its own address of this machine, and the certificate to trust."""
    port = free_port()
    world = make_world(folder, clock=SystemClock(), external=port)
    root = _certificate(world, folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(root, folder / "key.pem")
    server = make_server("127.0.0.1", port, world.app, threaded=True, ssl_context=context)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield world, root
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        world.database.close()


def run(language: str, client: Client, key: str, served_at: tuple[World, Path], folder: Path) -> dict[str, Any]:
    """One program from its beginning to what it learnt of the person who logged in meanwhile."""
    world, root = served_at
    text = samples(client, issuer=world.issuer)[language]
    command, file = _COMMANDS[language](folder)
    file.write_text(text, "utf-8")
    environment = {
        **_environment(folder),
        "CLIENT_SECRET": SECRET,
        "CLIENT_KEY": key,
        "CLIENT_KEY_ID": "k1",
        "REQUESTS_CA_BUNDLE": str(root),
        "NODE_EXTRA_CA_CERTS": str(root),
        "SSL_CERT_FILE": str(root),
    }
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        assert program.stderr is not None
        address = program.stdout.readline().strip()
        assert address.startswith(f"{world.issuer}/authorize?"), program.stderr.read()
        said, wrong = program.communicate(_came_back(world.browser(), address) + "\n")
    assert program.returncode == 0, wrong
    found: dict[str, Any] = json.loads(said)
    return found


def registered(world: World, method: Any) -> tuple[Client, str]:
    """A client that proves itself in one way, and its private key."""
    key = generate_private_key(SECP256R1())
    numbers = key.public_key().public_numbers()
    public = {
        "kty": "EC",
        "crv": "P-256",
        "kid": "k1",
        "x": base64url(numbers.x.to_bytes(32, "big")),
        "y": base64url(numbers.y.to_bytes(32, "big")),
    }
    client = register_client(
        world.store,
        name=f"library-{method.replace('_', '-')}",
        title="Library",
        title_zh="图书馆",
        redirect_uris=(CALLBACK,),
        scopes=frozenset({"openid", "profile"}),
        audience="https://library.example",
        method=method,
        secret=SECRET if method == "client_secret_basic" else "",
        jwks=jwks(public) if method == "private_key_jwt" else "",
    )
    return client, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _came_back(browser: Browser, address: str) -> str:
    start = browser.get(address.removeprefix(browser.world.issuer))
    answer = browser.fill_in(browser.follow(start))
    if answer.status_code == 303 and answer.location.startswith("/consent"):
        page = browser.follow(answer)
        answer = browser.post("/consent", page, interaction=hidden(page.text, "interaction"), choice="allow")
    assert answered(answer)["code"]
    return answer.location


def _python(folder: Path) -> tuple[list[str], Path]:
    return [sys.executable, "-c", _HERE, str(folder / "sample.py")], folder / "sample.py"


def _node(folder: Path) -> tuple[list[str], Path]:
    (folder / "here.cjs").write_text(_HERE_TOO)
    return ["node", "--require", str(folder / "here.cjs"), str(folder / "sample.mjs")], folder / "sample.mjs"


def _go(folder: Path) -> tuple[list[str], Path]:
    return ["go", "run", str(folder / "sample.go")], folder / "sample.go"


_COMMANDS = {"python": _python, "node": _node, "go": _go}


def _environment(folder: Path) -> Mapping[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", str(folder)), "GOFLAGS": "-mod=mod"}


def _certificate(world: World, folder: Path) -> Path:
    host, key, now = world.site.host("sso"), generate_private_key(SECP256R1()), SystemClock().now()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "root.pem").write_bytes(made.public_bytes(Encoding.PEM))
    return folder / "root.pem"


def main() -> None:
    """Every language, every way."""
    for language in LANGUAGES:
        for method in sorted(METHODS):
            with tempfile.TemporaryDirectory() as name, served(Path(name)) as here:
                client, key = registered(here[0], method)
                found = run(language, client, key, here, Path(name))
                sys.stdout.write(f"{language:8} {method:22} {found['name']}, level {found['acr']}\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
