# SPDX-License-Identifier: Apache-2.0
"""Witnessing, C2SP tlog-witness v1.0.0: being a witness for logs of others, and asking others to witness ours.

Owns the tables ``witnessed`` and ``contradictions``. Trusts its own key and tables, and for each log and witness the
key in a policy file. What never happens here: a log is never removed, and nothing is cosigned that does not continue
what was cosigned before.
"""

from .asking import Cosigning as Cosigning
from .client import WitnessClient as WitnessClient
from .client import WitnessSilent as WitnessSilent
from .errors import BadSubmission as BadSubmission
from .errors import Inconsistent as Inconsistent
from .errors import NotTheLogs as NotTheLogs
from .errors import Outdated as Outdated
from .errors import PolicyRefused as PolicyRefused
from .errors import UnknownLog as UnknownLog
from .policy import Policy as Policy
from .rounds import Rounds as Rounds
from .status import STATUS as STATUS
from .status import State as State
from .status import WitnessStatus as WitnessStatus
from .store import WitnessStore as WitnessStore
from .submission import LARGEST as LARGEST
from .submission import SIZE_TYPE as SIZE_TYPE
from .witness import Witness as Witness
