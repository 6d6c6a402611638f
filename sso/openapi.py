# SPDX-License-Identifier: Apache-2.0
"""What programs may ask of sign-on, as OpenAPI 3.1; the tests hold the interface to it.

The authorization endpoint and the logout are not here: browsers go there, and what they are shown is for people.
"""

from typing import Any

from core.openapi import TEXT, document, exact, refusals

from .oauth.rfc6749 import SCOPES
from .oauth.rfc6749.tokens import REQUIRED
from .oauth.rfc7517 import ALGORITHM
from .oauth.rfc7591 import METHODS
from .oauth.rfc9701 import MEDIA_TYPE

_CLIENT: list[dict[str, list[str]]] = [{"client": []}]
# A public client keeps no secret and names itself in the form.
_ANY_CLIENT: list[dict[str, list[str]]] = [*_CLIENT, {}]
_BEARER: list[dict[str, list[str]]] = [{"bearer": []}]
_SECONDS = {"type": "integer", "minimum": 0}
_DETAILS = {"type": "array", "items": {"type": "object"}}
_LIST = {"type": "array", "items": TEXT}
_SAYS = {
    "400": "The request cannot be right (RFC 6749 section 5.2)",
    "401": "Client or token do not count",
    "404": "There is nothing at this address",
    "403": "The token does not reach this far",
    "413": "The body is too large",
    "429": "Too often; wait a while",
    "503": "Temporary; try again",
}


def description() -> dict[str, Any]:
    """The document."""
    return document(
        title="Tallygate sign-on",
        description="OAuth 2 and OpenID Connect for portals. Every token is recorded before it is given, and every "
        "reading about a person before it is answered.",
        paths={
            "/.well-known/openid-configuration": {"get": _fact("readConfiguration", "Metadata")},
            "/.well-known/oauth-authorization-server": {"get": _fact("readMetadata", "Metadata")},
            "/.well-known/oauth-protected-resource": {"get": _fact("readResource", "Resource")},
            "/par": {"post": _par()},
            "/device_authorization": {"post": _device()},
            "/jwks": {"get": _fact("readKeys", "Keys")},
            "/token": {"post": _token()},
            "/register": {"post": _register()},
            "/register/{client}": _registered(),
            "/userinfo": {"get": _userinfo("readClaims"), "post": _userinfo("readClaimsByPost")},
            "/introspect": {"post": _introspect()},
            "/revoke": {"post": _revoke()},
            "/accesses": {"post": _access()},
        },
        schemas=_schemas(),
        security=_security(),
    )


def _fact(name: str, schema: str) -> dict[str, Any]:
    return {"operationId": name, "responses": {"200": _json("A public fact", schema), **refusals("503")}}


def _token() -> dict[str, Any]:
    fields: tuple[str, ...] = (
        "code",
        "redirect_uri",
        "code_verifier",
        "refresh_token",
        "scope",
        "client_id",
        "device_code",
    )
    fields += ("resource", "authorization_details")
    fields += ("client_assertion", "client_assertion_type")
    form = {
        "type": "object",
        "properties": {
            "grant_type": {"enum": [*REQUIRED]},
            **dict.fromkeys(fields, TEXT),
        },
        "required": ["grant_type"],
    }
    return {
        "operationId": "issueTokens",
        "summary": "Exchange a code, a refresh token or a client's own credentials for tokens",
        "security": _ANY_CLIENT,
        "requestBody": _form(form),
        "responses": {"200": _json("The tokens", "Tokens"), **_refused("400", "401", "413", "503")},
    }


def _par() -> dict[str, Any]:
    fields: tuple[str, ...] = (
        "client_id",
        "response_type",
        "redirect_uri",
        "scope",
        "state",
        "nonce",
        "code_challenge",
        "request",
    )
    fields += ("code_challenge_method", "response_mode", "resource", "authorization_details", "dpop_jkt")
    fields += ("client_assertion", "client_assertion_type", "prompt", "max_age", "acr_values")
    return {
        "operationId": "pushRequest",
        "summary": "Bring an authorization request beforehand (RFC 9126)",
        "security": _ANY_CLIENT,
        "requestBody": _form(
            {"type": "object", "properties": {**dict.fromkeys(fields, TEXT), "response_type": {"enum": ["code"]}}}
        ),
        "responses": {"201": _json("Where the browser goes with", "Pushed"), **_refused("400", "401", "413", "503")},
    }


def _device() -> dict[str, Any]:
    fields = ("client_id", "scope", "resource", "authorization_details", "client_assertion", "client_assertion_type")
    return {
        "operationId": "authorizeDevice",
        "summary": "Ask for a device without a browser (RFC 8628)",
        "security": _ANY_CLIENT,
        "requestBody": _form({"type": "object", "properties": dict.fromkeys(fields, TEXT)}),
        "responses": {"200": _json("Its codes", "Device"), **_refused("400", "401", "413", "429", "503")},
    }


def _userinfo(name: str) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": "Claims about the person a token with openid was given for",
        "security": _BEARER,
        "responses": {"200": _claims(), **_refused("401", "403", "413", "503")},
    }


def _claims() -> dict[str, Any]:
    said = _json("The claims its scopes open; signed and encrypted where its client wants that", "Claims")
    said["content"]["application/jwt"] = {"schema": {"type": "string", "description": "OpenID Connect Core 5.3.2"}}
    return said


def _register() -> dict[str, Any]:
    return {
        "operationId": "registerClient",
        "summary": "Register a client, with an initial access token of its agency (RFC 7591)",
        "security": _BEARER,
        "requestBody": _metadata(),
        "responses": {
            "201": _json("As it is registered, with its secrets", "Client"),
            **_refused("400", "401", "413", "429", "503"),
        },
    }


def _registered() -> dict[str, Any]:
    client = {"name": "client", "in": "path", "required": True, "schema": TEXT}
    said: dict[str, Any] = {"security": _BEARER, "parameters": [client]}
    answers = {"200": _json("As it is registered", "Client"), **_refused("401", "404", "413", "503")}
    return {
        "get": {**said, "operationId": "readClient", "summary": "RFC 7592 section 2.1", "responses": answers},
        "put": {
            **said,
            "operationId": "changeClient",
            "summary": "Replace a registration; secrets stay (RFC 7592 section 2.2)",
            "requestBody": _metadata(),
            "responses": {**answers, **_refused("400")},
        },
        "delete": {
            **said,
            "operationId": "removeClient",
            "summary": "Remove a client and everything that was given to it (RFC 7592 section 2.3)",
            "responses": {"204": {"description": "It is gone"}, **_refused("401", "404", "413", "503")},
        },
    }


def _metadata() -> dict[str, Any]:
    schema = {
        "type": "object",
        "description": "RFC 7591 section 2 and OpenID Connect Registration; unknown members are ignored.",
        "properties": {
            **dict.fromkeys(("client_name", "scope", "jwks_uri", "sector_identifier_uri"), TEXT),
            **dict.fromkeys(("redirect_uris", "post_logout_redirect_uris", "request_uris", "grant_types"), _LIST),
            "token_endpoint_auth_method": {"enum": [*METHODS]},
            "backchannel_logout_uri": TEXT,
            "jwks": {"type": "object"},
        },
    }
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _introspect() -> dict[str, Any]:
    return {
        "operationId": "introspect",
        "summary": "What a token is worth now (RFC 7662)",
        "security": _CLIENT,
        "requestBody": _form(_presented()),
        "responses": {
            "200": _introspected(),
            **_refused("400", "401", "413", "503"),
        },
    }


def _introspected() -> dict[str, Any]:
    said = _json("Active with its facts, or inactive and no word more; signed if that is asked for", "Introspection")
    said["content"][MEDIA_TYPE] = {
        "schema": {"type": "string", "description": "RFC 9701; encrypted where its client registered for that"}
    }
    return said


def _access() -> dict[str, Any]:
    fields = {
        "decision": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
        "subject": {"type": "string", "pattern": "^[0-9A-Za-z_-]{1,64}$"},
        "purpose": {"type": "string", "pattern": "^[a-z][a-z0-9-]{0,39}$"},
        "identity": {"type": "string", "pattern": "^[0-9A-Za-z_.-]{1,4096}$"},
    }
    receipt = {
        "type": "object",
        "properties": {"log": TEXT, "index": {"type": "integer"}, "leaf": TEXT},
        "required": ["log", "index", "leaf"],
    }
    told = {"description": "Where it stands in the log", "content": {"application/json": {"schema": receipt}}}
    return {
        "operationId": "declareAccess",
        "summary": "Say whose record is about to be shown, under which decision of the gateway and what for",
        "security": _CLIENT,
        "requestBody": _form({"type": "object", "properties": fields, "required": list(fields)}),
        "responses": {"201": told, **_refused("400", "401", "413", "503")},
    }


def _revoke() -> dict[str, Any]:
    return {
        "operationId": "revoke",
        "summary": "End the family of a token (RFC 7009)",
        "security": _ANY_CLIENT,
        "requestBody": _form({**_presented(), "properties": {**_presented()["properties"], "client_id": TEXT}}),
        "responses": {
            "200": {"description": "It is worth nothing now, if it ever was"},
            **_refused("400", "401", "413", "503"),
        },
    }


def _presented() -> dict[str, Any]:
    hint = {"type": "string", "description": "Taken and ignored: what a token is, it says itself."}
    return {
        "type": "object",
        "properties": {"token": {"type": "string", "minLength": 1}, "token_type_hint": hint},
        "required": ["token"],
    }


def _form(schema: dict[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": {"application/x-www-form-urlencoded": {"schema": schema}}}


def _json(says: str, schema: str) -> dict[str, Any]:
    return {
        "description": says,
        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}},
    }


def _refused(*statuses: str) -> dict[str, Any]:
    return {status: _json(_SAYS[status], "Refusal") for status in statuses}


def _security() -> dict[str, Any]:
    return {
        "client": {
            "type": "http",
            "scheme": "basic",
            "description": "client_secret_basic: both parts are form-encoded before they are joined (RFC 6749 2.3.1).",
        },
        "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "at+jwt"},
    }


def _schemas() -> dict[str, Any]:
    key = exact({"kty": {"const": "EC"}, "crv": {"const": "P-256"}, **dict.fromkeys(("x", "y", "kid"), TEXT)})
    key["properties"] |= {"use": {"const": "sig"}, "alg": {"const": ALGORITHM}}
    key["required"] = list(key["properties"])
    claims = {name: (_LIST if name == "roles" else TEXT) for told in SCOPES.values() for name in told}
    facts = ("token_type", "iss", "sub", "aud", "client_id", "scope", "jti", "grant", "sid", "acr")
    return {
        "Metadata": {
            "type": "object",
            "description": "RFC 8414 and OpenID Connect Discovery",
            "properties": {"issuer": TEXT, "token_endpoint": TEXT, "jwks_uri": TEXT, "scopes_supported": _LIST},
            "required": ["issuer", "token_endpoint", "jwks_uri", "scopes_supported"],
        },
        "Resource": {
            "type": "object",
            "description": "RFC 9728",
            "properties": {"resource": TEXT, "authorization_servers": _LIST, "jwks_uri": TEXT},
            "required": ["resource", "authorization_servers"],
        },
        "Pushed": exact({"request_uri": TEXT, "expires_in": _SECONDS}),
        "Device": exact(
            {
                **dict.fromkeys(("device_code", "user_code", "verification_uri"), TEXT),
                **dict.fromkeys(("expires_in", "interval"), _SECONDS),
            }
        ),
        "Client": {
            "type": "object",
            "properties": {
                **dict.fromkeys(("client_id", "client_secret", "registration_access_token", "scope"), TEXT),
                "registration_client_uri": TEXT,
                "redirect_uris": _LIST,
            },
            "required": ["client_id", "registration_client_uri", "redirect_uris", "scope"],
        },
        "Keys": exact({"keys": {"type": "array", "minItems": 1, "items": key}}),
        "Tokens": {
            "type": "object",
            "properties": {
                **dict.fromkeys(("access_token", "scope", "id_token", "refresh_token"), TEXT),
                "token_type": {"enum": ["Bearer", "DPoP"]},
                "issued_token_type": TEXT,
                "expires_in": _SECONDS,
                "authorization_details": _DETAILS,
            },
            "required": ["access_token", "token_type", "expires_in", "scope"],
            "additionalProperties": False,
        },
        "Claims": {"type": "object", "properties": claims, "required": ["sub"], "additionalProperties": False},
        "Introspection": {
            "type": "object",
            "properties": {
                "active": {"type": "boolean"},
                **dict.fromkeys(facts, TEXT),
                **dict.fromkeys(("iat", "exp"), _SECONDS),
                "authorization_details": _DETAILS,
                "act": {"type": "object", "description": "Who acts for the subject (RFC 8693)"},
                "cnf": {"type": "object", "additionalProperties": TEXT, "description": "What it works with (RFC 7800)"},
            },
            "required": ["active"],
            "additionalProperties": False,
        },
        "Refusal": exact({"error": TEXT, "error_description": TEXT}),
    }
