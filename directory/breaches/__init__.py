# SPDX-License-Identifier: Apache-2.0
"""Passwords that attackers try first: the few that everybody knows, and the lists of breaches that a site installs.

Nothing is asked over a network. An installed list is one file, built once from a corpus as the breach corpora are
offered: text, one hash per line in ascending order, upper or lower case, SHA-1 (40 digits) or SHA-256 (64), whatever
follows a colon ignored. The file is a header of 32 bytes (``MAGIC``, the hash's name padded with zeros to 8, the
number of bytes kept of each as a big-endian integer of 8) and the first bytes of every hash, ascending, nothing
between them. A look-up reads about as many of them as the number of entries has binary digits; twelve bytes are kept,
so that a password is refused by chance less than once in a million million million. A new file takes the place of the
old one in one step, and counts from the next look-up on, in every process.
"""

from .lists import FILE as FILE
from .lists import KEPT as KEPT
from .lists import MAGIC as MAGIC
from .lists import KnownPasswords as KnownPasswords
from .lists import build as build
from .shipped import is_common as is_common
