# SPDX-License-Identifier: Apache-2.0
"""The directory: people, organisations, devices, roles and mandates, kept in LDAP. It says what somebody may do.

Owns the tree below its suffix, and in its own database the journal of changes under way, the register numbers and the
outbox. Trusts slapd for what is stored and for proving passwords. What never happens here: no change without its
record, no change by anybody but the one writer, no password read back.
"""

from .config import DirectorySettings as DirectorySettings
from .errors import BadName as BadName
from .errors import DirectoryUnavailable as DirectoryUnavailable
from .errors import DutiesConflict as DutiesConflict
from .errors import NoSuchDevice as NoSuchDevice
from .errors import NoSuchOrganisation as NoSuchOrganisation
from .errors import NoSuchPerson as NoSuchPerson
from .errors import Pending as Pending
from .errors import WrongCredentials as WrongCredentials
from .models import ROLES as ROLES
from .models import Device as Device
from .models import Mandate as Mandate
from .models import Organisation as Organisation
from .models import Page as Page
from .models import Person as Person
from .models import PersonKind as PersonKind
from .models import Proofing as Proofing
