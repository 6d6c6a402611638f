# SPDX-License-Identifier: Apache-2.0
"""What a process says of the settings with which it begins, and what of it stands on the record.

Named are tables of the site's file, hosts and grades; no value, no secret and nobody's name. Digests of single tables
stay with the log, for a short table could be guessed by its digest.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from .models import Attribute

CHANGED = "site.settings.changed"
_DIGEST = re.compile(r"[0-9a-f]{16,64}", flags=re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9_.*-]{1,256}", flags=re.ASCII)
_VERSION = re.compile(r"[0-9A-Za-z.+-]{1,64}", flags=re.ASCII)
_MOST = 2000
GRADES = range(1, 6)
# Of what one entry tells in words, in characters; how many there are it says in any case.
_LONGEST = 8000
_NONE = "none"


@dataclass(frozen=True, kw_only=True)
class Stated:
    """The settings of one site's file, as a process has read them."""

    # Of the whole file's meaning: comments, blanks and the order of tables do not count.
    digest: str
    # Of the program, whose defaults count where the file is silent.
    version: str
    # Digest of what stands in each table itself, by its dotted name.
    tables: Mapping[str, str] = field(default_factory=dict)
    # Grade by which each assessed host is held, by its label.
    grades: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def parse(cls, said: Any) -> Self:
        """What ``document`` made.

        Raises:
            ValueError: it is not.
        """
        try:
            found = cls(**said)
            whole = _DIGEST.fullmatch(found.digest) and _VERSION.fullmatch(found.version)
            tables, grades = dict(found.tables), dict(found.grades)
            named = all(_NAME.fullmatch(name) for name in (*tables, *grades))
            good = all(_DIGEST.fullmatch(digest) for digest in tables.values())
            graded = all(type(grade) is int and grade in GRADES for grade in grades.values())
        except (TypeError, ValueError, AttributeError) as error:
            raise ValueError("these are no settings") from error
        if not (whole and named and good and graded) or max(len(tables), len(grades)) > _MOST:
            raise ValueError("these are no settings")
        return found

    def document(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return asdict(self)

    def same(self, other: "Stated | None") -> bool:
        """Whether both have one program work alike."""
        return other is not None and (self.digest, self.version) == (other.digest, other.version)


def told(before: Stated | None, after: Stated, *, role: str) -> dict[str, Attribute]:
    """The attributes of the entry; ``role`` is whoever began with them, ``before`` what was recorded last."""
    names = changed(before, after)
    said: dict[str, Attribute] = {
        "what": "changed" if before else "first",
        "role": role,
        "digest": after.digest,
        "version": after.version,
        "count": len(names),
    }
    if before is not None:
        said["before"] = before.digest
        if before.version != after.version:
            said["version_before"] = before.version
    if names:
        said["tables"] = _cut(names)
    if moved := list(_moved(before.grades if before else {}, after.grades)):
        said["grades"] = _cut(moved)
    return said


def changed(before: Stated | None, after: Stated) -> list[str]:
    """The tables that came, went, or say something else."""
    old = before.tables if before else {}
    return sorted(name for name in {*old, *after.tables} if old.get(name) != after.tables.get(name))


def _moved(before: Mapping[str, int], after: Mapping[str, int]) -> Iterator[str]:
    for host in sorted({*before, *after}):
        old, new = before.get(host), after.get(host)
        if old != new:
            yield f"{host}={old or _NONE}>{new or _NONE}"


def _cut(names: list[str]) -> str:
    whole = " ".join(names)
    return whole if len(whole) <= _LONGEST else f"{whole[:_LONGEST].rpartition(' ')[0]} ..."
