# SPDX-License-Identifier: Apache-2.0
"""A program and what an administrator wrote down for it; what is not written down it may not do."""

import datetime as dt
import re
from dataclasses import dataclass
from enum import StrEnum

LONGEST_CLIENT = 64
CLIENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
"""An identifier that the sign-on gives a client."""


class Doing(StrEnum):
    """What a program may be allowed; each allows nothing of the others."""

    # People of its part and who is in which group.
    READ = "read"
    ENTER = "enter"
    # Names and addresses.
    CHANGE = "change"
    # Shutting an account, and opening it again.
    SWITCH = "switch"
    # Letting somebody go.
    RELEASE = "release"


@dataclass(frozen=True, kw_only=True)
class Program:
    """One client of the sign-on, as far as the directory lets it in."""

    client: str
    # Organisations, each with everything below it.
    organisations: tuple[str, ...]
    doings: frozenset[Doing]
    # Last day.
    until: dt.date
    by: str
    reason: str
