# SPDX-License-Identifier: Apache-2.0
"""The tables of sign-on: rows in, models out. Presentable values are kept only as SHA-256 digests.

Trusted: this database decides who is logged in. Who can write to it can log in as anybody; who can read it learns
pseudonymous sessions, but no cookie, code, token or secret that could be presented.
"""

from .limits import Door as Door
from .limits import Patience as Patience
from .store import BATCH as BATCH
from .store import Store as Store
from .tables import digest as digest
