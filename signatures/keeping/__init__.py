# SPDX-License-Identifier: Apache-2.0
"""Who keeps an organisation's seal, and orders that wait for a second keeper.

Owns the tables ``keepers``, ``seal_rules``, ``keeper_changes`` and ``seal_orders`` of the role. What never happens
here: keepers that one person alone chose, an order that the same person asked for and confirmed, or one that is
confirmed twice. The documents lie on the shelf.
"""

from .errors import ChangeRefused as ChangeRefused
from .errors import KeepersNamed as KeepersNamed
from .errors import NoSuchOrder as NoSuchOrder
from .errors import NotKeeper as NotKeeper
from .errors import OrderChanged as OrderChanged
from .errors import OrderOver as OrderOver
from .errors import SamePerson as SamePerson
from .errors import SecondNeeded as SecondNeeded
from .models import Act as Act
from .models import Change as Change
from .models import Order as Order
from .models import Purpose as Purpose
from .models import Rule as Rule
from .models import State as State
from .store import KeepingStore as KeepingStore
