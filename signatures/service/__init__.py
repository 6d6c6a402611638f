# SPDX-License-Identifier: Apache-2.0
"""The verbs: ``Verification`` answers the four questions, ``Sealing`` puts an organisation's seal on a document."""

from .agencies import Agencies as Agencies
from .archive_desk import ArchiveDesk as ArchiveDesk
from .archiving import Archiving as Archiving
from .archiving import Rules as Rules
from .batches import Batches as Batches
from .confirming import Confirming as Confirming
from .confirming import for_an_order as for_an_order
from .desk import Desk as Desk
from .enrolling import Enrolling as Enrolling
from .fetching import ListFetching as ListFetching
from .following import Following as Following
from .foreign import ForeignStatus as ForeignStatus
from .forming import Forming as Forming
from .housekeeping import Housekeeping as Housekeeping
from .keepers import Keepers as Keepers
from .kept import Changes as Changes
from .kept import Kept as Kept
from .letting import Letting as Letting
from .lists import IssuerLists as IssuerLists
from .lists import asked_from as asked_from
from .once import Once as Once
from .ordered import Proof as Proof
from .papers import Papers as Papers
from .permission import Permission as Permission
from .personal import Answer as Answer
from .personal import PersonalSigning as PersonalSigning
from .placing import Placing as Placing
from .reporting import Reports as Reports
from .reporting import by_hand as by_hand
from .responsible import Responsible as Responsible
from .sealing import Sealing as Sealing
from .seconding import Seconding as Seconding
from .stamping import stamp_by as stamp_by
from .trusted import FollowedLists as FollowedLists
from .verification import Verification as Verification
