# SPDX-License-Identifier: Apache-2.0
"""Make the Flask application of one role: every blueprint guarded, every error mapped, every page in two languages."""

import secrets as _secrets
from collections.abc import Callable, Sequence
from pathlib import Path

from flask import Blueprint, Flask, g, request
from flask_wtf.csrf import CSRFProtect
from jinja2 import StrictUndefined
from werkzeug.middleware.proxy_fix import ProxyFix

from ..site import SiteSettings
from . import errors, figures, headers, i18n
from .body import InMemory, taken_in
from .guard import Guard
from .health import Standing, health, nothing
from .target import raw_target

MAX_BODY = 1 << 20
"""Bytes; a blueprint that takes documents raises it for its own views (``request.max_content_length``)."""

_HERE = Path(__file__).parent


def create(
    role: str,
    *,
    site: SiteSettings,
    guard: Guard,
    session_key: bytes,
    blueprints: Sequence[Blueprint],
    translations: Sequence[Path] = (),
    ready: Callable[[], None] = lambda: None,
    standing: Standing = nothing,
    behind_proxy: bool = True,
) -> Flask:
    """Build the application.

    ``translations`` are the components' ``translations`` folders; ``ready`` raises while the role cannot serve,
    and ``standing`` gives the numbers that readyz tells beside.

    Raises:
        RuntimeError: an endpoint carries no guard and is not on the public list; the role must not start.
    """
    app = Flask(role, template_folder=str(_HERE / "templates"), static_folder=str(_HERE / "static"))
    app.request_class = InMemory
    app.config.update(
        SECRET_KEY=session_key,
        SESSION_COOKIE_NAME=f"__Host-{role.replace(':', '-')}",
        SESSION_COOKIE_SECURE=True,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_PATH="/",
        MAX_CONTENT_LENGTH=MAX_BODY,
        MAX_FORM_MEMORY_SIZE=MAX_BODY,
        MAX_FORM_PARTS=100,
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_SSL_STRICT=True,
        WTF_CSRF_CHECK_DEFAULT=False,
    )
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    csrf = CSRFProtect(app)

    @app.before_request
    def start() -> None:
        g.request_id = _secrets.token_hex(8)
        g.csp_nonce = None

    errors.install(app)
    i18n.install(app, site=site, folders=[_HERE / "translations", *translations])
    headers.install(app)
    figures.install(app)
    app.register_blueprint(health(guard, ready, standing))
    for blueprint in blueprints:
        app.register_blueprint(blueprint)
    guard.enforce(app, lambda: csrf.protect() if app.config["WTF_CSRF_ENABLED"] else None)
    app.add_template_global(lambda: request.path, "current_path")
    if behind_proxy:
        # nginx overwrites these three; REMOTE_ADDR is empty on a Unix socket.
        behind = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1, x_port=0)
        app.wsgi_app = taken_in(raw_target(behind))  # type: ignore[method-assign,assignment]  # Flask documents this very line
    return app
