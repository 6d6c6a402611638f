# SPDX-License-Identifier: Apache-2.0
"""What was granted with a security assessment, brought into the site's file: the difference first, then the file.

A route that stands in the file stays as the operator wrote it; its assessment alone is replaced by a later one. The new
file is read and checked as at a start before it takes the place of the old one, so that a route below what its grade
demands, or a record that is kept too short for it, is refused while the old file still stands.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from core.config import ConfigurationError

from . import files
from .context import Context
from .settings import check


def entered(text: str, sections: Iterable[str]) -> str:
    """The site's file with these hosts' sections; of several about one host the latest assessment counts.

    Raises:
        ConfigurationError: a host's assessment is written in a way in which it cannot be replaced.
    """
    latest: dict[str, tuple[str, str]] = {}
    for section in sections:
        ((label, route),) = _routes(section).items()
        latest[label] = max(latest.get(label, ("", "")), (route["assessment"]["on"], section))
    for label, (on, section) in sorted(latest.items()):
        stands = _routes(text).get(label)
        if stands is None:
            text = f"{text.rstrip()}\n\n{section}\n"
        elif stands.get("assessment", {}).get("on", "") < on:
            text = _assessed_again(text, label, section)
    return text


def difference(before: str, after: str) -> str:
    """What would change, as `diff -u` tells it; empty if nothing."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), "site.toml", "site.toml, new", lineterm="")
    return "\n".join(lines)


def write(file: Path, before: str, after: str) -> None:
    """Put the new file in place of what was shown; a crash leaves the old one or the new one.

    Raises:
        ConfigurationError: the site would not start with it, or the file has been changed since; nothing was written.
    """
    file = file.resolve()
    draft = file.with_name(f".{file.name}.checked")
    try:
        draft.write_text(after, "utf-8")
        check(Context.read(draft))
    finally:
        draft.unlink(missing_ok=True)
    if file.read_text("utf-8") != before:
        raise ConfigurationError(where=str(file), why="it has been changed since the difference was shown")
    was = file.stat()
    files.replace(file, after.encode())
    file.chmod(was.st_mode & 0o777)
    os.chown(file, was.st_uid, was.st_gid)


def _assessed_again(text: str, label: str, section: str) -> str:
    header = f"[gateway.routes.{label}.assessment]"
    table = section[section.index(header) :].rstrip()
    known = "assessment" in _routes(text)[label]
    old = re.compile(rf"^{re.escape(header)}[^\n]*\n(?:(?!\s*\[)[^\n]*(?:\n|\Z))*", re.MULTILINE)
    if not known:
        return f"{text.rstrip()}\n\n{table}\n"
    made, count = old.subn(lambda _: f"{table}\n\n", text)
    if count != 1:
        why = f"write it as a table of its own, {header}"
        raise ConfigurationError(where=f"gateway.routes.{label}.assessment", why=why)
    return f"{made.rstrip()}\n"


def _routes(text: str) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads(text).get("gateway", {}).get("routes", {})
    return found
