# SPDX-License-Identifier: Apache-2.0
"""Three sample relying parties: tax and social insurance on the external network, the document office on the internal.

Own no table: a portal keeps only a signed cookie with who its visitor is. Trust the gateway's signed header for every
request and the sign-on's signed token for the name. What never happens here: an access decision, or a token kept.
"""

from .base import Declarations as Declarations
from .base import Portal as Portal
from .base import SignOn as SignOn
from .errors import ConsentRefused as ConsentRefused
from .errors import LoginFailed as LoginFailed
from .errors import OtherPerson as OtherPerson
from .errors import RecordNotOpened as RecordNotOpened
