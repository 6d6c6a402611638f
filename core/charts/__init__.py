# SPDX-License-Identifier: Apache-2.0
"""Geometry of the pictures that officers look at: numbers in, coordinates out. No words, no colours, no I/O.

A picture is drawn twice, for a wide and for a narrow page, so that its letters are never scaled down to nothing.
Coordinates are finished numbers; the templates (``core/charts.html``) only write them down.
"""

from .columns import Column as Column
from .columns import Columns as Columns
from .columns import Segment as Segment
from .columns import columns as columns
from .lengths import Bar as Bar
from .lengths import bars as bars
from .lengths import heat as heat
from .lengths import spark as spark
from .scale import Size as Size
from .scale import places as places
from .scale import ticks as ticks
from .timed import NARROW as NARROW
from .timed import Timed as Timed
from .timed import stacked as stacked
