# SPDX-License-Identifier: Apache-2.0
"""Seals documents for organisations and tells agencies in plain words whether a signed document can be trusted.

Owns the tables ``seals``, ``signings`` and ``outbox``. Trusts the site's public issuer certificates, the CA's lists
of revoked certificates and the directory; never the document. What never happens here: a key meeting a file somebody
sent (files are opened only in a reading process that holds no secret), a verdict or a seal without its record, and
document content entering the record.
"""

from .errors import AlreadySigned as AlreadySigned
from .errors import CannotSeal as CannotSeal
from .errors import NoSeal as NoSeal
from .errors import SealDenied as SealDenied
from .errors import SealUnusable as SealUnusable
from .models import Overall as Overall
from .models import Profile as Profile
from .models import Seal as Seal
from .models import SealOrder as SealOrder
from .models import Trust as Trust
from .models import Verdict as Verdict
