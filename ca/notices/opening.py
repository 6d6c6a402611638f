# SPDX-License-Identifier: Apache-2.0
"""The ways out, as the settings name them."""

import ssl
from pathlib import Path

from core.calls import Webhook, by_secret
from core.config import ConfigurationError, secret

from ..config import NoticeSettings
from .mail import Mailer

_PRIVATE = 0o077


def open_mailer(settings: NoticeSettings, *, own_name: str) -> Mailer | None:
    """The mail server; None if there is none.

    Raises:
        ConfigurationError: its password or its roots cannot be used.
    """
    if not settings.server:
        return None
    host, _, port = settings.server.rpartition(":")
    login = None
    if settings.password is not None:
        login = (settings.user, _password(settings.password))
    return Mailer(
        host.strip("[]"),
        int(port),
        security=settings.security,
        context=_context(settings.roots),
        own_name=own_name,
        login=login,
        timeout=settings.timeout.total_seconds(),
    )


def open_webhook(settings: NoticeSettings) -> Webhook | None:
    """The webhook; None if there is none.

    Raises:
        ConfigurationError: its secret or its roots cannot be used.
    """
    if not settings.webhook or settings.webhook_secret is None:
        return None
    sign = by_secret(secret(settings.webhook_secret))
    context = _context(settings.webhook_roots)
    return Webhook(settings.webhook, sign=sign, context=context, private=settings.webhook_private)


def _context(roots: Path | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=str(roots) if roots else None)
    except OSError as error:
        raise ConfigurationError(where=str(roots), why="holds no root certificates") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _password(path: Path) -> str:
    try:
        readable = path.stat().st_mode & _PRIVATE
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(where=str(path), why="cannot be read") from error
    if readable:
        raise ConfigurationError(where=str(path), why="a secret must not be readable by group or others")
    if not lines or not lines[0]:
        raise ConfigurationError(where=str(path), why="holds no password")
    return lines[0]
