# SPDX-License-Identifier: Apache-2.0
"""What we tell about ourselves, checked by Authlib's validators of both specifications before it is ever served."""

from collections.abc import Sequence
from typing import Any

from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from authlib.oidc.discovery import OpenIDProviderMetadata

from ..rfc6749 import SCOPES
from ..rfc6749.tokens import REQUIRED
from ..rfc7515 import ALGORITHMS
from ..rfc7517 import ALGORITHM
from ..rfc7591 import ENCRYPTION

_METHODS = ("client_secret_basic", "private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth")


def metadata(issuer: str, tls_origin: str, resources: Sequence[str] = ()) -> dict[str, Any]:
    """One document for ``/.well-known/openid-configuration`` and ``/.well-known/oauth-authorization-server``.

    ``resources`` are origins beside our own that take our tokens (RFC 9728 section 4).

    Raises:
        ValueError: the document would break its specification; the role must not start.
    """
    document: dict[str, Any] = {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "userinfo_endpoint": f"{issuer}/userinfo",
        "revocation_endpoint": f"{issuer}/revoke",
        "introspection_endpoint": f"{issuer}/introspect",
        "end_session_endpoint": f"{issuer}/logout",
        "jwks_uri": f"{issuer}/jwks",
        "registration_endpoint": f"{issuer}/register",
        "device_authorization_endpoint": f"{issuer}/device_authorization",
        "scopes_supported": list(SCOPES),
        "claims_supported": [
            *("iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "at_hash"),
            *(claim for claims in SCOPES.values() for claim in claims if claim != "sub"),
        ],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "form_post", "jwt", "query.jwt", "form_post.jwt"],
        "authorization_signing_alg_values_supported": [ALGORITHM],
        "grant_types_supported": [*REQUIRED],
        "subject_types_supported": ["pairwise", "public"],
        "acr_values_supported": ["1", "2", "3"],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
        "id_token_encryption_alg_values_supported": [ENCRYPTION[0]],
        "id_token_encryption_enc_values_supported": [ENCRYPTION[1]],
        "userinfo_signing_alg_values_supported": [ALGORITHM],
        "userinfo_encryption_alg_values_supported": [ENCRYPTION[0]],
        "userinfo_encryption_enc_values_supported": [ENCRYPTION[1]],
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": [*_METHODS, "none"],
        "token_endpoint_auth_signing_alg_values_supported": [*ALGORITHMS],
        "revocation_endpoint_auth_methods_supported": [*_METHODS, "none"],
        "revocation_endpoint_auth_signing_alg_values_supported": [*ALGORITHMS],
        "introspection_endpoint_auth_methods_supported": [*_METHODS],
        "introspection_endpoint_auth_signing_alg_values_supported": [*ALGORITHMS],
        "tls_client_certificate_bound_access_tokens": True,
        "mtls_endpoint_aliases": {
            f"{name}_endpoint": f"{tls_origin}{path}"
            for name, path in (
                ("token", "/token"),
                ("pushed_authorization_request", "/par"),
                ("device_authorization", "/device_authorization"),
                ("userinfo", "/userinfo"),
                ("revocation", "/revoke"),
                ("introspection", "/introspect"),
            )
        },
        "authorization_response_iss_parameter_supported": True,
        "claims_parameter_supported": True,
        "request_parameter_supported": True,
        "request_uri_parameter_supported": True,
        "require_request_uri_registration": True,
        "request_object_signing_alg_values_supported": [*ALGORITHMS],
        "pushed_authorization_request_endpoint": f"{issuer}/par",
        "require_pushed_authorization_requests": False,
        "protected_resources": [issuer, *resources],
        "dpop_signing_alg_values_supported": [*ALGORITHMS],
        "introspection_signing_alg_values_supported": [ALGORITHM],
        "introspection_encryption_alg_values_supported": [ENCRYPTION[0]],
        "introspection_encryption_enc_values_supported": [ENCRYPTION[1]],
        "ui_locales_supported": ["en", "zh-Hans"],
    }
    AuthorizationServerMetadata(document).validate()
    # OpenID Connect Discovery asks for RS256 among the algorithms; docs/divergences.md says why we offer ES256 alone,
    # so its validator sees that one member completed.
    algorithms = [ALGORITHM, "RS256"]
    OpenIDProviderMetadata({**document, "id_token_signing_alg_values_supported": algorithms}).validate()
    return document


def simulated_metadata(issuer: str, tls_origin: str) -> dict[str, Any]:
    """The simulator's: what it answers, and nothing that it does not.

    Raises:
        ValueError: as ``metadata``.
    """
    known = metadata(issuer, tls_origin)
    left_out = ("revocation_", "introspection_", "registration_", "device_", "mtls_", "tls_", "end_", "backchannel_")
    told = {name: value for name, value in known.items() if not name.startswith((*left_out, "protected_"))}
    return told | {
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "private_key_jwt", "none"],
        "subject_types_supported": ["pairwise"],
    }
