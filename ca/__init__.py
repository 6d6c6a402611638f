# SPDX-License-Identifier: Apache-2.0
"""The certificate authority: vouches for people, devices, organisations and the site's own machines.

Owns the tables certificates, keys, revocations, releases, shards, lists, publications, heard and outbox, the keys in
``state/ca/keys``, and the OCSP answers beside its socket. Trusts the
directory for who somebody is, the record for having taken an intent, and its own store. What never happens here:
nothing is signed unlinted, unrecorded or under a serial used before, and only `ca.signer` opens a key. It never
imports sso: the root of trust works with sign-on down.
"""

from .client import CAClient as CAClient
from .config import CASettings as CASettings
from .errors import AlreadyRevoked as AlreadyRevoked
from .errors import CertificateRefused as CertificateRefused
from .errors import NoSuchCertificate as NoSuchCertificate
from .errors import NotSuspended as NotSuspended
from .errors import StatusUnknown as StatusUnknown
from .models import Certificate as Certificate
from .models import CertificateStatus as CertificateStatus
from .models import Issued as Issued
from .models import IssueRequest as IssueRequest
from .models import Reason as Reason
from .models import Standing as Standing
from .models import VerifiedCertificate as VerifiedCertificate
from .verifier import CertificateVerifier as CertificateVerifier
from .verifier import PublishedStatus as PublishedStatus
