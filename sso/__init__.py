# SPDX-License-Identifier: Apache-2.0
"""Single sign-on: an OAuth 2 and OpenID Connect provider, its login, consent and "My account" pages.

Owns the tables clients, initial_tokens, goodbyes, back_channels, ended_tokens, sessions, spent, pushed, codes,
device_codes, refresh_tokens, assertions, proofs, grants, consents, attempts, handovers, code_apps, recovery_codes,
barred, heard and outbox.

Trusts the directory for passwords and persons, the certificate authority for the status of cards, the record for
everything it must not forget. What never happens here: a password is kept, a code or token is stored in a
form that could be presented, a redirect goes to an address nobody registered, a grant stands that is not recorded.
"""

from .errors import InvalidClient as InvalidClient
from .errors import InvalidGrant as InvalidGrant
from .errors import LoginRefused as LoginRefused
from .models import Client as Client
from .models import Session as Session
