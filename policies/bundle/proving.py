# SPDX-License-Identifier: Apache-2.0
"""What is tried or released passes its own cases, and says of each policy whose it is and why it stands there."""

from collections.abc import Mapping

from ..errors import PoliciesUnusable
from ..release import Release


def demand(source: Mapping[str, bytes]) -> None:
    """Nothing, if it does.

    Raises:
        PoliciesUnusable: it does not build, a case fails, or a policy names no owner or no reason.
    """
    unexplained = Release.proved(source, version="candidate").unexplained()
    if unexplained:
        raise PoliciesUnusable(why="; ".join(unexplained[:5]))
