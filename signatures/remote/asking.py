# SPDX-License-Identifier: Apache-2.0
"""The sign-on as this role reaches it, as an ordinary client: it pushes its request and redeems the code.

It proves itself by a signed assertion (RFC 7523), pushes what it asks (RFC 9126), and binds the token to its own key
(RFC 9449), so that neither a code nor a token is worth anything to whoever finds it.
"""

import base64
import hashlib
import json
import secrets
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jwt
import urllib3
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from core.clock import Clock
from core.errors import Unavailable
from core.fresh import Fresh
from core.jose import members, thumbprint

from .errors import ConsentRefused

CLIENT = "signing"
_LONGEST = 64 * 1024
_TIMEOUT = 10.0
_CREATED, _OK = 201, 200
_REFUSALS = (400, 401, 403)
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ASSERTION_LIFETIME = 60


class Asking:
    """Pushes and redeems; keeps nothing but its key."""

    def __init__(self, *, issuer: str, callback: str, roots: Path, key: EllipticCurvePrivateKey, clock: Clock) -> None:
        self.issuer = issuer
        self.jkt = thumbprint(key.public_key())
        self._callback = callback
        self._roots = roots
        self._key = key
        self._clock = clock
        # A site gets a new root while it runs; who trusts the old one alone would be shut out at its end.
        self._pool = Fresh(self._opened, lambda: [roots])

    def begin(self, *, state: str, verifier: str, details: dict[str, Any], locale: str) -> str:
        """Push a request; the address that the browser is sent to.

        Raises:
            ConsentRefused: sign-on does not take it.
            Unavailable: sign-on does not answer.
        """
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        status, answer, _ = self._post(
            "/par",
            {
                "response_type": "code",
                "redirect_uri": self._callback,
                "scope": "openid",
                "state": state,
                "nonce": secrets.token_urlsafe(16),
                "code_challenge": challenge,
                "code_challenge_method": "S256",
                "acr_values": "2",
                "ui_locales": "zh-CN" if locale == "zh" else "en",
                "dpop_jkt": self.jkt,
                "authorization_details": json.dumps([details], ensure_ascii=False, separators=(",", ":")),
            },
        )
        if status in _REFUSALS:
            raise ConsentRefused(why=str(answer.get("error", "refused"))[:40])
        named = answer.get("request_uri")
        if status != _CREATED or not isinstance(named, str):
            raise Unavailable
        return f"{self.issuer}/authorize?{urlencode({'client_id': CLIENT, 'request_uri': named})}"

    def redeem(self, code: str, *, verifier: str) -> str:
        """The access token that a code is worth, unverified.

        Raises:
            ConsentRefused: the code is worth nothing (any more).
            Unavailable: sign-on does not answer.
        """
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._callback,
            "code_verifier": verifier,
        }
        status, answer, nonce = self._post("/token", form, proof="")
        if status in _REFUSALS and answer.get("error") == "use_dpop_nonce" and nonce:
            status, answer, _ = self._post("/token", form, proof=nonce)
        if status in _REFUSALS:
            raise ConsentRefused(why=str(answer.get("error", "refused"))[:40])
        token = answer.get("access_token")
        if status != _OK or not isinstance(token, str):
            raise Unavailable
        return token

    def _post(self, path: str, form: dict[str, str], *, proof: str | None = None) -> tuple[int, dict[str, Any], str]:
        """Status, answer and DPoP nonce; ``proof`` is the nonce to prove our key with, empty for none yet."""
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        address = f"{self.issuer}{path}"
        if proof is not None:
            headers["DPoP"] = self._proof(address, proof)
        body = urlencode({**form, "client_assertion_type": _ASSERTION, "client_assertion": self._assertion()})
        try:
            response = self._pool().request(
                "POST", address, body=body, headers=headers, redirect=False, preload_content=False
            )
            content = response.read(_LONGEST)
            response.release_conn()
            answer = json.loads(content)
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise Unavailable from error
        if not isinstance(answer, dict):
            raise Unavailable
        return response.status, answer, response.headers.get("DPoP-Nonce", "")

    def _assertion(self) -> str:
        now = int(self._clock.now().timestamp())
        claims = {
            "iss": CLIENT,
            "sub": CLIENT,
            "aud": self.issuer,
            "jti": secrets.token_urlsafe(16),
            "iat": now,
            "exp": now + _ASSERTION_LIFETIME,
        }
        return jwt.encode(claims, self._key, algorithm="ES256", headers={"kid": self.jkt})

    def _proof(self, address: str, nonce: str) -> str:
        claims: dict[str, Any] = {
            "htm": "POST",
            "htu": address,
            "jti": secrets.token_urlsafe(16),
            "iat": int(self._clock.now().timestamp()),
            **({"nonce": nonce} if nonce else {}),
        }
        head = {"typ": "dpop+jwt", "jwk": members(self._key.public_key())}
        return jwt.encode(claims, self._key, algorithm="ES256", headers=head)

    def _opened(self) -> urllib3.PoolManager:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_verify_locations(cafile=str(self._roots))
        return urllib3.PoolManager(ssl_context=context, timeout=_TIMEOUT, maxsize=8, retries=False)
