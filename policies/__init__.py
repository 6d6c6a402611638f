# SPDX-License-Identifier: Apache-2.0
"""Who may reach what, from which zone, at which assurance level: Cedar policies, the zone matrix, signed bundles.

Owns the desk's tables ``policy_*`` (drafts, signatures, orders), which decide nothing, and the offline policy key with
the bundle in ``state/public/policies``. Trusts only bundles signed by that key, never the folder they lie in. What
never happens here: an error, a missing attribute or an empty set that allows.
"""

from .errors import BundleRefused as BundleRefused
from .errors import NothingToRelease as NothingToRelease
from .errors import PoliciesUnusable as PoliciesUnusable
from .models import Action as Action
from .models import Code as Code
from .models import Decision as Decision
from .models import DecisionRequest as DecisionRequest
from .models import Remedy as Remedy
from .models import ResourceClass as ResourceClass
from .record import noted as noted
