# SPDX-License-Identifier: Apache-2.0
"""What somebody may do and why, worked out from what they hold; pure.

From posts and grants follow roles, from roles entitlements. Each access keeps the chains by which it came, so that the
question why has an answer, and a change can be shown before it is made.
"""

from .effective import Chain as Chain
from .effective import Facts as Facts
from .effective import Standing as Standing
from .effective import ever as ever
from .effective import memberships as memberships
from .effective import named as named
from .effective import standing as standing
from .previews import Preview as Preview
from .previews import clash as clash
from .previews import preview as preview
