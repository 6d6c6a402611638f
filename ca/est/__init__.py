# SPDX-License-Identifier: Apache-2.0
"""EST (RFC 7030, 8951, 9908): devices of the directory enrol themselves over TLS, and renew what they have.

Owns the tables est_* in the authority's database. A device is known by its own certificate, or once by an enrolment
that an officer made for it. What never happens here: nothing is signed but by the whole ceremony of `ca.service`, a
name in a request is never believed, a secret is never stored, and a private key made for a device is neither stored
nor logged: it exists in one answer.
"""

from .est import Est as Est
from .models import Call as Call
from .models import Enrolment as Enrolment
from .models import EnrolmentState as EnrolmentState
from .models import Generated as Generated
