# SPDX-License-Identifier: Apache-2.0
"""A complete off-site copy of a log of another machine: fetched, verified to the last byte, kept, and served on.

Owns one folder a log, whose public part has the layout of the log itself (C2SP tlog-tiles), so that any web server,
`audit verify` and any reader of such logs can work on it; ``private/`` holds how far an unfinished copy is. Trusts the
log's verifier key and its own disk, and nothing that the source says. What never happens here: a byte is kept
that does not lead to a root which the log signed, or a checkpoint that contradicts the one before.
"""

from .copying import Copied as Copied
from .copying import Mirror as Mirror
from .errors import LogForked as LogForked
from .errors import LogShrunk as LogShrunk
from .source import Source as Source
from .succession import Succession as Succession
