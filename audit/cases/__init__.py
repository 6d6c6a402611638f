# SPDX-License-Identifier: Apache-2.0
"""Cases: entries of the record, notes and decisions that officers collect about one matter, step by step.

Owns the file ``cases.db``, whose steps are sealed under a key of the audit role: the database alone tells how many
cases there are and how far they have got, and nothing of whom they are about. Trusts the log: every step is recorded
with the digest of its sealed bytes before anybody sees it, so a step that was changed or left out later is noticed.
What never happens here: a step is never changed or removed; nobody closes a case they opened.

A case that an officer has classified and graded is one of a security incident (``grading``): it has reports with
deadlines, and is closed after its closing report. The authority's incidents, which withdraw certificates, are another
matter (``ca/incidents``).
"""

from .cases import Cases as Cases
from .grading import Grade as Grade
from .grading import ReportKind as ReportKind
from .grading import Terms as Terms
from .incidents import Graded as Graded
from .incidents import Incidents as Incidents
from .incidents import awaited as awaited
from .models import Case as Case
from .models import Incident as Incident
from .models import State as State
from .models import Step as Step
from .models import StepKind as StepKind
from .models import Summary as Summary
from .store import CaseStore as CaseStore
