# SPDX-License-Identifier: Apache-2.0
"""The verbs: ``Verification`` answers the four questions, ``Sealing`` puts an organisation's seal on a document."""

from .lists import IssuerLists as IssuerLists
from .sealing import Sealing as Sealing
from .verification import Verification as Verification
