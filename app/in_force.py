# SPDX-License-Identifier: Apache-2.0
"""By which settings a process works stands on the record before it works by them.

What an operator writes into the site's file by hand grants as much as two administrators do. So whoever begins with
settings that it did not begin with last time asks the log, which has them recorded unless they were recorded last: ten
roles that start together make one entry. The log begins by recording its own. Without the record nobody begins with
others; with the same a role starts although the record is away, for what it takes away must not wait.
"""

import hashlib
import json
import re
import time
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from audit import RecordUnavailable
from audit.client import state
from audit.models_settings import GRADES, Stated
from core.config import Document
from core.log import logger
from core.site import ROLES

from .context import Context
from .files import alone
from .files import replace as put
from .processes import CODE
from .users import Users

RECORDED = ROLES
"""Roles whose settings are recorded. Portals have no secret with the log: they read where things lie, and let in whom
the gateway lets in. slapd starts before the log; what is written for it the role directory reads too."""
BEGINNERS = (
    *((role, role, "") for role in RECORDED),
    ("watch", "audit", "watch"),
    ("nginx", "nginx", ""),
    ("supervisor", "app", ""),
)
"""Whoever keeps with what it began: its name, whose folder, and which part."""
PATIENCE = 20.0
"""Seconds for which a role that starts waits for the record."""
_PAUSE = 0.2
_log = logger(__name__)
# Of a table's digest: enough to tell one from the other, and little enough for many tables.
_DIGITS = 32
_PART = re.compile(r"[A-Za-z0-9_-]{1,63}", flags=re.ASCII)
# Bytes that a line takes before it knows who speaks, with room for who that is: of files that have more to tell, only
# sections and the grades of so many hosts are told, and that they changed in any case.
_FITS = 70_000
_HOSTS = 500


def stated(document: Document) -> Stated:
    """What is said of a site's file."""
    tables: dict[str, str] = {}
    for name, own in _tables((), document.tables):
        # Names that are none of ours, perhaps somebody's, share the one of their kind.
        tables[name] = _digest([tables.get(name, ""), own])[:_DIGITS]
    grades = dict(sorted(_grades(document.tables)))
    whole = Stated(digest=_digest(document.tables), version=_version(), tables=tables, grades=grades)
    if len(json.dumps(whole.document())) <= _FITS:
        return whole
    sections = {name: _digest(table)[:_DIGITS] for name, table in document.tables.items() if _PART.fullmatch(name)}
    return replace(whole, tables=sections, grades=dict(islice(grades.items(), _HOSTS)))


def take_up(context: Context, role: str, *, part: str = "", patience: float = PATIENCE) -> None:
    """Return when the settings of this process are on the record; ``part`` names one of several of a role's.

    Raises:
        RecordUnavailable: they are not, so nothing may be served by them.
    """
    own = stated(context.document)
    said = mark(own)
    folder, path = context.site.folder(role), begun_with(context, role, part)
    with suppress(OSError):
        if path.read_bytes() == said:
            return
    limit, waits = time.monotonic() + patience, False
    while not _say(context, role, own, last=time.monotonic() >= limit):
        if not waits:
            _log.warning("settings_wait_for_record", role=role)
        waits = True
        time.sleep(_PAUSE)
    # Dead before this line, it asks again, and they were recorded last. Workers of one role may come together.
    with alone(folder):
        put(path, said)
        path.chmod(0o600)


def say(context: Context, role: str, own: Stated) -> None:
    """Have settings recorded that this process will work by.

    Raises:
        RecordUnavailable: they are not on the record.
    """
    secret = context.site.pair_secret(holder=role, caller=role, callee="audit")
    state(context.log_socket, own, caller=role, secret=secret, log_key=context.log_key)


def mark(own: Stated) -> bytes:
    """What a role keeps of the settings with which it began."""
    return json.dumps({"digest": own.digest, "version": own.version}).encode()


def recorded_last(context: Context) -> Stated | None:
    """What the record told last, read as its user; None if nothing.

    Raises:
        ValueError: what the log kept cannot be read; it tells them anew at its next start.
    """
    path = recorded(context)
    said = Users.detect().acting("audit", lambda: path.read_bytes() if path.exists() else b"")
    return Stated.parse(json.loads(said)) if said else None


def recorded(context: Context) -> Path:
    """Where the log keeps what it recorded last."""
    return context.site.folder("audit") / "settings.json"


def begun_with(context: Context, role: str, part: str = "") -> Path:
    """Where a role keeps with which settings it began."""
    return context.site.folder(role) / f"begun-with{f'-{part}' if part else ''}.json"


def _say(context: Context, role: str, own: Stated, *, last: bool) -> bool:
    try:
        say(context, role, own)
    except RecordUnavailable:
        if last:
            raise
        return False
    return True


def _tables(path: tuple[str, ...], table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Dotted name of each table, and a digest of what stands in it beside other tables."""
    if path:
        own = {name: value for name, value in table.items() if not isinstance(value, dict)}
        yield ".".join(part if _PART.fullmatch(part) else "*" for part in path), _digest([path, own])
    for name, value in sorted(table.items()):
        if isinstance(value, dict):
            yield from _tables((*path, name), value)


def _grades(tables: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    routes = _table(_table(tables, "gateway"), "routes")
    for label in routes:
        grade = _table(_table(routes, label), "assessment").get("grade")
        # Any other is refused by whoever holds the host to it.
        if type(grade) is int and grade in GRADES and _PART.fullmatch(label):
            yield label, grade


def _table(within: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = within.get(name)
    return found if isinstance(found, dict) else {}


def _digest(said: Any) -> str:
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()


@cache
def _version() -> str:
    """Of the program, as it says itself."""
    try:
        said = tomllib.loads((CODE / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    except (OSError, ValueError, KeyError):
        return "unknown"
    return str(said)
