# SPDX-License-Identifier: Apache-2.0
"""Keys that the site keeps for people: made here, used here, never given out. Two makes behind one interface.

``FileHold`` keeps each key in a file, encrypted under a key of the role's own. ``TokenHold`` keeps them in a PKCS #11
token, which makes them itself and gives them to nobody. What never happens here: a key lying readable on the disk, or
a signature that was not asked for by name.
"""

from .errors import HoldUnavailable as HoldUnavailable
from .errors import KeyGone as KeyGone
from .errors import KindNotKept as KindNotKept
from .file import FileHold as FileHold
from .hold import Algorithm as Algorithm
from .hold import HeldKey as HeldKey
from .hold import KeyHold as KeyHold
from .hold import UsedKey as UsedKey
from .hold import request as request
from .token import TokenHold as TokenHold
