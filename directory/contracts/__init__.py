# SPDX-License-Identifier: Apache-2.0
"""What is asked for outside workers: for which portal, until when, by whom, and who decided.

Owns the table ``contracts``. What never happens here: nothing that waits opens anything; that is the grant's business.
"""

from .models import Contract as Contract
from .models import ContractState as ContractState
from .store import Board as Board
