# SPDX-License-Identifier: Apache-2.0
"""What portals talk to: metadata, keys, authorization, tokens, userinfo, introspection, revocation."""

from collections.abc import Callable
from http import HTTPStatus

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue

from core.web import Guard

from ..models import Call
from ..oauth.rfc9701 import MEDIA_TYPE
from ..openapi import description
from ..service import SignOn
from .browser import Browser
from .calls import presented_token

# Seconds; a portal sees a new signing key after this at the latest.
_KEYS_MAX_AGE = 300


def add(routes: Blueprint, service: SignOn, guard: Guard, browser: Browser, *, calls: Callable[[], Call]) -> None:
    """Add the views; ``calls`` reads the request at hand."""

    @routes.get("/.well-known/openid-configuration", endpoint="openid_configuration")
    @routes.get("/.well-known/oauth-authorization-server", endpoint="oauth_metadata")
    @guard.public("the provider's own description", errors="problem")
    def configuration() -> Response:
        return jsonify(service.metadata)

    @routes.get("/api/v1/openapi.json")
    @guard.public("the description of an interface; what it leads to is guarded itself", errors="problem")
    def openapi() -> Response:
        return jsonify(description())

    @routes.get("/jwks")
    @guard.public("public keys", errors="problem")
    def jwks() -> Response:
        response = jsonify(service.jwks)
        response.headers["Cache-Control"] = f"public, max-age={_KEYS_MAX_AGE}"
        return response

    @routes.get("/authorize")
    @guard.own("the request is checked against its client's registration, the person by session or login")
    def authorize() -> ResponseReturnValue:
        parameters = dict(request.args.lists())
        return browser.lead(
            service.authorization.begin(parameters, session=browser.session(), browser=browser.binding())
        )

    @routes.post("/token")
    @guard.own("client authentication", errors="oauth")
    def token() -> Response:
        call = calls()
        return jsonify(service.tokens.issue(service.clients.authenticate(call), call).document())

    @routes.get("/.well-known/oauth-protected-resource")
    @guard.public("what userinfo tells about itself", errors="problem")
    def protected_resource() -> Response:
        return jsonify(service.resource_metadata)

    @routes.post("/par")
    @guard.own("client authentication", errors="oauth")
    def par() -> ResponseReturnValue:
        call = calls()
        address, lasts = service.requests.push(service.clients.authenticate(call), call)
        return jsonify({"request_uri": address, "expires_in": lasts}), HTTPStatus.CREATED

    @routes.route("/userinfo", methods=["GET", "POST"])
    @guard.own("bearer token", errors="oauth")
    def userinfo() -> Response:
        told = service.inspection.userinfo(calls())
        return Response(told, mimetype="application/jwt") if isinstance(told, str) else jsonify(told)

    @routes.post("/introspect")
    @guard.own("client authentication", errors="oauth")
    def introspect() -> Response:
        call = calls()
        client = service.clients.authenticate(call)
        if _wants_signed():
            return Response(service.inspection.introspect_signed(client, presented_token(call)), mimetype=MEDIA_TYPE)
        return jsonify(service.inspection.introspect(client, presented_token(call)))

    @routes.post("/revoke")
    @guard.own("client authentication", errors="oauth")
    def revoke() -> Response:
        call = calls()
        service.inspection.revoke(service.clients.authenticate(call), presented_token(call))
        return Response(status=200)


def _wants_signed() -> bool:
    return request.accept_mimetypes.best_match(["application/json", MEDIA_TYPE]) == MEDIA_TYPE
