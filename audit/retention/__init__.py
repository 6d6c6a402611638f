# SPDX-License-Identifier: Apache-2.0
"""Retention: by class, never below 180 days, whole partitions, refused rather than believed when the clock is odd.

Owns ``state/audit/retention.db``: the terms in force, every run, what things took on the disk. Knows no other room of
its line: what it drops, and on whom a hold lies, come in as callables. What never happens here: a row is deleted, a
hash tile goes, or a proof that was handed out stops holding.
"""

from .errors import BadTerm as BadTerm
from .errors import ClockDoubted as ClockDoubted
from .errors import NothingToConfirm as NothingToConfirm
from .errors import TooMuchAtOnce as TooMuchAtOnce
from .forecast import Forecast as Forecast
from .forecast import Usage as Usage
from .forecast import forecast as forecast
from .plan import Drop as Drop
from .plan import Kept as Kept
from .plan import Piece as Piece
from .plan import Plan as Plan
from .plan import plan as plan
from .pruning import AllBundles as AllBundles
from .pruning import Bundles as Bundles
from .service import Retaining as Retaining
from .service import View as View
from .store import RetentionStore as RetentionStore
from .store import Run as Run
from .store import Survey as Survey
