# SPDX-License-Identifier: Apache-2.0
"""The audit role as it is wired on a machine: a folder born by ``found``, the log's process, the Flask application."""

import base64
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask.testing import FlaskClient

from app.context import Context
from app.pairs import make
from app.wiring import audit, recording
from core.identity import HEADER, Identity, IdentityIssuer

_TOML = """
[site]
name = "%s"
domain = "%s.localhost"
title = "Sample City"
title_zh = "示范市"
state = "."
[site.ports]
external = 8443
internal = 8444
management = 8445
plain = 8080
ldaps = 8636
"""
_SERVE = "import sys; from pathlib import Path; from app.serve import serve; serve('log', Path(sys.argv[1]))"


class AuditRole:
    """The audit role of one site; ``log`` is the process of the log's writer."""

    def __init__(self, name: str = "city") -> None:
        # Socket paths are limited to 107 bytes, so the site lies near the root.
        self.folder = Path(tempfile.mkdtemp(dir="/tmp", prefix="tga"))
        self._name = name
        self.configuration = self.folder / "site.toml"
        self.configuration.write_text(_TOML % (name, name), "utf-8")
        self.context = Context.read(self.configuration)
        self._key = ec.generate_private_key(ec.SECP256R1())
        site = self.context.site
        for folder in (site.public, site.run):
            folder.mkdir(parents=True)
        make(site)
        public = self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        (site.public / "gateway-identity.pem").write_bytes(public)
        policy = Ed25519PrivateKey.generate().public_key()
        (site.public / "policy-key.pem").write_bytes(
            policy.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        )
        recording.found(self.context)
        self.log: subprocess.Popen[bytes] | None = None
        self.begin()

    def begin(self, settings: str = "") -> None:
        """Compose the application; ``settings`` are further lines of the section ``audit``."""
        self.configuration.write_text(_TOML % (self._name, self._name) + f"[audit]\n{settings}", "utf-8")
        self.context = Context.read(self.configuration)
        self.app = audit.application(self.context)
        self.client = self.app.test_client()

    def end(self) -> None:
        """Stop everything; the folder is left."""
        self.stop_log()

    def remove(self) -> None:
        """Stop everything and leave nothing behind."""
        self.end()
        shutil.rmtree(self.folder)

    def start_log(self) -> None:
        self.log = subprocess.Popen([sys.executable, "-c", _SERVE, str(self.configuration)])
        deadline = time.monotonic() + 30
        while self.get("/").status_code == 503 and time.monotonic() < deadline:
            time.sleep(0.1)

    def stop_log(self) -> None:
        if self.log is not None:
            self.log.terminate()
            assert self.log.wait(timeout=20) == 0
            self.log = None

    def get(self, path: str) -> "Answer":
        who = Identity(
            subject="77c9a8b0-1d7e-4b5f-9e0e-2f8f5c1d7003",
            kind="person",
            session="s",
            roles=frozenset({"security-officer"}),
            assurance=2,
            methods=("x509",),
            zone="management",
            decision="d",
        )
        header = IdentityIssuer(self._key).issue(
            who, audience=f"audit.{self._name}.localhost", method="GET", path=path, at=self.context.clock.now()
        )
        return Answer(self.client, path, {HEADER: header})

    def peer(self, path: str, caller: str) -> "Answer":
        secret = self.context.site.pair_secret(holder=caller, caller=caller, callee="audit")
        headers = {"Tallygate-Caller": caller, "Tallygate-Secret": base64.b64encode(secret).decode()}
        return Answer(self.client, path, headers)


class Answer:
    def __init__(self, client: FlaskClient, path: str, headers: dict[str, str]) -> None:
        found = client.get(path, headers=headers, environ_overrides={"REQUEST_URI": path})
        self.status_code = found.status_code
        self.text = found.text
