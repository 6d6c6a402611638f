# SPDX-License-Identifier: Apache-2.0
"""What the three portals share: landing page, visitor's page, login through the sign-on, logout and the JSON face."""

from .accounts import Accounts as Accounts
from .accounts import accounts_service as accounts_service
from .declaring import Declarations as Declarations
from .oidc import SignOn as SignOn
from .oidc import Visitor as Visitor
from .pages import Link as Link
from .pages import Portal as Portal
from .seed import Seed as Seed
