# SPDX-License-Identifier: Apache-2.0
"""What requests bring and answers hold."""

from collections.abc import Mapping
from typing import Any

from flask import Response, g, jsonify, request

from ...acme.gate import PREFIX
from ...acme.jws import Request
from ...acme.models import Account, Authorization, Challenge, Order, OrderState
from ...acme.problems import Problem, Type

POLL = 1
"""Seconds after which a client asks again for what is under way."""
_BODY = "application/jose+json"
_UNSUPPORTED_MEDIA = 415


def body() -> bytes:
    """A signed request, unread."""
    if request.mimetype != _BODY:
        raise Problem(Type.MALFORMED, f"a request has the content type {_BODY}", status=_UNSUPPORTED_MEDIA)
    return request.get_data(cache=False)


def expect_nothing(asked: Request) -> None:
    """Raise Problem unless the request only reads."""
    if asked.payload:
        raise Problem(Type.MALFORMED, "to read something, send an empty payload (POST-as-GET)")


def url(path: str) -> str:
    """An address at the listener that is being asked."""
    return f"{g.acme_base}{PREFIX}{path}"


def account_document(account: Account) -> dict[str, Any]:
    """RFC 8555 section 7.1.2."""
    return {
        "status": account.state,
        "contact": list(account.contacts),
        "orders": url(f"/account/{account.id}/orders"),
    }


def order_response(order: Order) -> Response:
    """RFC 8555 section 7.1.3, with its address."""
    said: dict[str, Any] = {
        "status": order.state,
        "expires": order.expires.isoformat(),
        "identifiers": [each.document() for each in order.identifiers],
        "authorizations": [url(f"/authz/{each}") for each in order.authorizations],
        "finalize": url(f"/order/{order.id}/finalize"),
        "profile": order.profile,
    }
    if order.replaces:
        said["replaces"] = order.replaces
    if order.error is not None:
        said["error"] = order.error
    if order.state is OrderState.VALID:
        said["certificate"] = url(f"/cert/{order.serial}")
    response = jsonify(said)
    response.headers["Location"] = url(f"/order/{order.id}")
    if order.state is OrderState.PROCESSING:
        response.headers["Retry-After"] = str(POLL)
    return response


def authorization_document(authorization: Authorization) -> dict[str, Any]:
    """RFC 8555 section 7.1.4."""
    said: dict[str, Any] = {
        "identifier": authorization.identifier.document(),
        "status": authorization.state,
        "expires": authorization.expires.isoformat(),
        "challenges": [challenge_document(each) for each in authorization.challenges],
    }
    if authorization.wildcard:
        said["wildcard"] = True
    return said


def challenge_document(challenge: Challenge) -> Mapping[str, Any]:
    """RFC 8555 section 8."""
    said: dict[str, Any] = {
        "type": challenge.method,
        "url": url(f"/chall/{challenge.id}"),
        "status": challenge.state,
        "token": challenge.token,
    }
    if challenge.validated is not None:
        said["validated"] = challenge.validated.isoformat()
    if challenge.error is not None:
        said["error"] = challenge.error
    return said
