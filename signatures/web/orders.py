# SPDX-License-Identifier: Apache-2.0
"""What became of the seals that a program asked for and that keepers have to confirm, below ``/agencies/v1/orders``."""

from typing import Any

from flask import Blueprint, Response, jsonify
from flask.typing import ResponseReturnValue

from core.web import Guard, identity

from ..keeping import Order
from ..service import Agencies, Seconding
from .blueprint import Pages
from .seconding import media_of


def orders(agencies: Agencies, service: Seconding) -> Pages:
    """See, fetch, withdraw: each program its own."""

    def asked(identifier: str) -> Order:
        program, _ = agencies.admit(identity(), None, counted=False)
        return service.asked_by(program.client, identifier, organisation=program.organisation)

    def shown(order: Order) -> dict[str, Any]:
        return {
            "id": order.id,
            "purpose": order.purpose.value,
            "name": service.name(order),
            "organisation": order.organisation,
            "sha256": order.sha256,
            "state": order.state.value,
            # Keepers who still have to confirm it.
            "missing": service.missing(order),
            "until": order.until.isoformat(),
            "address": service.address(order.id),
        }

    def pages(blue: Blueprint, guard: Guard) -> None:
        @blue.get("/agencies/v1/orders/<order>")
        @guard.person(errors="problem", programs=True)
        def agencies_order(order: str) -> Response:
            return jsonify(shown(asked(order)))

        @blue.get("/agencies/v1/orders/<order>/file")
        @guard.person(errors="problem", programs=True)
        def agencies_order_file(order: str) -> Response:
            found = asked(order)
            content, _ = service.result(found.by, found.id)
            return Response(content, content_type=media_of(found), headers={"Cache-Control": "no-store"})

        @blue.post("/agencies/v1/orders/<order>/withdraw")
        @guard.person(errors="problem", programs=True)
        def agencies_order_withdraw(order: str) -> ResponseReturnValue:
            found = asked(order)
            service.refuse(found.by, found.id)
            return jsonify(shown(asked(order)))

    return pages
