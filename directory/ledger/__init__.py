# SPDX-License-Identifier: Apache-2.0
"""What the record says is in the directory: who there is, whether they are let in, and what was given to whom.

Built by hearing every entry of the record about the directory, in order, and kept in tables of its own, so that the
tree can be held against it. It knows nothing that the record does not tell in clear: no names, no addresses.
"""

from .facts import Gone as Gone
from .facts import Told as Told
from .facts import told as told
from .store import Ledger as Ledger
