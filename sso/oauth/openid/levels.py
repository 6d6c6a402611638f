# SPDX-License-Identifier: Apache-2.0
"""The two halves of ``acr``, said apart: what was proved at the door, and how surely its person is known."""

from ...models import Grant

UNKNOWN = -1


def levels_of(grant: Grant, *, authenticator: int) -> dict[str, str]:
    """Claims of our own (docs/sso.md); ``acr`` is the lower of them."""
    said = {"authenticator_level": str(authenticator)}
    if grant.proofing != UNKNOWN:
        said["proofing_level"] = str(grant.proofing)
    return said
