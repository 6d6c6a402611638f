# SPDX-License-Identifier: Apache-2.0
"""Trust lists as data: who was trusted to issue from when until when, signed, numbered and with their history.

Two forms: our own (a JWS over JSON, ``own``) and the lists of other states (ETSI TS 119 612, ``etsi``). A list counts
only with a signature by the key that was named beside it; one that is overdue or older than the one before is refused.
"""

from .etsi import Issue as Issue
from .etsi import Pointer as Pointer
from .etsi import read_all as read_all
from .etsi import read_etsi as read_etsi
from .etsi import read_issue as read_issue
from .etsi import read_pointers as read_pointers
from .merge import merged as merged
from .own import Entry as Entry
from .own import TrustList as TrustList
from .own import read_own as read_own
from .own import unverified as unverified
from .own import written as written
