# SPDX-License-Identifier: Apache-2.0
"""Accounts at portals (outbound SCIM, RFC 7644): what a portal is told, how it is told, and how far that has got.

Nothing leaves that the portal's row of the settings does not name; a portal's answer is believed in no more than an
identifier and a version of the account it keeps.
"""

from .documents import document as document
from .documents import external as external
from .models import Account as Account
from .models import Stage as Stage
from .models import Wish as Wish
from .remote import Remote as Remote
from .remote import RemoteFailed as RemoteFailed
from .store import Ledger as Ledger
