# SPDX-License-Identifier: Apache-2.0
"""OpenID Connect Core and RP-Initiated Logout: prompts, ID tokens, claims by scope, logout hints."""

from .claims import claims_of as claims_of
from .hints import Hint as Hint
from .hints import hint_of as hint_of
from .id_token import ID_TOKEN_TYP as ID_TOKEN_TYP
from .id_token import id_claims as id_claims
from .mandates import on_behalf_of as on_behalf_of
from .steps import Step as Step
from .steps import next_step as next_step
from .steps import unattended as unattended
