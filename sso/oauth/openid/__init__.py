# SPDX-License-Identifier: Apache-2.0
"""OpenID Connect Core and RP-Initiated Logout: prompts, ID tokens, claims by scope, logout hints."""

from .claims import USERINFO_TYP as USERINFO_TYP
from .claims import claims_of as claims_of
from .goodbye import LOGOUT_TYP as LOGOUT_TYP
from .goodbye import logout_claims as logout_claims
from .hints import Hint as Hint
from .hints import hint_of as hint_of
from .id_token import ID_TOKEN_TYP as ID_TOKEN_TYP
from .id_token import id_claims as id_claims
from .mandates import on_behalf_of as on_behalf_of
from .steps import Step as Step
from .steps import next_step as next_step
from .steps import unattended as unattended
from .wanted import asked_about as asked_about
from .wanted import essential as essential
from .wanted import fitting as fitting
from .wanted import names_at as names_at
from .wanted import scopes_of as scopes_of
from .wanted import without as without
