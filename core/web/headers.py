# SPDX-License-Identifier: Apache-2.0
"""Response headers every page carries; nothing inline runs anywhere."""

import secrets

from flask import Flask, Response, g

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; font-src 'self'; script-src 'self'; "
    "connect-src 'self'; form-action {form_action}; frame-ancestors 'none'; base-uri 'none'"
)


FIXED = {
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
"""The same on every answer."""


def before_flask() -> list[tuple[str, str]]:
    """What an answer to a program carries that is given before Flask sees the request."""
    policy = CONTENT_SECURITY_POLICY.format(form_action="'self'")
    return [*FIXED.items(), ("Content-Security-Policy", policy), ("Tallygate-Request", secrets.token_hex(8))]


def install(app: Flask) -> None:
    """Set them on every answer that does not already say otherwise."""

    @app.after_request
    def add(response: Response) -> Response:
        # Browsers apply form-action to the redirects that follow a form too; a sign-on page names the one origin it
        # will redirect to.
        form_action = " ".join(["'self'", *g.get("form_targets", ())])
        response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY.format(form_action=form_action))
        for name, value in FIXED.items():
            response.headers.setdefault(name, value)
        response.headers["Tallygate-Request"] = g.get("request_id", "")
        return response
