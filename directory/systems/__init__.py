# SPDX-License-Identifier: Apache-2.0
"""Programs that keep a part of the directory by SCIM: which, in which part of it, by which verbs, until when."""

from .models import LONGEST_CLIENT as LONGEST_CLIENT
from .models import Doing as Doing
from .models import Program as Program
from .store import Roster as Roster
