# SPDX-License-Identifier: Apache-2.0
"""HTTP to service and back: protocol endpoints for portals, pages for people, one page for the card host."""

from .blueprint import blueprint as blueprint
from .quick import quick as quick
