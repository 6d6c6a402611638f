# SPDX-License-Identifier: Apache-2.0
"""ACME (RFC 8555, 8737, 8738, 9773, draft-ietf-acme-profiles): servers of the site certify themselves.

Owns the tables acme_* in the authority's database. An account acts for a device or organisation of the directory, by an
officer's grant that names its hosts; what it may have is decided by the profiles, the policies and the ceremony, as for
everybody. What never happens here: nothing is signed but by the whole ceremony of `ca.service`, no connection leaves
for an address the site has not allowed, no request counts twice.
"""

from .acme import Acme as Acme
from .models import Grant as Grant
from .models import Holder as Holder
from .models import Window as Window
from .problems import Problem as Problem
