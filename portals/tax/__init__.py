# SPDX-License-Identifier: Apache-2.0
"""The tax portal: last year's income, what was withheld and what comes back; and an interface for tax devices."""

from core.errors import N_

from ..base import Portal
from .content import declaration
from .devices import device_api as device_api
from .live import LiveQueue as LiveQueue
from .queue import queue as queue

PORTAL = Portal(
    name="tax",
    title=N_("Tax portal"),
    lead=N_("File your yearly income tax declaration, see what was withheld, and claim what you paid too much."),
    template="tax.html",
    content=declaration,
    mandates=True,
)
