# SPDX-License-Identifier: Apache-2.0
"""Alerts: Sigma rules over the published log, evaluated as entries come, and what officers do with what they find.

Owns its tables (``alert``, ``proven``, ``note``, ``rule``, ``hit``, ``remembered``, ``progress``) in a file of their
own. Trusts the published log as its reader checks it, and the rules' files. What never happens here: a sealed part is
opened, or a rule is evaluated in another way than it is written.
"""

from .convert import convert as convert
from .desk import AlertDesk as AlertDesk
from .desk import AlertPage as AlertPage
from .engine import Engine as Engine
from .errors import AlertAboutYou as AlertAboutYou
from .errors import AlertMoved as AlertMoved
from .errors import NoReasonGiven as NoReasonGiven
from .errors import NoSuchAlert as NoSuchAlert
from .errors import PlacesRefused as PlacesRefused
from .errors import RuleRefused as RuleRefused
from .evaluation import Evaluator as Evaluator
from .flatten import Flattener as Flattener
from .models import Alert as Alert
from .models import Kind as Kind
from .models import Level as Level
from .models import Proven as Proven
from .models import Rule as Rule
from .models import RuleStanding as RuleStanding
from .models import State as State
from .places import Places as Places
from .rules import SHIPPED as SHIPPED
from .rules import RuleSet as RuleSet
from .rules import load as load
from .store import AlertStore as AlertStore
