# SPDX-License-Identifier: Apache-2.0
"""The registration authority: request, identity evidence, approval by officers, and only then the ceremony.

Owns the tables requests and approvals. What officers approve is bound by one digest over everything the certificate
would say and the bytes of the request; whatever changes it voids the approval. What never happens here: nothing is
issued without as many officers as the profile demands, none of whom is the holder, the asker or bound to the
organisation; and no request leads to two certificates.
"""

from .models import Approval as Approval
from .models import Asked as Asked
from .models import Evidence as Evidence
from .models import Offer as Offer
from .models import Stage as Stage
from .models import Wish as Wish
from .service import At as At
from .service import Registration as Registration
from .store import Requests as Requests
