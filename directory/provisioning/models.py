# SPDX-License-Identifier: Apache-2.0
"""One person's account at one portal, as we know it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Stage(StrEnum):
    """How an account stands at its portal."""

    # Never told, as far as we know: a process that died may have told it all the same.
    UNTOLD = "untold"
    ACTIVE = "active"
    INACTIVE = "inactive"


@dataclass(frozen=True, kw_only=True)
class Account:
    """A row; each change of it names the version that it was made from."""

    portal: str
    subject: str
    version: int
    stage: Stage = Stage.UNTOLD
    # What the portal calls it; empty while it has not said.
    remote: str = ""
    # Of what the portal took last.
    digest: str = ""
    # Groups it was put into there.
    groups: frozenset[str] = frozenset()
    # When it is looked at again, in epoch seconds; 0: when something happens.
    due: int = 0
    # Failures since it last succeeded, and the code of the last one.
    attempts: int = 0
    failed: str = ""


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a portal is to hold of somebody; ``active`` is whether they have any business there."""

    active: bool
    document: Mapping[str, Any] = field(default_factory=dict)
    # Roles that are groups there, with their titles.
    groups: Mapping[str, str] = field(default_factory=dict)
