# SPDX-License-Identifier: Apache-2.0
"""The tables of warrants and of what is shut, in one file; rows in, models out."""

from .switches import SwitchRows as SwitchRows
from .warrants import MOST_OPEN as MOST_OPEN
from .warrants import WarrantStore as WarrantStore
