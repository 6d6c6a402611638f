# SPDX-License-Identifier: Apache-2.0
"""Several lists as one: ours, those of other sites and of other states."""

from collections.abc import Sequence
from datetime import datetime

from ..models import Trust


def merged(lists: Sequence[tuple[str, Trust]]) -> Trust:
    """One trust from several, each by a name that keeps its authorities apart; without a name they keep their own.

    Where two lists speak of one certificate, the first one counts: a stranger's list cannot lengthen what ours ended.
    """
    roots: dict[str, None] = {}
    issuers: dict[str, str] = {}
    signing: set[str] = set()
    periods: dict[str, tuple[datetime | None, datetime | None]] = {}
    purposes: dict[str, frozenset[str]] = {}
    qualified: set[str] = set()
    for name, found in lists:
        roots |= dict.fromkeys(found.roots)
        for authority, pem in found.issuers.items():
            issuers[_called(name, authority)] = pem
        signing |= {_called(name, authority) for authority in found.signing or found.issuers}
        periods = {**found.periods, **periods}
        purposes = {**found.purposes, **purposes}
        qualified |= found.qualified
    return Trust(
        roots=tuple(roots),
        issuers=issuers,
        # Where every list is empty of authorities, what lies between comes with the documents: all may sign.
        signing=frozenset(signing),
        periods=periods,
        purposes=purposes,
        qualified=frozenset(qualified),
    )


def _called(name: str, authority: str) -> str:
    return f"{name}/{authority}" if name else authority
