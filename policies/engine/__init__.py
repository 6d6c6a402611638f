# SPDX-License-Identifier: Apache-2.0
"""Cedar, used so that it cannot fail open.

A policy that raises while it is evaluated is skipped by Cedar, and a forbid that is skipped forbids nothing. So here
the schema is always passed, NoDecision denies, any diagnostic error denies, a set without policies denies, and a policy
without an `@id` is refused when it is read. Nothing here does I/O.
"""

from .ruleset import Answer as Answer
from .ruleset import Ruleset as Ruleset
from .shadows import Needless as Needless
from .shadows import meaningless as meaningless
from .shadows import needless as needless
from .source import Policy as Policy
from .source import read_policies as read_policies
