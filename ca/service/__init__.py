# SPDX-License-Identifier: Apache-2.0
"""The verbs: issue, revoke, suspend, release, tell; the only orchestrator of signer, store, lint and record."""

from .answering import Answer as Answer
from .authority import CertificateAuthority as CertificateAuthority
from .authority import self_request as self_request
from .batches import ManyRecorder as ManyRecorder
from .callers import BUSINESS as BUSINESS
from .callers import Behalf as Behalf
from .callers import Callers as Callers
from .callers import Verb as Verb
from .delivery import KeyDelivery as KeyDelivery
from .entrance import Desk as Desk
from .entrance import Entrance as Entrance
from .entrance import Knock as Knock
from .housekeeping import Housekeeping as Housekeeping
from .keeping import AnswerKeeper as AnswerKeeper
from .leavers import LEAVERS as LEAVERS
from .leavers import Leavers as Leavers
from .opening import answer_folder as answer_folder
from .opening import key_folder as key_folder
from .opening import open_authority as open_authority
from .policy import EnoughOfficers as EnoughOfficers
from .policy import IssuancePolicy as IssuancePolicy
from .policy import RequesterRules as RequesterRules
from .policy import Verdict as Verdict
from .publication import Published as Published
from .publishing import Publisher as Publisher
from .publishing import Shelf as Shelf
from .reconciliation import ABOUT as ABOUT
from .reconciliation import Reconciliation as Reconciliation
from .stamping import Stamping as Stamping
from .stamping import StampKeeper as StampKeeper
from .stamping import UnitState as UnitState
from .stamping import issue_unit as issue_unit
from .stamping import open_stamping as open_stamping
from .stamping import unit_folder as unit_folder
from .subjects import DirectorySource as DirectorySource
