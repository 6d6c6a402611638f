# SPDX-License-Identifier: Apache-2.0
"""Response headers every page carries; nothing inline runs anywhere."""

from flask import Flask, Response, g

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; font-src 'self'; script-src 'self'; "
    "connect-src 'self'; form-action {form_action}; frame-ancestors 'none'; base-uri 'none'"
)


def install(app: Flask) -> None:
    """Set them on every answer that does not already say otherwise."""

    @app.after_request
    def add(response: Response) -> Response:
        # Browsers apply form-action to the redirects that follow a form too; a sign-on page names the one origin it
        # will redirect to.
        form_action = " ".join(["'self'", *g.get("form_targets", ())])
        response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY.format(form_action=form_action))
        response.headers.setdefault("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("X-Frame-Options", "DENY")
        response.headers.setdefault("Referrer-Policy", "same-origin")
        response.headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        response.headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers["Tallygate-Request"] = g.get("request_id", "")
        return response
