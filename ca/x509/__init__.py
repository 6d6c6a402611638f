# SPDX-License-Identifier: Apache-2.0
"""The craft of certificates, pure: profiles, requests, drafts, lint, revocation lists and OCSP answers.

No file, no database, no clock, and no issuing key: whatever must be signed here is handed to a signer as a builder.
``lint`` and ``stamps`` are asked for by name: their libraries are large, and every role that checks a certificate
knows this package.
"""

from .algorithms import Algorithm as Algorithm
from .algorithms import SigningKey as SigningKey
from .algorithms import algorithm_for as algorithm_for
from .algorithms import algorithm_of as algorithm_of
from .algorithms import generate as generate
from .algorithms import throw_away as throw_away
from .blocklist import Blocklist as Blocklist
from .blocklist import read_blocklist as read_blocklist
from .build import Draft as Draft
from .build import IssuerFacts as IssuerFacts
from .build import Locations as Locations
from .build import Subject as Subject
from .build import build as build
from .build import list_path as list_path
from .build import policy_oid as policy_oid
from .build import spelled as spelled
from .profiles import PROFILES as PROFILES
from .profiles import Hosts as Hosts
from .profiles import Profile as Profile
from .profiles import SubjectKind as SubjectKind
from .profiles import profile as profile
from .request import CertificateRequest as CertificateRequest
from .request import read_request as read_request
from .serials import draw as draw
