# SPDX-License-Identifier: Apache-2.0
"""Where portals say whose record they open."""

from collections.abc import Callable
from http import HTTPStatus

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from core.web import Guard

from ..models import Call
from ..service import SignOn


def add(routes: Blueprint, service: SignOn, guard: Guard, *, calls: Callable[[], Call]) -> None:
    """Add the view."""

    @routes.post("/accesses")
    @guard.own("client authentication", errors="oauth")
    def accesses() -> ResponseReturnValue:
        call = calls()
        return jsonify(service.accesses.declare(service.clients.authenticate(call), call)), HTTPStatus.CREATED
