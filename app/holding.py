# SPDX-License-Identifier: Apache-2.0
"""The state folder of a site: whether a site is born in it, who holds it, and its log running alone.

What every command of an operator asks, so nothing here knows a role.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from core.errors import N_, Conflict
from core.log import LogSettings
from core.site import SiteSettings

from .context import Context
from .processes import log_writer
from .supervisor import Supervisor
from .users import Users

MARK = "born"
"""The last file of a finished birth."""
_CITIES = 20
_HOME = Path(__file__).resolve().parent.parent / ".state"
"""Cities that were given no folder live beside the code."""


class AlreadyUp(Conflict):
    """Another supervisor runs this site."""

    code = "already_up"
    message = N_("This site is running already.")


def is_born(site: SiteSettings) -> bool:
    """Whether the birth was finished."""
    return (site.state / MARK).exists()


def configuration_of(state: Path) -> Path:
    """Where a site's one file lies."""
    return state / "site.toml"


def let_others_pass() -> None:
    """Make what is public readable by the roles' users, whatever the caller's shell says; secrets name their mode."""
    os.umask(0o022)


def alone(configuration: Path) -> AbstractContextManager[Path]:
    """Hold a site's folder as its supervisor does, so that nothing is born or renewed beneath one.

    Raises:
        AlreadyUp: the site is running, or being born.
    """
    return held(configuration, None)


@contextmanager
def held(configuration: Path | None, state: Path | None, home: Path = _HOME) -> Iterator[Path]:
    """The state folder, locked for as long as this process runs."""
    if configuration is not None or state is not None:
        wishes = [configuration.parent if configuration is not None else state]
    else:
        wishes = [home / "city", *(home / f"city-{number}" for number in range(2, _CITIES))]
    for folder in wishes:
        assert folder is not None  # noqa: S101 - one of the two was given
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        lock = os.open(folder / ".running", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        try:
            yield folder
        finally:
            os.close(lock)
        return
    raise AlreadyUp


@contextmanager
def log_alone(context: Context) -> Iterator[None]:
    """Let the log run, and nothing else, while an operator does what must be recorded.

    Raises:
        StartFailed: it does not start.
    """
    log = Supervisor(
        [log_writer(context.site, context.path)],
        users=Users.detect(),
        logs=context.site.state / "logs",
        settings=context.settings("logs", LogSettings),
        clock=context.clock,
    )
    try:
        log.start()
        yield
    finally:
        log.stop()
