# SPDX-License-Identifier: Apache-2.0
"""`tallygate serve ROLE`: one role as its own process, with granian before its application.

The log's writer and the process of the record's duties are no web applications. Everything else is loaded once per
worker by ``app.wsgi``; the role and the site's file reach it through the environment, which holds no secret. The main
process stays small: it only watches its workers, so it loads none of what they need.
"""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from core.config import Document
from core.errors import TallygateError
from core.log import LogSettings, configure
from core.site import PORTALS, ROLES, SiteSettings

from .errors import NotBorn, UnknownRole
from .workers import WORKERS

THREADS = {"audit": 32, "ca": 32}
"""Blocking threads per worker where it is not eight, because whoever waits takes no processor: a certificate waits up
to a quarter of a second for the checkpoint that covers its intent, an event sent by HTTP for the disk."""
_THREADS = 8
"""They wait for receipts, LDAP and the database, and share group commits."""
LOOPS = frozenset({"gateway"})
"""Roles asked so often that an event loop of their own answers, and not a thread for each question."""
LARGE_BODIES = frozenset({"audit"})
"""Roles that take megabytes at once, again and again."""
GIVE_BACK = {"_RJEM_MALLOC_CONF": "narenas:2,dirty_decay_ms:0,muzzy_decay_ms:0"}
"""Granian has an allocator of its own, which keeps what bodies took until the next one comes: of the console 40 MiB
after a run of batches. Given back at once it costs a call to the kernel for each large body."""
_LOGS_EVERY = 1.0
"""Seconds between two looks at the logs of an nginx that has no supervisor."""


def serve(role: str, configuration: Path) -> None:
    """Run until SIGTERM.

    Raises:
        UnknownRole: there is none of that name.
        ConfigurationError: the file cannot be used.
        NotBorn: there is no site yet.
    """
    portals = tuple(f"portal:{name}" for name in PORTALS)
    known = ("slapd", "slapd-second", "log", "watch", *ROLES, *portals, "nginx")
    if role not in known:
        raise UnknownRole(role=role, known=", ".join(known))
    site = Document.read(configuration).section("site", SiteSettings)
    # A birth makes it, and of the whole site a container sees only this and its own.
    if not site.run.is_dir():
        raise NotBorn
    configure(role)
    if role == "log":
        serve_log(configuration)
        return
    if role == "watch":
        serve_watch(configuration)
        return
    if role in ("slapd", "slapd-second", "nginx"):
        command = server_command(role, configuration)
        if role == "nginx" and command[0].endswith("nginx"):
            _turn_logs_beside(os.getpid(), configuration)
        os.execvp(command[0], command)  # noqa: S606 - this process becomes the server; no shell
    socket = site.socket(role)
    _make_room(socket)
    os.environ["TALLYGATE_ROLE"] = role
    os.environ["TALLYGATE_SITE"] = str(configuration)
    if role in LARGE_BODIES:
        os.environ.update(GIVE_BACK)
    # Not before: its allocator reads that when it is loaded, once for this process and its workers.
    from granian import Granian  # noqa: PLC0415 - as said
    from granian.constants import Interfaces  # noqa: PLC0415 - as said

    loops = role in LOOPS
    Granian(
        "app.wsgi:application",
        factory=True,
        interface=Interfaces.RSGI if loops else Interfaces.WSGI,
        uds=socket,
        uds_permissions=0o660,
        workers=WORKERS.get(role, 1),
        # Where an event loop is served the application has its own.
        blocking_threads=1 if loops else THREADS.get(role, _THREADS),
        respawn_failed_workers=True,
        workers_kill_timeout=10,
        websockets=False,
        log_access=False,
        # Its messages go through our own formatter, like everybody's (core.log).
        log_dictconfig={"loggers": {"_granian": {"handlers": [], "propagate": True}}},
    ).serve()


def serve_log(configuration: Path) -> None:
    """Be the log's writer until SIGTERM."""
    from .context import Context  # noqa: PLC0415 - see the module's docstring
    from .wiring import recording  # noqa: PLC0415 - as above

    context = Context.read(configuration)
    _make_room(context.log_socket)
    recording.serve_log(context)


def serve_watch(configuration: Path) -> None:
    """Do the record's duties until SIGTERM."""
    from .context import Context  # noqa: PLC0415 - see the module's docstring
    from .in_force import take_up  # noqa: PLC0415 - as above
    from .wiring import watching  # noqa: PLC0415 - as above

    context = Context.read(configuration)
    path = context.site.socket("audit", "watch")
    _make_room(path)
    take_up(context, "audit", part="watch")
    watching.serve_watch(context, path)


def server_command(name: str, configuration: Path) -> list[str]:
    """How to run one of the servers that are not ours, in the foreground."""
    from .context import Context  # noqa: PLC0415 - see the module's docstring
    from .in_force import take_up  # noqa: PLC0415 - as above
    from .wiring import directory, gateway  # noqa: PLC0415 - as above

    context = Context.read(configuration)
    if name == "slapd":
        _make_room(context.site.socket("slapd", "ldapi"))
        directory.prepare(context)
        return directory.command(context)
    if name == "slapd-second":
        # Prepared with the first one, from which it is copied.
        _make_room(context.site.socket("slapd", "second"))
        return directory.second_command(context)
    _make_room(context.site.socket("nginx"))
    # Hosts that nobody is asked about it opens by itself.
    take_up(context, "nginx")
    gateway.prepare(context)
    return gateway.command(context, supervised=False)


def _turn_logs_beside(nginx: int, configuration: Path) -> None:
    """What the supervisor does for nginx's logs, where there is none: in a process that ends with nginx."""
    from .context import Context  # noqa: PLC0415 - see the module's docstring
    from .logs import OwnLogs  # noqa: PLC0415 - as above
    from .processes import answers, nginx_logs  # noqa: PLC0415 - as above

    context = Context.read(configuration)
    logs = OwnLogs(nginx_logs(context.site), settings=context.settings("logs", LogSettings), clock=context.clock)
    if os.fork():
        return
    try:
        while os.getppid() == nginx:
            time.sleep(_LOGS_EVERY)
            with suppress(OSError, TallygateError):
                if logs.due():
                    # Before it is ready it would die of the signal.
                    answers(context.site.socket("nginx"))
                    logs.put_aside()
                    os.kill(nginx, signal.SIGUSR1)
    finally:
        os._exit(0)


def _make_room(socket: Path) -> None:
    """What lies here is a dead predecessor's. The folder is made by the supervisor, or here where there is none."""
    socket.parent.mkdir(mode=0o700, exist_ok=True)
    socket.unlink(missing_ok=True)
