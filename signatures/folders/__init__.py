# SPDX-License-Identifier: Apache-2.0
"""A folder of thousands of files: each read in a reading process, answered in order, resumed by a journal."""

from .examining import Examiner as Examiner
from .journal import Finished as Finished
from .journal import Journal as Journal
from .journal import OtherTerms as OtherTerms
from .rows import Rows as Rows
from .walking import Entry as Entry
from .walking import walk as walk
