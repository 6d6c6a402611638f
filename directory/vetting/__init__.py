# SPDX-License-Identifier: Apache-2.0
"""Identity proofing: what each level needs, who vetted whom by what, and until when it counts.

Owns the table ``proofings``. References to evidence are sealed with the directory's own key. What never happens here:
no copy of a document is kept, and no proofing counts that the rules do not carry.
"""

from .models import EVIDENCE as EVIDENCE
from .models import LEVELS as LEVELS
from .models import Evidence as Evidence
from .models import Need as Need
from .models import Terms as Terms
from .models import Vetting as Vetting
from .models import VettingState as VettingState
from .models import Way as Way
from .models import carries as carries
from .models import family_names as family_names
from .store import Board as Board
