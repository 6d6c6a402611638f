# SPDX-License-Identifier: Apache-2.0
"""Several lists as one: ours, those of other sites and of other states."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ..models import Trust


def merged(lists: Sequence[tuple[str, Trust]]) -> Trust:
    """One trust from several, each by a name that keeps its authorities apart; without a name they keep their own.

    Where two lists speak of one certificate, the first one alone counts: a stranger's list cannot lengthen what ours
    ended, cannot end what ours trusts, and lets nobody sign whom ours does not.
    """
    roots: dict[str, None] = {}
    issuers: dict[str, str] = {}
    signing: set[str] = set()
    periods: dict[str, tuple[datetime | None, datetime | None]] = {}
    purposes: dict[str, frozenset[str]] = {}
    qualified: set[str] = set()
    keepers: dict[str, str] = {}
    known: set[str] = set()
    for name, found in lists:
        names = {pem: _name(pem) for pem in (*found.roots, *found.issuers.values())}
        new = {authority: pem for authority, pem in found.issuers.items() if names[pem] not in known}
        begun = [pem for pem in found.roots if names[pem] not in known]
        roots |= dict.fromkeys(begun)
        issuers |= {_called(name, authority): pem for authority, pem in new.items()}
        signing |= {_called(name, each) for each in found.signing or found.issuers if each in new}
        periods |= {each: period for each, period in found.periods.items() if each not in known}
        purposes |= {each: purpose for each, purpose in found.purposes.items() if each not in known}
        # What ours trusts for longer than a state supervises it is qualified no more.
        qualified |= {each for each in found.qualified if each not in known or found.periods[each][1] is None}
        keepers |= {names[pem]: name for pem in begun if name}
        known |= {*names.values()}
    return Trust(
        roots=tuple(roots),
        issuers=issuers,
        # Where every list is empty of authorities, what lies between comes with the documents: all may sign.
        signing=frozenset(signing),
        periods=periods,
        purposes=purposes,
        qualified=frozenset(qualified),
        keepers=keepers,
    )


@lru_cache(maxsize=16_384)
def _name(pem: str) -> str:
    return hashlib.sha256(x509.load_pem_x509_certificate(pem.encode()).public_bytes(Encoding.DER)).hexdigest()


def _called(name: str, authority: str) -> str:
    return f"{name}/{authority}" if name else authority
