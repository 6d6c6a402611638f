# SPDX-License-Identifier: Apache-2.0
"""The sign-on as an ordinary OpenID Connect client reaches it: over TLS, trusting the site's roots and nothing else."""

import base64
import json
import ssl
from pathlib import Path
from urllib.parse import quote, urlencode

import urllib3

from core.fresh import Fresh

from .errors import BadLogin, SignOnUnavailable

CLIENT = "gateway"
_LONGEST = 64 * 1024
_REFUSED = (400, 401)
_OK = 200


class SignOnClient:
    """Exchanges codes for tokens."""

    def __init__(self, *, origin: str, roots: Path, secret: str, timeout: float = 10.0) -> None:
        self._roots = roots
        self._timeout = timeout
        # A site gets a new root while it runs; who trusts the old one alone would be shut out at its end.
        self._pool = Fresh(self._opened, lambda: [roots])
        self._origin = origin
        # RFC 6749 section 2.3.1: both halves are form-encoded before they are joined.
        both = f"{quote(CLIENT, safe='')}:{quote(secret, safe='')}".encode()
        self._authorization = "Basic " + base64.b64encode(both).decode()

    def exchange(self, *, code: str, verifier: str, redirect_uri: str) -> str:
        """Redeem an authorization code and return the ID token, unverified.

        Raises:
            BadLogin: the code is not worth anything (any more).
            SignOnUnavailable: no answer, or none that can be understood.
        """
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "code_verifier": verifier,
            "redirect_uri": redirect_uri,
        }
        try:
            response = self._pool().request(
                "POST",
                f"{self._origin}/token",
                body=urlencode(form),
                headers={
                    "Authorization": self._authorization,
                    "Content-Type": "application/x-www-form-urlencoded",
                    "Accept": "application/json",
                },
                redirect=False,
                preload_content=False,
            )
            body = response.read(_LONGEST)
            response.release_conn()
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise SignOnUnavailable from error
        if response.status in _REFUSED:
            raise BadLogin
        try:
            document = json.loads(body)
        except ValueError as error:
            raise SignOnUnavailable from error
        token = document.get("id_token") if isinstance(document, dict) else None
        if response.status != _OK or not isinstance(token, str):
            raise SignOnUnavailable
        return token

    def _opened(self) -> urllib3.PoolManager:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_verify_locations(cafile=str(self._roots))
        return urllib3.PoolManager(ssl_context=context, timeout=self._timeout, maxsize=8, retries=False)
