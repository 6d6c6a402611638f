# SPDX-License-Identifier: Apache-2.0
"""The report for people: plain words, English and 中文, with the glyphs it uses embedded."""

from .catalogue import Catalogue as Catalogue
from .catalogue import Language as Language
from .report import write as write
