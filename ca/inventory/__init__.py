# SPDX-License-Identifier: Apache-2.0
"""What was ever issued and who holds it: searched, exported, counted; reading it is recorded before it is shown.

Owns the tables ``tallies`` and ``watch_marks``. A view costs the same whatever was issued: pages are cut by key, a
search that finds little stops after so many rows and says where to go on, and what a chart shows was counted when it
happened.
"""

from .export import Form as Form
from .models import Found as Found
from .models import Held as Held
from .models import Holding as Holding
from .models import Query as Query
from .models import Sought as Sought
from .service import HolderSource as HolderSource
from .service import Inventory as Inventory
from .service import Reader as Reader
from .store import Counting as Counting
from .store import Counts as Counts
from .store import Stock as Stock
