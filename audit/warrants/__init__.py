# SPDX-License-Identifier: Apache-2.0
"""Warrants: what one officer asks for and another one grants, for a stated purpose, a stated part and a few hours.

Opening personal fields, exporting, erasing a person, placing and releasing a legal hold, changing retention and
throwing an emergency switch happen only under a warrant. Owns the tables ``warrants``, ``holds``, ``erasures``,
``switches`` and an outbox in ``state/audit/warrants.db``. Trusts the guard for who an officer is and which roles they
hold. What never happens here: nobody decides about what they asked for or about themselves, and no purpose is kept
outside the record.

Whoever needs a warrant calls ``Warrants.demand`` at the moment of the act; it answers with the warrant, whose
identifier belongs into the act's own record, or raises ``WarrantNeeded``.
"""

from .erasing import Erasing as Erasing
from .errors import AboutYou as AboutYou
from .errors import BadPurpose as BadPurpose
from .errors import BadScope as BadScope
from .errors import ErasureUnderWay as ErasureUnderWay
from .errors import NoSuchWarrant as NoSuchWarrant
from .errors import NothingToShut as NothingToShut
from .errors import NotShut as NotShut
from .errors import NotYourPower as NotYourPower
from .errors import OwnWarrant as OwnWarrant
from .errors import ShutAlready as ShutAlready
from .errors import TooManyWaiting as TooManyWaiting
from .errors import UnderHold as UnderHold
from .errors import WarrantNeeded as WarrantNeeded
from .errors import WarrantSettled as WarrantSettled
from .holding import Holding as Holding
from .models import AUDITOR as AUDITOR
from .models import KINDS as KINDS
from .models import OFFICER as OFFICER
from .models import Demand as Demand
from .models import Hold as Hold
from .models import Kind as Kind
from .models import Scope as Scope
from .models import Shut as Shut
from .models import State as State
from .models import Warrant as Warrant
from .models import switch_of as switch_of
from .service import Warrants as Warrants
from .store import WarrantStore as WarrantStore
from .switching import Switching as Switching
from .upkeep import Upkeep as Upkeep
