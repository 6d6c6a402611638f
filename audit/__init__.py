# SPDX-License-Identifier: Apache-2.0
"""The record: an append-only Merkle log of every access and every act, its proofs, its news and its search.

Owns the log folder, the subjects' keys and the search index (which can be thrown away and rebuilt). Trusts its own
signing key and write-ahead file; its tiles are re-read before they are signed. Knows no certificate authority and no
directory. What never happens here: an entry is never changed, removed or reordered.
"""

from .errors import BadEvent as BadEvent
from .errors import Erased as Erased
from .errors import FeedStale as FeedStale
from .errors import KeyReused as KeyReused
from .errors import LogDamaged as LogDamaged
from .errors import LogExists as LogExists
from .errors import LogInUse as LogInUse
from .errors import NoSuchEntry as NoSuchEntry
from .errors import ProofRefused as ProofRefused
from .errors import RecordUnavailable as RecordUnavailable
from .models import Entry as Entry
from .models import Event as Event
from .models import Feed as Feed
from .models import Outcome as Outcome
from .models import Receipt as Receipt
from .models import Recorder as Recorder
from .models import Wait as Wait
from .models_codec import decode_event as decode_event
from .models_codec import encode_event as encode_event
from .models_codec import new_key as new_key
from .models_deeds import Change as Change
from .models_deeds import Deed as Deed
from .models_deeds import deed as deed
