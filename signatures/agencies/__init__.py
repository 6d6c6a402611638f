# SPDX-License-Identifier: Apache-2.0
"""Programs of agencies, what they may do and how often; their requests that are carried out once; and their batches.

Owns the tables ``programs``, ``uses``, ``requests``, ``results``, ``batches`` and ``items``. Trusts the gateway's word
for which program is calling. What never happens here: a document lying in a table, a request with the same key carried
out twice, or one item of a batch having two signatures.
"""

from .errors import BatchClosed as BatchClosed
from .errors import BatchDiffers as BatchDiffers
from .errors import BatchNotThere as BatchNotThere
from .errors import KeyInUse as KeyInUse
from .errors import KeyMalformed as KeyMalformed
from .errors import KeyReused as KeyReused
from .errors import NameTaken as NameTaken
from .errors import NoSuchBatch as NoSuchBatch
from .errors import ProgramUnknown as ProgramUnknown
from .errors import QuotaExceeded as QuotaExceeded
from .models import Batch as Batch
from .models import BatchState as BatchState
from .models import Doing as Doing
from .models import Item as Item
from .models import ItemState as ItemState
from .models import Left as Left
from .models import Program as Program
from .store import AgencyStore as AgencyStore
