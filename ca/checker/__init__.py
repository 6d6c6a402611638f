# SPDX-License-Identifier: Apache-2.0
"""Looks again at everything that was ever issued, and believes nothing that issuance believed.

Shares no code with issuance: certificates are read by asn1crypto, profiles from their files, tables by queries of its
own; an import contract holds it to that. Owns the tables ``check_findings``, ``check_heard``, ``check_strays`` and
``check_sweeps``. Whoever wanted a false certificate unseen would have to deceive both programs in the same way, and the
record besides.
"""

from .checker import Checker as Checker
from .checker import Facts as Facts
from .checker import KeptAnswers as KeptAnswers
from .checker import Published as Published
from .ledger import ABOUT as ABOUT
from .ledger import Ledger as Ledger
from .models import Finding as Finding
from .models import Kept as Kept
from .models import Look as Look
from .models import Report as Report
from .store import Findings as Findings
from .watching import Watchman as Watchman
