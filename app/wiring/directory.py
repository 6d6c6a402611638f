# SPDX-License-Identifier: Apache-2.0
"""Composes the role ``directory``: the one writer, its relay, and the administrators' desk."""

import secrets

from app.context import Context, write_secret
from audit import Recorder
from directory import DirectorySettings, slapd


def found(context: Context, recorder: Recorder) -> None:
    """The directory's part in a site's birth: a secret for every service, slapd's configuration, the base tree.

    May be repeated: secrets and tree stay, the configuration is written afresh. Only while slapd is stopped.
    """
    settings = context.settings("directory", DirectorySettings)
    services = {role: _service_secret(context, role) for role in slapd.SERVICES}
    slapd.prepare(settings, context.site, services)


def command(context: Context) -> list[str]:
    """How the supervisor runs slapd in the foreground."""
    return slapd.command(context.settings("directory", DirectorySettings), context.site)


def ready(context: Context) -> None:
    """See that slapd answers.

    Raises:
        DirectoryUnavailable: it does not.
    """
    slapd.check(context.settings("directory", DirectorySettings), context.site)


def _service_secret(context: Context, role: str) -> bytes:
    path = context.site.folder(role) / "ldap.secret"
    if not path.exists():
        write_secret(path, secrets.token_bytes(32))
    return path.read_bytes()
