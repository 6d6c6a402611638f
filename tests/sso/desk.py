# SPDX-License-Identifier: Apache-2.0
"""Somebody at sign-on's desk, as the gateway lets them through."""

import re
from typing import Any
from urllib.parse import urlencode

from cryptography.hazmat.primitives.asymmetric import ec
from werkzeug.test import TestResponse

from core.identity import HEADER, Identity, IdentityIssuer, IdentityVerifier
from sso.web.admin import ADMINISTRATOR, AGENCY
from tests.fakes.sso_directory import LI, WANG
from tests.sso.conftest import World

HOST = "accounts.city.localhost"
_KEY = ec.generate_private_key(ec.SECP256R1())
ANOTHER = "77777777-0000-4000-8000-000000000000"


def verifier(host: str = HOST) -> IdentityVerifier:
    """What believes the headers made here."""
    return IdentityVerifier(_KEY.public_key(), audience=host)


def let_in(world: World, host: str = "tax.city.localhost", **changes: Any) -> str:
    """The header with which the gateway let Li in at a portal."""
    fields: dict[str, Any] = {
        "subject": LI,
        "kind": "person",
        "session": "s1",
        "roles": frozenset({"citizen"}),
        "assurance": 1,
        "methods": ("pwd",),
        "zone": "external",
        "decision": "0123456789abcdef" * 2,
    }
    identity = Identity(**{**fields, **changes})
    return IdentityIssuer(_KEY).issue(identity, audience=host, method="GET", path="/me", at=world.clock.now())


class Officer:
    """One person with roles; every request carries the gateway's signed word on them."""

    def __init__(
        self, world: World, *, subject: str = WANG, roles: tuple[str, ...] = (ADMINISTRATOR,), assurance: int = 2
    ) -> None:
        self.subject = subject
        self._world = world
        self._roles = frozenset({"civil-servant", *roles})
        self._assurance = assurance
        self._client = world.app.test_client()

    def get(self, path: str, **query: str) -> TestResponse:
        """Open a page."""
        full = f"{path}?{urlencode(query)}" if query else path
        return self._client.get(full, base_url=f"https://{HOST}", headers=self._headers("GET", full))

    def post(self, path: str, *, form_at: str = "/admin/portals", **form: str) -> TestResponse:
        """Send a form, with the token of the page that holds it."""
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.get(form_at).text)
        assert found, form_at
        headers = {**self._headers("POST", path), "Referer": f"https://{HOST}/"}
        data = {"csrf_token": found[1], **form}
        return self._client.post(path, base_url=f"https://{HOST}", headers=headers, data=data)

    def _headers(self, method: str, path: str) -> dict[str, str]:
        identity = Identity(
            subject=self.subject,
            kind="person",
            session="s1",
            roles=self._roles,
            assurance=self._assurance,
            methods=("pwd",),
            zone="management",
            decision="d1",
        )
        at = self._world.clock.now()
        return {HEADER: IdentityIssuer(_KEY).issue(identity, audience=HOST, method=method, path=path, at=at)}


def developer(world: World) -> Officer:
    """Who looks after an agency's portals."""
    return Officer(world, subject=LI, roles=(AGENCY,))


def another(world: World) -> Officer:
    """A second administrator."""
    return Officer(world, subject=ANOTHER)
