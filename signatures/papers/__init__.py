# SPDX-License-Identifier: Apache-2.0
"""Documents that several sign one after the other, and official documents with a number.

Owns the tables ``papers``, ``turns`` and ``numbers`` of the role. What never happens here: two papers with one
number, a number without a paper, or a signature out of its turn counting. The documents themselves lie on the shelf.
"""

from .errors import NoSuchPaper as NoSuchPaper
from .errors import NotInThisState as NotInThisState
from .errors import NotTheirTurn as NotTheirTurn
from .models import Kind as Kind
from .models import Paper as Paper
from .models import State as State
from .models import Turn as Turn
from .store import PaperStore as PaperStore
