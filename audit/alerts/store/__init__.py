# SPDX-License-Identifier: Apache-2.0
"""The tables of alerting, and what is kept of one stretch of the log."""

from .alerts import AlertStore as AlertStore
from .alerts import Batch as Batch
from .rows import Hit as Hit
from .rows import Raised as Raised
