# SPDX-License-Identifier: Apache-2.0
"""Several lists as one: ours, those of other sites and of other states."""

from collections.abc import Sequence
from datetime import datetime

from ..models import Trust


def merged(lists: Sequence[tuple[str, Trust]]) -> Trust:
    """One trust from several, each by a name that keeps its authorities apart.

    Where two lists speak of one certificate, the first one counts: a stranger's list cannot lengthen what ours ended.
    """
    roots: dict[str, None] = {}
    issuers: dict[str, str] = {}
    signing: set[str] = set()
    periods: dict[str, tuple[datetime | None, datetime | None]] = {}
    for name, found in lists:
        roots |= dict.fromkeys(found.roots)
        for authority, pem in found.issuers.items():
            issuers[f"{name}/{authority}"] = pem
        signing |= {f"{name}/{authority}" for authority in found.signing or found.issuers}
        periods = {**found.periods, **periods}
    return Trust(roots=tuple(roots), issuers=issuers, signing=frozenset(signing), periods=periods)
