# SPDX-License-Identifier: Apache-2.0
"""Signing for people with keys that are kept for them: certificates, consents that count once, and what was signed.

Owns the tables ``credentials``, ``consents``, ``remote_signings`` and an outbox, in a file of its own. Trusts the
sign-on's keys, by which consents are signed, and its own key, by which it proves itself there. What never happens here:
a consent used twice, or for a document, person or key that it does not name.
"""

from .asking import Asking as Asking
from .errors import CertificateUnusable as CertificateUnusable
from .errors import ConsentLost as ConsentLost
from .errors import ConsentRefused as ConsentRefused
from .errors import ConsentUsed as ConsentUsed
from .errors import EnrolledAlready as EnrolledAlready
from .errors import NotConfirmed as NotConfirmed
from .errors import NotEnrolled as NotEnrolled
from .errors import NotSeen as NotSeen
from .models import Asked as Asked
from .models import Consent as Consent
from .models import Credential as Credential
from .models import Stage as Stage
from .store import RemoteStore as RemoteStore
