# SPDX-License-Identifier: Apache-2.0
"""Who countersigned a signature: by name where somebody we trust vouches for them, or only that there is something."""

from ..models import Chain, Revocation
from .signed_data import Signer
from .stamps import Surroundings


def countersigned(signer: Signer, around: Surroundings) -> tuple[tuple[str, ...], int]:
    """Names of those whose countersignature is good now, and how many others there are."""
    names = [name for each in signer.counters if (name := _vouched(each, around))]
    return tuple(names), len(signer.counters) - len(names)


def _vouched(signer: Signer, around: Surroundings) -> str:
    sound = signer.signature_verifies and signer.digest_matches and not (signer.weak or signer.other_certificate)
    if not sound or signer.certificate is None:
        return ""
    found = around.assessor.assess(
        signer.certificate,
        others=[*signer.others, *around.others],
        at=around.at,
        lists=[*signer.lists, *around.lists],
        answers=[*signer.answers, *around.answers],
    )
    good = found.chain is Chain.TRUSTED and found.purpose and found.revocation is Revocation.GOOD
    in_time = found.not_before <= around.at <= found.not_after
    return (found.name or found.organisation or found.serial) if good and in_time else ""
