# SPDX-License-Identifier: Apache-2.0
"""Searches over what was issued, and counters for each day."""

from .counting import Counting as Counting
from .counting import Counts as Counts
from .searching import Stock as Stock
