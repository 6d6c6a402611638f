# SPDX-License-Identifier: Apache-2.0
"""A small OpenID provider over real TLS: metadata, keys, token with PKCE, userinfo; the tests log people in."""

import base64
import hashlib
import json
import secrets
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

HOST = "sso.city.localhost"


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        pass


class SignOnServer:
    """Issues codes for whoever the test says is logged in."""

    def __init__(self, folder: Path, *, client: str, secret: str) -> None:
        self.root = folder / "root.pem"
        self.claims: dict[str, Any] = {"sub": "u1", "sid": "s1"}
        self.about: dict[str, Any] = {"sub": "u1", "name": "Li Na", "name_zh": "李娜"}
        self.token_changes: dict[str, Any] = {}
        self.asked: list[dict[str, str]] = []
        # What portals said whose record they open, and how that is answered.
        self.declared: list[dict[str, str]] = []
        self.receipts = 201
        self._basic = "Basic " + base64.b64encode(f"{client}:{secret}".encode()).decode()
        self._client = client
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._codes: dict[str, dict[str, str]] = {}
        self._server = make_server(
            "127.0.0.1", 0, self._wsgi, threaded=True, ssl_context=_tls(folder), request_handler=_Quiet
        )
        self.issuer = f"https://{HOST}:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join(5)
        self._server.server_close()

    def log_in(self, location: str) -> str:
        """What the browser brings back from the authorization address: the callback's query."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
        self.asked.append(asked)
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        return f"code={code}&state={asked['state']}"

    def _wsgi(self, environ: Any, start: Any) -> Any:
        request = Request(environ)
        known = {
            "/.well-known/openid-configuration": self._metadata,
            "/jwks": self._jwks,
            "/token": self._token,
            "/userinfo": self._userinfo,
            "/accesses": self._accesses,
        }
        return known[request.path](request)(environ, start)

    def _metadata(self, _request: Request) -> Response:
        return _json(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "userinfo_endpoint": f"{self.issuer}/userinfo",
                "jwks_uri": f"{self.issuer}/jwks",
                "id_token_signing_alg_values_supported": ["ES256"],
            }
        )

    def _jwks(self, _request: Request) -> Response:
        key = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(self._key.public_key()))
        return _json({"keys": [{**key, "kid": "k1", "alg": "ES256", "use": "sig"}]})

    def _token(self, request: Request) -> Response:
        asked = self._codes.pop(request.form.get("code", ""), None)
        verifier = hashlib.sha256(request.form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(verifier).rstrip(b"=").decode()
        sound = (
            asked is not None
            and request.headers.get("Authorization") == self._basic
            and asked.get("code_challenge_method") == "S256"
            and asked.get("code_challenge") == challenge
            and asked.get("redirect_uri") == request.form.get("redirect_uri")
        )
        if not sound or asked is None:
            return _json({"error": "invalid_grant"}, 400)
        now = datetime.now(UTC)
        claims = {
            "iss": self.issuer,
            "aud": self._client,
            "nonce": asked["nonce"],
            "iat": now,
            "exp": now + timedelta(minutes=5),
            **self.claims,
            **self.token_changes,
        }
        token = jwt.encode(claims, self._key, algorithm="ES256", headers={"kid": "k1"})
        return _json({"access_token": "at", "token_type": "Bearer", "expires_in": 300, "id_token": token})

    def _userinfo(self, request: Request) -> Response:
        return _json(self.about) if request.headers.get("Authorization") == "Bearer at" else _json({}, 401)

    def _accesses(self, request: Request) -> Response:
        if request.headers.get("Authorization") != self._basic:
            return _json({"error": "invalid_client"}, 401)
        self.declared.append(request.form.to_dict())
        return _json({"log": "fake", "index": len(self.declared), "leaf": ""}, self.receipts)


def _json(document: Any, status: int = 200) -> Response:
    return Response(json.dumps(document), status, content_type="application/json")


def _tls(folder: Path) -> ssl.SSLContext:
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test root")])
    now = datetime.now(UTC)

    def draft(subject: x509.Name, public: ec.EllipticCurvePublicKey, *, ca: bool) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )

    root = draft(name, root_key.public_key(), ca=True).sign(root_key, SHA256())
    host = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    leaf = (
        draft(host, key.public_key(), ca=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .sign(root_key, SHA256())
    )
    (folder / "root.pem").write_bytes(root.public_bytes(Encoding.PEM))
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "tls.pem").write_bytes(leaf.public_bytes(Encoding.PEM) + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls.pem")
    return context
