# SPDX-License-Identifier: Apache-2.0
"""Settings of the gateway: which hosts stand behind it, and the limits it puts on everybody.

Who may reach a host is not said here: that is the policies' business. A route says only where a host leads and what
the resource behind it is.
"""

from .assessment import GRADES as GRADES
from .assessment import Assessment as Assessment
from .assessment import Lapsed as Lapsed
from .egress import Destination as Destination
from .egress import EgressSettings as EgressSettings
from .names import ASK as ASK
from .names import COOKIES as COOKIES
from .names import EGRESS as EGRESS
from .names import LISTENERS as LISTENERS
from .names import LIVE as LIVE
from .names import METHODS as METHODS
from .names import READING as READING
from .names import SESSION_COOKIE as SESSION_COOKIE
from .names import WELL_KNOWN as WELL_KNOWN
from .open_hosts import OpenHost as OpenHost
from .points import EnforcementPoint as EnforcementPoint
from .routes import Route as Route
from .settings import GatewaySettings as GatewaySettings
