# SPDX-License-Identifier: Apache-2.0
"""Time-stamps over the record (RFC 3161): at an interval, an authority of any address says when a checkpoint existed.

What is stamped is SHA-256 of a checkpoint's text: the three lines origin, size and root with their newlines, without
the empty line and the signatures. So one token proves that every entry below that size existed at its time, and
whoever holds the token and the checkpoint can check it with `openssl ts`.

Owns the table ``stamps`` in ``state/audit/stamps.db``, and in a ``stamps-N.db`` for each log that succeeded another.
Trusts the roots it was given and nothing the authority says of itself; an
answer is kept only after everything about it was checked.
"""

from .answer import Stamped as Stamped
from .answer import checked as checked
from .authority import Authority as Authority
from .errors import StampRefused as StampRefused
from .errors import StampSilent as StampSilent
from .question import Question as Question
from .series import LogStamps as LogStamps
from .series import Placed as Placed
from .series import StampSeries as StampSeries
from .stamping import OWN as OWN
from .stamping import Stamper as Stamper
from .store import Outage as Outage
from .store import Stamp as Stamp
from .store import StampStore as StampStore
