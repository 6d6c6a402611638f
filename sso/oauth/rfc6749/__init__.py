# SPDX-License-Identifier: Apache-2.0
"""The OAuth 2.0 framework: authorization requests, addresses, scopes, client authentication, token requests."""

from .addresses import check_address as check_address
from .addresses import host_of as host_of
from .addresses import is_loopback as is_loopback
from .addresses import is_registered as is_registered
from .addresses import origin_of as origin_of
from .addresses import with_parameters as with_parameters
from .authorization import Draft as Draft
from .authorization import drafted as drafted
from .authorization import single as single
from .authorization import validated as validated
from .clients import Credentials as Credentials
from .clients import credentials as credentials
from .clients import secret_matches as secret_matches
from .redemption import why_refresh_refused as why_refresh_refused
from .redemption import why_refused as why_refused
from .scopes import SCOPES as SCOPES
from .scopes import scope_text as scope_text
from .tokens import TokenRequest as TokenRequest
from .tokens import token_request as token_request
