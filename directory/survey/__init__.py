# SPDX-License-Identifier: Apache-2.0
"""What was found unusual about accounts, devices and software, kept so that a page costs the same at any size.

Owns the tables ``unusual`` and ``survey``. The house walks through the directory page by page and writes down what it
finds; what is not found again goes when the walk is over. What never happens here: nothing is decided, and no name or
address is kept, only whose entry it is.
"""

from .store import MOST as MOST
from .store import Finding as Finding
from .store import Findings as Findings
from .store import Kind as Kind
from .store import Stage as Stage
from .store import Walk as Walk
