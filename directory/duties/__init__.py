# SPDX-License-Identifier: Apache-2.0
"""Duties that must be kept apart, as data: sets of roles of which nobody holds two.

Owns the table ``duties``. What never happens here: the three powers that every site keeps apart are not data, and no
rule can be written that lets somebody hold more than they allow.
"""

from .models import MOST_ROLES as MOST_ROLES
from .models import MOST_RULES as MOST_RULES
from .models import Rule as Rule
from .models import pairs as pairs
from .store import Rulebook as Rulebook
