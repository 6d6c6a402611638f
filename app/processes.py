# SPDX-License-Identifier: Apache-2.0
"""The processes of a site on one machine, in starting order, each with its command and its sign of life."""

import os
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import urllib3

from core.calls import Peer
from core.errors import TallygateError
from core.site import PORTALS, ROLES, SiteSettings

CODE = Path(__file__).resolve().parent.parent
"""Where the code is found, whatever folder somebody happened to start from."""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where slapd, nginx and setpriv are looked for; the caller's path is not trusted."""
MEMORY = {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": "1048576", "MALLOC_TRIM_THRESHOLD_": "1048576"}
"""How glibc keeps what was freed: not apart for each of many threads that mostly wait; and what is large is given back,
where it would else learn from the first large body to keep room for the next."""


@dataclass(frozen=True, kw_only=True)
class Process:
    """One process to supervise."""

    # Name of its log file and in messages.
    name: str
    # Owner of the private folder it works in; decides the user it runs as.
    holder: str
    command: tuple[str, ...]
    # Raises OSError or TallygateError while it cannot serve yet.
    ready: Callable[[], None]
    # Left-over sockets of a killed predecessor.
    sockets: tuple[Path, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    # Logs it writes itself and opens again on SIGUSR1.
    own_logs: tuple[Path, ...] = ()
    # Whether it may start while others of its kind before it do, and stop with them.
    beside: bool = False
    # Done before its first start, when all before it are ready; what it raises keeps the site from being started.
    first: Callable[[], None] = lambda: None


def processes(
    site: SiteSettings,
    configuration: Path,
    *,
    slapd: tuple[str, ...],
    nginx: tuple[str, ...],
    edge: str = "nginx",
    second: tuple[str, ...] = (),
) -> tuple[Process, ...]:
    """All of them: each is started only when those before it are ready, but roles start beside one another.

    ``nginx`` runs the site's proxy, which ``edge`` is; ``second`` runs another slapd beside the first.
    """
    proxy = site.socket("nginx")
    return (
        _slapd("slapd", site.socket("slapd", "ldapi"), slapd),
        *([_slapd("slapd-second", site.socket("slapd", "second"), second)] if second else []),
        log_writer(site, configuration),
        _watch(site, configuration),
        *(_role(site, role, configuration) for role in ROLES),
        *(_role(site, f"portal:{name}", configuration) for name in PORTALS),
        Process(
            # Whatever the program: folder, user and secrets are those of who vouches for addresses and certificates.
            name=edge,
            holder="nginx",
            command=nginx,
            # On its own socket, for on a port of the site somebody else could answer. It opens all or none.
            ready=lambda: answers(proxy),
            sockets=(proxy,),
            # HAProxy says on its output what nginx writes to files, and SIGUSR1 would end it.
            own_logs=nginx_logs(site) if edge == "nginx" else (),
        ),
    )


def _slapd(name: str, path: Path, command: tuple[str, ...]) -> Process:
    return Process(name=name, holder="slapd", command=command, ready=lambda: _connects(path), sockets=(path,))


def log_writer(site: SiteSettings, configuration: Path) -> Process:
    """The log's own process, which everybody else needs."""
    path = site.socket("audit", "log")
    return _serving("log", "audit", configuration, ready=lambda: _connects(path), sockets=(path,))


def _watch(site: SiteSettings, configuration: Path) -> Process:
    """What the record does again and again, beside writing and reading."""
    path = site.socket("audit", "watch")
    return _serving("watch", "audit", configuration, ready=lambda: _connects(path), sockets=(path,), beside=True)


def nginx_logs(site: SiteSettings) -> tuple[Path, ...]:
    """The files that nginx writes itself."""
    return tuple(site.folder("nginx") / "logs" / name for name in ("decisions.log", "error.log"))


def _role(site: SiteSettings, role: str, configuration: Path) -> Process:
    path = site.socket(role)
    return _serving(role, role, configuration, ready=lambda: answers(path), sockets=(path,), beside=True)


def _serving(
    name: str,
    holder: str,
    configuration: Path,
    *,
    ready: Callable[[], None],
    sockets: tuple[Path, ...],
    beside: bool = False,
) -> Process:
    return Process(
        name=name.replace(":", "-"),
        holder=holder,
        command=(sys.executable, "-m", "app", "serve", name, "--site", str(configuration)),
        ready=ready,
        sockets=sockets,
        environment={"PYTHONPATH": str(CODE), "PYTHONUNBUFFERED": "1"},
        beside=beside,
    )


def _connects(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        probe.connect(str(path))


def answers(path: Path) -> None:
    """See that somebody serves on a socket and is ready.

    Raises:
        OSError, TallygateError: nobody does.
    """
    if not path.exists():
        raise FileNotFoundError(path)
    # The probes are public: this caller has no secret and needs none.
    Peer(path=path, caller="supervisor", secret=b"", timeout=5).call("GET", "/readyz")


def is_up(process: Process) -> bool:
    """Whether its sign of life is there now."""
    try:
        process.ready()
    except (OSError, TallygateError, urllib3.exceptions.HTTPError):
        return False
    return True


def clean_environment(process: Process) -> dict[str, str]:
    """What a process inherits: a path, a language and its own settings; nothing of the caller's shell."""
    kept = {name: os.environ[name] for name in ("TZ",) if name in os.environ}
    return {"PATH": PATH, "LANG": "C.UTF-8", "HOME": "/nonexistent", **MEMORY, **kept, **process.environment}
