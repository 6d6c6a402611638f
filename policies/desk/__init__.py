# SPDX-License-Identifier: Apache-2.0
"""Where security administrators write, prove, sign and order policies; it holds no key and puts nothing in force.

Owns the tables ``policy_*``: drafts with their files, the signatures under them, and the orders that the operator's
clerk carries out. Whoever takes these tables over can order nothing that two administrators did not sign.
"""

from .models import MOST_DAYS as MOST_DAYS
from .models import Act as Act
from .models import Draft as Draft
from .models import Order as Order
from .models import State as State
from .service import Desk as Desk
from .store import DeskStore as DeskStore
