# SPDX-License-Identifier: Apache-2.0
"""The desk as a browser behind the gateway sees it: a Flask client that signs the identity header itself."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

import directory
from core.errors import NotFound
from core.identity import HEADER, Identity, IdentityIssuer, IdentityVerifier
from core.web import Guard, create
from directory import web
from directory.histories import Change, Changes
from directory.service.writing import Portals
from tests.directory.world import World

HOST = "directory.test.localhost"
_KEY = ec.generate_private_key(ec.SECP256R1())


class NothingTold:
    """A record that knows no change; tests about histories ask a real one."""

    def of(self, *_what: object, **_how: object) -> tuple[Sequence[Change], None]:
        return (), None

    def proof(self, *_what: object, **_how: object) -> tuple[bytes, str]:
        raise NotFound


def application(world: World, changes: Changes | None = None, *, portals: Portals | None = None) -> Flask:
    """The role's application over the world's writer."""
    guard = Guard(clock=world.clock, verifier=IdentityVerifier(_KEY.public_key(), audience=HOST))
    return create(
        "directory",
        site=world.site,
        guard=guard,
        session_key=b"k" * 32,
        blueprints=[
            web.blueprint(
                world.writer(portals=portals),
                guard,
                recorder=world.recorder,
                clock=world.clock,
                changes=changes or NothingTold(),
            )
        ],
        translations=[Path(directory.__file__).parent / "translations"],
    )


class Desk:
    """One administrator's browser."""

    def __init__(
        self,
        world: World,
        *,
        subject: str,
        roles: frozenset[str],
        kind: str = "person",
        changes: Changes | None = None,
        portals: Portals | None = None,
    ) -> None:
        self._world = world
        self._client: FlaskClient = application(world, changes, portals=portals).test_client()
        self._subject = subject
        self._roles = roles
        self._kind = kind

    def get(self, path: str, *, language: str = "", **more: Any) -> TestResponse:
        headers = {**self.headers("GET", path), **({"Accept-Language": language} if language else {})}
        return self._client.get(path, base_url=f"https://{HOST}", headers=headers, **more)

    def ask(self, method: str, path: str, **more: Any) -> TestResponse:
        """Any request of a program."""
        answer = self._client.open(
            path, method=method, base_url=f"https://{HOST}", headers=self.headers(method, path), **more
        )
        answer.request.input_stream.close()
        return answer

    def post(self, path: str, data: dict[str, Any], *, token: bool = True) -> TestResponse:
        form = {**data, "csrf_token": self._token()} if token else data
        headers = {**self.headers("POST", path), "Referer": f"https://{HOST}/"}
        answer = self._client.post(path, base_url=f"https://{HOST}", headers=headers, data=form)
        # The test client keeps a large body in a file of its own.
        answer.request.input_stream.close()
        return answer

    def _token(self) -> str:
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.get("/import").text)
        assert found
        return found[1]

    def headers(self, method: str, path: str) -> dict[str, str]:
        """What the gateway adds to a request."""
        identity = Identity(
            subject=self._subject,
            kind=self._kind,
            session="s1",
            roles=self._roles,
            assurance=2,
            methods=("pwd",),
            zone="management",
            decision="d1",
        )
        at = self._world.clock.now()
        issued = IdentityIssuer(_KEY).issue(identity, audience=HOST, method=method, path=path, at=at)
        return {HEADER: issued, "X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": HOST}
