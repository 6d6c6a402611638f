# SPDX-License-Identifier: Apache-2.0
"""The boundary gateway: every request to a guarded host is identified, decided, recorded, and only then forwarded.

Owns the tables ``sessions``, ``openings``, ``sockets``, ``revoked``, ``cursor`` and ``outbox`` and the key of the
identity header. Trusts its proxies (nginx, Caddy, HAProxy; each by its pair secret) for what the original request was
and by which listener it came, the signed policies, the record's feed, and the sign-on's keys. What never happens here:
an access without a record, a zone taken from a header, an answer of yes because something failed.
"""

from .config import EGRESS as EGRESS
from .config import LISTENERS as LISTENERS
from .config import GatewaySettings as GatewaySettings
