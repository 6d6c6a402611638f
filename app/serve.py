# SPDX-License-Identifier: Apache-2.0
"""`tallygate serve ROLE`: one role as its own process, with granian before the WSGI application.

The log's writer is no web application and runs its own loop. Everything else is loaded once per worker by
``app.wsgi``; the role and the site's file reach it through the environment, which holds no secret.
"""

import os
from pathlib import Path

from granian import Granian
from granian.constants import Interfaces

from core.log import configure
from core.site import PORTALS, ROLES

from .context import Context
from .wiring import directory, gateway

WORKERS = {"gateway": 2, "sso": 2}
"""The two roles on everybody's path get a process per core; two cores are the reference machine."""
THREADS = {"ca": 32}
"""Blocking threads per worker where it is not eight: a certificate waits up to a quarter of a second for the checkpoint
that covers its intent, and whoever waits takes no processor."""
_THREADS = 8
"""They wait for receipts, LDAP and the database, and share group commits."""


def serve(role: str, configuration: Path) -> None:
    """Run until SIGTERM.

    Raises:
        ValueError: there is no such role.
    """
    configure(role)
    if role == "log":
        from .wiring.audit import serve_log  # noqa: PLC0415 - the log's process loads nothing it does not need

        serve_log(Context.read(configuration))
        return
    if role in ("slapd", "nginx"):
        command = server_command(role, Context.read(configuration))
        os.execvp(command[0], command)  # noqa: S606 - this process becomes the server; no shell
    if role not in ROLES and role not in {f"portal:{name}" for name in PORTALS}:
        raise ValueError(f"there is no role {role}")
    socket = Context.read(configuration).site.socket(role)
    socket.unlink(missing_ok=True)
    os.environ["TALLYGATE_ROLE"] = role
    os.environ["TALLYGATE_SITE"] = str(configuration)
    Granian(
        "app.wsgi:application",
        factory=True,
        interface=Interfaces.WSGI,
        uds=socket,
        uds_permissions=0o660,
        workers=WORKERS.get(role, 1),
        blocking_threads=THREADS.get(role, _THREADS),
        respawn_failed_workers=True,
        workers_kill_timeout=10,
        websockets=False,
        log_access=False,
        # Its messages go through our own formatter, like everybody's (core.log).
        log_dictconfig={"loggers": {"_granian": {"handlers": [], "propagate": True}}},
    ).serve()


def server_command(name: str, context: Context) -> list[str]:
    """How to run one of the two servers that are not ours, in the foreground."""
    if name == "slapd":
        return directory.command(context)
    gateway.prepare(context)
    return gateway.command(context, supervised=False)
