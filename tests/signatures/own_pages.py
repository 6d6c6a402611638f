# SPDX-License-Identifier: Apache-2.0
"""A browser at the host ``sign``: every request carries what the gateway would have signed for it."""

import re
import secrets
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from core.clock import Clock
from core.identity import HEADER, Identity, IdentityIssuer, IdentityVerifier
from tests.signatures.fakes import CITIZEN, GATEWAY

SIGN = "sign.city.localhost"
_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


def verifier() -> IdentityVerifier:
    """As the role's guard has it."""
    return IdentityVerifier(GATEWAY.public_key(), audience=SIGN)


class Visitor:
    """One person in one browser."""

    def __init__(self, client: FlaskClient, clock: Clock, subject: str = CITIZEN, **more: Any) -> None:
        self._client = client
        self._clock = clock
        self._fields: dict[str, Any] = {
            "subject": subject,
            "kind": "person",
            "session": "s1",
            "roles": frozenset({"citizen"}),
            "assurance": 2,
            "methods": ("hwk",),
            "zone": "external",
            **more,
        }

    def get(self, path: str) -> TestResponse:
        """A page."""
        return self._client.get(path, base_url=f"https://{SIGN}", headers=self._headers("GET", path))

    def post(self, path: str, *, form_at: str = "/my/", **fields: Any) -> TestResponse:
        """A form of a page, with its token."""
        found = _TOKEN.search(self.get(form_at).text) if form_at else None
        token = found.group(1) if found else ""
        return self._client.post(
            path,
            base_url=f"https://{SIGN}",
            headers={**self._headers("POST", path), "Referer": f"https://{SIGN}/"},
            data={"csrf_token": token, **fields},
        )

    def _headers(self, method: str, path: str) -> dict[str, str]:
        identity = Identity(**self._fields, decision=secrets.token_hex(16))
        said = IdentityIssuer(GATEWAY).issue(identity, audience=SIGN, method=method, path=path, at=self._clock.now())
        return {HEADER: said}
