# SPDX-License-Identifier: Apache-2.0
"""Zones as data: where a request comes from, and what may pass between zones."""

from .lint import RowRemark as RowRemark
from .lint import remarks as remarks
from .matrix import PROTOCOLS as PROTOCOLS
from .matrix import Apart as Apart
from .matrix import Ferry as Ferry
from .matrix import Kind as Kind
from .matrix import Live as Live
from .matrix import Passage as Passage
from .matrix import ZoneMatrix as ZoneMatrix
from .places import Places as Places
from .places import Zone as Zone
