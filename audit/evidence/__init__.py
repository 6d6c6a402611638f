# SPDX-License-Identifier: Apache-2.0
"""One file for a court: entries, openings, proofs, cosignatures, a time-stamp, a report, and what checks them all.

The file is a ZIP in the form of ASiC-E without a signature of its own: what proves it are the log's signatures, the
witnesses' and the authority's. Owns no tables; files lie in ``state/audit/evidence`` until they are sent. What never
happens here: a file leaves before its making is in the record, or opens more than the entries it holds.
"""

from .desk import Desk as Desk
from .desk import Site as Site
from .errors import NothingChosen as NothingChosen
from .errors import NotPublishedYet as NotPublishedYet
from .errors import TooMuchAtOnce as TooMuchAtOnce
from .errors import TooMuchChosen as TooMuchChosen
from .logs import Kept as Kept
from .models import AT_ONCE as AT_ONCE
from .models import MOST as MOST
from .models import Made as Made
from .models import Token as Token
from .models import Waiting as Waiting
from .models import Wish as Wish
from .models import ranges as ranges
from .published import Published as Published
