# SPDX-License-Identifier: Apache-2.0
"""Signed compact JSON; the reading is ``core.jose``, which the gateway shares."""

from core.jose import ALGORITHMS as ALGORITHMS
from core.jose import Compact as Compact
from core.jose import PublicKey as PublicKey
from core.jose import Unverified as Unverified
from core.jose import algorithm_of as algorithm_of
from core.jose import base64url as base64url
from core.jose import members as members
from core.jose import opened as opened
from core.jose import public_key as public_key
from core.jose import strict_base64url as strict_base64url
from core.jose import strict_object as strict_object
from core.jose import verified as verified
