# SPDX-License-Identifier: Apache-2.0
"""Documents that people and agencies leave here for a while: encrypted, bounded in number and size, and expiring.

Owns the table ``shelved`` and the files beside it. Trusts its own key. What never happens here: a document, its name or
its hash lying readable on the disk, one owner reading another's, or a document outliving its time. Each document has a
key of its own that lies in its row: it is gone with its row, whatever becomes of the file.
"""

from .errors import NoSuchDocument as NoSuchDocument
from .errors import ShelfFull as ShelfFull
from .errors import ShelfUnreadable as ShelfUnreadable
from .shelf import Facts as Facts
from .shelf import Limits as Limits
from .shelf import Shelf as Shelf
from .shelf import Shelved as Shelved
