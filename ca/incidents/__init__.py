# SPDX-License-Identifier: Apache-2.0
"""Incidents: many certificates revoked or renewed by one decision: a leaked key, a broken rule, a rogue officer.

Owns the tables incidents and incident_items. Trusts the directory for who is an officer, and the authority for each
revocation, which goes the ordinary way with its own record. What never happens here: nothing is touched that was not on
the list two officers saw, by nobody's word twice; and no certificate of a list is forgotten or done twice.
"""

from .models import Act as Act
from .models import Chosen as Chosen
from .models import Incident as Incident
from .models import Item as Item
from .models import Notice as Notice
from .models import Plan as Plan
from .models import Progress as Progress
from .models import Selector as Selector
from .models import Stage as Stage
from .models import Whom as Whom
from .running import IncidentKeeper as IncidentKeeper
from .running import Runner as Runner
from .selection import read_moment as read_moment
from .selection import read_selector as read_selector
from .service import Incidents as Incidents
from .service import Traces as Traces
from .store import Store as Store
