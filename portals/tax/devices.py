# SPDX-License-Identifier: Apache-2.0
"""For registered machines (税控设备): which device the gateway identified. They reach it under a host of their own."""

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from core.clock import Clock
from core.identity import HEADER, IdentityVerifier
from core.web import Guard

from ..errors import DeviceExpected


def device_api(verifier: IdentityVerifier, guard: Guard, *, clock: Clock) -> Blueprint:
    """The interface; ``verifier`` is for the machines' host."""
    pages = Blueprint("devices", __name__)

    @pages.get("/api/device/v1/me")
    @guard.own("the gateway's signed header, which must name a device", errors="problem")
    def me() -> ResponseReturnValue:
        path = request.environ.get("REQUEST_URI") or request.full_path.rstrip("?")
        found = verifier.verify(request.headers.get(HEADER), method=request.method, path=path, at=clock.now())
        if found.kind != "device":
            raise DeviceExpected
        return jsonify({"device": found.subject, "zone": found.zone, "decision": found.decision})

    return pages
