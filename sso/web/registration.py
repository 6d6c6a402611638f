# SPDX-License-Identifier: Apache-2.0
"""Where programs register themselves and look after their registration."""

from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue

from core.web import Guard
from core.web.inputs import json_object

from ..service import SignOn
from .browser import visitor

_LARGEST = 32 * 1024


def add(routes: Blueprint, service: SignOn, guard: Guard) -> None:
    """Add the views."""
    registration = service.registration

    def authorization() -> str | None:
        return request.headers.get("Authorization")

    def given() -> dict[str, Any]:
        return json_object(longest=_LARGEST)

    @routes.post("/register")
    @guard.own("an initial access token that an operator gave to an agency", errors="oauth")
    def register() -> ResponseReturnValue:
        told = registration.register(authorization(), given, visitor=visitor())
        return jsonify(told), HTTPStatus.CREATED

    @routes.get("/register/<client>")
    @guard.own("the client's own management token", errors="oauth")
    def registered(client: str) -> Response:
        return jsonify(registration.read(authorization(), client))

    @routes.put("/register/<client>")
    @guard.own("the client's own management token", errors="oauth")
    def change_registration(client: str) -> Response:
        return jsonify(registration.change(authorization(), client, given))

    @routes.delete("/register/<client>")
    @guard.own("the client's own management token", errors="oauth")
    def remove_registration(client: str) -> ResponseReturnValue:
        registration.remove(authorization(), client)
        return "", HTTPStatus.NO_CONTENT
