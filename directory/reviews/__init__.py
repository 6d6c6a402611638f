# SPDX-License-Identifier: Apache-2.0
"""Reviews of access: campaigns in which owners confirm or withdraw each access by a day.

Owns the tables ``review_campaigns`` and ``review_items``. A decision is kept before it is carried out, so that a crash
between the two is made good by the next turn of the house. What never happens here: nobody is an owner of what they
hold themselves, and nothing is decided twice.
"""

from .models import Campaign as Campaign
from .models import Item as Item
from .models import ItemState as ItemState
from .models import Kind as Kind
from .models import ScopeKind as ScopeKind
from .models import Stage as Stage
from .models import Tally as Tally
from .models import Undecided as Undecided
from .models import report as report
from .store import Board as Board
