# SPDX-License-Identifier: Apache-2.0
"""Signed documents that must be provable for decades, and what was done so that they are.

Owns the tables ``archived`` and ``seconds``; the documents lie on a shelf of the archive's own. Trusts its own rows.
What never happens here: a document being replaced by one that does not begin with it, or a step without its record.
"""

from .errors import NoArchive as NoArchive
from .errors import NoSuchArchived as NoSuchArchived
from .errors import NotArchivable as NotArchivable
from .errors import NotResponsible as NotResponsible
from .models import REFUTED as REFUTED
from .models import Archived as Archived
from .models import Cause as Cause
from .models import Counts as Counts
from .models import Keeping as Keeping
from .models import Outlook as Outlook
from .models import Risk as Risk
from .models import Second as Second
from .store import ArchiveStore as ArchiveStore
