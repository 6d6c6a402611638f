# SPDX-License-Identifier: Apache-2.0
"""The one process that may append: write-ahead file, integration, and the socket before them.

Owns ``log/`` (what the public may see: checkpoint and tiles, unless they are in object storage) and ``log/private/``
(lock, write-ahead files, staging, committed checkpoint, index of keys), and keeps which settings it recorded last.
Trusted: the committed checkpoint and the signing key. Not trusted: tiles and bundles, which are re-read before and
after they are signed.
"""

from .log import Log as Log
from .log import Place as Place
from .server import serve as serve
from .settings import Recorded as Recorded
from .settings import Settings as Settings
