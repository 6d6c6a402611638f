# SPDX-License-Identifier: Apache-2.0
"""Serials and their states, keys and their owners, revocations, revocation lists: rows in, models out.

The bytes about to be signed are stored before the key is touched, in the transaction that takes their serial and their
key. Every change of standing commits together with its record in the outbox.
"""

from .answers import AnswerFolder as AnswerFolder
from .answers import ListFolder as ListFolder
from .answers import place_of as place_of
from .issuances import Intent as Intent
from .issuances import Outcome as Outcome
from .lists import KeptList as KeptList
from .publications import AUTHORITIES as AUTHORITIES
from .publications import DEVICES as DEVICES
from .publications import ORGANISATIONS as ORGANISATIONS
from .publications import PEOPLE as PEOPLE
from .publications import Due as Due
from .publications import Entry as Entry
from .rows import StoredStanding as StoredStanding
from .standings import require_suspended as require_suspended
from .store import Store as Store
from .tables import Note as Note
from .tables import Together as Together
from .withheld import withhold as withhold
