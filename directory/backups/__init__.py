# SPDX-License-Identifier: Apache-2.0
"""What is kept of the directory outside it: sealed parts in a folder, and the register rebuilt to a moment from them.

Nothing here reaches the server or the record: bytes come in as iterators, and what was rebuilt goes out as LDIF.
"""

from .keys import fingerprint as fingerprint
from .keys import make_keys as make_keys
from .keys import read_private as read_private
from .keys import read_public as read_public
from .ldif import instant as instant
from .register import Difference as Difference
from .register import Register as Register
from .vault import Kept as Kept
from .vault import Vault as Vault
