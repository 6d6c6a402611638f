# SPDX-License-Identifier: Apache-2.0
"""Geometry of the pictures that only this console has: who went from which network into which. No words, no I/O."""

from .crossings import Arrow as Arrow
from .crossings import Crossings as Crossings
from .crossings import Node as Node
from .crossings import Traffic as Traffic
from .crossings import crossings as crossings
