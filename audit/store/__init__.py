# SPDX-License-Identifier: Apache-2.0
"""What the audit role keeps beside the log: the search index, which can be thrown away, and saved searches.

The index is not trusted: an entry is opened from the log and proven. See ``schema`` for the tables and the view
``event``, whose columns stay.
"""

from .checked import IndexChecked as IndexChecked
from .index import SPAN as SPAN
from .index import IndexStore as IndexStore
from .questions import MOST_COUNTED as MOST_COUNTED
from .questions import MOST_NAMESAKES as MOST_NAMESAKES
from .saved import Saved as Saved
from .saved import SavedStore as SavedStore
