# SPDX-License-Identifier: Apache-2.0
"""The craft of finding entries: filters, marks and name tokens, tile addresses, evidence, plain words. Never I/O.

What a filter cannot be is refused with its name; nothing is guessed, shortened or ignored.
"""

from .changes import Entered as Entered
from .changes import EntryKind as EntryKind
from .errors import BadFilter as BadFilter
from .errors import BadTileAddress as BadTileAddress
from .errors import IndexDamaged as IndexDamaged
from .errors import NoSuchTile as NoSuchTile
from .errors import SearchTooLong as SearchTooLong
from .errors import UnknownCursor as UnknownCursor
from .evidence import Evidence as Evidence
from .evidence import Inclusion as Inclusion
from .evidence import check as check
from .evidence import proof_text as proof_text
from .log_view import LogView as LogView
from .names import NameTokens as NameTokens
from .query import Query as Query
from .query import parse as parse
from .rows import Indexed as Indexed
from .rows import Row as Row
from .rows import row_of as row_of
from .shape import Denials as Denials
from .shape import Shape as Shape
from .survey import Count as Count
from .survey import Stretch as Stretch
from .survey import Survey as Survey
from .terms import Phrase as Phrase
from .terms import Vocabulary as Vocabulary
from .terms import Words as Words
from .tiles import TileAddress as TileAddress
