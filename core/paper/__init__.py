# SPDX-License-Identifier: Apache-2.0
"""Paper for people: plain pages in English and Chinese as PDF, with only the glyphs they use embedded.

Imported where something is written, not before: the libraries for fonts and PDF take long to load.
"""

from .face import Face as Face
from .fonts import ONE_AT_A_TIME as ONE_AT_A_TIME
from .fonts import known as known
from .sheet import FONT as FONT
from .sheet import HEIGHT as HEIGHT
from .sheet import WIDTH as WIDTH
from .sheet import Sheet as Sheet
from .table import Section as Section
from .table import table as table
